//! The lock of a site as a value: who holds it, and the proof that this run does.
//!
//! **Invariant:** a step that writes is made from a `Lock`, and its script does nothing if another run has taken the
//! lock meanwhile.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Hint, Report};
use crate::release::scripts::LIB;
use crate::shell::Script;

/// A site whose lock this run holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    pub root: String,
    /// The run that holds it.
    pub run: String,
}

impl Lock {
    /// The imaginary lock of a plan, which performs no step that writes. No server knows of it.
    pub fn imagined(root: String) -> Self {
        Self { root, run: String::new() }
    }

    /// A script that works in the site, if the lock is still held.
    pub(super) fn script(&self, body: &'static str) -> Script {
        Script::new(body).var("root", &self.root).var("holder", &self.run).with(LIB)
    }
}

/// Who holds a lock, as its file says. The server adds which process that is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Owner {
    pub run: String,
    /// The name of the host in that run.
    pub host: String,
    pub by: String,
    pub since: Option<Timestamp>,
    pub flow: String,
}

impl Owner {
    /// `None` if the lock is free, or was taken a moment ago and its owner is not written yet.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text.trim()).ok()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.by)?;
        if let Some(since) = self.since {
            write!(f, " since {}", since.strftime("%Y-%m-%d %H:%M:%S UTC"))?;
        }
        write!(f, " (`{}`)", self.flow)
    }
}

/// Another run holds the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub host: String,
    pub owner: Option<Owner>,
    /// Its owner has ended, but these of its processes have not: numbers, separated by spaces.
    pub ending: Option<String>,
}

impl Held {
    pub fn report(&self) -> Report {
        let by = match &self.owner {
            Some(owner) => format!("the lock of `{}` is held by {owner}", self.host),
            None => format!("the lock of `{}` is held by an unknown owner", self.host),
        };
        let mut report = Report::new(by);
        if let Some(processes) = &self.ending {
            report = report.note(match processes.as_str() {
                "" => "that run has ended, but processes it started are still running".to_owned(),
                processes => {
                    format!("that run has ended, but processes it started are still running: {processes}")
                }
            });
        }
        let before = "use `--wait` to wait, or ".to_owned();
        let (words, after) = (vec!["unlock".to_owned()], " to stop that run".to_owned());
        report.hint(Hint::Runner { before, words, after })
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.report().fmt(f)
    }
}

impl std::error::Error for Held {}
