//! What a run is about to do on its hosts. It is written on every host before the swap, so that the next run can see an
//! interrupted swap.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::release::current::Target;
use crate::release::{Record, ReleaseName};
use crate::shell::Word;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The rollout it belongs to, which names its file: RUN.N. Older programs had one rollout in a run: they wrote RUN, and
    /// can clean up after both.
    #[serde(rename = "run")]
    pub rollout: String,
    /// The release to swap to.
    pub release: ReleaseName,
    /// Whether this run made the release (a deploy); for a rollback it existed before.
    pub is_new: bool,
    /// What `current` points to before the swap, as the text of the link; empty for nothing.
    pub from: String,
    pub at: Timestamp,
    pub by: String,
    /// All hosts of the rollout.
    pub hosts: Vec<String>,
    /// For a rollback, the records that it changes as they are after a swap back. Older programs wrote none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<Record>,
}

impl Intent {
    /// What `current` points to after the swap.
    pub fn to(&self) -> String {
        Target::Release(self.release.clone()).link()
    }

    /// The release that `current` points to before the swap.
    pub fn left(&self) -> Option<ReleaseName> {
        Target::Link(self.from.clone()).release_name().filter(|_| !self.from.is_empty())
    }
}

impl From<&Intent> for Word {
    fn from(intent: &Intent) -> Self {
        // Strings, times, flags and lists of these: serializing them cannot fail.
        Word::new(serde_json::to_vec(intent).unwrap_or_default())
    }
}
