//! Compresses a tar while it is sent to a server that has the program to decompress it.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use zstd::stream::write::Encoder;

/// These levels favour speed. zstd (RFC 8878) at level 1, with a window of 2^17 bytes that fits into a processor's
/// cache, takes no more time than encrypting the saved bytes would, and reduces source text to a quarter. gzip (RFC
/// 1952) reduces it to a third, at about 100 MB per second.
const ZSTD_LEVEL: i32 = 1;
const ZSTD_WINDOW: u32 = 17;
const GZIP_LEVEL: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Zstd,
    Gzip,
}

impl Packing {
    /// In order of preference.
    pub const ALL: [Self; 2] = [Self::Zstd, Self::Gzip];

    /// The program that decompresses it with `-dc`.
    pub fn program(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }
}

/// When to compress the tars of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressionMode {
    Never,
    /// Once the connection turns out to be slow.
    WhenSlow(Packing),
    AtOnce(Packing),
}

impl CompressionMode {
    /// The best mode for a server; `has` says whether the server has a program.
    pub fn by(has: impl Fn(&str) -> bool) -> Self {
        match Packing::ALL.into_iter().find(|packing| has(packing.program())) {
            Some(Packing::Zstd) => Self::AtOnce(Packing::Zstd),
            Some(Packing::Gzip) => Self::WhenSlow(Packing::Gzip),
            None => Self::Never,
        }
    }

    pub fn at_once(self) -> Option<Packing> {
        match self {
            Self::AtOnce(packing) => Some(packing),
            _ => None,
        }
    }

    pub fn later(self) -> Option<Packing> {
        match self {
            Self::WhenSlow(packing) => Some(packing),
            _ => None,
        }
    }
}

/// Compresses a stream piece by piece.
pub enum Compressor {
    Zstd(Encoder<'static, Vec<u8>>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl Compressor {
    pub fn new(packing: Packing) -> io::Result<Self> {
        Ok(match packing {
            Packing::Zstd => {
                let mut encoder = Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.window_log(ZSTD_WINDOW)?;
                Self::Zstd(encoder)
            }
            Packing::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL))),
        })
    }

    /// Replaces a piece by the compressed bytes that are available so far, maybe none. The last piece flushes the rest.
    pub fn compress(&mut self, piece: &mut Vec<u8>, is_last: bool) -> io::Result<()> {
        match self {
            Self::Zstd(encoder) => encoder.write_all(piece)?,
            Self::Gzip(encoder) => encoder.write_all(piece)?,
        }
        let made = match self {
            Self::Zstd(encoder) if is_last => encoder.do_finish().map(|()| encoder.get_mut())?,
            Self::Gzip(encoder) if is_last => encoder.try_finish().map(|()| encoder.get_mut())?,
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        };
        std::mem::swap(piece, made);
        made.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_programs_undo_it() {
        for packing in Packing::ALL {
            let mut compressor = Compressor::new(packing).unwrap();
            let pieces: Vec<Vec<u8>> =
                (0..200u32).map(|n| format!("{n} ").repeat(2000).into_bytes()).collect();
            let mut packed = Vec::new();
            for (n, piece) in pieces.iter().enumerate() {
                let mut piece = piece.clone();
                compressor.compress(&mut piece, n + 1 == pieces.len()).unwrap();
                packed.extend(piece);
            }
            let all = pieces.concat();
            assert!(packed.len() < all.len() / 10);
            let mut child = Command::new(packing.program())
                .arg("-dc")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            let writer = std::thread::spawn(move || stdin.write_all(&packed).unwrap());
            let output = child.wait_with_output().unwrap();
            writer.join().unwrap();
            assert!(output.status.success() && output.stdout == all);
        }
    }
}
