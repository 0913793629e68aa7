//! Reads the fields of SSH packets, keys and certificates (RFC 4251, 5).

/// The unread bytes. Every method returns `None` if too few are left.
#[derive(Debug, Clone, Copy)]
pub struct Wire<'a>(pub &'a [u8]);

impl<'a> Wire<'a> {
    pub fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(bytes)
    }

    pub fn byte(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    pub fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    /// Bytes, preceded by their length.
    pub fn string(&mut self) -> Option<&'a [u8]> {
        let n = self.number()?;
        self.bytes(usize::try_from(n).ok()?)
    }

    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.string()?).ok()
    }
}

/// Writes bytes, preceded by their length. No key is as long as 4 GB, so the length fits.
pub fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let n = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend(n.to_be_bytes());
    out.extend(bytes);
}
