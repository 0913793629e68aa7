//! The entries of a tree, as the walk finds them.

use std::path::{Path, PathBuf};

use super::hash::Hash;
use super::path::{TreePath, manifest_order};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Directory,
    File,
    /// A symlink. Its target is not interpreted.
    Link,
}

/// The write bits of group and others.
pub const WRITABLE_BY_OTHERS: u32 = 0o022;

/// A file, directory or link to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: TreePath,
    pub kind: Kind,
    /// The bits of 07777 without 022: nothing that is sent can be written by others. Links have 0777; directories always
    /// have at least 0700.
    pub mode: u32,
    /// In bytes; 0 unless it is a file.
    pub size: u64,
    /// In seconds since 1970; 0 unless it is a file. May be earlier than on this machine: see `walk`.
    pub mtime: i64,
    /// The hash of a file's content or of a link's target; `Hash::NONE` for directories.
    pub hash: Hash,
}

/// **Invariant:** the entries are in manifest order, so a directory comes before its content.
#[derive(Debug, Clone)]
pub struct Tree {
    pub root: PathBuf,
    pub entries: Vec<Entry>,
}

impl Tree {
    /// The index of an entry in `entries`.
    pub fn position(&self, path: &TreePath) -> Option<usize> {
        self.entries.binary_search_by(|entry| manifest_order(&entry.path, path)).ok()
    }

    #[cfg(test)]
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.position(path).map(|index| &self.entries[index])
    }

    /// Sorts entries into manifest order.
    #[cfg(test)]
    pub fn sort(entries: &mut [Entry]) {
        entries.sort_unstable_by(|a, b| manifest_order(&a.path, &b.path));
    }
}

impl Entry {
    /// Its path on this machine.
    pub fn local_path(&self, root: &Path) -> PathBuf {
        root.join(self.path.to_path())
    }
}
