//! The guard: files that releases share must not be written in place, and what was written is put back.

use crate::release::answer::Fields;
use crate::release::{ReleaseName, rows, script};
use crate::shell::{Effect, Step, Word};
use crate::tree::{Manifest, TreePath};

/// How a filled directory is compared with its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Size, time and mode: what no honest run leaves wrong.
    Stat,
    /// Content as well: for a cache that a dead run left half changed.
    Hash,
}

/// Names the managed files of `place` that are not what the manifest says: drift.
pub fn survey(root: &str, place: &str, manifest: &str, by: By) -> Step<Vec<Vec<u8>>> {
    let by_word = match by {
        By::Stat => "stat",
        By::Hash => "hash",
    };
    let script = script(root, include_str!("sh/survey.sh"))
        .var("place", place)
        .var("manifest", format!(".runner/manifests/{manifest}"))
        .var("by", by_word);
    Step::new("survey", Effect::Reads, script, |answer| {
        Ok(Fields::read(answer, "surveyed")?.byte_list("differs"))
    })
    .data("place", place)
}

/// The managed files that `differs` lines stand for. A line ends at a newline, within a name too.
pub fn named(manifest: &Manifest, differs: &[Vec<u8>]) -> Vec<TreePath> {
    manifest
        .entries()
        .iter()
        .map(|line| &line.entry.path)
        .filter(|path| {
            let first = path.as_bytes().split(|&byte| byte == b'\n').next();
            differs.iter().any(|line| Some(line.as_slice()) == first)
        })
        .cloned()
        .collect()
}

/// The manifest of a release as the server keeps it, for a client that does not have it.
pub fn manifest(root: &str, name: &str) -> Step<Vec<u8>> {
    let script = script(root, "enter\ncat -- \".runner/manifests/$name\"\n").var("name", name);
    Step::new("manifest", Effect::Reads, script, |answer| Ok(answer.stdout.clone())).data("of", name)
}

/// Of files that differ, those that are one inode with another release's. The others were replaced: no harm.
pub fn inspect(root: &str, name: &ReleaseName, suspects: &[TreePath]) -> Step<Vec<Vec<u8>>> {
    let words = suspects.iter().map(|path| Word::new(path.as_bytes()));
    let script = script(root, include_str!("sh/inspect.sh")).var("name", name).rows("suspects", rows(words));
    Step::new("inspect", Effect::Writes, script, |answer| {
        Ok(Fields::read(answer, "inspected")?.byte_list("written"))
    })
    .data("files", suspects.len())
}

/// Puts the content in the pack (members `.runner/restore/PATH`) back wherever the written inode is seen.
pub fn restore(root: &str, name: &ReleaseName, written: &[TreePath]) -> Step<()> {
    let script = script(root, include_str!("sh/restore.sh"))
        .var("name", name)
        .rows("restored", written.iter().map(|p| [Word::new(p.as_bytes())]));
    Step::new("restore", Effect::Writes, script, |answer| Fields::read(answer, "restored").map(drop))
        .data("files", written.len())
}
