//! A shared path that cannot be linked, and what is said about it.

use crate::event::Report;
use crate::release::path_kinds::{FoundShared, InRelease, InShared, Misfit, fit};
use crate::release::{SharedKind, SharedPath};
use crate::tree::TreePath;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    pub path: SharedPath,
    pub why: Misfit,
    /// What is in the way: a path in `shared/` or in the release, or where the link leads.
    pub at: String,
}

/// Whose path does not fit, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathOwner {
    Source,
    /// The new release.
    Release,
    Live,
}

impl Unfit {
    /// What is wrong with a path, given what the release has there. `None` for `found`: it is not known what `shared/` has.
    pub fn of(
        path: &SharedPath,
        found: Option<&FoundShared>,
        (release, in_release): (InRelease, String),
    ) -> Option<Self> {
        let shared = found.map_or(InShared::best(path.kind), |found| found.kind);
        let why = fit(path.kind, shared, release).err()?;
        let at = match (why, found) {
            (Misfit::Dangling | Misfit::Blocked, Some(found)) => found.at.clone(),
            _ => in_release,
        };
        Some(Self { path: path.clone(), why, at })
    }

    /// Says what is wrong. `root` is the site's, if it is known.
    pub fn report(&self, origin: PathOwner, root: &str) -> Report {
        let Self { path, at, .. } = self;
        let bare = &path.path;
        let whose = match origin {
            PathOwner::Source => "in the source",
            PathOwner::Release => "in the release",
            PathOwner::Live => "in the live release",
        };
        let (asked, other, spelling) = match path.kind {
            SharedKind::Directory => ("directory", "file", format!("`{bare}`, without a slash at the end")),
            SharedKind::File => ("file", "directory", format!("`{bare}/`, with a slash at the end")),
        };
        let lists = format!("setting `shared` lists the {asked} `{path}`");
        match self.why {
            Misfit::Missing => missing(root, std::slice::from_ref(bare)),
            Misfit::OtherInShared => Report::new(format!("{lists}, but `{root}/shared/{bare}` is a {other}"))
                .hint(format!(
                    "if a {other} is meant, write {spelling}; otherwise, move it away on the server"
                )),
            Misfit::OtherInRelease => Report::new(format!("{lists}, but `{bare}` {whose} is a {other}"))
                .hint(format!("to share the {other}, write {spelling}")),
            Misfit::Dangling => {
                Report::new(format!("`{root}/shared/{bare}` is a link to `{at}`, which does not exist"))
                    .hint(format!("create the {asked} that it leads to, or remove the link, on the server"))
            }
            Misfit::Blocked => Report::new(format!("{lists}, but `{root}/shared/{at}` is not a directory"))
                .hint(format!("move it away on the server, or correct `{path}` in the setting `shared`")),
            Misfit::LinkInRelease => Report::new(format!(
                "{lists}, but `{bare}` {whose} is a link, which cannot be copied to `shared/`"
            ))
            .hint(format!(
                "create `{root}/shared/{bare}` on the server, or share the path that the link leads to"
            )),
            Misfit::BelowFile => Report::new(format!("{lists}, but `{at}` {whose} is a file"))
                .hint(format!("correct `{path}` in the setting `shared`")),
            Misfit::BelowLink => Report::new(format!("{lists}, but `{at}` {whose} is a link"))
                .hint(format!("share the path that the link leads to, instead of `{path}`")),
        }
    }
}

/// The error for shared files that neither `shared/` nor the release has.
pub(super) fn missing(root: &str, paths: &[TreePath]) -> Report {
    let names: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    let what = match names.as_slice() {
        [name] => format!("shared file {name} is missing"),
        names => format!("shared files {} are missing", names.join(", ")),
    };
    let first = &paths[0];
    Report::new(what).hint(format!(
        "create `{root}/shared/{first}` on the server, or write `{first}/` if it is a directory"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::layout::plain;
    use crate::release::path_kinds::SourceKinds;
    use crate::tree::{Entry, Hash, Kind, Tree};
    use expect_test::{Expect, expect};

    /// `x/` is a directory, `x@` a link.
    fn tree(words: &[&str]) -> Tree {
        let entry = |word: &&str| {
            let kind = match word.as_bytes().last() {
                Some(b'/') => Kind::Directory,
                Some(b'@') => Kind::Link,
                _ => Kind::File,
            };
            let path = TreePath::new(word.trim_end_matches(['/', '@']).as_bytes()).unwrap();
            Entry { path, kind, mode: 0, size: 0, mtime: 0, hash: Hash::NONE }
        };
        Tree { root: "/nowhere".into(), entries: words.iter().map(entry).collect() }
    }

    #[track_caller]
    fn case(asked: &str, shared: InShared, source: &[&str], want: Expect) {
        let (asked, tree) = (SharedPath::parse(asked).unwrap(), tree(source));
        let found = FoundShared { kind: shared, at: "AT".to_owned() };
        let release = SourceKinds::of(&tree).at(&asked.path);
        let unfit = Unfit::of(&asked, Some(&found), release).unwrap();
        want.assert_eq(&plain(&unfit.report(PathOwner::Source, "/srv")));
    }

    #[test]
    fn each_misfit_has_a_way_forward() {
        use InShared::{Blocked, Dangling, Directory, File, Nothing};
        case(
            "x",
            Nothing,
            &[],
            expect![[r#"
            shared file `x` is missing
            hint: create `/srv/shared/x` on the server, or write `x/` if it is a directory"#]],
        );
        case(
            "x",
            Directory,
            &["x"],
            expect![[r#"
            setting `shared` lists the file `x`, but `/srv/shared/x` is a directory
            hint: if a directory is meant, write `x/`, with a slash at the end; otherwise, move it away on the server"#]],
        );
        case(
            "x/",
            File,
            &[],
            expect![[r#"
            setting `shared` lists the directory `x/`, but `/srv/shared/x` is a file
            hint: if a file is meant, write `x`, without a slash at the end; otherwise, move it away on the server"#]],
        );
        case(
            "x",
            Nothing,
            &["x/", "x/y"],
            expect![[r#"
            setting `shared` lists the file `x`, but `x` in the source is a directory
            hint: to share the directory, write `x/`, with a slash at the end"#]],
        );
        case(
            "x/",
            Directory,
            &["x"],
            expect![[r#"
            setting `shared` lists the directory `x/`, but `x` in the source is a file
            hint: to share the file, write `x`, without a slash at the end"#]],
        );
        case(
            "x/",
            Nothing,
            &["x@"],
            expect![[r#"
            setting `shared` lists the directory `x/`, but `x` in the source is a link, which cannot be copied to `shared/`
            hint: create `/srv/shared/x` on the server, or share the path that the link leads to"#]],
        );
        case(
            "x/",
            Dangling,
            &[],
            expect![[r#"
            `/srv/shared/x` is a link to `AT`, which does not exist
            hint: create the directory that it leads to, or remove the link, on the server"#]],
        );
        case(
            "a/x/",
            Blocked,
            &[],
            expect![[r#"
            setting `shared` lists the directory `a/x/`, but `/srv/shared/AT` is not a directory
            hint: move it away on the server, or correct `a/x/` in the setting `shared`"#]],
        );
        case(
            "a/x/",
            Nothing,
            &["a"],
            expect![[r#"
            setting `shared` lists the directory `a/x/`, but `a` in the source is a file
            hint: correct `a/x/` in the setting `shared`"#]],
        );
        case(
            "a/b/x",
            File,
            &["a@", "a/b/x"],
            expect![[r#"
            setting `shared` lists the file `a/b/x`, but `a` in the source is a link
            hint: share the path that the link leads to, instead of `a/b/x`"#]],
        );
    }
}
