//! Shared paths and writable directories of a release.

use jiff::Timestamp;

use crate::event::Report;
use crate::release::answer::Fields;
use crate::release::history;
use crate::release::lock::Lock;
use crate::release::scripts::{UNSEED, paths, script};
use crate::release::{ReleaseName, SharedPath};
use crate::shell::{Effect, Step};
use crate::tree::TreePath;

/// The outcome of linking the shared paths.
#[derive(Debug, Default)]
pub struct LinkReport {
    /// Paths that were copied from the release to `shared/`, which did not have them.
    pub seeded: Vec<String>,
    /// Files that the source has under a shared path, but that are not in `shared/`: the link hides them.
    pub hidden: Vec<String>,
}

/// Links `shared` into the release; `brought` are the source's own files under shared paths.
pub fn link(
    lock: &Lock,
    name: &ReleaseName,
    shared: &[SharedPath],
    brought: &[TreePath],
    now: Timestamp,
) -> Step<LinkReport> {
    let script = lock
        .script(include_str!("sh/link.sh"))
        .var("name", name)
        .var("stamp", history::stamp(now))
        .rows("shared", shared.iter().map(SharedPath::row))
        .rows("brought", paths(brought));
    let place = lock.root.clone();
    Step::new("link", Effect::Writes, script, move |answer| {
        let missing = Fields::parse(&answer.stdout).list("missing");
        if !missing.is_empty() {
            return Err(missing_report(&place, &missing).into());
        }
        let fields = Fields::read(answer, "linked")?;
        Ok(LinkReport { seeded: fields.list("seeded"), hidden: fields.list("brought") })
    })
    .data_each("path", shared)
}

fn missing_report(root: &str, missing: &[String]) -> Report {
    let names: Vec<String> = missing.iter().map(|path| format!("`{path}`")).collect();
    let first = &missing[0];
    let what = match names.as_slice() {
        [name] => format!("shared file {name} is missing"),
        names => format!("shared files {} are missing", names.join(", ")),
    };
    Report::new(what).hint(format!(
        "create `{root}/shared/{first}` on the server, or write `{first}/` if it is a directory"
    ))
}

/// The paths that are a release's own, not links: a deployment copies them to `shared/`.
pub fn own(root: &str, name: &ReleaseName, asked: &[TreePath]) -> Step<Vec<String>> {
    let text = script(root, include_str!("sh/own.sh"))
        .var("holder", "")
        .var("name", name)
        .rows("asked", paths(asked));
    Step::new("own", Effect::Reads, text, |answer| Ok(Fields::read(answer, "listed")?.list("own")))
}

/// The undo of `link`: removes what it seeded, unless something was written there since. Returns what stays.
pub fn unseed(lock: &Lock, name: &ReleaseName) -> Step<Vec<String>> {
    let script = lock.script(include_str!("sh/unseed.sh")).with(UNSEED).var("name", name);
    Step::new("unseed", Effect::Writes, script, |answer| Ok(Fields::read(answer, "unseeded")?.list("kept")))
}

pub fn writable(lock: &Lock, name: &ReleaseName, paths: &[TreePath]) -> Step<()> {
    let script =
        lock.script(include_str!("sh/writable.sh")).var("name", name).rows("writable", self::paths(paths));
    Step::new("writable", Effect::Writes, script, |answer| Fields::read(answer, "writable").map(drop))
        .data_each("path", paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::layout::plain;
    use crate::shell::{Answer, Exit};
    use expect_test::expect;

    #[test]
    fn shared_paths_reach_the_script_as_rows_and_missing_files_come_back_as_one_error() {
        let shared = SharedPath::parse_all(["storage/", "it's/a.ini"]).unwrap();
        let brought = [TreePath::new(b"storage/-x").unwrap()];
        let name = ReleaseName::new("8").unwrap();
        let lock = Lock { root: "/srv/shop".to_owned(), run: "r".to_owned() };
        let step = link(&lock, &name, &shared, &brought, "2026-11-21T19:30:00Z".parse().unwrap());
        expect![[r#"
            root='/srv/shop'
            holder='r'
            name='8'
            stamp='2026-11-21T19:30:00Z'
            shared() {
              "$@" 'directory' 'storage' '../../shared/storage' || return
              "$@" 'file' 'it'\''s/a.ini' '../../../shared/it'\''s/a.ini' || return
              :
            }
            brought() {
              "$@" 'storage/-x' || return
              :
            }
        "#]]
        .assert_eq(&step.act.script.values());

        let said = b"missing=a\0missing=b c\0".to_vec();
        let answer = Answer { exit: Exit::Code(1), stdout: said, stderr: Vec::new() };
        expect![[r#"
            shared files `a`, `b c` are missing
            hint: create `/srv/shop/shared/a` on the server, or write `a/` if it is a directory"#]]
        .assert_eq(&plain(&Report::of(&(step.read)(&answer).unwrap_err())));
    }
}
