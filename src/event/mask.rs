//! A sink that masks secrets in every text of every event.

use std::sync::{Arc, PoisonError, RwLock};

use crate::event::report::Frame;
use crate::event::{Event, Excerpt, Report, Sink};

pub struct Mask {
    inner: Arc<dyn Sink>,
    secrets: RwLock<Vec<String>>,
}

impl Mask {
    pub fn new(inner: Arc<dyn Sink>) -> Self {
        Self { inner, secrets: RwLock::default() }
    }

    /// From now on, shows `secret` as `***`. Does not mask a text of fewer than four bytes: it would occur
    /// everywhere.
    pub fn add(&self, secret: &str) {
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        for line in std::iter::once(secret).chain(secret.lines()).filter(|line| line.len() >= 4) {
            secrets.push(line.to_owned());
            // As a quoted word of a command, and as a value inside another one.
            secrets.push(line.replace('\'', "'\\''"));
            secrets.push(format!("{line:?}").trim_matches('"').to_owned());
        }
        // If one secret contains another, the longer one must be masked first.
        secrets.sort_by(|a, b| (b.len(), a).cmp(&(a.len(), b)));
        secrets.dedup();
    }

    pub fn masked(&self, text: &str) -> String {
        let secrets = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = text.to_owned();
        for secret in secrets.iter() {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), "***");
            }
        }
        text
    }

    pub fn report(&self, report: Report) -> Report {
        // Names of tasks and hosts are not secret.
        let Report { label, task, context, hosts, message, excerpt, notes, trail, causes, hint } = report;
        let masked = |text: String| self.masked(&text);
        Report {
            label,
            task,
            context: context.map(masked),
            hosts,
            message: masked(message),
            excerpt: excerpt.map(|excerpt| Excerpt { text: masked(excerpt.text), ..excerpt }),
            notes: notes.into_iter().map(masked).collect(),
            trail: trail.into_iter().map(|frame| Frame { text: masked(frame.text), ..frame }).collect(),
            causes: causes.into_iter().map(|cause| self.report(cause)).collect(),
            hint: hint.map(|hint| hint.map(masked)),
        }
    }
}

impl Sink for Mask {
    fn event(&self, event: Event) {
        let event = match event {
            Event::Command { host, text } => Event::Command { host, text: self.masked(&text) },
            Event::Line { host, output, text } => Event::Line { host, output, text: self.masked(&text) },
            Event::Planned { host, text } => Event::Planned { host, text: self.masked(&text) },
            Event::Diff { host, text } => Event::Diff { host, text: self.masked(&text) },
            Event::Note { host, text } => Event::Note { host, text: self.masked(&text) },
            Event::Warning { host, text } => Event::Warning { host, text: self.masked(&text) },
            Event::Failed { report } => Event::Failed { report: self.report(report) },
            Event::Dropped { host, report } => Event::Dropped { host, report: self.report(report) },
            Event::Serving { host, release, is_dropped, problem, visitors } => {
                let problem = problem.map(|problem| self.masked(&problem));
                Event::Serving { host, release, is_dropped, problem, visitors }
            }
            // These contain only names and numbers.
            event @ (Event::Started { .. }
            | Event::Release { .. }
            | Event::TaskStarted { .. }
            | Event::TaskFinished { .. }
            | Event::Compared { .. }
            | Event::Sending { .. }
            | Event::Filled { .. }
            | Event::Swapped { .. }
            | Event::Question { .. }
            | Event::Undone { .. }
            | Event::Left { .. }
            | Event::Finished { .. }) => event,
        };
        self.inner.event(event);
    }
}
