//! The guard: files that releases share must not be written in place. If one was, its content is restored.

use anyhow::Result;

use crate::release::ReleaseName;
use crate::release::answer::Fields;
use crate::release::lock::Lock;
use crate::release::scripts::{INSPECT, LOCK, MANIFEST, paths};
use crate::shell::{Answer, Effect, Step};
use crate::tree::TreePath;

/// The outcome of a step that checks the release first, and does nothing if its files have changed since the fill.
pub enum Guarded<A> {
    Passed(A),
    /// The names of the files that differ, as lines.
    Differs(Vec<Vec<u8>>),
}

pub(super) fn read<A>(answer: &Answer, end: &str, passed: impl FnOnce(&Fields) -> A) -> Result<Guarded<A>> {
    let differs = Fields::parse(&answer.stdout).byte_list("differs");
    match differs.is_empty() {
        true => Fields::read(answer, end).map(|fields| Guarded::Passed(passed(&fields))),
        false => Ok(Guarded::Differs(differs)),
    }
}

/// Finds the files of other releases that were written through the release that is being built.
pub fn inspect(lock: &Lock, name: &ReleaseName) -> Step<Vec<Vec<u8>>> {
    let script = lock.script(include_str!("sh/inspect.sh")).with(INSPECT).var("name", name);
    Step::new("inspect", Effect::Writes, script, |answer| {
        Ok(Fields::read(answer, "inspected")?.byte_list("differs"))
    })
    .data("release", name)
}

/// Restores files from the pack (members `.runner/restore/PATH`) in every release that has the inode that was written.
pub fn restore(lock: &Lock, name: &ReleaseName, written: &[TreePath]) -> Step<()> {
    let script = lock
        .script(include_str!("sh/restore.sh"))
        .with(LOCK)
        .with(MANIFEST)
        .var("name", name)
        .rows("restored", paths(written));
    Step::new("restore", Effect::Writes, script, |answer| Fields::read(answer, "restored").map(drop))
        .data("files", written.len())
}
