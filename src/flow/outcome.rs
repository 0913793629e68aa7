//! How a run ended: what failed, and what that means for the hosts.

use std::time::Duration;

use crate::event::{Event, Report};

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

impl Verdict {
    /// As recipes and machines know it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Done => "done",
            Verdict::Failed => "failed",
            Verdict::Held => "held",
            Verdict::Apart => "apart",
            Verdict::LiveButFailed => "live",
            Verdict::Interrupted => "interrupted",
        }
    }
}

/// What a host serves when the run is over.
#[derive(Debug, Clone)]
pub struct Serving {
    pub host: String,
    pub release: Option<String>,
    pub is_dropped: bool,
    /// Why it could not be asked; `release` is then what was known last.
    pub problem: Option<String>,
}

impl Serving {
    pub fn event(&self) -> Event {
        let Serving { host, release, is_dropped, problem } = self.clone();
        Event::Serving { host, release, is_dropped, problem }
    }
}

#[derive(Debug, Clone)]
pub struct Outcome {
    pub verdict: Verdict,
    /// One for each different failure, with the task and all its hosts.
    pub failures: Vec<Report>,
    pub took: Duration,
    /// All hosts of the run, in file order.
    pub serving: Vec<Serving>,
}
