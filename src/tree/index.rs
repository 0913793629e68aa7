//! The hashes of a source's files from the last walk, so that unchanged files need not be read again.
//!
//! A file counts as unchanged if its size, both its times and its inode are the same. If a file changes twice within
//! one tick of the file system's clock, they do not show the second change. So the index contains only files that
//! have not changed for some seconds. (Git does the same: Documentation/technical/racy-git.)
//!
//! This is only a cache: if it is lost or damaged, the next walk is slower.

use std::fs::Metadata;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::hash::Hash;
use super::path::{TreePath, manifest_order};

const HEADER: &[u8] = b"runner index 1";
/// The coarsest clock of any file system in use (FAT: 2 s), and some drift between that clock and this machine's.
const GRAIN: Duration = Duration::from_secs(3);

/// What identifies an unchanged file. Times are nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub size: u64,
    modified: i128,
    changed: i128,
    inode: u64,
}

impl Stamp {
    pub fn of(metadata: &Metadata) -> Self {
        let nanos = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            size: metadata.len(),
            modified: nanos(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanos(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    /// Whether any change after `now` would change it.
    pub fn is_settled(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(GRAIN);
        let before = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX);
        self.modified < before && self.changed < before
    }
}

/// **Invariant:** the files are in manifest order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index(Vec<(TreePath, Stamp, Hash)>);

impl Index {
    /// `files` must be in manifest order.
    pub fn of(files: impl IntoIterator<Item = (TreePath, Stamp, Hash)>) -> Self {
        Self(files.into_iter().collect())
    }

    /// The hash of a file, if it has not changed since the index was made.
    pub fn get(&self, path: &TreePath, stamp: &Stamp) -> Option<Hash> {
        let found = self.0.binary_search_by(|(known, ..)| manifest_order(known, path)).ok()?;
        let (_, then, hash) = &self.0[found];
        (then == stamp).then_some(*hash)
    }

    /// Parses the output of `to_bytes`. Returns an empty index if the bytes are invalid.
    pub fn parse(bytes: &[u8]) -> Self {
        Self::read(bytes).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let body = bytes.strip_prefix(HEADER)?.strip_prefix(b"\0")?;
        let (body, end) = body.split_at_checked(body.len().checked_sub(size_of::<Hash>())?)?;
        if Hash::of(body).as_bytes() != end {
            return None;
        }
        let mut files: Vec<(TreePath, Stamp, Hash)> = Vec::new();
        for line in body.strip_suffix(b"\0").into_iter().flat_map(|body| body.split(|byte| *byte == 0)) {
            let mut fields = line.splitn(6, |byte| *byte == b' ');
            let hash = Hash::parse(fields.next()?)?;
            let mut number = || str::from_utf8(fields.next()?).ok()?.parse::<i128>().ok();
            let stamp = Stamp {
                size: number()?.try_into().ok()?,
                modified: number()?,
                changed: number()?,
                inode: number()?.try_into().ok()?,
            };
            files.push((TreePath::new(fields.next()?).ok()?, stamp, hash));
        }
        files.is_sorted_by(|(a, ..), (b, ..)| manifest_order(a, b).is_lt()).then_some(Self(files))
    }

    /// `HASH SIZE MODIFIED CHANGED INODE PATH` and a NUL for each file, then the hash of all of them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.0.len() * 180);
        for (path, Stamp { size, modified, changed, inode }, hash) in &self.0 {
            // Writing to memory cannot fail.
            let _ = write!(body, "{hash} {size} {modified} {changed} {inode} ");
            body.extend_from_slice(path.as_bytes());
            body.push(0);
        }
        [HEADER, b"\0", &body, Hash::of(&body).as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::HOSTILE_NAMES;
    use super::*;

    fn stamp(modified: i128) -> Stamp {
        Stamp { size: 7, modified, changed: modified + 1, inode: 42 }
    }

    fn index() -> Index {
        let mut paths: Vec<_> = HOSTILE_NAMES.iter().filter_map(|name| TreePath::new(name).ok()).collect();
        paths.sort_by(manifest_order);
        Index::of(paths.into_iter().enumerate().map(|(n, path)| {
            let hash = Hash::of(path.as_bytes());
            (path, stamp(n as i128 - 3), hash)
        }))
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let index = index();
        let bytes = index.to_bytes();
        assert!(index.0.len() > 3);
        assert_eq!(Index::parse(&bytes), index);
        assert_eq!(Index::parse(&Index::default().to_bytes()), Index::default());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(Index::parse(&damaged), Index::default(), "byte {at}");
            assert_eq!(Index::parse(&bytes[..at]), Index::default(), "up to {at}");
        }
    }

    #[test]
    fn a_file_is_known_by_all_of_its_stamp() {
        let index = index();
        let (path, stamp, hash) = index.0[2].clone();
        assert_eq!(index.get(&path, &stamp), Some(hash));
        let mut others = [stamp; 4];
        others[0].size += 1;
        others[1].modified += 1;
        others[2].changed += 1;
        others[3].inode += 1;
        for other in others {
            assert_eq!(index.get(&path, &other), None);
        }
        assert_eq!(index.get(&TreePath::new(b"unknown").unwrap(), &stamp), None);
    }

    #[test]
    fn times_that_are_not_well_back_may_hide_a_change() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let at = |seconds: i128| stamp(seconds * 1_000_000_000);
        assert!(at(999_000).is_settled(now));
        assert!(at(999_996).is_settled(now));
        assert!(!at(999_997).is_settled(now));
        assert!(!at(1_000_000).is_settled(now));
        assert!(!at(2_000_000).is_settled(now));
        assert!(!Stamp { changed: 2_000_000_000_000_000, ..at(1) }.is_settled(now));
        assert!(!Stamp { modified: 2_000_000_000_000_000, ..at(1) }.is_settled(now));
    }
}
