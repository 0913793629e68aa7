//! Remembers a host: one line more in a `known_hosts` file.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::transport::ssh::known_hosts::line::{self, Claim, Line};
use crate::transport::ssh::known_hosts::name::KnownName;
use crate::transport::ssh::public_key::PublicKey;

/// Adds the key, unless another run has just done so. The line is written by one `write` to the file's end, so a
/// reader sees all of it or nothing, and what other programs append meanwhile is not lost.
pub fn append(file: &Path, host: &KnownName, key: &PublicKey, salt: Option<[u8; 20]>) -> io::Result<()> {
    if let Some(dir) = file.parent().filter(|dir| !dir.as_os_str().is_empty() && !dir.exists()) {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let mut open = OpenOptions::new();
    let mut known_hosts = open.read(true).append(true).create(true).mode(0o600).open(file)?;
    if !fs::metadata(file)?.is_file() {
        // `/dev/null`, to remember nothing.
        return Ok(());
    }
    flock(&known_hosts, FlockOperation::LockExclusive)?;
    let mut text = Vec::new();
    known_hosts.read_to_end(&mut text)?;
    let is_there = |line: Line| line.claim == Claim::Holds && line.key == *key && line.is_about(&host.name);
    if String::from_utf8_lossy(&text).lines().filter_map(Line::parse).any(is_there) {
        return Ok(());
    }
    let name = salt.map_or_else(|| host.name.clone(), |salt| line::hashed(&salt, &host.name));
    let start = if text.last().is_some_and(|byte| *byte != b'\n') { "\n" } else { "" };
    known_hosts.write_all(format!("{start}{name} {}\n", key.line()).as_bytes())?;
    known_hosts.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::ssh::known_hosts::{KnownHosts, Verdict};

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGCkUWaGFqMTcCQA16GgMvP8MC623rmphcQEDP4CjfxM";

    #[test]
    fn a_host_is_remembered_once_and_nothing_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("new/known_hosts");
        let key = PublicKey::from_line(KEY).unwrap();
        let (web1, web2) = (KnownName::of("web1", 22), KnownName::of("web2", 2222));
        append(&file, &web1, &key, None).unwrap();
        append(&file, &web1, &key, None).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("web1 {KEY}\n"));

        fs::write(&file, "# no newline").unwrap();
        append(&file, &web1, &key, None).unwrap();
        append(&file, &web2, &key, Some(*b"0123456789abcdefghij")).unwrap();
        append(&file, &web2, &key, Some(*b"another salt of 20 b")).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(text.starts_with(&format!("# no newline\nweb1 {KEY}\n|1|")), "{text}");
        for host in [web1, web2] {
            let known = KnownHosts::read([&file], &host).unwrap();
            assert_eq!(known.verdict(&key), Verdict::Known);
        }
    }

    #[test]
    fn nothing_is_remembered_in_dev_null() {
        let key = PublicKey::from_line(KEY).unwrap();
        append(Path::new("/dev/null"), &KnownName::of("web1", 22), &key, None).unwrap();
    }
}
