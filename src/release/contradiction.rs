//! What the settings `shared`, `generated` and `writable` say against each other, or against the source. `path_kinds`
//! has the rules.

use crate::event::Report;
use crate::release::path_kinds::{InRelease, SourceKinds};
use crate::release::{SharedKind, SharedPath};
use crate::tree::TreePath;

/// A problem with an item of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The setting that has the item.
    pub key: &'static str,
    /// Another setting that could be changed instead.
    pub other: Option<&'static str>,
    pub report: Report,
}

/// An item of `generated` or `writable`: as it is written, and the path.
pub type Item = (String, TreePath);

/// What settings say against each other. Shared paths that contain each other are refused when they are read.
pub fn contradictions(shared: &[SharedPath], generated: &[Item], writable: &[Item]) -> Vec<Contradiction> {
    let mut found = Vec::new();
    for (text, path) in generated {
        if let Some(top) = shared.iter().find(|top| path.starts_with(&top.path)) {
            let report = Report::new(format!(
                "generated path `{text}` is in the shared path `{top}`, so it would outlive its release"
            ))
            .hint(format!(
                "share only what must outlive releases, or write `generated.remove = [{}]`",
                toml::Value::String(text.clone())
            ));
            found.push(Contradiction { key: "generated", other: Some("shared"), report });
        }
    }
    for (text, path) in writable {
        let is_in = |top: &&SharedPath| top.kind == SharedKind::File && path.starts_with(&top.path);
        if let Some(top) = shared.iter().find(is_in) {
            let report = Report::new(format!(
                "writable path `{text}` must be a directory, but the setting `shared` lists the file `{top}`"
            ))
            .hint(format!("if it is a directory, share `{}/`", top.path));
            found.push(Contradiction { key: "writable", other: Some("shared"), report });
        }
    }
    found
}

/// What the source says against the items of `generated` and `writable`.
pub fn against_source(
    shared: &[SharedPath],
    generated: &[TreePath],
    writable: &[TreePath],
    source: &SourceKinds,
) -> Vec<Contradiction> {
    let mut found = Vec::new();
    let mut refuse = |key, path: &TreePath, at: &str, what| {
        let report =
            Report::new(format!("setting `{key}` lists `{path}`, but `{at}` in the source is a {what}"));
        let report = match what {
            "link" => report.hint(format!("list the path that the link leads to, instead of `{path}`")),
            _ => report.hint(format!("correct `{path}` in the setting `{key}`: it must be a directory")),
        };
        found.push(Contradiction { key, other: None, report });
    };
    for (key, paths) in [("generated", generated), ("writable", writable)] {
        // The source has no say about what is in `shared/`.
        let of_source = |path: &&TreePath| !shared.iter().any(|top| path.starts_with(&top.path));
        for path in paths.iter().filter(of_source) {
            match source.at(path) {
                (InRelease::BelowFile, at) => refuse(key, path, &at, "file"),
                (InRelease::BelowLink, at) => refuse(key, path, &at, "link"),
                (InRelease::File, _) if key == "writable" => refuse(key, path, &path.to_string(), "file"),
                (InRelease::Link, _) if key == "writable" => refuse(key, path, &path.to_string(), "link"),
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::layout::plain;
    use crate::release::plan::tests::{path, tree};
    use expect_test::{Expect, expect};

    #[track_caller]
    fn case(shared: &[&str], generated: &[&str], writable: &[&str], want: Expect) {
        let item = |text: &&str| ((*text).to_owned(), path(text.trim_end_matches('/')));
        let items = |texts: &[&str]| texts.iter().map(item).collect::<Vec<Item>>();
        let shared = SharedPath::parse_all(shared.iter().copied()).unwrap();
        let found = contradictions(&shared, &items(generated), &items(writable));
        let found: Vec<String> = found.iter().map(|found| plain(&found.report)).collect();
        want.assert_eq(&found.join("\n"));
    }

    #[test]
    fn settings_that_say_two_things_of_one_path_are_refused() {
        case(
            &["storage/"],
            &["storage/cache/"],
            &[],
            expect![[r#"
            generated path `storage/cache/` is in the shared path `storage/`, so it would outlive its release
            hint: share only what must outlive releases, or write `generated.remove = ["storage/cache/"]`"#]],
        );
        case(
            &["a"],
            &["a"],
            &[],
            expect![[r#"
            generated path `a` is in the shared path `a`, so it would outlive its release
            hint: share only what must outlive releases, or write `generated.remove = ["a"]`"#]],
        );
        case(
            &["a"],
            &[],
            &["a/"],
            expect![[r#"
            writable path `a/` must be a directory, but the setting `shared` lists the file `a`
            hint: if it is a directory, share `a/`"#]],
        );
        case(
            &["a"],
            &[],
            &["a/b"],
            expect![[r#"
            writable path `a/b` must be a directory, but the setting `shared` lists the file `a`
            hint: if it is a directory, share `a/`"#]],
        );
        case(&["storage/"], &["storage2"], &["storage/", "storage/logs"], expect![""]);
        case(&["var/up/"], &["var"], &["var"], expect![""]);
    }

    #[test]
    fn what_the_source_has_in_the_way_is_refused() {
        let source = tree(&["dir/", "dir/file=x", "file=x"]);
        let kinds = SourceKinds::of(&source);
        let refused = |shared: &[&str], generated: &[&str], writable: &[&str]| {
            let paths = |texts: &[&str]| texts.iter().map(|text| path(text)).collect::<Vec<_>>();
            let shared = SharedPath::parse_all(shared.iter().copied()).unwrap();
            let found = against_source(&shared, &paths(generated), &paths(writable), &kinds);
            found.iter().map(|found| found.report.message.clone()).collect::<Vec<_>>().join("\n")
        };
        expect![""].assert_eq(&refused(&[], &["file", "dir/file", "dir/new/x"], &["dir", "dir/new"]));
        expect![[r#"
            setting `generated` lists `file/x`, but `file` in the source is a file
            setting `writable` lists `file`, but `file` in the source is a file
            setting `writable` lists `dir/file/x`, but `dir/file` in the source is a file"#]]
        .assert_eq(&refused(&[], &["file/x"], &["file", "dir/file/x"]));
        expect![""].assert_eq(&refused(&["file/"], &[], &["file/x"]));
    }
}
