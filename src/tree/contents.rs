//! Keeps the contents of files that the walk has hashed, so that packing them need not read them again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::hash::Hash;
use super::manifest::Manifest;

/// The limit for all kept contents together, in bytes.
const ALL_MAX: usize = 36 * 1024 * 1024;
/// The limit for one file, in bytes. A larger file is read again.
const FILE_MAX: u64 = 1024 * 1024;

/// **Invariant:** each content has the hash that it is stored under, and all together have at most `ALL_MAX` bytes.
#[derive(Default)]
pub struct Contents {
    kept: Mutex<KeptFiles>,
    /// The hashes of contents that were deployed before, and so will most likely not be sent.
    elsewhere: OnceLock<HashSet<Hash>>,
}

#[derive(Default)]
struct KeptFiles {
    files: HashMap<Hash, Arc<Vec<u8>>>,
    bytes: usize,
}

impl Contents {
    fn lock(&self) -> MutexGuard<'_, KeptFiles> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a file of this size may be kept. Such a file is read in one piece.
    pub fn may_keep(size: u64) -> bool {
        size <= FILE_MAX
    }

    pub fn get(&self, hash: &Hash) -> Option<Arc<Vec<u8>>> {
        self.lock().files.get(hash).cloned()
    }

    /// Notes which contents were deployed before: `found` does not keep them.
    pub fn expect(&self, deployed: &Manifest) {
        let hashes = || deployed.entries().iter().map(|line| line.entry.hash).collect();
        self.elsewhere.get_or_init(hashes);
    }

    /// Keeps a content that the walk found, unless it was deployed before.
    pub fn found(&self, hash: Hash, bytes: Vec<u8>) {
        if self.elsewhere.get().is_none_or(|elsewhere| !elsewhere.contains(&hash)) {
            self.put(hash, &Arc::new(bytes));
        }
    }

    /// Keeps a content if there is room for it.
    pub fn put(&self, hash: Hash, bytes: &Arc<Vec<u8>>) {
        let mut kept = self.lock();
        let all = kept.bytes + bytes.capacity();
        if all <= ALL_MAX && !kept.files.contains_key(&hash) {
            kept.bytes = all;
            kept.files.insert(hash, Arc::clone(bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let contents = Contents::default();
        let size = FILE_MAX as usize;
        let hashes: Vec<Hash> = (0..100u8).map(|n| Hash::of(&[n])).collect();
        for &hash in hashes.iter().chain(&hashes) {
            contents.put(hash, &Arc::new(vec![0; size]));
        }
        let kept = hashes.iter().filter(|hash| contents.get(hash).is_some()).count();
        assert_eq!(kept, ALL_MAX / size);
        assert!(Contents::may_keep(FILE_MAX) && !Contents::may_keep(FILE_MAX + 1));
    }

    #[test]
    fn what_was_deployed_before_is_kept_only_once_it_is_sent() {
        let contents = Contents::default();
        let [old, new] = [b"old", b"new"].map(|text| (Hash::of(text), text.to_vec()));
        let text = format!("f 644 3 5 {} old\n", old.0);
        contents.expect(&Manifest::parse(text.as_bytes()).unwrap());
        for (hash, bytes) in [&old, &new] {
            contents.found(*hash, bytes.clone());
        }
        assert_eq!([old.0, new.0].map(|hash| contents.get(&hash).is_some()), [false, true]);
        contents.put(old.0, &Arc::new(old.1));
        assert!(contents.get(&old.0).is_some());
    }
}
