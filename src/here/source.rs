//! The local files to deploy, walked once for all hosts.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;

use anyhow::Result;

use crate::here::once::{Once, get_or_make};
use crate::here::project::Project;
use crate::here::remarks::remarks;
use crate::tree::include::is_everything;
use crate::tree::{
    CompressionMode, Contents, Index, Left, PARTS_MAX, Selection, Store, Tree, TreePath, Walked, parts_of,
    walk,
};

/// The patterns of the settings `exclude` and `include`.
pub struct Patterns {
    pub exclude: Vec<String>,
    pub include: Vec<String>,
}

/// The files to send, and what a user should know about them.
pub struct SourceFiles {
    pub tree: Arc<Tree>,
    pub left: Left,
    /// The links that `include` names.
    pub meant_links: Vec<TreePath>,
    pub remarks: Vec<String>,
}

/// The source of a run.
pub struct Source {
    project: Arc<Project>,
    patterns: Patterns,
    skip: Vec<PathBuf>,
    store: Store,
    files: Once<SourceFiles>,
    pub contents: Arc<Contents>,
}

impl Source {
    pub fn new(project: Arc<Project>, patterns: Patterns, skip: Vec<PathBuf>, store: Store) -> Self {
        Self { project, patterns, skip, store, files: OnceLock::new(), contents: Arc::default() }
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
        match self.files.get() {
            Some(Ok(files)) => parts_of(&files.tree, compression),
            _ => PARTS_MAX,
        }
    }

    /// The tree at the time of the first call, including what was built before it.
    pub fn tree(&self) -> Result<Arc<Tree>> {
        Ok(Arc::clone(&self.files()?.tree))
    }

    /// The tree with what was found beside it, at the time of the first call.
    pub fn files(&self) -> Result<Arc<SourceFiles>> {
        get_or_make(&self.files, || {
            let Walked { tree, left, meant_links, .. } = self.walked(&self.contents)?;
            let remarks = remarks(&tree, &left, &self.project);
            Ok(SourceFiles { tree: Arc::new(tree), left, meant_links, remarks })
        })
    }

    /// The tree with its contents: as it is now, unless it was walked before. It is not kept for an upload, since a build
    /// may follow.
    pub fn tree_now(&self) -> Result<(Arc<Tree>, Arc<Contents>)> {
        if let Some(Ok(files)) = self.files.get() {
            return Ok((Arc::clone(&files.tree), Arc::clone(&self.contents)));
        }
        let contents = Arc::default();
        let walked = self.walked(&contents)?;
        Ok((Arc::new(walked.tree), contents))
    }

    fn walked(&self, contents: &Arc<Contents>) -> Result<Walked> {
        let root = self.project.source()?;
        let Patterns { exclude, include } = &self.patterns;
        let selection = Selection {
            git: if is_everything(include) { None } else { Some(self.project.git_rules()?) },
            root,
            exclude: exclude.clone(),
            include: include.clone(),
            skip: self.skip.clone(),
        };
        // Each export is in another directory, so remembering its files would be of no use.
        if self.project.is_export() {
            return walk(&selection, &Index::default(), contents);
        }
        let before = self.store.index(&selection.root);
        let walked = walk(&selection, &before, contents)?;
        self.store.put_index(&selection.root, &before, &walked.index);
        Ok(walked)
    }
}
