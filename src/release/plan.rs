//! Decides how to fill a release: what to keep, send and remove. The decision needs only manifests.

use std::collections::{HashMap, HashSet};

use anyhow::{Result, bail};

use crate::release::linked::{LinksBefore, is_kept};
use crate::release::path_kinds::SourceKinds;
use crate::release::{ReleaseName, SharedKind, SharedPath};
use crate::tree::{Change, EDIT_AWK, Entry, Kind, Manifest, Tree, TreePath, tops};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Duplicate the previous release, then send the changes.
    CopyPrevious,
    /// Update the clean copy in `cache/`, then copy it.
    Cache,
}

impl Strategy {
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "copy-previous" => Ok(Self::CopyPrevious),
            "cache" => Ok(Self::Cache),
            _ => bail!("unknown strategy `{text}`: must be `copy-previous` or `cache`"),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::CopyPrevious => "copy-previous",
            Self::Cache => "cache",
        }
    }
}

/// The directory that a fill starts from: a release or the cache. Only the paths in `drifted` differ from its manifest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Base {
    /// The release to duplicate; `None` for the cache, or if there is no release.
    pub release: Option<ReleaseName>,
    /// The same lines as on the server, because the edit refers to lines by number.
    pub manifest: Manifest,
    pub drifted: Vec<TreePath>,
}

/// The previous release: the live one, or the newest if none is live.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Last {
    pub name: Option<ReleaseName>,
    pub base: Base,
    /// The shared paths that are linked into it.
    pub shared: Vec<SharedPath>,
    /// Other links into `shared/` that it has, made by another tool.
    pub foreign_links: Vec<SharedPath>,
    /// If another tool made it: what the next release must not get from it.
    pub strangers: Vec<SharedPath>,
}

/// Paths in a release that have special rules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PathRules {
    /// Commands write these, in each release again.
    pub generated: Vec<TreePath>,
    /// The application writes to these: they are copied from the previous release, never hard-linked.
    pub writable: Vec<TreePath>,
    pub shared: Vec<TreePath>,
}

fn is_below(path: &TreePath, tops: &[TreePath]) -> bool {
    tops.iter().any(|top| path.starts_with(top))
}

impl PathRules {
    /// Splits the source: the entries that are not under a shared path, and those that are.
    pub fn split(&self, tree: &Tree) -> (Tree, Vec<Entry>) {
        let (under, rest) =
            tree.entries.iter().cloned().partition(|entry| is_below(&entry.path, &self.shared));
        let rest = Tree { root: tree.root.clone(), entries: rest };
        (rest, under)
    }

    fn unlinked(&self) -> Vec<TreePath> {
        self.generated.iter().chain(&self.writable).cloned().collect()
    }
}

impl Last {
    /// Whether a file of the source may seed a shared path, rather than the file of the previous release. It may if
    /// that release has no such file, or has it as it was sent and the source has another one now. It may not if the
    /// file was edited on the server: the application may have written it.
    pub fn gives_way_to(&self, seed: &Entry) -> bool {
        match self.base.manifest.get(&seed.path) {
            None => true,
            Some(line) if self.base.drifted.contains(&seed.path) => line.entry.kind != seed.kind,
            Some(line) => (line.entry.kind, line.entry.hash) != (seed.kind, seed.hash),
        }
    }
}

/// The strangers that the source does not have, without those inside of another one.
pub(super) fn left_behind(strangers: &[SharedPath], tree: &Tree) -> Vec<SharedPath> {
    let source: HashSet<&TreePath> = tree.entries.iter().map(|entry| &entry.path).collect();
    let lacking = strangers.iter().filter(|stranger| !source.contains(&stranger.path));
    let kinds: HashMap<TreePath, SharedKind> =
        lacking.map(|stranger| (stranger.path.clone(), stranger.kind)).collect();
    let tops = tops(kinds.keys().cloned().collect()).into_iter();
    tops.map(|path| SharedPath { kind: kinds[&path], path }).collect()
}

/// Decides which links into `shared/` that another tool made the next release gets as well.
fn links_before(last: &Last, tree: &Tree, rules: &PathRules) -> LinksBefore {
    let kinds = SourceKinds::of(tree);
    let is_kept = |link: &SharedPath| is_kept(link, &rules.shared, &rules.generated, &kinds);
    let (kept, foreign) = last.foreign_links.iter().cloned().partition(is_kept);
    LinksBefore { release: last.name.clone(), named: last.shared.clone(), foreign, kept }
}

/// How a release is filled.
pub struct Plan {
    pub strategy: Strategy,
    pub base: Base,
    pub change: Change,
    /// The manifest of the release. With the strategy `cache`, it differs from that of the cache: only here, files that
    /// commands may write are marked.
    pub manifest: Manifest,
    release_edit: Vec<u8>,
    pub(super) left_out: Vec<TreePath>,
    pub(super) generated: Vec<TreePath>,
    /// What is not copied from a release that another tool made.
    pub left_behind: Vec<SharedPath>,
    pub links: LinksBefore,
    pub(super) starting: Vec<TreePath>,
}

impl Plan {
    /// Starts from `cache` if there is one, else from the previous release. `starting` are the shared paths that
    /// `shared/` does not have yet.
    pub fn new(
        last: Last,
        cache: Option<Base>,
        tree: &Tree,
        rules: &PathRules,
        starting: Vec<TreePath>,
    ) -> Self {
        let unlinked = rules.unlinked();
        let strategy = if cache.is_some() { Strategy::Cache } else { Strategy::CopyPrevious };
        let links = links_before(&last, tree, rules);
        let base = cache.unwrap_or(last.base);
        // Paths that have drifted on the server are sent again, even if their lines in the manifest match.
        let trusted = base.manifest.with_drift(&base.drifted);
        let change = match strategy {
            Strategy::CopyPrevious => Change::between(&trusted, tree, &unlinked),
            Strategy::Cache => Change::between(&trusted, tree, &[]),
        };
        let (manifest, release_edit) = match strategy {
            Strategy::CopyPrevious => (change.next.clone(), Vec::new()),
            Strategy::Cache => {
                let marked = Change::between(&change.next, tree, &unlinked);
                (marked.next, marked.edit)
            }
        };
        let left_behind = left_behind(&last.strangers, tree);
        let tops = left_behind.iter().map(|left| &left.path);
        let left_out = rules.generated.iter().chain(&rules.shared).chain(links.left_out()).chain(tops);
        Self {
            strategy,
            base,
            change,
            manifest,
            release_edit,
            left_out: left_out.cloned().collect(),
            links,
            generated: rules.generated.clone(),
            left_behind,
            starting,
        }
    }

    /// Extra members of the pack: the edits that turn the server's manifest into the new ones.
    pub fn extra(&self) -> [(&[u8], &[u8]); 3] {
        [
            (b".runner/fill/edit", &self.change.edit),
            (b".runner/fill/edit.release", &self.release_edit),
            (b".runner/fill/edit.awk", EDIT_AWK.as_bytes()),
        ]
    }

    /// The directory for the files of the pack, relative to the site.
    pub fn prefix(&self, name: &ReleaseName) -> Vec<u8> {
        match self.strategy {
            Strategy::CopyPrevious => format!("releases/{name}").into_bytes(),
            Strategy::Cache => b"cache".to_vec(),
        }
    }

    /// The paths of the base to remove: files and links, then directories, each after its content.
    pub(super) fn gone(&self) -> (Vec<&TreePath>, Vec<&TreePath>) {
        let entries = self.base.manifest.entries().iter().map(|line| &line.entry);
        let directories = entries.filter(|entry| entry.kind == Kind::Directory).map(|entry| &entry.path);
        let directories: HashSet<&TreePath> = directories.collect();
        self.change.remove.iter().partition(|path| !directories.contains(path))
    }
}

#[cfg(test)]
pub(in crate::release) mod tests {
    use super::*;
    use crate::tree::Hash;

    pub(in crate::release) fn path(text: &str) -> TreePath {
        TreePath::new(text.as_bytes()).unwrap()
    }

    /// `dir/`, or `file=content`.
    pub(in crate::release) fn tree(words: &[&str]) -> Tree {
        let entry = |word: &&str| match word.split_once('=') {
            None => Entry {
                path: path(word.trim_end_matches('/')),
                kind: Kind::Directory,
                mode: 0o755,
                size: 0,
                mtime: 0,
                hash: Hash::NONE,
            },
            Some((name, content)) => Entry {
                path: path(name),
                kind: Kind::File,
                mode: 0o644,
                size: content.len() as u64,
                mtime: 7,
                hash: Hash::of(content.as_bytes()),
            },
        };
        let mut entries: Vec<Entry> = words.iter().map(entry).collect();
        Tree::sort(&mut entries);
        Tree { root: "/nowhere".into(), entries }
    }

    pub(in crate::release) fn last(words: &[&str], drifted: &[&str]) -> Last {
        let name = ReleaseName::new("7").unwrap();
        let base = Base {
            release: Some(name.clone()),
            manifest: Manifest::of(&tree(words), &[]),
            drifted: drifted.iter().map(|text| path(text)).collect(),
        };
        Last { name: Some(name), base, shared: vec![SharedPath::parse("old").unwrap()], ..Last::default() }
    }

    pub(in crate::release) fn rules() -> PathRules {
        PathRules {
            generated: vec![path("gen")],
            writable: vec![path("var")],
            shared: vec![path("up"), path("it's")],
        }
    }

    #[test]
    fn a_plan_from_the_last_release_sends_what_changed_drifted_or_is_written_anew() {
        let base = &[
            "dir/",
            "dir/gone=x",
            "edited=x",
            "gen/",
            "gen/g=x",
            "same=x",
            "up/",
            "up/u=x",
            "var/",
            "var/v=x",
        ];
        let source = tree(&["edited=x", "gen/", "gen/g=x", "same=x", "up/", "up/u=x", "var/", "var/v=x"]);
        let (managed, under) = rules().split(&source);
        let under: Vec<String> = under.iter().map(|entry| entry.path.to_string()).collect();
        assert_eq!(under, ["up", "up/u"]);
        let plan = Plan::new(last(base, &["edited"]), None, &managed, &rules(), vec![path("up")]);
        let sent: Vec<String> =
            plan.change.send.iter().map(|&index| managed.entries[index].path.to_string()).collect();
        assert_eq!(sent, ["edited", "gen", "gen/g", "var", "var/v"]);
        assert_eq!(plan.prefix(&ReleaseName::new("8").unwrap()), b"releases/8");
    }

    #[test]
    fn a_plan_from_the_cache_has_a_manifest_of_its_own_for_the_release() {
        let source = tree(&["a=new", "gen/", "gen/g=x"]);
        let base =
            Base { manifest: Manifest::of(&tree(&["a=old", "gen/", "gen/g=x"]), &[]), ..Base::default() };
        let plan = Plan::new(Last::default(), Some(base), &source, &rules(), Vec::new());
        assert_eq!(plan.change.send, [0]);
        assert_eq!(plan.prefix(&ReleaseName::new("8").unwrap()), b"cache");
        assert_ne!(plan.manifest, plan.change.next);
        let kinds: Vec<bool> = plan.manifest.entries().iter().map(|line| line.is_generated).collect();
        assert_eq!(kinds, [false, false, true]);
    }

    #[test]
    fn what_users_wrote_begins_a_shared_path_unless_the_source_has_something_newer() {
        #[track_caller]
        fn case(base: &[&str], drifted: &[&str], seed: &str, want: bool) {
            let seed = &tree(&[seed]).entries[0];
            assert_eq!(last(base, drifted).gives_way_to(seed), want);
        }
        case(&[], &[], "up/a=x", true);
        case(&["up/a=x"], &[], "up/a=x", false);
        case(&["up/a=x"], &[], "up/a=newer", true);
        case(&["up/a=x"], &["up/a"], "up/a=newer", false);
        case(&["up/a/"], &[], "up/a=x", true);
    }
}
