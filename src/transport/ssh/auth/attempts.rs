//! Records what a login tried, for the error message if it fails.

use std::path::{Path, PathBuf};

use crate::event::report::Report;
use crate::transport::ssh::config::Config;
use crate::transport::ssh::waiter::CallFailure;

/// The notes are in the order of the attempts.
#[derive(Debug, Default)]
pub struct LoginAttempts {
    notes: Vec<String>,
    /// A key that the host may accept, but that was not unlocked.
    locked: Option<PathBuf>,
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

    pub fn report(&self, config: &Config, accepted: &[String]) -> Report {
        let report = Report::new(format!("failed to log in to {} as `{}`", config.place(), config.user));
        self.add_notes(report).note(accepts(accepted)).hint(self.hint(config))
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

    fn hint(&self, config: &Config) -> String {
        match &self.locked {
            Some(path) => format!("run `ssh-add {}`", path.display()),
            None => format!(
                "run `ssh -v -p {} {}@{} true` to see what ssh does",
                config.port, config.user, config.tokens.original_host
            ),
        }
    }
}

fn accepts(methods: &[String]) -> String {
    format!(
        "the host accepts: {}",
        if methods.is_empty() { "nothing more".to_owned() } else { methods.join(", ") }
    )
}
