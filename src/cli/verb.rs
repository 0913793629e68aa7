//! The result of a verb: an exit code, or errors with an exit code.

use crate::event::Report;

/// The exit code for a mistake in the usage, the configuration or the recipe. No host was changed.
const MISTAKE: u8 = 2;
/// The exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// The errors of a verb, and the exit code for them.
pub struct VerbError {
    pub reports: Vec<Report>,
    pub code: u8,
}

impl VerbError {
    pub fn interrupted() -> Self {
        Self { reports: vec![Report::interrupted()], code: INTERRUPTED }
    }

    pub fn failed(reports: Vec<Report>) -> Self {
        Self { reports, code: 1 }
    }
}

/// An error before a host is contacted is a mistake of the user.
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
