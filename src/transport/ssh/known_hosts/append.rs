//! Adds a host to a `known_hosts` file.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::transport::ssh::known_hosts::file::{KeyVerdict, KnownHosts};
use crate::transport::ssh::known_hosts::line;
use crate::transport::ssh::known_hosts::name::KnownName;
use crate::transport::ssh::public_key::PublicKey;

/// Adds the key of a host that is still unknown, and returns the verdict of the file on the key after that: since it
/// was last read, another thread or run may have added the host, with another key. A single `write` appends the line,
/// so that a reader sees all of it or nothing, and no line of another program is lost.
pub fn append(
    file: &Path,
    host: &KnownName,
    key: &PublicKey,
    salt: Option<[u8; 20]>,
) -> io::Result<KeyVerdict> {
    if let Some(dir) = file.parent().filter(|dir| !dir.as_os_str().is_empty() && !dir.exists()) {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let mut open = OpenOptions::new();
    let mut known_hosts = open.read(true).append(true).create(true).mode(0o600).open(file)?;
    if !fs::metadata(file)?.is_file() {
        // `/dev/null`, which stores nothing.
        return Ok(KeyVerdict::Known);
    }
    flock(&known_hosts, FlockOperation::LockExclusive)?;
    let mut text = Vec::new();
    known_hosts.read_to_end(&mut text)?;
    let mut known = KnownHosts::default();
    known.add(file, &String::from_utf8_lossy(&text), host);
    match known.verdict(key) {
        KeyVerdict::Unknown { authority: None } => {}
        verdict => return Ok(verdict),
    }
    let name = salt.map_or_else(|| host.name.clone(), |salt| line::hashed(&salt, &host.name));
    let start = if text.last().is_some_and(|byte| *byte != b'\n') { "\n" } else { "" };
    let line = format!("{start}{name} {}\n", key.line());
    if let Err(error) = known_hosts.write_all(line.as_bytes()) {
        // Removes an incomplete line. If that fails, the first error is still the one to report.
        let _ = known_hosts.set_len(text.len() as u64);
        return Err(error);
    }
    known_hosts.sync_all()?;
    Ok(KeyVerdict::Known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGCkUWaGFqMTcCQA16GgMvP8MC623rmphcQEDP4CjfxM";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGgMGpIc+uVSUXN568y6uqqzNvWCI1xKCHWtb2p5X/Qz";

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
            assert_eq!(known.verdict(&key), KeyVerdict::Known);
        }
    }

    #[test]
    fn a_file_that_is_made_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("new/known_hosts");
        append(&file, &KnownName::of("web1", 22), &PublicKey::from_line(KEY).unwrap(), None).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(file.parent().unwrap()), mode(&file)), (0o700, 0o600));
    }

    #[test]
    fn a_key_that_another_has_remembered_meanwhile_is_not_joined_by_a_second() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        let web1 = KnownName::of("web1", 22);
        let [key, other] = [KEY, OTHER].map(|line| PublicKey::from_line(line).unwrap());
        append(&file, &web1, &key, None).unwrap();
        let verdict = append(&file, &web1, &other, None).unwrap();
        assert!(matches!(verdict, KeyVerdict::Changed { known, .. } if known == key));
        for line in [format!("@revoked * {OTHER}\n"), format!("@cert-authority * {OTHER}\n")] {
            fs::write(&file, &line).unwrap();
            assert_ne!(append(&file, &web1, &other, None).unwrap(), KeyVerdict::Known);
            assert_eq!(fs::read_to_string(&file).unwrap(), line);
        }
    }

    #[test]
    fn hosts_that_are_met_at_once_are_all_remembered_and_each_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        let key = PublicKey::from_line(KEY).unwrap();
        thread::scope(|scope| {
            for n in 0..32_u16 {
                let (file, key) = (&file, &key);
                scope.spawn(move || append(file, &KnownName::of("web", 1 + n / 2), key, None).unwrap());
            }
        });
        let text = fs::read_to_string(&file).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!((lines.len(), text.lines().count()), (16, 16), "{text}");
    }

    #[test]
    fn nothing_is_remembered_in_dev_null() {
        let key = PublicKey::from_line(KEY).unwrap();
        append(Path::new("/dev/null"), &KnownName::of("web1", 22), &key, None).unwrap();
    }
}
