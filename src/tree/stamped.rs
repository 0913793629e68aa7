//! Hashes the files that a walk has found, all at once.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rayon::prelude::*;

use super::contents::Contents;
use super::entry::{Entry, Kind};
use super::hash::{self, Hash};
use super::index::{Index, Stamp};
use super::path::TreePath;

/// An entry and, for a file, the stamp that identifies it in the index.
pub(super) struct StampedEntry {
    pub entry: Entry,
    pub stamp: Option<Stamp>,
}

/// Hashes all entries at once. Returns those that could not be read.
pub(super) fn hash_all(
    root: &Path,
    found: &mut [StampedEntry],
    index: &Index,
    contents: &Contents,
) -> Vec<(TreePath, io::Error)> {
    found
        .par_iter_mut()
        .with_min_len(16)
        .map_init(
            || vec![0; hash::CHUNK],
            |buffer, found| {
                let error = hash_entry(root, found, index, contents, buffer).err()?;
                Some((found.entry.path.clone(), error))
            },
        )
        .flatten()
        .collect()
}

fn hash_entry(
    root: &Path,
    found: &mut StampedEntry,
    index: &Index,
    contents: &Contents,
    buffer: &mut [u8],
) -> io::Result<()> {
    let local = found.entry.local_path(root);
    match found.entry.kind {
        Kind::Directory => Ok(()),
        Kind::File => hash_file(&local, found, index, contents, buffer),
        Kind::Link => {
            found.entry.hash = Hash::of(fs::read_link(&local)?.as_os_str().as_bytes());
            Ok(())
        }
    }
}

/// Hashes a file. The size is the number of hashed bytes, so that both describe the same content even if the file is
/// growing.
fn hash_file(
    local: &Path,
    StampedEntry { entry, stamp }: &mut StampedEntry,
    index: &Index,
    contents: &Contents,
    buffer: &mut [u8],
) -> io::Result<()> {
    if let Some((hash, stamp)) = stamp.and_then(|stamp| Some((index.get(&entry.path, &stamp)?, stamp))) {
        (entry.hash, entry.size) = (hash, stamp.size);
        return Ok(());
    }
    let (file, metadata) = hash::open_file(local)?;
    let before = Stamp::of(&metadata);
    (entry.hash, entry.size) = if Contents::may_keep(before.size) {
        let bytes = hash::read_whole(&file, before.size)?;
        let hash = Hash::of(&bytes);
        if bytes.len() as u64 == before.size {
            contents.found(hash, bytes);
            (hash, before.size)
        } else {
            // The file is being written: takes its present content.
            Hash::of_reader(hash::open_file(local)?.0, buffer)?
        }
    } else {
        Hash::of_reader(&file, buffer)?
    };
    // A file that is being written is not remembered, so the next walk reads it again.
    *stamp = (Stamp::of(&file.metadata()?) == before).then_some(before);
    Ok(())
}
