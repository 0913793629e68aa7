//! Reads all `known_hosts` files, and decides whether to trust a host key.
//!
//! Does not use libssh2's reader: that ignores `@revoked`, supports neither patterns nor authorities, and stops at the
//! first bad line of a file.
//!
//! **Invariant:** if any key of a host is known, the host never counts as unknown, whatever key it presents.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::transport::ssh::known_hosts::line::{KeyClaim, KnownHostsLine};
use crate::transport::ssh::known_hosts::name::KnownName;
use crate::transport::ssh::public_key::PublicKey;

/// The place of a line. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinePlace {
    pub file: PathBuf,
    pub line: usize,
}

impl std::fmt::Display for LinePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// What the files say about the key of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyVerdict {
    Known,
    /// No key of the host is known. An authority may be known, but this program cannot check its signatures.
    Unknown {
        authority: Option<LinePlace>,
    },
    /// Only other keys of the host are known. `known` is of the same type if there is one.
    Changed {
        place: LinePlace,
        known: PublicKey,
    },
    Revoked(LinePlace),
}

/// The lines about a host.
#[derive(Debug, Default)]
pub struct KnownHosts {
    lines: Vec<(LinePlace, KnownHostsLine)>,
    /// Lines for the host's name without its port, if the port is not 22. ssh trusts a key that it finds there. A
    /// different key there belongs to another server.
    nearby: Vec<(LinePlace, KnownHostsLine)>,
}

impl KnownHosts {
    /// Reads the lines about `host`. Missing files count as empty.
    pub fn read<'a>(
        files: impl IntoIterator<Item = &'a PathBuf>,
        host: &KnownName,
    ) -> Result<Self, (PathBuf, io::Error)> {
        let mut known = Self::default();
        for file in files {
            match fs::read(file) {
                Ok(bytes) => known.add(file, &String::from_utf8_lossy(&bytes), host),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(error) => return Err((file.clone(), error)),
            }
        }
        Ok(known)
    }

    pub(super) fn add(&mut self, file: &Path, text: &str, host: &KnownName) {
        for (i, line) in text.lines().enumerate() {
            let Some(line) = KnownHostsLine::parse(line) else {
                continue;
            };
            let place = || LinePlace { file: file.to_owned(), line: i + 1 };
            if line.is_about(&host.name) {
                self.lines.push((place(), line));
            } else if host.portless.as_ref().is_some_and(|name| line.is_about(name)) {
                self.nearby.push((place(), line));
            }
        }
    }

    pub fn verdict(&self, key: &PublicKey) -> KeyVerdict {
        let about = |claim| self.lines.iter().filter(move |(_, line)| line.claim == claim);
        let nearby = |claim| self.nearby.iter().filter(move |(_, line)| line.claim == claim);
        let is_same = |(_, line): &&(LinePlace, KnownHostsLine)| line.key == *key;
        if let Some((place, _)) = about(KeyClaim::Revoked).chain(nearby(KeyClaim::Revoked)).find(is_same) {
            return KeyVerdict::Revoked(place.clone());
        }
        if about(KeyClaim::Holds).any(|line| is_same(&line)) {
            return KeyVerdict::Known;
        }
        let same_kind = about(KeyClaim::Holds).find(|(_, line)| line.key.kind() == key.kind());
        if let Some((place, line)) = same_kind.or_else(|| about(KeyClaim::Holds).next()) {
            return KeyVerdict::Changed { place: place.clone(), known: line.key.clone() };
        }
        if nearby(KeyClaim::Holds).any(|line| is_same(&line)) {
            return KeyVerdict::Known;
        }
        let authority = about(KeyClaim::Certifies).next().map(|(place, _)| place.clone());
        KeyVerdict::Unknown { authority }
    }

    /// The host key algorithms to request, the best first: the host should present a known key if it has one. Leaves
    /// out certificates, since this program cannot check them.
    pub fn preferences(&self, supported: &[&str]) -> String {
        let kinds = self.lines.iter().chain(&self.nearby).filter(|(_, line)| line.claim == KeyClaim::Holds);
        let known: Vec<&str> = kinds.flat_map(|(_, line)| algorithms(line.key.kind())).copied().collect();
        let is_usable = |name: &&str| !name.contains("-cert-v01@");
        let (first, rest): (Vec<&str>, Vec<&str>) =
            supported.iter().copied().filter(is_usable).partition(|name| known.contains(name));
        [first, rest].concat().join(",")
    }
}

/// The signature algorithms of a key type. `ssh-rsa` itself means SHA-1, which current servers do not offer.
pub fn algorithms(kind: &str) -> &'static [&'static str] {
    match kind {
        "ssh-rsa" => &["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"],
        "ssh-ed25519" => &["ssh-ed25519"],
        "ecdsa-sha2-nistp256" => &["ecdsa-sha2-nistp256"],
        "ecdsa-sha2-nistp384" => &["ecdsa-sha2-nistp384"],
        "ecdsa-sha2-nistp521" => &["ecdsa-sha2-nistp521"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGCkUWaGFqMTcCQA16GgMvP8MC623rmphcQEDP4CjfxM";
    const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGgMGpIc+uVSUXN568y6uqqzNvWCI1xKCHWtb2p5X/Qz";
    const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7NwuAgGQr2aXEVoItGoANV/BFRrGBsJOokJ8H4yDpAEFC68Bd1EwU163aDIMAnJlLxV9x4HjhLOTZ54MpfJ3LIyQuNqTnxSzfS3fP2xcDDu2u5n3uM1d9LLNR+tf6Hvv88KM1IoNRfMRFRFNt0XZaHaDIMlRqiMJcaaDeRNehpw==";
    const SUPPORTED: [&str; 6] = [
        "ssh-ed25519-cert-v01@openssh.com",
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "rsa-sha2-512",
        "rsa-sha2-256",
        "ssh-rsa",
    ];

    fn known(text: &str, host: &str, port: u16) -> KnownHosts {
        let text = text.replace("$A", A).replace("$B", B).replace("$RSA", RSA);
        let mut known = KnownHosts::default();
        known.add(Path::new("kh"), &text, &KnownName::of(host, port));
        known
    }

    /// The verdict of a file on key A.
    #[track_caller]
    fn case(text: &str, port: u16, want: &str) {
        let verdict = match known(text, "Web1", port).verdict(&PublicKey::from_line(A).unwrap()) {
            KeyVerdict::Known => "known".to_owned(),
            KeyVerdict::Unknown { authority: None } => "unknown".to_owned(),
            KeyVerdict::Unknown { authority: Some(place) } => format!("authority {place}"),
            KeyVerdict::Changed { place, known } => format!("changed {place} {}", known.kind()),
            KeyVerdict::Revoked(place) => format!("revoked {place}"),
        };
        assert_eq!(verdict, want, "{text}");
    }

    #[test]
    fn a_key_is_judged_by_all_lines() {
        case("", 22, "unknown");
        case("web2 $A", 22, "unknown");
        case("web1 $A", 22, "known");
        case("web1 $B\nweb1 $A", 22, "known");
        case("web1 $B", 22, "changed kh:1 ssh-ed25519");
        case("\nweb1 $RSA\n# x\nweb1 $B", 22, "changed kh:4 ssh-ed25519");
        case("web1 $RSA", 22, "changed kh:1 ssh-rsa");
        case("garbage\nweb1 ssh-ed25519 ????\nweb1 $A", 22, "known");
        case("web* $A", 22, "known");
    }

    #[test]
    fn a_revoked_key_is_never_believed() {
        case("web1 $A\n@revoked web1 $A", 22, "revoked kh:2");
        case("web1 $A\n@revoked * $A", 22, "revoked kh:2");
        case("web1 $A\n@revoked web2 $A", 22, "known");
        case("web1 $A\n@revoked * $B", 22, "known");
        case("[web1]:2222 $A\n@revoked web1 $A", 2222, "revoked kh:2");
    }

    #[test]
    fn an_authority_is_named_but_not_used() {
        case("@cert-authority web1 $A", 22, "authority kh:1");
        case("@cert-authority web1 $B\nweb1 $A", 22, "known");
        case("@cert-authority web2 $A", 22, "unknown");
    }

    #[test]
    fn a_port_is_part_of_the_name() {
        case("[web1]:2222 $A", 2222, "known");
        case("[web1]:2222 $A", 22, "unknown");
        case("web1 $A", 2222, "known");
        case("web1 $B", 2222, "unknown");
        case("[web1]:2222 $B\nweb1 $A", 2222, "changed kh:1 ssh-ed25519");
    }

    #[test]
    fn types_that_are_known_are_asked_for_first() {
        #[track_caller]
        fn case(text: &str, port: u16, want: &str) {
            assert_eq!(known(text, "web1", port).preferences(&SUPPORTED), want, "{text}");
        }
        case("", 22, "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256,ssh-rsa");
        case("web1 $RSA", 22, "rsa-sha2-512,rsa-sha2-256,ssh-rsa,ssh-ed25519,ecdsa-sha2-nistp256");
        case("web1 $RSA", 2222, "rsa-sha2-512,rsa-sha2-256,ssh-rsa,ssh-ed25519,ecdsa-sha2-nistp256");
        case("@revoked web1 $RSA", 22, "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256,ssh-rsa");
    }
}
