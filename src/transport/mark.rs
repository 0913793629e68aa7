//! The marks that separate the output of a script from the shell's own reports about it.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// 128 random bits that output cannot contain by chance, or by printing the script. The persistent shell and each
/// other channel have their own nonce.
#[derive(Debug, Clone, Copy)]
pub struct Nonce(u128);

impl Nonce {
    /// The hash keys of the standard library are 128 bits from the system's random generator. Two hashes with these
    /// keys are as hard to guess, and generating them cannot fail.
    pub fn random() -> Self {
        let keys = RandomState::new();
        let half = |n: u8| u128::from(keys.hash_one(n));
        Self(half(0) << 64 | half(1))
    }

    pub fn mark(self, n: u64) -> Mark {
        Mark { nonce: self, n }
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The mark of one script. On standard output, `MARK<pid way;` precedes the output of the script and `MARK>status;`
/// follows it. On standard error, these are `MARK<;` and `MARK>;`.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    nonce: Nonce,
    n: u64,
}

impl Mark {
    pub fn bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    pub fn number(&self) -> u64 {
        self.n
    }

    /// The common beginning of all marks of its nonce, as shell text that evaluates to it but does not contain it: a
    /// shell that echoes its input must not produce a mark.
    pub fn stem(&self) -> String {
        let hex = format!("{:032x}", self.nonce.0);
        let (left, right) = hex.split_at(16);
        format!("@{left}''{right}.")
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "@{:032x}.{}", self.nonce.0, self.n)
    }
}

#[cfg(test)]
pub fn known(n: u64) -> Mark {
    Nonce(0xfeed_face_cafe_beef_0123_4567_89ab_cdef).mark(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stem_in_shell_text_yields_the_mark_but_does_not_hold_it() {
        let mark = known(7);
        assert_eq!(mark.to_string(), "@feedfacecafebeef0123456789abcdef.7");
        assert_eq!(mark.stem(), "@feedfacecafebeef''0123456789abcdef.");
    }

    #[test]
    fn nonces_differ() {
        let texts = [Nonce::random(), Nonce::random()].map(|nonce| nonce.mark(0).to_string());
        assert_ne!(texts[0], texts[1]);
    }
}
