//! The entries of a tree, as the walk found them.

use std::path::{Path, PathBuf};

use super::hash::Hash;
use super::path::{TreePath, manifest_order};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Directory,
    File,
    /// A symlink; its target is bytes that mean nothing here.
    Link,
}

/// One thing to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: TreePath,
    pub kind: Kind,
    /// The bits of 07777; 0777 for links; of directories always with those of 0700.
    pub mode: u32,
    /// Bytes, of files only.
    pub size: u64,
    /// Seconds since 1970, of files only. Not the local one exactly: see `walk`.
    pub mtime: i64,
    /// Of a file's content, of a link's target, `Hash::NONE` for directories.
    pub hash: Hash,
}

/// **Invariant:** the entries are in manifest order, so a directory comes before what is in it.
#[derive(Debug, Clone)]
pub struct Tree {
    pub root: PathBuf,
    pub entries: Vec<Entry>,
}

impl Tree {
    /// Its index in `entries`.
    pub fn position(&self, path: &TreePath) -> Option<usize> {
        self.entries.binary_search_by(|entry| manifest_order(&entry.path, path)).ok()
    }

    #[cfg(test)]
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.position(path).map(|index| &self.entries[index])
    }

    /// Into manifest order.
    #[cfg(test)]
    pub fn sort(entries: &mut [Entry]) {
        entries.sort_unstable_by(|a, b| manifest_order(&a.path, &b.path));
    }
}

impl Entry {
    /// Where it is on this machine.
    pub fn local_path(&self, root: &Path) -> PathBuf {
        root.join(self.path.to_path())
    }
}
