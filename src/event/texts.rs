//! What is done to all free texts of an event or a report: masking, and making them fit for a terminal. Names of hosts
//! and tasks, and numbers, stay as they are.

use crate::event::report::Frame;
use crate::event::{Event, Excerpt, Report};

impl Event {
    #[must_use]
    pub fn with_texts(self, act: &dyn Fn(String) -> String) -> Self {
        match self {
            Self::Command { host, text } => Self::Command { host, text: act(text) },
            Self::Line { host, output, text } => Self::Line { host, output, text: act(text) },
            Self::Planned { host, text } => Self::Planned { host, text: act(text) },
            Self::Diff { host, text } => Self::Diff { host, text: act(text) },
            Self::Note { host, text } => Self::Note { host, text: act(text) },
            Self::Warning { host, text } => Self::Warning { host, text: act(text) },
            Self::Failed { report } => Self::Failed { report: report.with_texts(act) },
            Self::Dropped { host, report } => Self::Dropped { host, report: report.with_texts(act) },
            Self::Serving { host, release, is_dropped, problem, visitors } => {
                Self::Serving { host, release, is_dropped, problem: problem.map(act), visitors }
            }
            event @ (Self::Started { .. }
            | Self::Release { .. }
            | Self::TaskStarted { .. }
            | Self::TaskFinished { .. }
            | Self::Compared { .. }
            | Self::Left { .. }
            | Self::Sending { .. }
            | Self::Filled { .. }
            | Self::Swapped { .. }
            | Self::Question { .. }
            | Self::Undone { .. }
            | Self::Finished { .. }) => event,
        }
    }
}

impl Report {
    #[must_use]
    pub fn with_texts(self, act: &dyn Fn(String) -> String) -> Self {
        let Self { label, task, context, hosts, message, excerpt, notes, trail, causes, hint } = self;
        Self {
            label,
            task,
            context: context.map(act),
            hosts,
            message: act(message),
            excerpt: excerpt.map(|excerpt| Excerpt { text: act(excerpt.text), ..excerpt }),
            notes: notes.into_iter().map(act).collect(),
            trail: trail.into_iter().map(|frame| Frame { text: act(frame.text), ..frame }).collect(),
            causes: causes.into_iter().map(|cause| cause.with_texts(act)).collect(),
            hint: hint.map(|hint| hint.map(act)),
        }
    }
}
