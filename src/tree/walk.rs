//! Finds and hashes the files to send.
//!
//! **Invariant:** a symlink below the root is an entry and never followed, so nothing outside the root is read.

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::choice::{Choice, Fate, GitRules, Standing};
use super::contents::Contents;
use super::entry::{Entry, Kind, Tree, WRITABLE_BY_OTHERS};
use super::hash::Hash;
use super::ignore_rules::{self, Rules};
use super::index::{Index, Stamp};
use super::left::Left;
use super::path::{TreePath, manifest_order};
use super::problems::Problems;
use super::source::{canonical_root, skipped};
use super::stamped::{StampedEntry, hash_all};
use crate::event::Report;

/// The files to walk.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The source; may be a symlink to a directory.
    pub root: PathBuf,
    /// Patterns in gitignore syntax, relative to the root.
    pub exclude: Vec<String>,
    /// Patterns for what is sent although git ignores it.
    pub include: Vec<String>,
    /// Without it, nothing is left out on account of git.
    pub git: Option<Arc<dyn GitRules>>,
    /// Absolute paths that are never entered: a local deploy path inside the source.
    pub skip: Vec<PathBuf>,
}

/// The result of a walk.
pub struct Walked {
    pub tree: Tree,
    /// For the next walk.
    pub index: Index,
    pub left: Left,
    /// The links that `include` names: somebody wants them as they are.
    pub meant_links: Vec<TreePath>,
}

/// Lists and hashes everything in the selection. Does not read files that `index` knows. Keeps the contents that it
/// reads in `contents`, as far as there is room.
pub fn walk(selection: &Selection, index: &Index, contents: &Contents) -> Result<Walked> {
    let started = SystemTime::now();
    let root = &selection.root;
    let canonical = canonical_root(root)?;
    let mut walk = Walk {
        root,
        skip: skipped(&canonical, &selection.skip)?,
        started,
        newest: newest_mtime(started),
        choice: Choice::new(&selection.include, selection.git.as_deref())?,
        found: Vec::new(),
        searched: HashMap::new(),
        n_left_out: 0,
        problems: Problems::default(),
    };
    let mut pending =
        vec![Pending { dir: None, rules: Rules::new(&selection.exclude)?, standing: Standing::default() }];
    while let Some(next) = pending.pop() {
        walk.directory(next, &mut pending)?;
    }
    walk.finish(index, contents)
}

/// The latest mtime that is sent: two seconds before the walk. The guard on the server takes a file for unchanged if
/// its size, mode and mtime (in whole seconds) are as sent. Otherwise, a file could be saved here, sent, and written
/// in place there, all within one second, and it would look unchanged.
fn newest_mtime(started: SystemTime) -> i64 {
    let now = started.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX) - 2
}

struct Walk<'a> {
    root: &'a Path,
    skip: HashSet<PathBuf>,
    started: SystemTime,
    newest: i64,
    choice: Choice<'a>,
    found: Vec<StampedEntry>,
    /// The ignored directories that are sent only if something in them is.
    searched: HashMap<TreePath, Metadata>,
    n_left_out: usize,
    problems: Problems,
}

/// A directory to list (`None`: the root).
struct Pending {
    dir: Option<TreePath>,
    rules: Arc<Rules>,
    standing: Standing,
}

impl Walk<'_> {
    /// Lists one directory and adds the directories in it to `pending`.
    fn directory(&mut self, next: Pending, pending: &mut Vec<Pending>) -> Result<()> {
        let Pending { dir, mut rules, standing } = next;
        let local = dir.as_ref().map_or(self.root.to_owned(), |dir| self.root.join(dir.to_path()));
        let listed = match fs::read_dir(&local).and_then(|list| list.collect::<io::Result<Vec<_>>>()) {
            Ok(listed) => listed,
            Err(error) => {
                match &dir {
                    Some(dir) => self.problems.unreadable(dir, &error),
                    None => self.problems.unreadable(self.root.display(), &error),
                }
                return Ok(());
            }
        };
        let has = |name: &str| listed.iter().any(|item| item.file_name().as_bytes() == name.as_bytes());
        if has(ignore_rules::FILE_NAME) {
            let file = local.join(ignore_rules::FILE_NAME);
            let text = fs::read(&file).with_context(|| format!("failed to read `{}`", file.display()))?;
            rules = rules.with_file(dir.as_ref(), &text)?;
        }
        if !standing.is_ignored {
            self.choice.enter(dir.as_ref(), &local, has(".git"))?;
        }
        for item in listed {
            let path = TreePath::child(dir.as_ref(), &item.file_name());
            pending.extend(self.item(path, &item, &rules, standing));
        }
        Ok(())
    }

    /// Decides about an entry. Returns it if it is a directory to list.
    fn item(
        &mut self,
        path: TreePath,
        item: &DirEntry,
        rules: &Arc<Rules>,
        parent: Standing,
    ) -> Option<Pending> {
        let metadata = match item.metadata() {
            Ok(metadata) => metadata,
            Err(error) => {
                self.problems.unreadable(&path, &error);
                return None;
            }
        };
        let fate = match self.skip.contains(&path.to_path()) {
            true => Fate::Left,
            false => self.choice.fate(&path, metadata.is_dir(), rules, parent),
        };
        let pending = |standing| Pending { dir: Some(path.clone()), rules: Arc::clone(rules), standing };
        match fate {
            Fate::Left => {
                self.n_left_out += 1;
                None
            }
            Fate::Searched(standing) => {
                let next = pending(standing);
                self.searched.insert(path, metadata);
                Some(next)
            }
            Fate::Sent(standing) => {
                let next = metadata.is_dir().then(|| pending(standing));
                self.found_above(&path);
                self.found(path, &metadata);
                next
            }
        }
    }

    /// Something in a searched directory is sent, so the directory is, too.
    fn found_above(&mut self, path: &TreePath) {
        let mut parent = path.parent();
        while let Some((dir, metadata)) = parent.and_then(|dir| self.searched.remove_entry(&dir)) {
            parent = dir.parent();
            self.found(dir, &metadata);
        }
    }

    fn found(&mut self, path: TreePath, metadata: &Metadata) {
        let file_type = metadata.file_type();
        let mode = metadata.permissions().mode() & 0o7777 & !WRITABLE_BY_OTHERS;
        let (kind, mode, mtime) = if file_type.is_dir() {
            // Without these bits, only root could update or prune the release.
            (Kind::Directory, mode | 0o700, 0)
        } else if file_type.is_file() {
            // At least 1: a tar header cannot hold a time before 1970, and some tars warn about 1970 itself.
            let mtime = metadata.mtime().min(self.newest).max(1);
            (Kind::File, mode, mtime)
        } else if file_type.is_symlink() {
            (Kind::Link, 0o777, 0)
        } else {
            return self.problems.special(path, file_type);
        };
        let (size, hash) = (0, Hash::NONE);
        let stamp = (kind == Kind::File).then(|| Stamp::of(metadata));
        self.found.push(StampedEntry { entry: Entry { path, kind, mode, size, mtime, hash }, stamp });
    }

    fn finish(mut self, index: &Index, contents: &Contents) -> Result<Walked> {
        let root = self.root;
        self.found.sort_unstable_by(|a, b| manifest_order(&a.entry.path, &b.entry.path));
        let mut left = std::mem::take(&mut self.choice.left);
        let (unread, ()) =
            rayon::join(|| hash_all(root, &mut self.found, index, contents), || left.measure(root));
        for (path, error) in &unread {
            self.problems.unreadable(path, error);
        }
        self.problems.into_result()?;
        if self.found.is_empty() {
            return Err(nothing_to_send(root, self.n_left_out, &left).into());
        }
        let links = self.found.iter().map(|found| &found.entry).filter(|entry| entry.kind == Kind::Link);
        let meant_links =
            links.map(|link| link.path.clone()).filter(|path| self.choice.is_named(path)).collect();
        let known = self.found.iter().filter_map(|StampedEntry { entry, stamp }| {
            let stamp = stamp.filter(|stamp| stamp.is_settled(self.started))?;
            Some((entry.path.clone(), stamp, entry.hash))
        });
        let index = Index::of(known);
        let entries = self.found.into_iter().map(|found| found.entry).collect();
        Ok(Walked { tree: Tree { root: root.to_owned(), entries }, index, left, meant_links })
    }
}

fn nothing_to_send(root: &Path, n_left_out: usize, left: &Left) -> Report {
    let shown = root.display();
    match n_left_out {
        _ if !left.ignored.is_empty() => {
            Report::new(format!("nothing to send: git ignores everything in source directory `{shown}`"))
                .hint("name what to send in the setting `include`, such as `include = [\"*\"]`")
        }
        0 => Report::new(format!("nothing to send: source directory `{shown}` is empty"))
            .hint("build it first, or correct the setting `source`"),
        _ => Report::new(format!("nothing to send: everything in source directory `{shown}` is excluded"))
            .hint("check `exclude` and `.runnerignore`; a pattern after `!` includes a path again"),
    }
}

/// Walks without an index.
#[cfg(test)]
pub(super) fn walk_anew(selection: &Selection) -> Result<Tree> {
    walk(selection, &Index::default(), &Contents::default()).map(|walked| walked.tree)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::event::layout::plain;
    use expect_test::expect;
    use std::ffi::OsStr;
    use std::fs::File;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    fn select(root: &Path) -> Selection {
        Selection { root: root.to_owned(), ..Selection::default() }
    }

    fn paths(selection: &Selection) -> Vec<String> {
        let tree = walk_anew(selection).unwrap();
        tree.entries.iter().map(|entry| entry.path.to_string()).collect()
    }

    fn error(selection: &Selection, root: &Path) -> String {
        let text = plain(&Report::of(&walk_anew(selection).unwrap_err()));
        text.replace(root.to_str().unwrap(), "ROOT")
    }

    #[test]
    fn everything_is_an_entry_with_its_mode_and_hash() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("empty")).unwrap();
        fs::write(root.join("run"), "abc").unwrap();
        fs::set_permissions(root.join("run"), fs::Permissions::from_mode(0o4750)).unwrap();
        fs::set_permissions(root.join("empty"), fs::Permissions::from_mode(0o2555)).unwrap();
        symlink("../nowhere", root.join("link")).unwrap();
        let tree = walk_anew(&select(root)).unwrap();
        let file = File::options().write(true).open(root.join("run")).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
        let shown = |entry: &Entry| {
            format!("{} {:?} {:o} {} {}", entry.path, entry.kind, entry.mode, entry.size, entry.hash)
        };
        let lines: Vec<_> = tree.entries.iter().map(shown).collect();
        expect![[r#"
            empty Directory 2755 0 -
            link Link 777 0 2ecac2748dfd2d2d0e3fc326898e25240873d997dd3925b5c175a2841902e06a
            run File 4750 3 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"#]]
        .assert_eq(&lines.join("\n"));
        assert_eq!(walk_anew(&select(root)).unwrap().entries[2].mtime, 1_700_000_000);
        assert_eq!(tree.entries[0].mtime, 0);
    }

    #[test]
    fn a_file_saved_just_now_is_sent_as_two_seconds_old() {
        let dir = tempfile::tempdir().unwrap();
        let before = SystemTime::now();
        fs::write(dir.path().join("new"), "").unwrap();
        let future = File::create(dir.path().join("future")).unwrap();
        future.set_modified(before + Duration::from_secs(1 << 32)).unwrap();
        let ancient = File::create(dir.path().join("old")).unwrap();
        ancient.set_modified(UNIX_EPOCH - Duration::from_secs(1000)).unwrap();
        let tree = walk_anew(&select(dir.path())).unwrap();
        let latest = newest_mtime(SystemTime::now());
        assert!((newest_mtime(before)..=latest).contains(&tree.entries[0].mtime));
        assert!((newest_mtime(before)..=latest).contains(&tree.entries[1].mtime));
        assert_eq!(tree.entries[2].mtime, 1);
    }

    /// Sets the content of a file and lets it look as if it had been so for long.
    fn settle(path: &Path, content: &str) {
        fs::write(path, content).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
    }

    /// What would be remembered of files that were last changed long ago: the clock moves on before this returns.
    fn remembered(root: &Path) -> Index {
        let tree = walk_anew(&select(root)).unwrap();
        let changed = |path: &Path| {
            let metadata = fs::symlink_metadata(path).unwrap();
            (metadata.ctime(), metadata.ctime_nsec())
        };
        let latest = tree.entries.iter().map(|entry| changed(&entry.local_path(root))).max();
        let clock = tempfile::NamedTempFile::new_in(root).unwrap();
        while Some(changed(clock.path())) <= latest {
            fs::write(clock.path(), "").unwrap();
        }
        Index::of(tree.entries.iter().map(|entry| {
            let stamp = Stamp::of(&fs::symlink_metadata(entry.local_path(root)).unwrap());
            // Not the hash of its content: a walk that returns this hash has not read the file.
            (entry.path.clone(), stamp, Hash::of(b"remembered"))
        }))
    }

    #[test]
    fn a_file_that_has_surely_not_changed_is_not_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for name in ["kept", "moded", "replaced", "written"] {
            settle(&root.join(name), "one");
        }
        let index = remembered(root);
        // As long, and with the same time.
        settle(&root.join("written"), "two");
        settle(&root.join("new"), "two");
        fs::rename(root.join("new"), root.join("replaced")).unwrap();
        fs::set_permissions(root.join("moded"), fs::Permissions::from_mode(0o600)).unwrap();
        let tree = walk(&select(root), &index, &Contents::default()).unwrap().tree;
        let hash = |name: &str| tree.get(&TreePath::new(name.as_bytes()).unwrap()).unwrap().hash;
        let kept = tree.get(&TreePath::new(b"kept").unwrap()).unwrap();
        assert_eq!((kept.hash, kept.size), (Hash::of(b"remembered"), 3));
        assert_eq!(hash("moded"), Hash::of(b"one"));
        assert_eq!([hash("replaced"), hash("written")], [Hash::of(b"two"); 2]);
    }

    #[test]
    fn what_was_changed_just_now_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        settle(&root.join("file"), "one");
        // Its mtime lies well back, but its ctime does not.
        let index = walk(&select(root), &Index::default(), &Contents::default()).unwrap().index;
        assert_eq!(index, Index::default());
    }

    #[test]
    fn names_are_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let mut want = Vec::new();
        for name in sample::HOSTILE_NAMES {
            fs::write(dir.path().join(OsStr::from_bytes(name)), name).unwrap();
            want.push(TreePath::new(name).unwrap());
        }
        let tree = walk_anew(&select(dir.path())).unwrap();
        let mut got: Vec<_> = tree.entries.iter().map(|entry| entry.path.clone()).collect();
        got.sort();
        want.sort();
        assert_eq!(got, want);
    }

    #[test]
    fn patterns_of_the_setting_and_of_ignore_files_leave_paths_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("a/cache/deep")).unwrap();
        fs::create_dir_all(root.join("site/releases")).unwrap();
        fs::create_dir_all(root.join(".git")).unwrap();
        for file in [
            ".env",
            ".env.example",
            "runner.toml",
            "deploy.rhai",
            ".gitignore",
            "x.log",
            "a/y.log",
            "a/cache/z",
            "a/lib.rhai",
        ] {
            fs::write(root.join(file), "").unwrap();
        }
        fs::write(root.join(".gitignore"), "a\n").unwrap();
        fs::write(root.join(".runnerignore"), "cache/*\n!.env.example\n").unwrap();
        fs::write(root.join("a/.runnerignore"), "!y.log\n").unwrap();
        let _socket = UnixListener::bind(root.join("x.sock")).unwrap();
        let selection = Selection {
            exclude: vec!["*.log".to_owned(), "*.sock".to_owned()],
            skip: vec![root.join("site"), "/elsewhere".into()],
            ..select(root)
        };
        expect![[r#"
            .env.example
            .gitignore
            a
            a/cache
            a/cache/deep
            a/cache/z
            a/y.log"#]]
        .assert_eq(&paths(&selection).join("\n"));
    }

    #[test]
    fn the_root_may_be_a_link_and_a_skipped_path_need_not_exist_or_may_be_one() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real");
        fs::create_dir_all(real.join("deep/site")).unwrap();
        fs::write(real.join("a"), "").unwrap();
        symlink("real", dir.path().join("root")).unwrap();
        symlink("deep/site", real.join("www")).unwrap();
        let selection =
            |skip: &Path| Selection { skip: vec![dir.path().join(skip)], ..select(&dir.path().join("root")) };
        assert_eq!(paths(&selection(Path::new("real/www"))), ["a", "deep"]);
        assert_eq!(paths(&selection(Path::new("root/deep"))), ["a", "www"]);
        assert_eq!(paths(&selection(Path::new("root/later"))), ["a", "deep", "deep/site", "www"]);
        let same = selection(Path::new("real"));
        expect![[r#"
            the source and the deploy path are the same directory, `ROOT/real`
            hint: set `source` to another directory, or choose a deploy path below or outside of it"#]]
        .assert_eq(&error(&same, dir.path()));
    }

    #[test]
    fn a_source_that_cannot_be_sent_is_refused_with_a_way_forward() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        expect![[r#"
            nothing to send: source directory `ROOT` is empty
            hint: build it first, or correct the setting `source`"#]]
        .assert_eq(&error(&select(root), root));
        expect![[r#"
            source directory `ROOT/dist` does not exist
            hint: build it first, or correct the setting `source`"#]]
        .assert_eq(&error(&select(&root.join("dist")), root));
        fs::write(root.join(".env"), "").unwrap();
        expect![[r#"
            nothing to send: everything in source directory `ROOT` is excluded
            hint: check `exclude` and `.runnerignore`; a pattern after `!` includes a path again"#]]
        .assert_eq(&error(&select(root), root));
        expect![[r#"
            source `ROOT/.env` is not a directory
            hint: set `source` to the directory to deploy"#]]
        .assert_eq(&error(&select(&root.join(".env")), root));
        fs::write(root.join(".runnerignore"), "[").unwrap();
        expect!["bad pattern `[` in `.runnerignore`, line 1: unclosed character class; missing ']'"]
            .assert_eq(&error(&select(root), root));
    }

    #[test]
    fn sockets_and_fifos_are_refused_by_name_all_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for n in 0..11 {
            drop(UnixListener::bind(root.join(format!("s{n:02}"))).unwrap());
        }
        let fifo = std::process::Command::new("mkfifo").arg(root.join("f\ni")).status();
        assert!(fifo.unwrap().success());
        expect![[r#"
            cannot send `f\ni` (fifo), `s00` (socket), `s01` (socket), `s02` (socket), `s03` (socket), `s04` (socket), `s05` (socket), `s06` (socket), `s07` (socket), `s08` (socket) and 2 more
            hint: only files, directories and symlinks can be sent; add the others to `exclude` or `.runnerignore`"#]].assert_eq(&error(&select(root), root));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("f"), "").unwrap();
        for name in ["d", "f"] {
            fs::set_permissions(root.join(name), fs::Permissions::from_mode(0o000)).unwrap();
        }
        // Root reads everything.
        if File::open(root.join("f")).is_err() {
            expect![[r#"
                failed to read `d` (Permission denied (os error 13)), `f` (Permission denied (os error 13))
                hint: make it readable for this user, or add it to `exclude` or `.runnerignore`"#]]
            .assert_eq(&error(&select(root), root));
        }
        fs::set_permissions(root.join("d"), fs::Permissions::from_mode(0o700)).unwrap();
    }
}
