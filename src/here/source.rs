//! The local files to deploy, walked once for all hosts.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;

use anyhow::Result;

use crate::here::once::{Once, get_or_make};
use crate::here::project::Project;
use crate::tree::{CompressionMode, Contents, Index, PARTS_MAX, Selection, Store, Tree, parts_of, walk};

/// The source of a run.
pub struct Source {
    project: Arc<Project>,
    exclude: Vec<String>,
    skip: Vec<PathBuf>,
    store: Store,
    tree: Once<Tree>,
    pub contents: Arc<Contents>,
}

impl Source {
    pub fn new(project: Arc<Project>, exclude: Vec<String>, skip: Vec<PathBuf>, store: Store) -> Self {
        Self { project, exclude, skip, store, tree: OnceLock::new(), contents: Arc::default() }
    }

    /// Starts to walk the tree in the background.
    pub fn walk_ahead(self: &Arc<Self>) {
        let source = Arc::clone(self);
        // If no thread can be started, the tree is walked when it is needed.
        let _ = thread::Builder::new().spawn(move || {
            if let Some(deployed) = source.store.read_ahead() {
                source.contents.expect(&deployed);
            }
            let _ = source.tree();
        });
    }

    /// The number of parts, besides the first, in which the whole tree would be sent. The maximum until the tree is
    /// known.
    pub fn n_parts(&self, compression: CompressionMode) -> usize {
        match self.tree.get() {
            Some(Ok(tree)) => parts_of(tree, compression),
            _ => PARTS_MAX,
        }
    }

    /// The tree at the time of the first call, including what was built before it.
    pub fn tree(&self) -> Result<Arc<Tree>> {
        get_or_make(&self.tree, || {
            let root = self.project.source()?;
            let selection = Selection { root, exclude: self.exclude.clone(), skip: self.skip.clone() };
            // Each export is in another directory, so remembering its files would be of no use.
            if self.project.is_export() {
                return Ok(walk(&selection, &Index::default(), &self.contents)?.0);
            }
            let before = self.store.index(&selection.root);
            let (tree, index) = walk(&selection, &before, &self.contents)?;
            self.store.put_index(&selection.root, &before, &index);
            Ok(tree)
        })
    }
}
