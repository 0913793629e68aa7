//! What the source has at a few paths, for `check`: it walks the whole source only if that shows a problem.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::here::options::SourceOptions;
use crate::here::project::Project;
use crate::here::source::{Patterns, Source};
use crate::tree::{Entry, Hash, Kind, Store, Tree, TreePath};

/// Returns what `find` finds in the source. `paths` are all that it looks at. Finds nothing if a commit is deployed, or if
/// the source cannot be read: it may have to be built first.
pub fn problems<P>(
    directory: &Path,
    options: &SourceOptions,
    skip: Vec<PathBuf>,
    paths: &[TreePath],
    find: impl Fn(&Tree) -> Vec<P>,
) -> Vec<P> {
    let root = directory.join(&options.directory);
    if options.reference.is_some() || find(&glance(&root, paths)).is_empty() {
        return Vec::new();
    }
    // Not everything that lies there is sent.
    let Ok(store) = Store::from_env() else { return Vec::new() };
    let project = Arc::new(Project::new(directory.to_owned(), &options.directory, None, store.clone()));
    let patterns = Patterns { exclude: options.exclude.clone(), include: options.include.clone() };
    let tree = Source::new(project, patterns, skip, store).tree();
    tree.map_or_else(|_| Vec::new(), |tree| find(&tree))
}

/// The entries at these paths and above them.
fn glance(root: &Path, paths: &[TreePath]) -> Tree {
    let mut all = BTreeSet::new();
    for path in paths {
        let mut next = Some(path.clone());
        while let Some(path) = next {
            next = path.parent();
            all.insert(path);
        }
    }
    let entry = |path: TreePath| {
        let kind = match fs::symlink_metadata(root.join(path.to_path())).ok()?.file_type() {
            kind if kind.is_dir() => Kind::Directory,
            kind if kind.is_symlink() => Kind::Link,
            _ => Kind::File,
        };
        Some(Entry { path, kind, mode: 0, size: 0, mtime: 0, hash: Hash::NONE })
    };
    Tree { root: root.to_owned(), entries: all.into_iter().filter_map(entry).collect() }
}
