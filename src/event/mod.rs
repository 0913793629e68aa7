//! What happened, as plain data: events for the renderers, reports for the user.

pub mod hint;
pub mod layout;
pub mod mask;
pub mod report;
pub mod suggestion;
pub mod together;

use std::time::Duration;

use serde::{Serialize, Serializer};

pub use hint::Hint;
pub use report::{Excerpt, Place, Report, few};
pub use suggestion::Suggestion;

/// Which of a command's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    Stdout,
    Stderr,
}

/// How much a fill sent to one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sent {
    pub strategy: &'static str,
    /// Files of the release, and those of them that were unpacked.
    pub n_files: usize,
    pub n_unpacked: usize,
    /// Bytes of content unpacked.
    pub bytes: u64,
    /// Bytes that needed not be sent, since they were compressed.
    pub n_saved: u64,
    pub n_removed: usize,
    /// Paths that commands left in the last release and that were copied.
    pub n_carried: usize,
}

/// How a task or a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskResult {
    Well,
    Failed,
    /// Another task failed before it was its turn.
    Skipped,
}

/// What happened in a run. `host` is a host's name.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Started {
        application: String,
        stage: String,
        flow: String,
        hosts: Vec<String>,
        revision: Option<String>,
        /// What was asked for by the setting `ref`.
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
    /// The source was compared with what some hosts have: the release `base`, or `cache`, or nothing.
    Compared {
        base: Option<String>,
        /// Files and links to send, and the bytes in these files.
        n_files: usize,
        bytes: u64,
        n_removed: usize,
    },
    /// Bytes of a pack on their way to a host, out of a total.
    Sending {
        host: String,
        sent: u64,
        total: u64,
    },
    Filled {
        host: String,
        sent: Sent,
    },
    Swapped {
        release: String,
        hosts: Vec<String>,
        #[serde(rename = "seconds", serialize_with = "seconds")]
        took: Duration,
        /// At most so long passed between the first host and the last.
        #[serde(serialize_with = "seconds")]
        spread: Duration,
    },
    /// A step that a plan would have taken.
    Planned {
        host: String,
        text: String,
    },
    /// How a text file would change; for `--diff`.
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
    /// Something failed; whether the run goes on, the report's label says.
    Failed {
        report: Report,
    },
    /// The run goes on without a host.
    Dropped {
        host: String,
        report: Report,
    },
    /// Somebody is asked something at the terminal, which is theirs until they have answered.
    Question {
        is_open: bool,
    },
    Undone {
        what: String,
        hosts: Vec<String>,
    },
    /// What a host serves now; `None`: nothing. With a `problem` it could not be asked, and the release, if any, is what
    /// it served when it was asked last.
    Serving {
        host: String,
        release: Option<String>,
        is_dropped: bool,
        problem: Option<String>,
    },
    Finished {
        ended: TaskResult,
        #[serde(rename = "seconds", serialize_with = "seconds")]
        took: Duration,
    },
}

/// Who listens to events. Called from many threads.
pub trait Sink: Send + Sync {
    fn event(&self, event: Event);
}

fn seconds<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(took.as_secs_f64())
}
