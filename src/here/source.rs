//! The local tree, walked once for all hosts.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;

use anyhow::Result;

use crate::here::once::{Once, kept};
use crate::here::project::Project;
use crate::tree::{CompressionMode, Contents, Index, PARTS_MAX, Selection, Store, Tree, parts_of, walk};

/// What is deployed.
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
        // If no thread can be started, it is walked when it is needed.
        let _ = thread::Builder::new().spawn(move || {
            if let Some(deployed) = source.store.read_ahead() {
                source.contents.expect(&deployed);
            }
            let _ = source.tree();
        });
    }

    /// In how many parts, besides the first, the whole tree would be sent. The maximum while that is not known.
    pub fn n_parts(&self, compression: CompressionMode) -> usize {
        match self.tree.get() {
            Some(Ok(tree)) => parts_of(tree, compression),
            _ => PARTS_MAX,
        }
    }

    /// The tree as of the first call, with whatever was built before that.
    pub fn tree(&self) -> Result<Arc<Tree>> {
        kept(&self.tree, || {
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
