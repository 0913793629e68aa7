//! Checks the host key. If it is not trusted, says why, what to check and which command to run.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;

use ssh2::{MethodType, Session};

use crate::event::report::Report;
use crate::shell::Word;
use crate::transport::ssh::config::Config;
use crate::transport::ssh::config::allowed::not_chosen;
use crate::transport::ssh::known_hosts::{KeyVerdict, KnownHosts, KnownName, LinePlace, append};
use crate::transport::ssh::public_key::PublicKey;

/// The known keys of a host, before it is contacted.
pub struct HostKeys<'a> {
    config: &'a Config,
    name: KnownName,
    known: KnownHosts,
    revoked: Vec<(LinePlace, PublicKey)>,
}

impl<'a> HostKeys<'a> {
    pub fn read(config: &'a Config) -> Result<Self, Report> {
        let name = match &config.host_key_alias {
            Some(alias) => KnownName::alias(alias),
            None => KnownName::of(&config.host, config.port),
        };
        let known = KnownHosts::read(files(config), &name).map_err(|(file, error)| {
            Report::new(format!(
                "failed to read `{}`, which may list keys not to trust: {error}",
                file.display()
            ))
        })?;
        let revoked = config.revoked_host_keys.as_ref().map(revoked).transpose()?.unwrap_or_default();
        Ok(Self { config, name, known, revoked })
    }

    /// Makes the host present a known key, if it has one.
    pub fn prefer(&self, session: &Session) -> Result<String, Report> {
        let preferences = self.known.preferences(&self.config.allowed.offered(session, MethodType::HostKey)?);
        session.method_pref(MethodType::HostKey, &preferences).map_err(not_chosen)?;
        Ok(preferences)
    }

    /// Accepts the key, or refuses the host.
    pub fn check(&self, key: &PublicKey) -> Result<(), Report> {
        if let Some((place, _)) = self.revoked.iter().find(|(_, revoked)| revoked == key) {
            return Err(self.refuse_revoked(key, place));
        }
        if let Some(why) = self.config.allowed.weakness(key) {
            return Err(Report::new(format!("the host key of {} is {why}", self.host())).hint(
                "on the server, run `sudo ssh-keygen -A` to create an Ed25519 host key, then restart sshd",
            ));
        }
        let verdict = match self.known.verdict(key) {
            KeyVerdict::Unknown { authority: None } if self.config.accept_new => self.remember(key)?,
            verdict => verdict,
        };
        match verdict {
            KeyVerdict::Known => Ok(()),
            KeyVerdict::Revoked(place) => Err(self.refuse_revoked(key, &place)),
            KeyVerdict::Changed { place, known } => Err(self.refuse_changed(key, &place, &known)),
            KeyVerdict::Unknown { authority } => Err(self.refuse_unknown(key, authority)),
        }
    }

    /// Adds the key to the first file. Returns the verdict on it after that.
    fn remember(&self, key: &PublicKey) -> Result<KeyVerdict, Report> {
        let Some(file) = self.config.user_known_hosts.first() else {
            return Ok(KeyVerdict::Known);
        };
        let salt = self.config.hash_known_hosts.then(salt);
        append(file, &self.name, key, salt).map_err(|error| {
            Report::new(format!(
                "failed to add the host key of {} to `{}`: {error}",
                self.host(),
                file.display()
            ))
        })
    }

    fn host(&self) -> String {
        format!("`{}`", self.name.name)
    }

    fn refuse_unknown(&self, key: &PublicKey, authority: Option<LinePlace>) -> Report {
        let files: Vec<String> = files(self.config).map(|file| format!("`{}`", file.display())).collect();
        let report = Report::new(format!("the host key of {} is not known", self.host()))
            .note(format!("the host presents {key}"))
            .note(format!("not found in {}", files.join(", ")));
        let report = match authority {
            None => report,
            Some(place) => report.note(format!(
                "a certificate authority is known for it ({place}), but libssh2 cannot check certificates: add the host's own key"
            )),
        };
        let report = report.note(format!(
            "to see its real key, run `ssh-keygen -lf /etc/ssh/ssh_host_{}_key.pub` on the server",
            file_kind(key)
        ));
        report.hint(format!("if they are the same, run `{}`", self.command_to_add(key)))
    }

    /// A command that adds exactly this key. `ssh-keyscan` would fetch one again, perhaps from another machine.
    fn command_to_add(&self, key: &PublicKey) -> String {
        let file = match self.config.user_known_hosts.first() {
            Some(file) => Word::shown(&file.display().to_string()),
            None => "~/.ssh/known_hosts".to_owned(),
        };
        format!("echo {} >> {file}", Word::shown(&format!("{} {}", self.name.name, key.line())))
    }

    fn refuse_changed(&self, key: &PublicKey, place: &LinePlace, known: &PublicKey) -> Report {
        let report = Report::new(format!("the host key of {} has changed", self.host()))
            .note(format!("the known key is {known} ({place})"))
            .note(format!("the host presents {key}"))
            .note(
                "either the server was reinstalled, or another machine answers in its place: ask its administrator",
            );
        report.hint(format!(
            "if it was reinstalled, run `ssh-keygen -f {} -R {}`, then add the new key",
            Word::shown(&place.file.display().to_string()),
            Word::shown(&self.name.name)
        ))
    }

    fn refuse_revoked(&self, key: &PublicKey, place: &LinePlace) -> Report {
        Report::new(format!("the host key of {} is revoked", self.host()))
            .note(format!("the host presents {key}"))
            .note(format!("revoked at {place}"))
            .note("anybody may have this key: the server needs a new one")
    }
}

fn files(config: &Config) -> impl Iterator<Item = &PathBuf> {
    config.user_known_hosts.iter().chain(&config.global_known_hosts)
}

/// Reads a `RevokedHostKeys` file with one key per line. If the file cannot be read, no host is trusted, as in ssh.
fn revoked(file: &PathBuf) -> Result<Vec<(LinePlace, PublicKey)>, Report> {
    let report = |why: &str| Report::new(format!("`RevokedHostKeys` file `{}` {why}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| report(&format!("cannot be read: {error}")))?;
    if bytes.starts_with(b"SSHKRL\n\0") {
        return Err(report("is a binary list, which is not supported")
            .hint("replace it with a text file of public keys"));
    }
    let text = String::from_utf8_lossy(&bytes);
    let keys = text.lines().enumerate().filter_map(|(i, line)| {
        Some((LinePlace { file: file.clone(), line: i + 1 }, PublicKey::from_line(line)?))
    });
    Ok(keys.collect())
}

/// The key type in the names of sshd's key files.
fn file_kind(key: &PublicKey) -> &str {
    match key.kind() {
        "ssh-ed25519" => "ed25519",
        "ssh-rsa" => "rsa",
        kind if kind.starts_with("ecdsa-") => "ecdsa",
        kind => kind,
    }
}

/// Random bytes from the system's generator, which `RandomState` uses.
fn salt() -> [u8; 20] {
    let keys = RandomState::new();
    let mut salt = [0; 20];
    for (i, part) in (0_u64..).zip(salt.chunks_mut(8)) {
        part.copy_from_slice(&keys.hash_one(i).to_le_bytes()[..part.len()]);
    }
    salt
}
