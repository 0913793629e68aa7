//! `current` is re-pointed by one rename, and the records say so.

use std::fmt;

use crate::release::answer::Fields;
use crate::release::probe::Current;
use crate::release::{Record, ReleaseName, flag, script};
use crate::shell::{Effect, Step, Word};

/// Where `current` should lead: to a release, or, when a first deploy is taken back, nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Release(ReleaseName),
    /// A link text as it was found, another tool's absolute one for example.
    Link(String),
    /// A link text that leads to nothing, as it was found.
    Dangling(String),
    Nothing,
}

impl Target {
    pub fn of(current: &Current) -> Self {
        match current {
            Current::Absent => Target::Nothing,
            Current::Release { link, .. } => Target::Link(link.clone()),
            Current::Dangling { link } => Target::Dangling(link.clone()),
        }
    }

    /// The release that the link leads to, by its last part.
    pub fn release_name(&self) -> Option<ReleaseName> {
        match self {
            Target::Release(name) => Some(name.clone()),
            Target::Link(link) => {
                let last = link.trim_end_matches('/').rsplit('/').next();
                ReleaseName::new(last.unwrap_or_default()).ok()
            }
            Target::Dangling(_) | Target::Nothing => None,
        }
    }

    pub fn link(&self) -> String {
        match self {
            Target::Release(name) => format!("releases/{name}"),
            Target::Link(link) | Target::Dangling(link) => link.clone(),
            Target::Nothing => String::new(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Target::Nothing => f.write_str("nothing"),
            target => f.write_str(&target.link()),
        }
    }
}

/// Compare-and-swap: nothing moves unless `current` still leads where `from` says. `records` are rewritten after it.
pub fn swap(
    root: &str,
    from: &Target,
    to: &Target,
    records: &[Record],
    is_durable: bool,
    entry: &str,
) -> Step<()> {
    let rows = records.iter().map(|record| [Word::from(&record.name), Word::from(record)]);
    let script = script(root, include_str!("sh/swap.sh"))
        .var("from", from.link())
        .var("to", to.link())
        .var("dangling", flag(matches!(to, Target::Dangling(_))))
        .var("durable", flag(is_durable))
        .var("entry", entry)
        .rows("records", rows);
    Step::new("swap", Effect::Writes, script, |answer| Fields::read(answer, "swapped").map(drop))
        .data("to", to.link())
}
