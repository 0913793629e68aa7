//! Shared paths and writable directories of a release.

use std::fmt;

use crate::event::Report;
use crate::release::answer::Fields;
use crate::release::{ReleaseName, SharedPath, script};
use crate::shell::{Effect, Step, Word};
use crate::tree::TreePath;

/// What linking the shared paths brought to light.
#[derive(Debug, Default)]
pub struct Linked {
    /// Put into `shared/` from the release, since nothing was there.
    pub seeded: Vec<String>,
    /// Brought by the source under a shared path, and not in `shared/`: nobody will see it.
    pub hidden: Vec<String>,
}

/// Links `shared` into the release; `brought` are the source's own files under shared paths.
pub fn link(
    root: &str,
    name: &ReleaseName,
    shared: &[SharedPath],
    brought: &[TreePath],
    stamp: &str,
) -> Step<Linked> {
    let script = script(root, include_str!("sh/link.sh"))
        .var("name", name)
        .var("stamp", stamp)
        .rows("shared", shared.iter().map(SharedPath::row))
        .rows("brought", brought.iter().map(|p| [Word::new(p.as_bytes())]));
    let place = root.to_owned();
    Step::new("link", Effect::Writes, script, move |answer| {
        let missing = Fields::parse(&answer.stdout).list("missing");
        if !missing.is_empty() {
            return Err(missing_report(&place, &missing).into());
        }
        let fields = Fields::read(answer, "linked")?;
        Ok(Linked { seeded: fields.list("seeded"), hidden: fields.list("brought") })
    })
    .data("paths", Paths(shared))
}

fn missing_report(root: &str, missing: &[String]) -> Report {
    let names: Vec<String> = missing.iter().map(|path| format!("`{path}`")).collect();
    let first = &missing[0];
    Report::new(format!("shared file {} is missing", names.join(", "))).hint(format!(
        "put it at `{root}/shared/{first}`; if it is a directory, write `{first}/` in the recipe"
    ))
}

struct Paths<'a>(&'a [SharedPath]);

impl fmt::Display for Paths<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (n, path) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{path}")?;
        }
        Ok(())
    }
}

/// The undo of `link`: what it seeded goes again, unless something was written there since. Answers what stays.
pub fn unseed(root: &str, name: &ReleaseName) -> Step<Vec<String>> {
    let script = script(root, include_str!("sh/unseed.sh")).var("name", name);
    Step::new("unseed", Effect::Writes, script, |answer| Ok(Fields::read(answer, "unseeded")?.list("kept")))
}

pub fn writable(root: &str, name: &ReleaseName, paths: &[TreePath]) -> Step<()> {
    let script = script(root, include_str!("sh/writable.sh"))
        .var("name", name)
        .rows("writable", paths.iter().map(|p| [Word::new(p.as_bytes())]));
    Step::new("writable", Effect::Writes, script, |answer| Fields::read(answer, "writable").map(drop))
        .data("paths", paths.len())
}
