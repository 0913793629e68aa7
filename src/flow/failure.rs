//! A task that failed on a host, and what is told of it.

use anyhow::Error;

use crate::event::Report;
use crate::run::Run;

/// What failed, and where.
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

/// Each failure with its task and its hosts.
pub fn reports(run: &Run, failures: Vec<TaskFailure>) -> Vec<Report> {
    let report = |TaskFailure { task, host, error }| {
        let mut report = Report { task: Some(task), ..Report::of(&error) };
        report.hosts.extend(host.map(|host| run.fleet.name(host).to_owned()));
        report
    };
    failures.into_iter().map(report).collect()
}
