//! What a user is told about the source before it is sent, and what is refused: nothing that a build made, or that the
//! live release has, may stay here just because git ignores it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use anyhow::{Result, bail};

use crate::event::{Event, LeftPath, Report, few};
use crate::here::source::SourceFiles;
use crate::release::plan::Last;
use crate::run::Run;
use crate::tree::{Entry, IgnoredPath, Kind, Manifest, TreePath};

/// The names of directories that builds leave.
const BUILT: [&str; 7] = ["vendor", "node_modules", "dist", "build", ".next", "out", "_site"];

/// How many links the line to paste names.
const NAMED: usize = 10;

/// Refuses to send the source if `refusal` says so; otherwise tells, once in a run, what stays here.
pub fn check(run: &Run, files: &SourceFiles, last: &Last) -> Result<()> {
    if let Some(report) = refusal(run, files, last) {
        bail!(report);
    }
    run.told_source.get_or_init(|| tell(run, files));
    Ok(())
}

/// Why the source must not be sent: something would be lost which only git's ignoring takes away.
pub fn refusal(run: &Run, files: &SourceFiles, last: &Last) -> Option<Report> {
    let manifest = &last.base.manifest;
    let ignored = &files.left.ignored;
    let lost = lost(ignored, manifest, &files.tree.root);
    if !lost.is_empty() {
        let message = format!("git ignores paths that the live release got from the source: {}", few(&lost));
        return Some(choose(run, message, &lost));
    }
    // A release without a manifest says nothing about what was sent before.
    if !manifest.is_empty() || !(run.is_first() || last.name.is_some()) {
        return None;
    }
    let built: Vec<&IgnoredPath> = ignored.iter().filter(|path| is_built(path)).collect();
    let message = || format!("git ignores paths that may be build output for this release: {}", few(&built));
    (!built.is_empty()).then(|| choose(run, message(), &built))
}

fn choose(run: &Run, message: String, paths: &[&IgnoredPath]) -> Report {
    let patterns: Vec<String> = paths.iter().map(|ignored| pattern(ignored)).collect();
    let line = |setting: &str| run.here.project.addition(setting, &patterns.join(", "));
    Report::new(message)
        .note(format!("to leave it out, in `[settings]` of `runner.toml`: {}", line("exclude")))
        .hint(format!("to send it, in `[settings]` of `runner.toml`: {}", line("include")))
}

/// What the manifest has, and the source still has, but git ignores.
fn lost<'i>(ignored: &'i [IgnoredPath], manifest: &Manifest, root: &Path) -> Vec<&'i IgnoredPath> {
    let by_path: HashMap<&[u8], usize> =
        ignored.iter().enumerate().map(|(at, ignored)| (ignored.path.as_bytes(), at)).collect();
    let mut lost = HashSet::new();
    if !by_path.is_empty() {
        for entry in manifest.entries().iter().map(|line| &line.entry).filter(|e| e.kind != Kind::Directory) {
            let bytes = entry.path.as_bytes();
            let ends = (0..bytes.len()).filter(|at| bytes[*at] == b'/').chain([bytes.len()]);
            let at = ends.filter_map(|end| by_path.get(&bytes[..end]).copied()).next();
            if let Some(at) = at.filter(|at| !lost.contains(at))
                && fs::symlink_metadata(entry.local_path(root)).is_ok()
            {
                lost.insert(at);
            }
        }
    }
    ignored.iter().enumerate().filter(|(at, _)| lost.contains(at)).map(|(_, ignored)| ignored).collect()
}

fn is_built(ignored: &IgnoredPath) -> bool {
    let name = ignored.path.to_path();
    ignored.is_directory && BUILT.iter().any(|built| name.file_name().is_some_and(|name| name == *built))
}

fn pattern(ignored: &IgnoredPath) -> String {
    let is_short = ignored.path.as_bytes().contains(&b'/') || is_built(ignored);
    // Without a slash before its end, a pattern is for all directories.
    pattern_of(if is_short { "" } else { "/" }, &ignored.to_string())
}

/// A pattern for a path, as a word of TOML.
fn pattern_of(start: &str, path: &str) -> String {
    let mut pattern = start.to_owned();
    for letter in path.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    toml::Value::String(pattern).to_string()
}

fn tell(run: &Run, files: &SourceFiles) {
    for remark in &files.remarks {
        run.warn(remark);
    }
    let (outside, nowhere) = astray(run, files);
    for (links, what) in [
        (outside, "links point outside the source, to whatever the server has at that path"),
        (nowhere, "links point to paths that are not sent"),
    ] {
        if links.is_empty() {
            continue;
        }
        let shown: Vec<String> = links.iter().map(|(path, target)| format!("{path} -> {target}")).collect();
        let words: Vec<String> =
            links.iter().take(NAMED).map(|(path, _)| pattern_of("/", &path.to_string())).collect();
        let words = words.join(", ");
        run.warn(format!(
            "{what}: {}; to leave them out: {}; if they are intended: {}",
            few(&shown),
            run.here.project.addition("exclude", &words),
            run.here.project.addition("include", &words)
        ));
    }
    if !files.left.ignored.is_empty() {
        let left = |ignored: &IgnoredPath| LeftPath {
            path: ignored.to_string(),
            bytes: ignored.bytes,
            is_measured: ignored.is_measured,
        };
        run.events.event(Event::Left { paths: files.left.ignored.iter().map(left).collect() });
    }
}

type Links = Vec<(TreePath, String)>;

/// The links that lead out of the source, and those that lead to nothing in it. What hosts add to a release counts as
/// being there.
fn astray(run: &Run, files: &SourceFiles) -> (Links, Links) {
    let (mut outside, mut nowhere) = (Vec::new(), Vec::new());
    let entries = &files.tree.entries;
    let links: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.kind == Kind::Link && !files.meant_links.contains(&entry.path))
        .collect();
    if links.is_empty() {
        return (outside, nowhere);
    }
    let known: HashMap<&[u8], Kind> =
        entries.iter().map(|entry| (entry.path.as_bytes(), entry.kind)).collect();
    for link in links {
        let Ok(target) = fs::read_link(link.local_path(&files.tree.root)) else { continue };
        let shown = || (link.path.clone(), abbreviated(&target));
        match resolve(&link.path, &target) {
            None => outside.push(shown()),
            Some(path)
                if !leads_somewhere(&path, &known)
                    && !run.special.iter().any(|top| path.starts_with(top)) =>
            {
                nowhere.push(shown());
            }
            Some(_) => {}
        }
    }
    (outside, nowhere)
}

/// The target of a link in a message: on one line, and not too long.
fn abbreviated(target: &Path) -> String {
    let text = target.to_string_lossy();
    let shown: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().count() > 60 { shown + "..." } else { shown }
}

/// The path in the tree that a link leads to, as text only; `None` if that is outside.
fn resolve(link: &TreePath, target: &Path) -> Option<TreePath> {
    let mut parts: Vec<Vec<u8>> = link.as_bytes().split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect();
    parts.pop();
    for component in target.components() {
        match component {
            Component::Normal(name) => parts.push(name.as_bytes().to_vec()),
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    TreePath::new(&parts.join(&b'/')).ok().or_else(|| link.parent().or(Some(link.clone())))
}

/// Whether the tree has the path, or a link on the way to it.
fn leads_somewhere(path: &TreePath, known: &HashMap<&[u8], Kind>) -> bool {
    let bytes = path.as_bytes();
    let mut above = (0..bytes.len()).filter(|at| bytes[*at] == b'/');
    known.contains_key(bytes) || above.any(|end| known.get(&bytes[..end]) == Some(&Kind::Link))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_followed_as_text() {
        #[track_caller]
        fn case(link: &str, target: &str, want: Option<&str>) {
            let found = resolve(&TreePath::new(link.as_bytes()).unwrap(), Path::new(target));
            assert_eq!(found.map(|path| path.to_string()).as_deref(), want);
        }
        case("a/l", "b", Some("a/b"));
        case("a/l", "./../b/c", Some("b/c"));
        case("a/l", "..", Some("a"));
        case("l", "..", None);
        case("l", "a/../../b", None);
        case("l", "/etc/hosts", None);
    }

    #[test]
    fn the_line_to_paste_is_for_just_this_path() {
        #[track_caller]
        fn case(path: &str, is_directory: bool, want: &str) {
            let path = TreePath::new(path.as_bytes()).unwrap();
            assert_eq!(pattern(&IgnoredPath { path, is_directory, bytes: 0, is_measured: true }), want);
        }
        case("vendor", true, "\"vendor/\"");
        case("auth.json", false, "\"/auth.json\"");
        case("public/build", true, "\"public/build/\"");
        case("a*b", false, "'/a\\*b'");
    }
}
