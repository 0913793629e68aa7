//! A public key or certificate of a host or a user, in the format of SSH (RFC 4253, 6.6; PROTOCOL.certkeys).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use crate::transport::ssh::wire::{Wire, put_string};

/// The suffix of the type of a certificate.
pub const CERTIFICATE: &str = "-cert-v01@openssh.com";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: String,
    blob: Vec<u8>,
}

impl PublicKey {
    pub fn from_blob(blob: &[u8]) -> Option<Self> {
        let kind = Wire(blob).text()?.to_owned();
        let key = Self { kind, blob: blob.to_vec() };
        // An incomplete line of a file may contain the beginning of a key.
        (key.is_certificate() || is_whole(blob)).then_some(key)
    }

    /// Reads `ssh-ed25519 AAAA... comment`, the format of `.pub` files.
    pub fn from_line(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (kind, encoded) = (words.next()?, words.next()?);
        Self::from_blob(&STANDARD.decode(encoded).ok()?).filter(|key| key.kind == kind)
    }

    pub fn line(&self) -> String {
        format!("{} {}", self.kind, STANDARD.encode(&self.blob))
    }

    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The name of the key type, such as `ssh-ed25519`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    pub fn is_certificate(&self) -> bool {
        self.kind.ends_with(CERTIFICATE)
    }

    /// Whether it is on a FIDO security key, with which libssh2 cannot sign.
    pub fn is_security_key(&self) -> bool {
        self.kind.starts_with("sk-")
    }

    /// The key that a certificate certifies.
    pub fn certified(&self) -> Option<PublicKey> {
        let kind = self.kind.strip_suffix(CERTIFICATE)?;
        let mut wire = Wire(&self.blob);
        let (_kind, _nonce) = (wire.string()?, wire.string()?);
        let mut blob = Vec::new();
        put_string(&mut blob, kind.as_bytes());
        for _ in 0..n_fields(kind)? {
            put_string(&mut blob, wire.string()?);
        }
        Some(PublicKey { kind: kind.to_owned(), blob })
    }

    /// The size in bits of an RSA key, or of the RSA key in a certificate; `None` for other types.
    pub fn rsa_size(&self) -> Option<u32> {
        let certified = self.certified();
        let mut wire = Wire(certified.as_ref().map_or(&self.blob, |key| &key.blob));
        if wire.text()? != "ssh-rsa" {
            return None;
        }
        let (_exponent, modulus) = (wire.string()?, wire.string()?);
        let first = modulus.iter().position(|byte| *byte != 0)?;
        let n_bits = (modulus.len() - first) * 8;
        Some(u32::try_from(n_bits).ok()? - modulus[first].leading_zeros())
    }

    /// `SHA256:` and the digest, like `ssh-keygen -l`.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }
}

/// Whether the blob is a complete key: the name of its type, then strings and nothing else. Numbers are strings, too.
fn is_whole(blob: &[u8]) -> bool {
    let mut wire = Wire(blob);
    let Some(kind) = wire.text() else {
        return false;
    };
    let mut n = 0;
    while !wire.0.is_empty() {
        if wire.string().is_none() {
            return false;
        }
        n += 1;
    }
    n_fields(kind).map_or(n > 0, |n_wanted| n == n_wanted)
}

/// The number of strings in a key of a type.
fn n_fields(kind: &str) -> Option<usize> {
    match kind {
        "ssh-ed25519" => Some(1),
        "ssh-rsa" => Some(2),
        _ if kind.starts_with("ecdsa-sha2-") => Some(2),
        _ => None,
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `ssh-keygen`; the fingerprint by `ssh-keygen -l`.
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGCkUWaGFqMTcCQA16GgMvP8MC623rmphcQEDP4CjfxM";
    const PRINT: &str = "SHA256:D6labd+UKErH9iZyEh4z/eoeqahdXc4p7vU9e85bC/I";
    const CERTIFICATE: &str = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIEMYz3UVjl9D5O/iIYMbUQqAAPoWQRxxnqkOPTH9W0MoAAAAIGCkUWaGFqMTcCQA16GgMvP8MC623rmphcQEDP4CjfxMAAAAAAAAAAAAAAABAAAAAm1lAAAABwAAAANib2IAAAAAAAAAAP//////////AAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdwZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2FyZGluZwAAAAAAAAAKcGVybWl0LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgGoqsteZs3LIt11HMTWLRHbTCLmNHV1FB6+L0iOaDuEkAAABTAAAAC3NzaC1lZDI1NTE5AAAAQHK8+b+U+zVe6M3V8Vwuw/OZWfmERTJXOi4lwxVjEDI0nni7R4qkqK6+aBg/mbq+LLnCXxLHnbajv9r6djlMdAY=";

    #[test]
    fn the_fingerprint_is_that_of_ssh_keygen() {
        let key = PublicKey::from_line(KEY).unwrap();
        assert_eq!(key.to_string(), format!("ssh-ed25519 {PRINT}"));
        assert_eq!(PublicKey::from_line(&key.line()), Some(key));
    }

    #[test]
    fn a_certificate_names_its_key() {
        let certificate = PublicKey::from_line(CERTIFICATE).unwrap();
        assert!(certificate.is_certificate());
        assert_eq!(certificate.certified(), PublicKey::from_line(KEY));
    }

    #[test]
    fn what_is_no_key_is_none() {
        for line in ["", "ssh-ed25519", "ssh-ed25519 ????", "ssh-rsa AAAAC3NzaC1lZDI1NTE5", "ssh-rsa AAAA"] {
            assert_eq!(PublicKey::from_line(line), None, "{line}");
        }
        let n_groups = (KEY.len() - "ssh-ed25519 ".len()) / 4;
        for n in 1..n_groups {
            assert_eq!(PublicKey::from_line(&KEY[..KEY.len() - 4 * n]), None, "{n}");
        }
    }
}
