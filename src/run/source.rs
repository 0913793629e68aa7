//! The local tree, walked once for all hosts.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;

use anyhow::{Result, anyhow};

use crate::tree::{Contents, Index, PARTS_MAX, Selection, Squeezed, Store, Tree, parts_of, walk};

type Once<T> = OnceLock<Result<Arc<T>, Arc<anyhow::Error>>>;

/// What is deployed. An error is kept as well: all hosts get the same one.
pub struct Source {
    pub selection: Selection,
    store: Store,
    /// An export is another directory each time: nothing of it is remembered.
    is_export: bool,
    tree: Once<Tree>,
    pub contents: Contents,
}

impl Source {
    pub fn new(root: PathBuf, exclude: Vec<String>, skip: Vec<PathBuf>, store: Store) -> Self {
        let selection = Selection { root, exclude, skip };
        Self { selection, store, is_export: false, tree: OnceLock::new(), contents: Contents::default() }
    }

    pub fn of_export(self) -> Self {
        Self { is_export: true, ..self }
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
            let root = &self.selection.root;
            let before = if self.is_export { Index::default() } else { self.store.index(root) };
            let (tree, index) = walk(&self.selection, &before, &self.contents)?;
            if !self.is_export {
                self.store.put_index(root, &before, &index);
            }
            Ok(tree)
        })
    }
}

fn kept<T>(once: &Once<T>, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
    let kept = once.get_or_init(|| make().map(Arc::new).map_err(Arc::new));
    match kept {
        Ok(value) => Ok(value.clone()),
        Err(error) => Err(match error.downcast_ref::<crate::event::Report>() {
            Some(report) => report.clone().into(),
            None => anyhow!("{error:#}"),
        }),
    }
}
