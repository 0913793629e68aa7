//! The shell libraries of this layer's scripts, and how values are passed to them.

use crate::shell::{Script, Word};
use crate::tree::TreePath;

pub(super) const SAY: &str = include_str!("sh/say.sh");
pub(super) const PUT: &str = include_str!("sh/put.sh");
pub(super) const LIB: &str =
    concat!(include_str!("sh/say.sh"), include_str!("sh/put.sh"), include_str!("sh/lib.sh"));
/// For scripts that remove trees.
pub(super) const DROP: &str = include_str!("sh/drop_lib.sh");
/// Behind `LIB` or `SAY`, for scripts that use the lock or wait for other processes.
pub(super) const LOCK: &str = include_str!("sh/lock_lib.sh");
pub(super) const SWAP: &str = include_str!("sh/swap_lib.sh");
/// Whose a directory is.
pub(super) const OURS: &str = include_str!("sh/ours_lib.sh");
/// How a step reaches a path that others may have put a link on. Behind `PUT`, or a `refuse` of its own.
pub(super) const REACH: &str = concat!(include_str!("sh/ours_lib.sh"), include_str!("sh/reach_lib.sh"));
/// Behind `REACH`; it has a `refuse` of its own.
pub(super) const FILE: &str = include_str!("sh/file_lib.sh");
/// Behind `LIB` and `REACH`.
pub(super) const UNSEED: &str = include_str!("sh/unseed_lib.sh");
pub(super) const EXCHANGE: &str = include_str!("sh/exchange_lib.sh");
/// Behind `SAY`.
pub(super) const MOVING: &str = include_str!("sh/moving_lib.sh");
/// Behind `SAY`.
pub(super) const KINDS: &str = include_str!("sh/kinds_lib.sh");
pub(super) const CREATE: &str = include_str!("sh/create_lib.sh");
pub(super) const SURVEY: &str = include_str!("sh/survey_lib.sh");
pub(super) const INSPECT: &str = include_str!("sh/inspect_lib.sh");
/// Behind `LIB`, for scripts that read manifests.
pub(super) const MANIFEST: &str = include_str!("sh/manifest_lib.sh");
pub(super) const FILL: &str = include_str!("sh/fill_lib.sh");

/// Patterns for what only an interrupted run leaves behind.
pub(super) const LITTER: &str = ".runner/fill .runner/guard .runner/restore .runner/seed .runner/survey.* .runner/restored* .runner/*.new \
.runner/records/*.new .runner/manifests/*.next .runner/manifests/.*.next .runner/lock.owner.* .runner/mine.* .runner/seen.* .runner/busy.*";

/// A script that only reads the site at `root`.
pub(super) fn script(root: impl Into<Word>, body: &'static str) -> Script {
    Script::new(body).var("root", root).with(LIB)
}

/// Words in rows of up to 100, for commands that take many operands.
pub(super) fn rows(words: impl IntoIterator<Item = Word>) -> Vec<Vec<Word>> {
    let words: Vec<Word> = words.into_iter().collect();
    words.chunks(100).map(<[Word]>::to_vec).collect()
}

/// Paths as rows of one word each.
pub(super) fn paths(paths: &[TreePath]) -> impl Iterator<Item = [Word; 1]> {
    paths.iter().map(|path| [word(path)])
}

pub(super) fn word(path: &TreePath) -> Word {
    Word::new(path.as_bytes())
}

/// A boolean for scripts: empty is false.
pub(super) fn flag(value: bool) -> &'static str {
    if value { "yes" } else { "" }
}
