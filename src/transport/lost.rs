//! Why an act has no answer, for a caller who must choose what to do about the host.

use std::fmt;
use std::io;

use crate::event::Report;

/// The act was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// There is no connection, or the host starts nothing more on it: the act was not started.
    Refused { report: Box<Report> },
    /// The connection or the shell broke. Whether the act was done is unknown; `sent` bytes of its payload were
    /// taken before. The next act opens a new shell, which holds nothing of what the old one held.
    Gone { why: String, sent: u64 },
    /// The payload could not be read on this side. The host is well: the script was killed before its standard
    /// input ended, so that it could not take a part for the whole.
    Payload { why: String },
}

impl Lost {
    /// For what a message alone explains.
    pub fn refused(why: impl Into<String>) -> Self {
        Lost::Refused { report: Report::new(why).into() }
    }

    /// What an error of the link means.
    pub fn broken(error: &io::Error, sent: u64) -> Self {
        let why = error.to_string();
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Lost::refused(why),
            _ => Lost::Gone { why, sent },
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Lost::Refused { report } => report.fmt(f),
            Lost::Gone { why, .. } => write!(f, "connection lost: {why}"),
            Lost::Payload { why } => write!(f, "failed to read what was to be sent: {why}"),
        }
    }
}

impl std::error::Error for Lost {}
