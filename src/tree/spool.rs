//! Bytes that are written once and read by many: in memory up to a bound, else in a file that has no name.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Where bytes are collected. **Invariant:** memory never holds more than the bound.
pub struct SpoolWriter {
    bound: usize,
    memory: Vec<u8>,
    /// Once there is a file, memory is only what is on its way into it.
    file: Option<File>,
    length: u64,
}

/// How much is written into the file at once.
const PIECE: usize = 256 * 1024;

impl SpoolWriter {
    pub fn new(bound: usize) -> Self {
        let (memory, file, length) = (Vec::new(), None, 0);
        Self { bound, memory, file, length }
    }

    pub fn finish(mut self) -> io::Result<Spool> {
        let bytes = match self.file.take() {
            None => Bytes::Memory(self.memory),
            Some(mut file) => {
                file.write_all(&self.memory)?;
                Bytes::File(file)
            }
        };
        Ok(Spool { bytes: Arc::new(bytes), length: self.length })
    }
}

impl Write for SpoolWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.is_none() && self.memory.len() + bytes.len() > self.bound {
            // Its name is gone before the first byte is written: nothing is left behind even by `kill -9`.
            self.file = Some(tempfile::tempfile()?);
        }
        if let Some(file) = &mut self.file
            && self.memory.len() + bytes.len() > PIECE.min(self.bound)
        {
            file.write_all(&self.memory)?;
            file.write_all(bytes)?;
            // A new one: the old one may have grown up to the bound.
            self.memory = Vec::new();
        } else {
            self.memory.extend_from_slice(bytes);
        }
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Clone)]
pub struct Spool {
    bytes: Arc<Bytes>,
    length: u64,
}

impl Default for Spool {
    fn default() -> Self {
        Self { bytes: Arc::new(Bytes::Memory(Vec::new())), length: 0 }
    }
}

enum Bytes {
    Memory(Vec<u8>),
    File(File),
}

impl Spool {
    pub fn len(&self) -> u64 {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn is_in_memory(&self) -> bool {
        matches!(*self.bytes, Bytes::Memory(_))
    }

    /// Each reader has a place of its own, so several threads may read at once.
    pub fn reader(&self) -> SpoolReader {
        SpoolReader { spool: self.clone(), at: 0 }
    }
}

pub struct SpoolReader {
    spool: Spool,
    at: u64,
}

impl Read for SpoolReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match &*self.spool.bytes {
            Bytes::Memory(bytes) => {
                let rest = usize::try_from(self.at).ok().and_then(|at| bytes.get(at..));
                rest.unwrap_or_default().read(buffer)?
            }
            Bytes::File(file) => file.read_at(buffer, self.at)?,
        };
        self.at += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_memory_and_from_a_file_to_several_readers() {
        for (bound, in_memory) in [(0, false), (10, false), (999, false), (1000, true), (5000, true)] {
            let mut writer = SpoolWriter::new(bound);
            let bytes: Vec<u8> = (0..1000).map(|n| (n % 251) as u8).collect();
            for piece in bytes.chunks(7) {
                writer.write_all(piece).unwrap();
            }
            let spool = writer.finish().unwrap();
            assert_eq!((spool.len(), spool.is_in_memory()), (1000, in_memory), "{bound}");
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        let mut got = Vec::new();
                        spool.reader().read_to_end(&mut got).unwrap();
                        assert_eq!(got, bytes);
                    });
                }
            });
        }
    }
}
