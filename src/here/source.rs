//! The local tree, walked once for all hosts.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;

use anyhow::Result;

use crate::here::once::{Once, kept};
use crate::here::project::Project;
use crate::tree::{Contents, Index, PARTS_MAX, Selection, Squeezed, Store, Tree, parts_of, walk};

/// What is deployed.
pub struct Source {
    project: Arc<Project>,
    exclude: Vec<String>,
    skip: Vec<PathBuf>,
    store: Store,
    tree: Once<Tree>,
    pub contents: Contents,
}

impl Source {
    pub fn new(project: Arc<Project>, exclude: Vec<String>, skip: Vec<PathBuf>, store: Store) -> Self {
        Self { project, exclude, skip, store, tree: OnceLock::new(), contents: Contents::default() }
    }

    /// Walks the tree from now on, beside whatever else is done.
    pub fn walk_ahead(self: &Arc<Self>) {
        let source = Arc::clone(self);
        // Without a thread it is walked when it is needed.
        let _ = thread::Builder::new().spawn(move || {
            if let Some(deployed) = source.store.read_ahead() {
                source.contents.expect(&deployed);
            }
            let _ = source.tree();
        });
    }

    /// In how many parts all of it would be sent beside the first; while that is not known, as many as there may be.
    pub fn n_parts(&self, squeezed: Squeezed) -> usize {
        match self.tree.get() {
            Some(Ok(tree)) => parts_of(tree, squeezed),
            _ => PARTS_MAX,
        }
    }

    /// The tree as it is at the first call; what was built before it is in it.
    pub fn tree(&self) -> Result<Arc<Tree>> {
        kept(&self.tree, || {
            let root = self.project.source()?;
            let selection = Selection { root, exclude: self.exclude.clone(), skip: self.skip.clone() };
            // An export is another directory each time: nothing of it is remembered.
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
