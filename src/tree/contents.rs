//! What files held when they were hashed, kept so that who packs them need not read them again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::hash::Hash;

/// All that is kept together, in bytes.
const ALL_MAX: usize = 64 * 1024 * 1024;
/// A larger file is read again.
const FILE_MAX: u64 = 1024 * 1024;

/// **Invariant:** what is under a hash has that hash, and all together is no more than `ALL_MAX`.
#[derive(Default)]
pub struct Contents(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    files: HashMap<Hash, Arc<Vec<u8>>>,
    bytes: usize,
}

impl Contents {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a file of this size may be kept. It is read whole then.
    pub fn may_keep(size: u64) -> bool {
        size <= FILE_MAX
    }

    pub fn get(&self, hash: &Hash) -> Option<Arc<Vec<u8>>> {
        self.lock().files.get(hash).cloned()
    }

    /// Keeps what has this hash if there is room for it.
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
}
