//! Compares the base on a server with the local tree: what to send, what to remove, and the manifest after that.

use std::cmp::Reverse;

use super::edit::edit;
use super::entry::{Entry, Kind, Tree, WRITABLE_BY_OTHERS};
use super::manifest::{Line, Manifest, is_under};
use super::path::TreePath;

/// The difference between a base manifest and a tree. If only its mtime differs, a file counts as unchanged.
#[derive(Debug, Clone)]
pub struct Change {
    /// The entries to send, as ascending indices into the tree: new ones, changed ones, and all under a generated path.
    pub send: Vec<usize>,
    /// The paths to remove, in an order that works: files and links, then directories, the deepest first.
    pub remove: Vec<TreePath>,
    /// The manifest of the result. Unchanged files keep the mtime of the base, as they do on the server.
    pub next: Manifest,
    /// Turns the text of the base into that of `next`, by `EDIT_AWK`: `=A B` copies lines A to B (counting from 1),
    /// `+TEXT` inserts a line.
    pub edit: Vec<u8>,
}

impl Change {
    pub fn between(base: &Manifest, tree: &Tree, generated: &[TreePath]) -> Self {
        let mut send = Vec::new();
        let mut lines = Vec::with_capacity(tree.entries.len());
        let mut find = base.finder();
        for (index, entry) in tree.entries.iter().enumerate() {
            let is_generated = is_under(&entry.path, generated);
            let mut entry = entry.clone();
            match find(&entry.path) {
                Some(old) if !is_generated && is_same(old, &entry) => {
                    entry.mtime = old.entry.mtime;
                }
                _ => send.push(index),
            }
            let is_generated = is_generated && entry.kind == Kind::File;
            lines.push(Line { entry, is_generated });
        }
        let next = Manifest::from_lines(lines);
        let remove = removed(base, &next);
        let edit = edit(base, &next);
        Self { send, remove, next, edit }
    }
}

/// A generated file of the base is never the same: commands may have written it. The first versions also sent the write
/// bits of others.
fn is_same(old: &Line, new: &Entry) -> bool {
    let was = &old.entry;
    let mode = if was.kind == Kind::Link { was.mode } else { was.mode & !WRITABLE_BY_OTHERS };
    !old.is_generated && (was.kind, mode, was.hash) == (new.kind, new.mode, new.hash)
}

fn removed(base: &Manifest, next: &Manifest) -> Vec<TreePath> {
    let is_directory = |line: &Line| line.entry.kind == Kind::Directory;
    // tar can replace a file with a link, or a link with a file, but nothing with a directory, and no directory.
    let mut find = next.finder();
    let is_gone = |old: &&Line| match find(&old.entry.path) {
        None => true,
        Some(new) => is_directory(old) != is_directory(new),
    };
    let mut gone: Vec<_> = base.entries().iter().filter(is_gone).collect();
    gone.sort_by_cached_key(|line| match line.entry.kind {
        Kind::Directory => (true, Reverse(line.entry.path.depth())),
        Kind::File | Kind::Link => (false, Reverse(0)),
    });
    gone.into_iter().map(|line| line.entry.path.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::edit::EDIT_AWK;
    use super::super::hash::Hash;
    use super::super::sample::{Dice, random_tree};
    use super::*;
    use expect_test::{Expect, expect};
    use std::collections::BTreeMap;
    use std::process::Command;

    /// `d path`, `l path target` or `f path content`, each with an optional mode after the kind.
    fn tree(lines: &[&str]) -> Tree {
        let entry = |line: &&str| {
            let mut words = line.split(' ');
            let kind = words.next().unwrap();
            let path = TreePath::new(words.next().unwrap().as_bytes()).unwrap();
            let hash = Hash::of(words.next().unwrap_or_default().as_bytes());
            let mode = kind.get(1..).filter(|m| !m.is_empty()).map(|m| u32::from_str_radix(m, 8).unwrap());
            match &kind[..1] {
                "d" => Entry {
                    path,
                    kind: Kind::Directory,
                    mode: mode.unwrap_or(0o755),
                    size: 0,
                    mtime: 0,
                    hash: Hash::NONE,
                },
                "l" => Entry { path, kind: Kind::Link, mode: 0o777, size: 0, mtime: 0, hash },
                _ => Entry { path, kind: Kind::File, mode: mode.unwrap_or(0o644), size: 1, mtime: 5, hash },
            }
        };
        let mut entries: Vec<_> = lines.iter().map(entry).collect();
        Tree::sort(&mut entries);
        Tree { root: "/nowhere".into(), entries }
    }

    #[track_caller]
    fn case(base: &[&str], new: &[&str], generated: &[&str], want: Expect) {
        let generated: Vec<_> = generated.iter().map(|p| TreePath::new(p.as_bytes()).unwrap()).collect();
        let new = tree(new);
        let base = Manifest::of(&tree(base), &[]);
        let change = Change::between(&base, &new, &generated);
        let send: Vec<_> = change.send.iter().map(|i| new.entries[*i].path.to_string()).collect();
        let kept = (0..new.entries.len()).filter(|n| !change.send.contains(n));
        let kept = kept.filter(|n| new.entries[*n].kind != Kind::Directory).count();
        let remove: Vec<_> = change.remove.iter().map(|path| path.to_string()).collect();
        let edit = String::from_utf8(change.edit).unwrap();
        let short: String =
            edit.replace(&Hash::of(b"x").to_string(), "X").replace(&Hash::of(b"y").to_string(), "Y");
        want.assert_eq(&format!(
            "send {}\nremove {}\nkept {}\n{short}",
            send.join(" "),
            remove.join(" "),
            kept
        ));
    }

    #[test]
    fn nothing_is_sent_for_an_equal_tree() {
        case(
            &["d a", "f a/b x", "l c x"],
            &["d a", "f a/b x", "l c x"],
            &[],
            expect![[r#"
            send 
            remove 
            kept 2
            =1 3
        "#]],
        );
    }

    #[test]
    fn new_changed_and_gone_entries_are_told_apart() {
        case(
            &["d a", "d a/b", "f a/b/old x", "f a/mode x", "f a/same x", "f text x", "d dir"],
            &["d a", "f755 a/mode x", "f a/same x", "f text y", "d700 dir", "d new", "f new/f x"],
            &[],
            expect![[r#"
                send a/mode dir new new/f text
                remove a/b/old a/b
                kept 1
                =1 1
                +f 755 1 5 X a/mode
                =5 5
                +d 700 0 0 - dir
                +d 755 0 0 - new
                +f 644 1 5 X new/f
                +f 644 1 5 Y text
            "#]],
        );
    }

    #[test]
    fn a_changed_kind_is_removed_first_unless_tar_replaces_it() {
        case(
            &[
                "f file-link x",
                "l link-file x",
                "f file-dir x",
                "l link-dir x",
                "d dir-file",
                "d dir-file/d",
                "f dir-file/d/f x",
                "d dir-link",
            ],
            &[
                "l file-link x",
                "f link-file x",
                "d file-dir",
                "f file-dir/new x",
                "d link-dir",
                "f dir-file x",
                "l dir-link x",
            ],
            &[],
            expect![[r#"
                send dir-file dir-link file-dir file-dir/new file-link link-dir link-file
                remove dir-file/d/f file-dir link-dir dir-file/d dir-file dir-link
                kept 0
                +f 644 1 5 X dir-file
                +l 777 0 0 X dir-link
                +d 755 0 0 - file-dir
                +f 644 1 5 X file-dir/new
                +l 777 0 0 X file-link
                +d 755 0 0 - link-dir
                +f 644 1 5 X link-file
            "#]],
        );
    }

    #[test]
    fn what_is_under_a_generated_path_is_always_sent() {
        case(
            &["d cache", "f cache/f x", "l cache/l x", "d cached", "f cached/f x"],
            &["d cache", "f cache/f x", "l cache/l x", "d cached", "f cached/f x"],
            &["cache"],
            expect![[r#"
                send cache cache/f cache/l
                remove 
                kept 1
                =1 1
                +g 644 1 5 X cache/f
                =3 5
            "#]],
        );
    }

    #[test]
    fn a_file_that_is_no_longer_generated_is_sent_once_more() {
        let tree = tree(&["f a x"]);
        let a = [TreePath::new(b"a").unwrap()];
        let change = Change::between(&Manifest::of(&tree, &a), &tree, &[]);
        assert_eq!(change.send, [0]);
    }

    #[test]
    fn an_unchanged_file_keeps_the_mtime_it_has_on_the_server() {
        let mut tree = tree(&["f a x", "f b x"]);
        let base = Manifest::of(&tree, &[]);
        tree.entries[0].mtime = 9;
        tree.entries[1].mtime = 9;
        tree.entries[1].hash = Hash::of(b"other");
        let change = Change::between(&base, &tree, &[]);
        let mtimes: Vec<_> = change.next.entries().iter().map(|line| line.entry.mtime).collect();
        assert_eq!(mtimes, [5, 9]);
    }

    /// What a server has: applies removals and then the sent entries as `rm`, `rmdir` and `tar -x` do.
    fn apply(base: &Manifest, tree: &Tree, change: &Change) -> BTreeMap<TreePath, Entry> {
        let mut state: BTreeMap<_, _> =
            base.entries().iter().map(|l| (l.entry.path.clone(), l.entry.clone())).collect();
        for path in &change.remove {
            let is_empty = state.keys().all(|other| other == path || !other.starts_with(path));
            assert!(is_empty, "{path} is removed before what is in it");
            assert!(state.remove(path).is_some());
        }
        for entry in change.send.iter().map(|i| &tree.entries[*i]) {
            if let Some(parent) = entry.path.parent() {
                assert_eq!(state[&parent].kind, Kind::Directory);
            }
            let old = state.insert(entry.path.clone(), entry.clone());
            assert!(old.is_none_or(|old| (old.kind == Kind::Directory) == (entry.kind == Kind::Directory)));
        }
        state
    }

    #[test]
    fn removals_and_what_is_sent_give_the_tree_and_the_edit_gives_its_manifest() {
        let mut dice = Dice(7);
        let dir = tempfile::tempdir().unwrap();
        let (edit, old) = (dir.path().join("edit"), dir.path().join("base"));
        // `RUNNER_TEST_AWKS` names further awks, such as `busybox awk`, separated by colons.
        let awks = std::env::var("RUNNER_TEST_AWKS").unwrap_or_default();
        let awks: Vec<Vec<&str>> =
            ["awk"].into_iter().chain(awks.split(':')).map(|a| a.split_whitespace().collect()).collect();
        for round in 0..300 {
            let before = random_tree(&mut dice, [6, 0, 3][round % 3]);
            let after = random_tree(&mut dice, [6, 6, 0][round % 4 % 3]);
            let generated: Vec<_> = after.entries.iter().take(round % 3).map(|e| e.path.clone()).collect();
            let base = Manifest::of(&before, &generated[..generated.len() / 2]);
            let change = Change::between(&base, &after, &generated);
            let state: Vec<_> = apply(&base, &after, &change).into_values().collect();
            let mut want: Vec<_> = change.next.entries().iter().map(|line| line.entry.clone()).collect();
            want.sort_by(|a, b| a.path.cmp(&b.path));
            assert_eq!(state, want);
            std::fs::write(&edit, &change.edit).unwrap();
            std::fs::write(&old, base.to_text()).unwrap();
            if round % 10 != 0 && round > 20 {
                continue;
            }
            for awk in awks.iter().filter(|awk| !awk.is_empty()) {
                let output = Command::new(awk[0])
                    .args(&awk[1..])
                    .arg(EDIT_AWK)
                    .args([&edit, &old])
                    .env("LC_ALL", "C")
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{awk:?}");
                assert_eq!(output.stdout, change.next.to_text(), "{awk:?}");
            }
        }
    }
}
