//! Reads the tars of a pack. No tar is stored: each reader makes its tar from the contents that the walk kept, or from
//! the files.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use anyhow::Result;

use super::{Pack, changed, unreadable};
use crate::tree::compress::{Compressor, Packing};
use crate::tree::contents::Contents;
use crate::tree::entry::{Entry, Kind};
use crate::tree::hash::{self, Hasher};
use crate::tree::member;

/// How many compressed tars take over on a slow connection. Two are enough: each has 2 MB in flight.
const TAKING_OVER: usize = 2;

impl Pack {
    /// Readers from the beginning. Several threads can read the same pack at once.
    pub fn parts(&self) -> Parts<'_> {
        let left = self.runs.iter().map(|(_, bytes)| bytes).sum::<u64>().into();
        let queue = Arc::new(Queue { left, ..Queue::default() });
        let reader = |extra, entries, runs, packing| PackReader {
            pack: self,
            extra,
            entries,
            runs,
            queue: Arc::clone(&queue),
            packing,
            compressor: None,
            ready: Vec::new(),
            at: 0,
            large: None,
            is_at_end: false,
            failure: None,
        };
        let beside = |packing| reader(&[], &[], &self.runs, packing);
        let (packing, later) = (self.compression.at_once(), self.compression.later());
        let n_later = if self.is_in_parts() && later.is_some() { TAKING_OVER } else { 0 };
        Parts {
            first: reader(&self.extra, &self.first, &[], packing),
            beside: (0..self.n_beside).map(|_| beside(packing)).collect(),
            compressed: (0..n_later).map(|_| beside(later)).collect(),
            queue,
        }
    }
}

/// The tars of a pack: the first, and those that can be sent in parallel once it is unpacked. Files are not assigned to
/// one of these in advance: each tar takes the next files from a queue. So a slow tar does not delay the others, and if
/// one never begins, no file is missing.
pub struct Parts<'a> {
    pub first: PackReader<'a>,
    pub beside: Vec<PackReader<'a>>,
    /// Used instead of `beside` once the connection turns out to be slow.
    pub compressed: Vec<PackReader<'a>>,
    pub queue: Arc<Queue>,
}

/// Distributes the runs of files to the tars.
#[derive(Default)]
pub struct Queue {
    /// The next run that no tar has taken, and the number of bytes in such runs.
    next: AtomicUsize,
    left: AtomicU64,
    /// From now on, only compressed tars take runs.
    is_compressed: AtomicBool,
    /// The number of bytes before and after compression.
    plain: AtomicU64,
    packed: AtomicU64,
}

impl Parts<'_> {
    /// The error of a reader that failed, if one did.
    pub fn take_failure(&mut self) -> Option<anyhow::Error> {
        let beside = self.beside.iter_mut().chain(&mut self.compressed);
        std::iter::once(&mut self.first).chain(beside).find_map(|reader| reader.failure.take())
    }
}

impl Queue {
    /// How many bytes no tar has taken yet. At 0, a tar that has not begun is not needed.
    pub fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// Leaves all remaining runs to the compressed tars, and makes the others end.
    pub fn compress(&self) {
        self.is_compressed.store(true, Ordering::Relaxed);
    }

    /// How many bytes compression has saved.
    pub fn saved(&self) -> u64 {
        self.plain.load(Ordering::Relaxed).saturating_sub(self.packed.load(Ordering::Relaxed))
    }

    fn take<'a>(&self, runs: &'a [(Range<usize>, u64)], is_compressed: bool) -> Option<&'a Range<usize>> {
        if self.is_compressed.load(Ordering::Relaxed) && !is_compressed {
            return None;
        }
        let (run, bytes) = runs.get(self.next.fetch_add(1, Ordering::Relaxed))?;
        self.left.fetch_sub(*bytes, Ordering::Relaxed);
        Some(run)
    }
}

/// Reads one tar of a pack.
pub struct PackReader<'a> {
    pack: &'a Pack,
    /// The rest of the extra members.
    extra: &'a [u8],
    /// The rest of the entries of the current run.
    entries: &'a [usize],
    runs: &'a [(Range<usize>, u64)],
    queue: Arc<Queue>,
    packing: Option<Packing>,
    /// Created at the first read, because it needs much memory.
    compressor: Option<Compressor>,
    /// The next piece of the tar. It is not read yet from `at` on.
    ready: Vec<u8>,
    at: usize,
    large: Option<Large<'a>>,
    is_at_end: bool,
    pub(super) failure: Option<anyhow::Error>,
}

/// A large file, which is sent piece by piece while it is read.
struct Large<'a> {
    entry: &'a Entry,
    file: File,
    hasher: Hasher,
    left: u64,
}

impl PackReader<'_> {
    fn next_entry(&mut self) -> Option<usize> {
        if self.entries.is_empty() && !self.runs.is_empty() {
            let run = self.queue.take(self.runs, self.packing.is_some())?;
            self.entries = &self.pack.beside[run.clone()];
        }
        let (&next, rest) = self.entries.split_first()?;
        self.entries = rest;
        Some(next)
    }

    /// Makes the next piece of the tar. An empty piece means the end.
    fn make(&mut self) -> Result<()> {
        self.ready.clear();
        self.at = 0;
        while self.ready.len() < hash::CHUNK && !self.is_at_end {
            if !self.extra.is_empty() {
                let (piece, rest) = self.extra.split_at(self.extra.len().min(hash::CHUNK));
                self.ready.extend(piece);
                self.extra = rest;
                continue;
            }
            if self.large.is_some() {
                self.go_on()?;
                continue;
            }
            let Some(index) = self.next_entry() else {
                member::write_end(&mut self.ready)?;
                self.is_at_end = true;
                break;
            };
            let entry = &self.pack.tree.entries[index];
            match entry.kind {
                Kind::Directory => self.pack.header(entry, b"", &mut self.ready)?,
                Kind::Link => self.pack.link(entry, &mut self.ready)?,
                Kind::File if Contents::may_keep(entry.size) => self.pack.small(entry, &mut self.ready)?,
                Kind::File => {
                    let file = self.pack.open(entry).map_err(|error| unreadable(entry, error))?;
                    self.pack.header(entry, b"", &mut self.ready)?;
                    self.large = Some(Large { entry, file, hasher: Hasher::default(), left: entry.size });
                }
            }
        }
        Ok(())
    }

    fn compress(&mut self) -> Result<()> {
        let Some(packing) = self.packing else { return Ok(()) };
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(packing)?),
        };
        let Queue { plain, packed, .. } = &*self.queue;
        plain.fetch_add(self.ready.len() as u64, Ordering::Relaxed);
        compressor.compress(&mut self.ready, self.is_at_end)?;
        packed.fetch_add(self.ready.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Reads the next piece of the large file.
    fn go_on(&mut self) -> Result<()> {
        let Some(large) = &mut self.large else { return Ok(()) };
        let start = self.ready.len();
        // Reads one byte more than the header announces, to notice if the file has grown.
        let piece = (large.left + 1).min(hash::CHUNK as u64);
        let n = (&large.file).take(piece).read_to_end(&mut self.ready);
        let n = n.map_err(|error| unreadable(large.entry, error))? as u64;
        large.hasher.update(&self.ready[start..]);
        if n > large.left || n == 0 && large.left > 0 {
            return Err(changed(large.entry));
        }
        large.left -= n;
        if n > 0 {
            return Ok(());
        }
        let entry = large.entry;
        let hash = std::mem::take(&mut large.hasher).finish();
        self.large = None;
        match hash == entry.hash {
            true => Ok(member::write_padding(&mut self.ready, entry.size)?),
            false => Err(changed(entry)),
        }
    }
}

impl Read for PackReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // The compressor may not have any output yet.
        while self.at == self.ready.len() && !self.is_at_end {
            if let Err(error) = self.make().and_then(|()| self.compress()) {
                let text = format!("{error:#}");
                self.failure = Some(error);
                return Err(io::Error::other(text));
            }
        }
        let n = (&self.ready[self.at..]).read(buffer)?;
        self.at += n;
        Ok(n)
    }
}
