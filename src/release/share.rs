//! Shared paths and writable directories of a release.

use jiff::Timestamp;

use crate::event::Report;
use crate::release::answer::Fields;
use crate::release::history;
use crate::release::lock::Lock;
use crate::release::path_kinds::{FoundShared, InRelease, InShared, Misfit, fits};
use crate::release::scripts::{DROP, KINDS, REACH, UNSEED, paths, script};
use crate::release::seen::SitePart;
use crate::release::unfit::{self, PathOwner, Unfit};
use crate::release::{ReleaseName, SharedKind, SharedPath};
use crate::shell::{Effect, Step};
use crate::tree::TreePath;

/// The outcome of linking the shared paths.
#[derive(Debug, Default)]
pub struct LinkReport {
    /// Paths that were copied from the release to `shared/`, which did not have them.
    pub seeded: Vec<String>,
    /// Those that the release did not have either: empty directories.
    pub made: Vec<String>,
    /// Files that the source has under a shared path, but that are not in `shared/`: the link hides them.
    pub hidden: Vec<String>,
}

/// Links `shared` into the release; `brought` are the source's own files under shared paths. Refuses paths that do not
/// fit, before it changes anything.
pub fn link(
    lock: &Lock,
    name: &ReleaseName,
    shared: &[SharedPath],
    brought: &[TreePath],
    now: Timestamp,
) -> Step<LinkReport> {
    let script = lock
        .script(include_str!("sh/link.sh"))
        .with(DROP)
        .with(KINDS)
        .with(REACH)
        .var("name", name)
        .var("stamp", history::stamp(now))
        .var("fits", fits().as_str())
        .rows("shared", shared.iter().map(SharedPath::row))
        .rows("brought", paths(brought));
    let place = lock.root.clone();
    Step::new("link", Effect::Writes, script, move |answer| {
        if let Some(report) = refusal(&unfit(&Fields::parse(&answer.stdout)), &place) {
            return Err(report.into());
        }
        let fields = Fields::read(answer, "linked")?;
        let made = fields.list("made");
        let seeded = fields.list("seeded").into_iter().filter(|path| !made.contains(path)).collect();
        Ok(LinkReport { seeded, made, hidden: fields.list("brought") })
    })
    .data_each("path", shared)
}

/// The paths that the server has refused to link.
fn unfit(fields: &Fields) -> Vec<Unfit> {
    let [asked, in_shared, at_shared, in_release, at_release] =
        ["unfit_asked", "unfit_shared", "unfit_shared_at", "unfit_release", "unfit_release_at"]
            .map(|key| fields.list(key));
    let each = fields.bytes("unfit").enumerate().filter_map(|(n, path)| {
        let kind = if asked.get(n)? == "directory" { SharedKind::Directory } else { SharedKind::File };
        let path = SharedPath { path: TreePath::new(path).ok()?, kind };
        let found = FoundShared { kind: InShared::parse(in_shared.get(n)?)?, at: at_shared.get(n)?.clone() };
        let release = (InRelease::parse(in_release.get(n)?)?, at_release.get(n)?.clone());
        Unfit::of(&path, Some(&found), release)
    });
    each.collect()
}

/// One error for all of them. Files that are missing come together, and last.
fn refusal(unfit: &[Unfit], root: &str) -> Option<Report> {
    let (missing, others): (Vec<&Unfit>, Vec<&Unfit>) =
        unfit.iter().partition(|unfit| unfit.why == Misfit::Missing);
    let missing: Vec<TreePath> = missing.into_iter().map(|unfit| unfit.path.path.clone()).collect();
    let mut reports: Vec<Report> =
        others.into_iter().map(|unfit| unfit.report(PathOwner::Release, root)).collect();
    if !missing.is_empty() {
        reports.push(unfit::missing(root, &missing));
    }
    let mut reports = reports.into_iter();
    let first = reports.next()?;
    Some(reports.fold(first, |first, next| first.note(next.message)))
}

/// What a release has at paths: its own, not links to what is shared.
pub fn own(root: &str, name: &ReleaseName, asked: &[TreePath]) -> Step<Vec<(InRelease, String)>> {
    let text = script(root, include_str!("sh/own.sh"))
        .with(KINDS)
        .var("holder", "")
        .var("name", name)
        .rows("asked", paths(asked));
    Step::new("own", Effect::Reads, text, |answer| {
        let fields = Fields::read(answer, "listed")?;
        let kinds = fields.list("own_kind").into_iter().zip(fields.list("own_at"));
        Ok(kinds.map(|(kind, at)| (InRelease::parse(&kind).unwrap_or(InRelease::Nothing), at)).collect())
    })
}

/// What the undo of `link` has left in `shared/`.
#[derive(Debug, Default)]
pub struct Unseeded {
    /// Something was written there since.
    pub kept: Vec<String>,
    /// Somebody else may have put a link on the way.
    pub strange: Vec<String>,
}

/// The undo of `link`: removes what it seeded.
pub fn unseed(lock: &Lock, name: &ReleaseName) -> Step<Unseeded> {
    let script =
        lock.script(include_str!("sh/unseed.sh")).with(DROP).with(UNSEED).with(REACH).var("name", name);
    Step::new("unseed", Effect::Writes, script, |answer| {
        let fields = Fields::read(answer, "unseeded")?;
        Ok(Unseeded { kept: fields.list("kept"), strange: fields.list("strange") })
    })
}

/// Makes directories writable for their owner and group. Returns those that belong to another login, whose group this user
/// is not in: it cannot change them.
pub fn writable(lock: &Lock, name: &ReleaseName, paths: &[TreePath]) -> Step<Vec<(String, SitePart)>> {
    let script = lock.script(include_str!("sh/writable.sh")).with(REACH);
    let script = script.var("name", name).rows("writable", self::paths(paths));
    Step::new("writable", Effect::Writes, script, |answer| {
        let fields = Fields::read(answer, "writable")?;
        let others = fields.list("others").into_iter().zip(fields.list("others_as"));
        Ok(others.filter_map(|(path, line)| Some((path, SitePart::parse(&line)?))).collect())
    })
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
            fits=' directory:nothing:nothing directory:nothing:directory directory:directory:nothing directory:directory:directory directory:directory:link file:nothing:file file:file:nothing file:file:file file:file:link '
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

        let said = b"unfit=a\0unfit_asked=file\0unfit_shared=nothing\0unfit_shared_at=\0unfit_release=nothing\0unfit_release_at=\0\
            unfit=up\0unfit_asked=directory\0unfit_shared=file\0unfit_shared_at=\0unfit_release=directory\0unfit_release_at=\0\
            unfit=b c\0unfit_asked=file\0unfit_shared=nothing\0unfit_shared_at=\0unfit_release=nothing\0unfit_release_at=\0";
        let answer = Answer { exit: Exit::Code(1), stdout: said.to_vec(), stderr: Vec::new() };
        expect![[r#"
            setting `shared` lists the directory `up/`, but `/srv/shop/shared/up` is a file
             = shared files `a`, `b c` are missing
            hint: if a file is meant, write `up`, without a slash at the end; otherwise, move it away on the server"#]]
        .assert_eq(&plain(&Report::of(&(step.read)(&answer).unwrap_err())));
    }
}
