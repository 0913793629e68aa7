//! The outcome of a run: what failed, and what each host serves.

use std::time::Duration;

use crate::event::{Event, Report};

/// How a run ended, and its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// The run failed, and every host serves what it served before.
    Failed,
    /// Another run holds the lock of a site. Nothing was done.
    Held,
    /// Some host does not serve what it served before, or could not be reached. The user must act.
    Diverged,
    /// The new release is live everywhere, but a task after `watch` failed.
    LiveButFailed,
    /// The user interrupted the run, and it was undone.
    Interrupted,
}

impl Verdict {
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Done => 0,
            Verdict::Failed => 1,
            Verdict::Held => 3,
            Verdict::Diverged => 4,
            Verdict::LiveButFailed => 5,
            Verdict::Interrupted => 130,
        }
    }
}

impl Verdict {
    /// Its name for recipes and in `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Done => "done",
            Verdict::Failed => "failed",
            Verdict::Held => "held",
            Verdict::Diverged => "apart",
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
    /// Why the host was not probed. Then `release` is from the last probe.
    pub problem: Option<String>,
    /// What visitors get, as far as it was requested.
    pub visitors: Option<String>,
}

impl Serving {
    pub fn event(&self) -> Event {
        let Serving { host, release, is_dropped, problem, visitors } = self.clone();
        Event::Serving { host, release, is_dropped, problem, visitors }
    }
}

#[derive(Debug, Clone)]
pub struct Outcome {
    pub verdict: Verdict,
    /// One for each different failure, with its task and all its hosts.
    pub failures: Vec<Report>,
    pub took: Duration,
    /// All hosts of the run, in the order of `runner.toml`.
    pub serving: Vec<Serving>,
}
