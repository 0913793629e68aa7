//! What was tried, for the message of a login that failed.

use std::path::{Path, PathBuf};

use crate::event::report::Report;
use crate::transport::ssh::config::Config;
use crate::transport::ssh::talk::CallFailure;

/// In the order in which it happened.
#[derive(Debug, Default)]
pub struct Tried {
    notes: Vec<String>,
    /// A key that the host may accept, but that nobody could unlock.
    locked: Option<PathBuf>,
}

impl Tried {
    /// The same again says no more.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// A method that needs a person's answer did not get it.
    pub fn unasked(&mut self, method: &str, has_terminal: bool) {
        let why = if has_terminal { "not answered" } else { "nobody can be asked, there is no terminal" };
        self.note(format!("{method}: {why}"));
    }

    pub fn locked(&mut self, path: &Path, has_terminal: bool) {
        let why = if has_terminal { "not answered" } else { "not asked for, there is no terminal" };
        self.note(format!("key `{}`: encrypted, and its passphrase was {why}", path.display()));
        self.locked.get_or_insert_with(|| path.to_owned());
    }

    pub fn report(&self, config: &Config, accepted: &[String]) -> Report {
        let report = Report::new(format!("`{}` may not log in to {}", config.user, config.place()));
        self.tell(report).note(accepts(accepted)).hint(self.hint(config))
    }

    /// The host ended the connection in the middle of it.
    pub fn hung_up(&self, config: &Config, accepted: Option<&[String]>, stop: &CallFailure) -> Report {
        let message = format!("{} broke off the login of `{}`: {stop}", config.place(), config.user);
        let report = self.tell(Report::new(message));
        let report = match accepted {
            None => report,
            Some(accepted) => return report.note(accepts(accepted)),
        };
        match self.notes.len() {
            0 | 1 => report,
            _ => report.hint(
                "sshd hangs up after some wrong keys: name the right one in ~/.ssh/config, `IdentityFile` and \
                 `IdentitiesOnly yes`",
            ),
        }
    }

    fn tell(&self, report: Report) -> Report {
        match self.notes.is_empty() {
            true => report.note("there was nothing to try: no agent has a key, and no key file exists"),
            false => self.notes.iter().fold(report, |report, note| report.note(note.clone())),
        }
    }

    fn hint(&self, config: &Config) -> String {
        match &self.locked {
            Some(path) => format!("type `ssh-add {}`", path.display()),
            None => format!(
                "to see what ssh does, type `ssh -v -p {} {}@{} true`",
                config.port, config.user, config.tokens.called
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
