//! A private key file: its public key, whether it needs a passphrase, and its certificates.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::transport::ssh::public_key::PublicKey;
use crate::transport::ssh::wire::Wire;

/// The first bytes of OpenSSH's own format (PROTOCOL.key).
const MAGIC: &[u8] = b"openssh-key-v1\0";

/// The private key of a file. Not `Debug`, which would show the key.
pub enum Secret {
    /// The file contains only a public key, which selects a key of the agent.
    Absent,
    Plain(String),
    Encrypted(String),
}

pub struct KeyFile {
    pub path: PathBuf,
    pub secret: Secret,
    /// `None` for an encrypted PEM file without a `.pub` file.
    pub public: Option<PublicKey>,
    pub certificates: Vec<PublicKey>,
    /// A default key file of ssh, rather than one that the configuration names.
    pub is_default: bool,
}

impl KeyFile {
    /// Reads a key file. `Ok(None)` if there is no such file; `Err` says why it cannot be used.
    pub fn read(path: &Path, is_default: bool) -> Result<Option<Self>, String> {
        let bytes = match fs::read(path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            bytes => bytes.map_err(|error| format!("failed to read it: {error}"))?,
        };
        let text = String::from_utf8(bytes).map_err(|_| "not a key: not a text file".to_owned())?;
        let (secret, public) = parse(&text).ok_or("not a private key in a known format")?;
        if !matches!(secret, Secret::Absent) {
            check_permissions(path)?;
        }
        let public = public.or_else(|| beside(path, ".pub"));
        let certificates = Vec::from_iter(beside(path, "-cert.pub"));
        Ok(Some(Self { path: path.to_owned(), secret, public, certificates, is_default }))
    }

    pub fn is_encrypted(&self) -> bool {
        matches!(self.secret, Secret::Encrypted(_))
    }
}

/// Refuses a key of this user that others can read. ssh does that, and users may rely on it.
fn check_permissions(path: &Path) -> Result<(), String> {
    let meta = fs::metadata(path).map_err(|error| format!("failed to read it: {error}"))?;
    let is_ours = meta.uid() == rustix::process::getuid().as_raw();
    match is_ours && meta.mode() & 0o077 != 0 {
        true => Err(format!("other users can read it (run `chmod 600 {}`)", path.display())),
        false => Ok(()),
    }
}

fn beside(path: &Path, suffix: &str) -> Option<PublicKey> {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    PublicKey::from_line(&fs::read_to_string(path).ok()?)
}

fn parse(text: &str) -> Option<(Secret, Option<PublicKey>)> {
    let text = text.trim_start();
    if let Some(public) = PublicKey::from_line(text) {
        return Some((Secret::Absent, Some(public)));
    }
    let kind = text.strip_prefix("-----BEGIN ")?.split_once("-----")?.0;
    if kind == "OPENSSH PRIVATE KEY" {
        let body: String =
            text.lines().skip(1).take_while(|line| !line.starts_with('-')).map(str::trim).collect();
        let (is_encrypted, public) = parse_openssh(&STANDARD.decode(body).ok()?)?;
        return Some((secret(text, is_encrypted), Some(public)));
    }
    let is_encrypted = kind == "ENCRYPTED PRIVATE KEY" || text.contains("Proc-Type: 4,ENCRYPTED");
    kind.ends_with("PRIVATE KEY").then(|| (secret(text, is_encrypted), None))
}

fn secret(text: &str, is_encrypted: bool) -> Secret {
    match is_encrypted {
        true => Secret::Encrypted(text.to_owned()),
        false => Secret::Plain(text.to_owned()),
    }
}

/// Returns whether the private key is encrypted, and the public key, which never is.
fn parse_openssh(bytes: &[u8]) -> Option<(bool, PublicKey)> {
    let mut wire = Wire(bytes.strip_prefix(MAGIC)?);
    let cipher = wire.text()?;
    let (_kdf, _options) = (wire.string()?, wire.string()?);
    let n_keys = wire.number()?;
    let public = PublicKey::from_blob(wire.string()?)?;
    (n_keys == 1).then_some((cipher != "none", public))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// How a key that `ssh-keygen` makes with these options is read: its state, type, and number of certificates.
    #[track_caller]
    fn case(options: &[&str], want: &str) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let status = Command::new("ssh-keygen").args(["-q", "-f"]).arg(&path).args(options).status().unwrap();
        assert!(status.success());
        let key = KeyFile::read(&path, false).unwrap().unwrap();
        let state = match key.secret {
            Secret::Absent => "absent",
            Secret::Plain(_) => "plain",
            Secret::Encrypted(_) => "encrypted",
        };
        let kind = key.public.as_ref().map_or("?", PublicKey::kind);
        assert_eq!(format!("{state} {kind} {}", key.certificates.len()), want, "{options:?}");
        // OpenSSH's own format contains the public key, so the `.pub` file is not needed.
        fs::remove_file(path.with_extension("pub")).unwrap();
        let alone = KeyFile::read(&path, false).unwrap().unwrap();
        let is_pem = options.contains(&"-m");
        assert_eq!(alone.public, key.public.filter(|_| !is_pem), "{options:?}");
    }

    #[test]
    fn keys_of_ssh_keygen_are_understood() {
        case(&["-t", "ed25519", "-N", ""], "plain ssh-ed25519 0");
        case(&["-t", "ed25519", "-N", "secret"], "encrypted ssh-ed25519 0");
        case(&["-t", "ecdsa", "-b", "384", "-N", ""], "plain ecdsa-sha2-nistp384 0");
        case(&["-t", "rsa", "-b", "1024", "-N", "secret"], "encrypted ssh-rsa 0");
        case(&["-t", "rsa", "-b", "1024", "-m", "PEM", "-N", ""], "plain ssh-rsa 0");
        case(&["-t", "rsa", "-b", "1024", "-m", "PEM", "-N", "secret"], "encrypted ssh-rsa 0");
        case(&["-t", "ecdsa", "-m", "PKCS8", "-N", "secret"], "encrypted ecdsa-sha2-nistp256 0");
    }

    #[test]
    fn a_public_key_alone_chooses_one_of_the_agent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pub");
        fs::write(
            &path,
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGCkUWaGFqMTcCQA16GgMvP8MC623rmphcQEDP4CjfxM comment\n",
        )
        .unwrap();
        let key = KeyFile::read(&path, false).unwrap().unwrap();
        assert!(matches!(key.secret, Secret::Absent));
        assert!(key.public.is_some());
    }

    #[test]
    fn what_is_no_key_says_why() {
        #[track_caller]
        fn case(bytes: &[u8], want: &str) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("key");
            fs::write(&path, bytes).unwrap();
            let said = KeyFile::read(&path, false).err();
            assert_eq!(said.as_deref(), Some(want), "{bytes:?}");
        }
        case(b"", "not a private key in a known format");
        case(b"\xff\xfe", "not a key: not a text file");
        case(b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "not a private key in a known format");
        case(b"-----BEGIN CERTIFICATE-----\n", "not a private key in a known format");
        assert!(KeyFile::read(Path::new("/nonexistent/key"), false).unwrap().is_none());
    }

    #[test]
    fn a_key_that_others_may_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, "-----BEGIN PRIVATE KEY-----\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let said = KeyFile::read(&path, false).err().unwrap();
        assert!(said.starts_with("other users can read it"), "{said}");
    }
}
