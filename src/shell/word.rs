//! A word of a shell command: bytes that are always quoted.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// Bytes that reach a shell as exactly one word, whatever they contain (except NUL, which no argument can contain).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word(Vec<u8>);

impl Word {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A text as a word of a command that a person reads: quoted only if it must be.
    pub fn shown(text: &str) -> String {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
        match !text.is_empty() && text.bytes().all(is_plain) {
            true => text.to_owned(),
            false => String::from_utf8_lossy(&Word::from(text).quoted()).into_owned(),
        }
    }

    /// The word in single quotes (POSIX XCU 2.2.2). A quote inside ends the quotes, is escaped, and starts them
    /// again.
    pub fn quoted(&self) -> Vec<u8> {
        let mut out = vec![b'\''];
        for &byte in &self.0 {
            match byte {
                b'\'' => out.extend(b"'\\''"),
                0 => {}
                byte => out.push(byte),
            }
        }
        out.push(b'\'');
        out
    }
}

/// Appends bytes to a line, such that `printf %b` turns them back (POSIX XCU printf).
pub fn escape(bytes: &[u8], line: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            b'\\' => line.extend_from_slice(b"\\0134"),
            b'\n' => line.extend_from_slice(b"\\0012"),
            byte => line.push(*byte),
        }
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<&String> for Word {
    fn from(text: &String) -> Self {
        Self::new(text.as_bytes())
    }
}

impl From<String> for Word {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&Path> for Word {
    fn from(path: &Path) -> Self {
        Self::new(path.as_os_str().as_bytes())
    }
}

impl From<&OsStr> for Word {
    fn from(text: &OsStr) -> Self {
        Self::new(text.as_bytes())
    }
}

impl From<OsString> for Word {
    fn from(text: OsString) -> Self {
        Self::new(text.into_vec())
    }
}

impl From<u64> for Word {
    fn from(number: u64) -> Self {
        Self::new(number.to_string())
    }
}

impl From<usize> for Word {
    fn from(number: usize) -> Self {
        Self::new(number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(bytes: &[u8], want: &[u8]) {
        assert_eq!(Word::new(bytes).quoted(), want);
    }

    #[test]
    fn every_byte_is_kept_as_it_is_within_quotes() {
        case(b"", b"''");
        case(b"a b", b"'a b'");
        case(b"it's", b"'it'\\''s'");
        case(b"$(x)`y`\\\n-", b"'$(x)`y`\\\n-'");
        case(b"\xff\xfe", b"'\xff\xfe'");
    }
}
