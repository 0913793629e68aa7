//! Why an act has no answer, for callers that must decide how to continue with the host.

use std::fmt;
use std::io;

use crate::event::Report;

/// The act has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// There is no connection, or the host does not start anything more on it: the act was not started.
    Refused { report: Box<Report> },
    /// The connection or the shell was lost. The act may or may not have been performed; the connection accepted
    /// `sent` bytes of its payload. The next act opens a new shell, without the locks of the old one.
    Gone { why: String, sent: u64 },
    /// This machine failed to read the payload. The host is fine: the script was killed before the end of its
    /// standard input, so that it could not mistake partial input for complete input.
    Payload { why: String },
}

impl TransportError {
    /// For errors that need only a message.
    pub fn refused(why: impl Into<String>) -> Self {
        TransportError::Refused { report: Report::new(why).into() }
    }

    /// Converts an error of a link.
    pub fn broken(error: &io::Error, sent: u64) -> Self {
        let why = error.to_string();
        match error.kind() {
            io::ErrorKind::ConnectionRefused => TransportError::refused(why),
            _ => TransportError::Gone { why, sent },
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            TransportError::Refused { report } => report.fmt(f),
            TransportError::Gone { why, .. } => write!(f, "connection lost: {why}"),
            TransportError::Payload { why } => write!(f, "failed to read the files to send: {why}"),
        }
    }
}

impl std::error::Error for TransportError {}

/// How much of the last output an error quotes, in bytes.
const WORDS_MAX: usize = 1024;

/// The last lines. A line is whole or left out: what is left of a secret that is cut in two would not be masked.
pub fn last_lines(words: &[u8]) -> &[u8] {
    match words.len().checked_sub(WORDS_MAX) {
        None | Some(0) => words,
        Some(from) => {
            let line = words[from - 1..].iter().position(|byte| *byte == b'\n');
            line.map_or(&[], |at| &words[from + at..])
        }
    }
}
