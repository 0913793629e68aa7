//! A line of a `known_hosts` file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::transport::ssh::public_key::PublicKey;

/// What a line says about its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyClaim {
    /// The hosts have this key.
    Holds,
    /// The hosts have certificates that this key signed.
    Certifies,
    /// A host with this key must not be trusted.
    Revoked,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHostsLine {
    pub claim: KeyClaim,
    hosts: HostPatterns,
    pub key: PublicKey,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostPatterns {
    Hashed {
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    /// With commas, `*`, `?` and `!`.
    Patterns(String),
}

impl KnownHostsLine {
    /// Parses a line. `None` for comments and invalid lines, which ssh ignores, too.
    pub fn parse(line: &str) -> Option<Self> {
        let (claim, rest) = match line.trim_ascii().split_once([' ', '\t']) {
            Some(("@revoked", rest)) => (KeyClaim::Revoked, rest.trim_ascii_start()),
            Some(("@cert-authority", rest)) => (KeyClaim::Certifies, rest.trim_ascii_start()),
            Some((word, _)) if word.starts_with(['@', '#']) => return None,
            _ => (KeyClaim::Holds, line.trim_ascii()),
        };
        let (hosts, key) = rest.split_once([' ', '\t'])?;
        let hosts = match hosts.strip_prefix('|') {
            None => HostPatterns::Patterns(hosts.to_ascii_lowercase()),
            Some(hashed) => {
                let (salt, hash) = hashed.strip_prefix("1|")?.split_once('|')?;
                HostPatterns::Hashed { salt: STANDARD.decode(salt).ok()?, hash: STANDARD.decode(hash).ok()? }
            }
        };
        Some(Self { claim, hosts, key: PublicKey::from_line(key)? })
    }

    /// Whether the line is about this host. `name` is in lower case and contains the port if that is not 22:
    /// `[web1]:2222`.
    pub fn is_about(&self, name: &str) -> bool {
        match &self.hosts {
            HostPatterns::Hashed { salt, hash } => hash_of(salt, name) == *hash,
            HostPatterns::Patterns(patterns) => matches_list(patterns, name),
        }
    }
}

/// The HMAC-SHA1 of the name, with the salt as its key.
fn hash_of(salt: &[u8], name: &str) -> Vec<u8> {
    // Never fails: HMAC accepts keys of any length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(salt) else {
        return Vec::new();
    };
    mac.update(name.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The hashed form of a name, which does not reveal it.
pub fn hashed(salt: &[u8], name: &str) -> String {
    format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hash_of(salt, name)))
}

/// Whether one of the patterns matches, and none of those that begin with `!`.
fn matches_list(patterns: &str, name: &str) -> bool {
    let mut is_matched = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => is_matched |= matches(pattern.as_bytes(), name.as_bytes()),
        }
    }
    is_matched
}

/// `*` matches any bytes, `?` matches one; nothing else is special, not even brackets. Takes at most the product of
/// both lengths: only the last star ever has to match more.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(b'?') => (p, n) = (p + 1, n + 1),
            Some(byte) if *byte == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                None => return false,
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGCkUWaGFqMTcCQA16GgMvP8MC623rmphcQEDP4CjfxM";

    #[track_caller]
    fn case(hosts: &str, name: &str, want: bool) {
        let line = KnownHostsLine::parse(&format!("{hosts} {KEY} a comment")).unwrap();
        assert_eq!(line.is_about(name), want, "{hosts} {name}");
    }

    #[test]
    fn names_lists_and_patterns_match() {
        case("web1", "web1", true);
        case("WEB1.Example.com", "web1.example.com", true);
        case("web1", "web10", false);
        case("web1", "[web1]:2222", false);
        case("[web1]:2222", "[web1]:2222", true);
        case("a,web1,10.0.0.9", "10.0.0.9", true);
        case("*.example.com", "web1.example.com", true);
        case("*.example.com", "example.com", false);
        case("web?", "web1", true);
        case("web?", "web", false);
        case("*", "anything", true);
        case("*a*b*c", "xaxbxbxc", true);
        case("*a*b*c", "xaxbxbx", false);
        case("[10.0.0.*]:2222", "[10.0.0.9]:2222", true);
        case("*.example.com,!bad.example.com", "bad.example.com", false);
        case("!bad.example.com,*.example.com", "web.example.com", true);
        case("!bad.example.com", "web.example.com", false);
    }

    #[test]
    fn hashed_names_match() {
        // `ssh-keygen -H` made the first, our `hashed` the second.
        case("|1|SZUaVqQWn2Bat8oTOb7XKN7eDjI=|8/L5mtFgxyn9Qd+AEJMHxS4dAgE=", "web1.example.com", true);
        case("|1|SZUaVqQWn2Bat8oTOb7XKN7eDjI=|8/L5mtFgxyn9Qd+AEJMHxS4dAgE=", "web2.example.com", false);
        case(&hashed(b"0123456789abcdefghij", "[web1]:2222"), "[web1]:2222", true);
        case(&hashed(b"0123456789abcdefghij", "[web1]:2222"), "web1", false);
    }

    #[test]
    fn markers_are_read() {
        let claim = |text: &str| KnownHostsLine::parse(&format!("{text} web1\t{KEY}")).map(|line| line.claim);
        assert_eq!(claim(""), Some(KeyClaim::Holds));
        assert_eq!(claim("@revoked"), Some(KeyClaim::Revoked));
        assert_eq!(claim("@cert-authority\t "), Some(KeyClaim::Certifies));
        assert_eq!(claim("@other"), None);
    }

    #[test]
    fn what_is_no_line_is_skipped() {
        for line in
            ["", "   ", "# web1 ssh-ed25519 AAAA", "#", "web1", "web1 ssh-ed25519", "web1 ssh-ed25519 ???"]
        {
            assert_eq!(KnownHostsLine::parse(line), None, "{line}");
        }
        for hosts in ["|2|aaaa|aaaa", "|1|aaaa", "|1|?|aaaa", "|", "|1|"] {
            assert_eq!(KnownHostsLine::parse(&format!("{hosts} {KEY}")), None, "{hosts}");
        }
        // The form of SSH 1: bits, exponent, modulus.
        assert_eq!(KnownHostsLine::parse("web1 1024 35 1234567890"), None);
    }
}
