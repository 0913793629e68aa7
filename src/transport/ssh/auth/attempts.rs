//! Records what a login tried, for the error message if it fails.

use std::path::{Path, PathBuf};

use crate::event::report::Report;
use crate::shell::Word;
use crate::transport::ssh::SshTarget;
use crate::transport::ssh::config::Config;
use crate::transport::ssh::waiter::CallFailure;

/// The notes are in the order of the attempts.
#[derive(Debug, Default)]
pub struct LoginAttempts {
    notes: Vec<String>,
    /// A key that the host may accept, but that was not unlocked.
    locked: Option<PathBuf>,
    /// The first key that the host refused.
    refused: Option<PathBuf>,
}

impl LoginAttempts {
    /// Adds a note, without duplicates.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Notes that a method failed because the user did not answer.
    pub fn unanswered(&mut self, method: &str, has_terminal: bool) {
        let why = if has_terminal { "not answered" } else { "no terminal to ask on" };
        self.note(format!("{method}: {why}"));
    }

    pub fn locked(&mut self, path: &Path, has_terminal: bool) {
        let why = if has_terminal { "not given" } else { "not asked for (no terminal)" };
        self.note(format!("key `{}`: encrypted, passphrase {why}", path.display()));
        self.locked.get_or_insert_with(|| path.to_owned());
    }

    pub fn refused(&mut self, path: &Path) {
        self.refused.get_or_insert_with(|| path.to_owned());
    }

    pub fn report(&self, target: &SshTarget, config: &Config, accepted: &[String]) -> Report {
        let report = Report::new(format!("failed to log in to {} as `{}`", config.place(), config.user));
        let report = self.add_notes(report).note(accepts(accepted));
        let report = match &target.user {
            Some(_) => report,
            None if self.locked.is_some() => report,
            None => report.note(format!(
                "runner.toml gives no `user`: `{}` is that of ssh's configuration, or yours on this machine",
                config.user
            )),
        };
        report.hint(self.hint(config, accepted))
    }

    /// The host closed the connection during the login.
    pub fn hung_up(&self, config: &Config, accepted: Option<&[String]>, stop: &CallFailure) -> Report {
        let message =
            format!("{} closed the connection during the login of `{}`: {stop}", config.place(), config.user);
        let report = self.add_notes(Report::new(message));
        let report = match accepted {
            None => report,
            Some(accepted) => return report.note(accepts(accepted)),
        };
        match self.notes.len() {
            0 | 1 => report,
            _ => report.hint(
                "sshd hangs up after several wrong keys: name the right one in ~/.ssh/config with `IdentityFile` \
                 and `IdentitiesOnly yes`",
            ),
        }
    }

    fn add_notes(&self, report: Report) -> Report {
        match self.notes.is_empty() {
            true => report.note("no keys to try: no agent has one, and no key file exists"),
            false => self.notes.iter().fold(report, |report, note| report.note(note.clone())),
        }
    }

    fn hint(&self, config: &Config, accepted: &[String]) -> String {
        let Config { user, port, tokens, .. } = config;
        if let Some(path) = &self.locked {
            return format!("run `ssh-add {}`", Word::shown(&path.display().to_string()));
        }
        let to = Word::shown(&format!("{user}@{}", tokens.original_host));
        let key =
            self.refused.as_ref().map(|path| format!("-i {} ", Word::shown(&path.display().to_string())));
        let copy = format!("ssh-copy-id {}-p {port} {to}", key.unwrap_or_default());
        let has_method = |name: &str| accepted.iter().any(|method| method == name);
        let make = match self.notes.is_empty() {
            true => "make a key with `ssh-keygen -t ed25519`, then ",
            false => "",
        };
        match has_method("password") || has_method("keyboard-interactive") {
            true => format!("if `{user}` is the right user, {make}run `{copy}`"),
            false if has_method("publickey") => format!(
                "if `{user}` is the right user, {make}add your key to the server: `{copy}`, from where a login works"
            ),
            false => format!("run `ssh -v -p {port} {to} true` to see what ssh does"),
        }
    }
}

fn accepts(methods: &[String]) -> String {
    format!(
        "the host accepts: {}",
        if methods.is_empty() { "nothing more".to_owned() } else { methods.join(", ") }
    )
}
