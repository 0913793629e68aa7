//! What happened, as plain data: events for renderers, reports for the user.

pub mod grouping;
pub mod hint;
pub mod layout;
pub mod mask;
pub mod report;
pub mod suggestion;
mod texts;
pub mod visible;

use std::time::Duration;

use serde::{Serialize, Serializer};

pub use hint::Hint;
pub use report::{Excerpt, Place, Report, few};
pub use suggestion::Suggestion;

/// One of the two output streams of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    Stdout,
    Stderr,
}

/// What a fill sent to one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FillStats {
    pub strategy: &'static str,
    /// Files of the release, and how many of them were unpacked.
    pub n_files: usize,
    pub n_unpacked: usize,
    /// Bytes of unpacked content.
    pub bytes: u64,
    /// Bytes that compression saved.
    pub n_saved: u64,
    pub n_removed: usize,
    /// Paths that commands wrote into the previous release, and that were copied from there.
    pub n_carried: usize,
    /// The first hundred of them.
    pub carried: Vec<String>,
}

/// Something in the source that git ignores, and that is not sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftPath {
    pub path: String,
    pub bytes: u64,
    /// False: it has more than `bytes`.
    pub is_measured: bool,
}

/// The result of a task or a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskResult {
    Well,
    Failed,
    /// It did not run, because another task failed.
    Skipped,
}

/// An event of a run. `host` is the name of a host.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Started {
        application: String,
        stage: String,
        flow: String,
        hosts: Vec<String>,
        revision: Option<String>,
        /// The setting `ref`.
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        is_plan: bool,
    },
    Release {
        name: String,
    },
    TaskStarted {
        task: String,
        n_hosts: usize,
    },
    TaskFinished {
        task: String,
        n_hosts: usize,
        #[serde(rename = "seconds", serialize_with = "seconds")]
        took: Duration,
        ended: TaskResult,
        /// How many hosts failed; 0 if that is not known.
        n_failed: usize,
    },
    Command {
        host: String,
        text: String,
    },
    Line {
        host: String,
        output: Output,
        text: String,
    },
    /// The source was compared with the release `base`, with `cache`, or with nothing, depending on what some hosts
    /// have.
    Compared {
        base: Option<String>,
        /// Files and links to send, and the bytes in these files.
        n_files: usize,
        bytes: u64,
        n_removed: usize,
    },
    /// What git ignores in the source, and is not sent; largest first.
    Left {
        paths: Vec<LeftPath>,
    },
    /// Progress of an upload, in bytes.
    Sending {
        host: String,
        sent: u64,
        total: u64,
    },
    Filled {
        host: String,
        sent: FillStats,
    },
    Swapped {
        release: String,
        hosts: Vec<String>,
        #[serde(rename = "seconds", serialize_with = "seconds")]
        took: Duration,
        /// An upper bound for the time between the first host and the last.
        #[serde(serialize_with = "seconds")]
        spread: Duration,
    },
    /// A step that the run would take, in a plan.
    Planned {
        host: String,
        text: String,
    },
    /// How the run would change a text file, for `--diff`.
    Diff {
        host: String,
        text: String,
    },
    Note {
        host: Option<String>,
        text: String,
    },
    Warning {
        host: Option<String>,
        text: String,
    },
    /// Something failed. The report's label says whether the run continues.
    Failed {
        report: Report,
    },
    /// The run continues without a host.
    Dropped {
        host: String,
        report: Report,
    },
    /// A question is open at the terminal. Until it is answered, nothing else may use the terminal.
    Question {
        is_open: bool,
    },
    Undone {
        what: String,
        hosts: Vec<String>,
    },
    /// What a host serves now; `None`: nothing. If there is a `problem`, the host did not answer, and the release, if
    /// any, is the one that it last served.
    Serving {
        host: String,
        release: Option<String>,
        is_dropped: bool,
        problem: Option<String>,
        /// What visitors get, if the setting `url` says what they request.
        visitors: Option<String>,
    },
    Finished {
        ended: TaskResult,
        /// The word of the verdict.
        verdict: &'static str,
        #[serde(rename = "seconds", serialize_with = "seconds")]
        took: Duration,
    },
}

/// Receives events, from many threads.
pub trait Sink: Send + Sync {
    fn event(&self, event: Event);
}

fn seconds<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(took.as_secs_f64())
}
