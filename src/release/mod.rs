//! What can be done to a site, as values: typed input becomes a `Step`; nothing is sent from here.

pub mod answer;
pub mod command;
pub mod fill;
pub mod guard;
pub mod heal;
pub mod intent;
pub mod keep;
pub mod lifecycle;
pub mod lock;
pub mod name;
pub mod probe;
pub mod record;
pub mod room;
pub mod share;
pub mod shared_path;
pub mod survey;
pub mod swap;

pub use lock::Lock;
pub use name::ReleaseName;
pub use record::{Record, State};
pub use shared_path::{SharedKind, SharedPath};

use crate::shell::{Script, Word};

const SAY: &str = include_str!("sh/say.sh");
const LIB: &str = concat!(include_str!("sh/say.sh"), include_str!("sh/put.sh"), include_str!("sh/lib.sh"));
/// Behind either of them, for scripts that have to do with the lock and with what works beside it.
const LOCK: &str = include_str!("sh/lock_lib.sh");
const SWAP: &str = include_str!("sh/swap_lib.sh");
const UNSEED: &str = include_str!("sh/unseed_lib.sh");
const CREATE: &str = include_str!("sh/create_lib.sh");
const SURVEY: &str = include_str!("sh/survey_lib.sh");
const INSPECT: &str = include_str!("sh/inspect_lib.sh");
const FILL: &str = include_str!("sh/fill_lib.sh");

/// What only a dead run leaves behind, as patterns.
const LITTER: &str = ".runner/fill .runner/guard .runner/restore .runner/seed .runner/survey.* .runner/restored* .runner/*.new \
.runner/records/*.new .runner/manifests/*.next .runner/manifests/.*.next .runner/lock.owner.* .runner/mine.* .runner/seen.* .runner/busy.*";

/// A script of this layer that reads in the site at `root`.
fn script(root: impl Into<Word>, body: &'static str) -> Script {
    Script::new(body).var("root", root).with(LIB)
}

/// Words in rows of up to 100, for commands that take many operands.
fn rows(words: impl IntoIterator<Item = Word>) -> Vec<Vec<Word>> {
    let words: Vec<Word> = words.into_iter().collect();
    words.chunks(100).map(<[Word]>::to_vec).collect()
}

/// A shell's notion of a boolean: empty is false.
fn flag(value: bool) -> &'static str {
    if value { "yes" } else { "" }
}
