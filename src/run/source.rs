//! The local tree, walked once, and what is packed of it, packed once for all hosts that need the same.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Result, anyhow};

use crate::tree::{Hash, Pack, Selection, Store, Tree, walk};

type Once<T> = OnceLock<Result<Arc<T>, Arc<anyhow::Error>>>;

/// What is deployed. An error is kept as well: all hosts get the same one.
pub struct Source {
    pub selection: Selection,
    store: Store,
    tree: Once<Tree>,
    packs: Mutex<HashMap<Vec<u8>, Arc<Once<Pack>>>>,
}

impl Source {
    pub fn new(root: PathBuf, exclude: Vec<String>, skip: Vec<PathBuf>, store: Store) -> Self {
        let selection = Selection { root, exclude, skip };
        Self { selection, store, tree: OnceLock::new(), packs: Mutex::default() }
    }

    /// The tree as it is at the first call; what was built before it is in it.
    pub fn tree(&self) -> Result<Arc<Tree>> {
        kept(&self.tree, || {
            let root = &self.selection.root;
            let before = self.store.index(root);
            let (tree, index) = walk(&self.selection, &before)?;
            self.store.put_index(root, &before, &index);
            Ok(tree)
        })
    }

    /// A pack of some entries of `tree`. The same entries under the same prefix with the same extras are the same pack.
    pub fn pack(
        &self,
        tree: &Tree,
        send: &[usize],
        prefix: &[u8],
        extra: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<Arc<Pack>> {
        let mut key = prefix.to_vec();
        for (path, content) in extra {
            key.extend(path);
            key.extend(Hash::of(content).to_string().bytes());
        }
        for &index in send {
            let entry = &tree.entries[index];
            key.push(0);
            key.extend(entry.path.as_bytes());
            key.extend(entry.hash.to_string().bytes());
        }
        let key = Hash::of(&key).to_string().into_bytes();
        let mut packs = self.packs.lock().unwrap_or_else(PoisonError::into_inner);
        let once = packs.entry(key).or_default().clone();
        drop(packs);
        kept(&once, || Pack::build_in_parts(tree, send, prefix, extra))
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
