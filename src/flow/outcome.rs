//! How a run ended: what failed, and what that means for the hosts.

use crate::event::Report;

/// What a run's end means, and the exit code for it (DESIGN §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// Failed; every host serves what it served before.
    Failed,
    /// Another run holds the lock of a site; nothing was done.
    Held,
    /// Some host does not serve what it served before, or could not be asked: a person is needed.
    Apart,
    /// The new release is live everywhere, but a task after `watch` failed.
    LiveButFailed,
    /// Interrupted by the user, and undone.
    Interrupted,
}

impl Verdict {
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Done => 0,
            Verdict::Failed => 1,
            Verdict::Held => 3,
            Verdict::Apart => 4,
            Verdict::LiveButFailed => 5,
            Verdict::Interrupted => 130,
        }
    }
}

#[derive(Debug, Clone)]
pub struct Outcome {
    pub verdict: Verdict,
    pub failures: Vec<Report>,
}
