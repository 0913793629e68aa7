//! Writes the members of a tar file in GNU format, which allows any name and any link target.
//!
//! Uses only the header of the crate `tar`: its builder changes paths (`./`), and copies a file even if its length has
//! changed.

use std::io::{self, Write};

use tar::{EntryType, Header};

const BLOCK: usize = 512;
/// The maximum length of a name or a link target in a header.
const NAME: usize = 100;

/// The fields of a header. Owner and group are always 0, without names.
pub struct Member<'a> {
    /// The name of a directory ends in `/`.
    pub name: &'a [u8],
    /// Empty unless it is a link.
    pub target: &'a [u8],
    pub kind: EntryType,
    pub mode: u32,
    pub mtime: u64,
    pub size: u64,
}

impl Member<'_> {
    pub fn write_header(&self, out: &mut impl Write) -> io::Result<()> {
        write_long(out, EntryType::GNULongLink, self.target)?;
        write_long(out, EntryType::GNULongName, self.name)?;
        out.write_all(self.header()?.as_bytes())
    }

    fn header(&self) -> io::Result<Header> {
        let mut header = Header::new_gnu();
        header.set_entry_type(self.kind);
        header.set_mode(self.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.mtime);
        header.set_size(self.size);
        let fields = header.as_gnu_mut().ok_or_else(|| io::Error::other("not a GNU header"))?;
        fill(&mut fields.name, self.name);
        fill(&mut fields.linkname, self.target);
        header.set_cksum();
        Ok(header)
    }
}

/// If a name is too long for a header, writes it as a separate member before its own. The header then contains only the
/// beginning of the name.
fn write_long(out: &mut impl Write, kind: EntryType, text: &[u8]) -> io::Result<()> {
    if text.len() <= NAME {
        return Ok(());
    }
    let length = text.len() as u64 + 1;
    let name = b"././@LongLink";
    let (mode, mtime, target) = (0o644, 0, b"".as_slice());
    let long = Member { name, target, kind, mode, mtime, size: length };
    out.write_all(long.header()?.as_bytes())?;
    out.write_all(text)?;
    out.write_all(&[0])?;
    write_padding(out, length)
}

fn fill(field: &mut [u8; NAME], text: &[u8]) {
    let n = text.len().min(NAME);
    field[..n].copy_from_slice(&text[..n]);
}

/// Fills the last block with zeros, after `length` bytes of content.
pub fn write_padding(out: &mut impl Write, length: u64) -> io::Result<()> {
    let over = (length % BLOCK as u64) as usize;
    match over {
        0 => Ok(()),
        _ => out.write_all(&[0; BLOCK][over..]),
    }
}

/// The size of a member whose name has `name` bytes, and whose link target, if any, fits into the header.
pub fn length(name: usize, size: u64) -> u64 {
    let block = BLOCK as u64;
    let long = if name > NAME { block + (name as u64 + 1).next_multiple_of(block) } else { 0 };
    block + long + size.next_multiple_of(block)
}

/// The size of the end of a tar, after the last member.
pub const END: u64 = 2 * BLOCK as u64;

pub fn write_end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; END as usize])
}
