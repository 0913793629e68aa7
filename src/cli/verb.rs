//! How a verb ends: with an exit code, or with what is wrong.

use crate::event::Report;

/// The exit code of a usage, configuration or recipe error: no host was touched (DESIGN §4).
const MISTAKE: u8 = 2;
/// The exit code of what the user has ended.
const INTERRUPTED: u8 = 130;

/// How a verb ends early: what is wrong, and the exit code for it.
pub struct VerbError {
    pub reports: Vec<Report>,
    pub code: u8,
}

impl VerbError {
    pub fn interrupted() -> Self {
        Self { reports: vec![Report::new("interrupted")], code: INTERRUPTED }
    }

    pub fn failed(reports: Vec<Report>) -> Self {
        Self { reports, code: 1 }
    }
}

/// Whatever is found before a host is touched is a mistake of the user's.
impl From<Vec<Report>> for VerbError {
    fn from(reports: Vec<Report>) -> Self {
        Self { reports, code: MISTAKE }
    }
}

impl From<Report> for VerbError {
    fn from(report: Report) -> Self {
        vec![report].into()
    }
}

impl From<anyhow::Error> for VerbError {
    fn from(error: anyhow::Error) -> Self {
        Report::of(&error).into()
    }
}

pub type VerbResult = Result<u8, VerbError>;
