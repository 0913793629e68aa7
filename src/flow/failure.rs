//! The failure of a task on a host, and its report.

use anyhow::Error;

use crate::event::Report;
use crate::run::Run;

/// A task that failed, and on which host; `None` is this machine or all hosts.
pub struct TaskFailure {
    pub task: String,
    pub host: Option<usize>,
    pub error: Error,
}

impl TaskFailure {
    pub fn of(task: &str, host: Option<usize>, error: Error) -> Self {
        Self { task: task.to_owned(), host, error }
    }
}

/// The report of each failure, with its task and hosts.
pub fn reports(run: &Run, failures: Vec<TaskFailure>) -> Vec<Report> {
    let report = |TaskFailure { task, host, error }| {
        let mut report = Report { task: Some(task), ..Report::of(&error) };
        report.hosts.extend(host.map(|host| run.fleet.name(host).to_owned()));
        report
    };
    failures.into_iter().map(report).collect()
}
