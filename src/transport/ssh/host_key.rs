//! Checks the host key. If it is not trusted, says why, what to check and which command to run.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;

use ssh2::{MethodType, Session};

use crate::event::report::Report;
use crate::shell::Word;
use crate::transport::ssh::SshTarget;
use crate::transport::ssh::config::allowed::not_chosen;
use crate::transport::ssh::config::{Config, UnknownKeys};
use crate::transport::ssh::failure::LoginFailure;
use crate::transport::ssh::known_hosts::{KeyVerdict, KnownHosts, KnownName, LinePlace, algorithms, append};
use crate::transport::ssh::public_key::PublicKey;

/// The known keys of a host, before it is contacted.
pub struct HostKeys<'a> {
    config: &'a Config,
    target: &'a SshTarget,
    /// Keys that it presented before, and that it must not have.
    presented: &'a [PublicKey],
    name: KnownName,
    known: KnownHosts,
    revoked: Vec<(LinePlace, PublicKey)>,
}

impl<'a> HostKeys<'a> {
    pub fn read(
        config: &'a Config,
        target: &'a SshTarget,
        presented: &'a [PublicKey],
    ) -> Result<Self, Report> {
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
        Ok(Self { config, target, presented, name, known, revoked })
    }

    /// Makes the host present a known key, if it has one.
    pub fn prefer(&self, session: &Session) -> Result<String, Report> {
        let mut offered = self.config.allowed.offered(session, MethodType::HostKey)?;
        offered.retain(|name| !self.presented.iter().any(|key| algorithms(key.kind()).contains(name)));
        if offered.is_empty() {
            return Err(self.refuse_unpinned());
        }
        let preferences = self.known.preferences(&offered);
        session.method_pref(MethodType::HostKey, &preferences).map_err(not_chosen)?;
        Ok(preferences)
    }

    /// Accepts the key, or refuses the host.
    pub fn check(&self, key: &PublicKey) -> Result<(), LoginFailure> {
        if self.target.host_keys.contains(&key.fingerprint()) {
            return self.check_in_general(key).map_err(LoginFailure::Final);
        }
        if !self.target.host_keys.is_empty() {
            // A type that it was not asked for.
            if self.presented.iter().any(|other| other.kind() == key.kind()) {
                return Err(LoginFailure::Final(self.refuse_unpinned()));
            }
            return Err(LoginFailure::OtherKey(key.clone()));
        }
        self.check_in_general(key).map_err(LoginFailure::Final)?;
        let verdict = match (self.known.verdict(key), self.config.unknown_keys) {
            (KeyVerdict::Unknown { authority: None }, UnknownKeys::Accept) => {
                self.remember(key).map_err(LoginFailure::Final)?
            }
            (KeyVerdict::Unknown { authority: None }, UnknownKeys::Ask) if self.is_accepted(key) => {
                return match self.remember(key).map_err(LoginFailure::Final)? {
                    KeyVerdict::Known => Err(LoginFailure::Accepted),
                    verdict => self.judge(key, verdict).map_err(LoginFailure::Final),
                };
            }
            (verdict, _) => verdict,
        };
        self.judge(key, verdict).map_err(LoginFailure::Final)
    }

    /// Refuses keys that are never accepted.
    fn check_in_general(&self, key: &PublicKey) -> Result<(), Report> {
        if let KeyVerdict::Revoked(place) = self.known.verdict(key) {
            return Err(self.refuse_revoked(key, &place));
        }
        if let Some((place, _)) = self.revoked.iter().find(|(_, revoked)| revoked == key) {
            return Err(self.refuse_revoked(key, place));
        }
        if let Some(why) = self.config.allowed.weakness(key) {
            return Err(Report::new(format!("the host key of {} is {why}", self.host())).hint(
                "on the server, run `sudo ssh-keygen -A` to create an Ed25519 host key, then restart sshd",
            ));
        }
        Ok(())
    }

    fn judge(&self, key: &PublicKey, verdict: KeyVerdict) -> Result<(), Report> {
        match verdict {
            KeyVerdict::Known => Ok(()),
            KeyVerdict::Revoked(place) => Err(self.refuse_revoked(key, &place)),
            KeyVerdict::Changed { place, known } => Err(self.refuse_changed(key, &place, &known)),
            KeyVerdict::Unknown { authority } => Err(self.refuse_unknown(key, authority)),
        }
    }

    /// Whether a person at the terminal accepts the key. Asked once in a run.
    fn is_accepted(&self, key: &PublicKey) -> bool {
        let Some(file) = self.config.user_known_hosts.first() else { return false };
        let question = format!(
            "the host key of {} is not known:\n  {key}\non the server, `ssh-keygen -lf /etc/ssh/ssh_host_{}_key.pub` prints it\n\
             trust it, and add it to `{}`? [yes, no, fingerprint]",
            self.host(),
            file_kind(key),
            file.display()
        );
        let answer = self.target.logins.ask_once(&question).unwrap_or_default();
        let answer = answer.trim();
        matches!(answer, "yes" | "y") || answer == key.fingerprint()
    }

    /// Explains a failed handshake: when all keys that the host has were presented before, it has none left to agree on.
    pub fn explain(&self, failure: LoginFailure) -> LoginFailure {
        match failure {
            LoginFailure::Final(_) if !self.presented.is_empty() => {
                LoginFailure::Final(self.refuse_unpinned())
            }
            failure => failure,
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

    fn refuse_unpinned(&self) -> Report {
        let pins: Vec<String> = self.target.host_keys.iter().map(|pin| format!("`{pin}`")).collect();
        let report = Report::new(format!("{} has another host key than runner.toml says", self.host()))
            .note(format!("its `host_key` is {}", pins.join(", ")));
        let report =
            self.presented.iter().fold(report, |report, key| report.note(format!("the host presents {key}")));
        let report = report.note(
            "either the server was reinstalled, or another machine answers in its place: ask its administrator",
        );
        match self.presented.first() {
            Some(key) => report.hint(format!(
                "on the server, `ssh-keygen -lf /etc/ssh/ssh_host_{}_key.pub` prints its real key",
                file_kind(key)
            )),
            None => report,
        }
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
