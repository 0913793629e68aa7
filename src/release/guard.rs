//! The guard: files that releases share must not be written in place. If one was, its content is restored.

use anyhow::Result;

use crate::release::ReleaseName;
use crate::release::answer::Fields;
use crate::release::lock::Lock;
use crate::release::scripts::{DROP, INSPECT, LOCK, MANIFEST, REACH, flag, paths};
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

/// Files that releases share and that were written in place.
#[derive(Debug, Default)]
pub struct Inspection {
    /// Their names, as lines.
    pub lines: Vec<Vec<u8>>,
    /// The other releases that have them.
    pub others: Vec<String>,
}

/// Finds the files of other releases that were written through the release `name`.
pub fn inspect(lock: &Lock, name: &ReleaseName) -> Step<Inspection> {
    let script = lock.script(include_str!("sh/inspect.sh")).with(INSPECT).var("name", name);
    Step::new("inspect", Effect::Writes, script, |answer| {
        let fields = Fields::read(answer, "inspected")?;
        Ok(Inspection { lines: fields.byte_list("differs"), others: fields.list("shares") })
    })
    .data("release", name)
}

/// Restores files from the pack (members `.runner/restore/PATH`) in every release that has the inode that was written;
/// but not in the release `name` itself if it `keeps` what was written.
pub fn restore(lock: &Lock, name: &ReleaseName, written: &[TreePath], keeps: bool) -> Step<()> {
    let script = lock
        .script(include_str!("sh/restore.sh"))
        .with(LOCK)
        .with(DROP)
        .with(MANIFEST)
        .with(REACH)
        .var("name", name)
        .var("keeps", flag(keeps))
        .rows("restored", paths(written));
    Step::new("restore", Effect::Writes, script, |answer| Fields::read(answer, "restored").map(drop))
        .data("files", written.len())
}
