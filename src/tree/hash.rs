//! Hashes contents with SHA-256, which a server can check with `sha256sum`.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::{Digest, Sha256};

/// Files are read in pieces of this many bytes.
pub const CHUNK: usize = 128 * 1024;

/// 32 bytes, printed in hex. All zeros, printed as `-`, mean that there is no content (directories).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    pub const NONE: Hash = Hash([0; 32]);

    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn hex(&self) -> [u8; 64] {
        let mut hex = [0; 64];
        for (pair, byte) in hex.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = [byte >> 4, byte & 15].map(|nibble| b"0123456789abcdef"[usize::from(nibble)]);
        }
        hex
    }

    /// Appends the text that `Display` writes.
    pub fn write(&self, text: &mut Vec<u8>) {
        match *self == Self::NONE {
            true => text.push(b'-'),
            false => text.extend_from_slice(&self.hex()),
        }
    }

    /// Reads to the end, in pieces of `buffer`. Returns the hash and the number of bytes.
    pub fn of_reader(mut reader: impl Read, buffer: &mut [u8]) -> io::Result<(Self, u64)> {
        let mut hasher = Hasher::default();
        let mut length = 0;
        loop {
            match reader.read(buffer) {
                Ok(0) => return Ok((hasher.finish(), length)),
                Ok(n) => {
                    hasher.update(&buffer[..n]);
                    length += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Parses the text that `Display` writes. Only lower case is valid, so that each hash has one text.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text == b"-" {
            return Some(Self::NONE);
        }
        let digit = |b: u8| match b {
            b'0'..=b'9' => Some(b - b'0'),
            b'a'..=b'f' => Some(b - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = text.as_chunks::<2>();
        let mut bytes = [0; 32];
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes)).filter(|hash| *hash != Self::NONE)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if *self == Self::NONE {
            return f.write_str("-");
        }
        let hex = self.hex();
        f.write_str(str::from_utf8(&hex).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// Hashes content that arrives piece by piece.
#[derive(Default)]
pub struct Hasher(Sha256);

impl Hasher {
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub fn finish(self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

/// Reads a file that should have `size` bytes. If it has grown, reads one byte more, so that the caller notices.
pub fn read_whole(file: &File, size: u64) -> io::Result<Vec<u8>> {
    let size = usize::try_from(size).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(size + 1);
    loop {
        // A read that ends at `size`, with room for another byte, has reached the end: this saves the last read.
        match rustix::io::read(file, rustix::buffer::spare_capacity(&mut bytes)) {
            Ok(0) => return Ok(bytes),
            Ok(_) if bytes.len() >= size => return Ok(bytes),
            Ok(_) => {}
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reads a regular file of at most `limit` bytes.
pub fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let (file, _) = open_file(path)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => Err(io::Error::other(format!("it is larger than {limit} bytes"))),
        false => Ok(bytes),
    }
}

/// Opens a regular file. If a symlink or pipe has replaced it since the walk, does not follow it or wait for it.
pub fn open_file(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok((file, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_what_sha256sum_prints() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Hash::of(b"abc").to_string(), hex);
        assert_eq!(Hash::parse(hex.as_bytes()), Some(Hash::of(b"abc")));
        let read = Hash::of_reader(b"abc".as_slice(), &mut [0; 2]);
        assert_eq!(read.unwrap(), (Hash::of(b"abc"), 3));
    }

    #[test]
    fn a_hash_has_one_text() {
        assert_eq!(Hash::parse(b"-"), Some(Hash::NONE));
        assert_eq!(Hash::parse(&[b'0'; 64]), None);
        assert_eq!(Hash::parse(&[b'A'; 64]), None);
        assert_eq!(Hash::parse(&[b'1'; 63]), None);
        assert_eq!(Hash::parse(&[b'1'; 66]), None);
    }
}
