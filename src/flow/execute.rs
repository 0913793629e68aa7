//! A flow is worked off: one task after the other, each on all its hosts at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};

use crate::event::{Ended, Event, Report};
use crate::flow::outcome::{Outcome, Verdict};
use crate::flow::playbook::Playbook;
use crate::flow::task::{Body, Call, Function, Task};
use crate::flow::unwind;
use crate::run::Run;
use crate::run::lock::Heart;
use crate::run::parallel::in_parallel;

/// From the end of this task on, what was done stays.
const LAST_UNDONE: &str = "watch";

/// What the user asked for.
#[derive(Debug, Clone)]
pub enum Doing {
    Flow(String),
    /// One task alone: it works in `current`, under the lock.
    Task(String),
}

/// What failed, and where.
pub struct Failure {
    pub task: String,
    pub host: Option<usize>,
    pub error: Error,
}

/// Runs a flow or a task to its end. Every failure is an event, and so is what each host serves afterwards.
pub fn execute(run: &Arc<Run>, playbook: &Playbook, doing: &Doing) -> Outcome {
    let began = Instant::now();
    let order = match doing {
        Doing::Flow(name) => playbook.order(name),
        Doing::Task(name) => vec![name.clone()],
    };
    let heart = Heart::of(run);
    let mut failures = Vec::new();
    if let Doing::Task(_) = doing {
        failures = lock_all(run);
    }
    // A flow without `watch` can be undone until it ends.
    let last_undone = order.iter().rposition(|name| name == LAST_UNDONE);
    let mut is_confirmed = false;
    for (n, name) in order.iter().enumerate() {
        if failures.is_empty()
            && let Some(task) = playbook.tasks.get(name)
        {
            failures = perform(run, task, &run.all());
            if failures.is_empty() && last_undone == Some(n) {
                failures = confirmed(run);
                is_confirmed = failures.is_empty();
            }
        } else {
            run.events.event(Event::TaskFinished {
                task: name.clone(),
                n_hosts: 0,
                took: Duration::ZERO,
                ended: Ended::Skipped,
            });
        }
    }
    if failures.is_empty() && !is_confirmed {
        failures = confirmed(run);
    }
    if failures.is_empty() || is_confirmed {
        // A host that did not hear that the release is good has taken it back.
        let ended = unconfirmed(run.finish());
        is_confirmed &= ended.is_empty();
        failures.extend(ended);
    }
    let was_interrupted = run.interrupt.is_raised();
    let reports: Vec<Report> = reports(run, failures);
    for report in &reports {
        run.events.event(Event::Failed { report: report.clone() });
    }
    let verdict = if reports.is_empty() {
        run.undo.confirm();
        Verdict::Done
    } else if is_confirmed {
        Verdict::LiveButFailed
    } else {
        // The undo has to run although the run was interrupted; a second Ctrl-C gives it up.
        run.interrupt.clear();
        match unwind::unwind(run, playbook) {
            unwind::Back::AsBefore if was_interrupted => Verdict::Interrupted,
            unwind::Back::AsBefore if run.met_lock() => Verdict::Held,
            unwind::Back::AsBefore => Verdict::Failed,
            unwind::Back::Apart => Verdict::Apart,
        }
    };
    run.let_go();
    drop(heart);
    run.events.event(Event::Finished {
        ended: match verdict {
            Verdict::Done => Ended::Well,
            _ => Ended::Failed,
        },
        took: began.elapsed(),
    });
    unwind::report_serving(run);
    Outcome { verdict, failures: reports }
}

fn lock_all(run: &Arc<Run>) -> Vec<Failure> {
    let error = run.lock_all(&run.all()).err();
    error.into_iter().map(|error| Failure { task: "lock".to_owned(), host: None, error }).collect()
}

fn confirmed(run: &Arc<Run>) -> Vec<Failure> {
    unconfirmed(run.confirm())
}

fn unconfirmed(ended: Result<()>) -> Vec<Failure> {
    let error = ended.err().into_iter();
    error.map(|error| Failure { task: LAST_UNDONE.to_owned(), host: None, error }).collect()
}

/// The hosts of this run that a task is for.
fn hosts_of(run: &Run, task: &Task, among: &[usize]) -> Vec<usize> {
    let role = task.role.as_deref();
    let fits = |role: Option<&str>, n: &usize| role.is_none_or(|r| run.hosts[*n].has_role(r));
    if !task.is_once {
        return among.iter().copied().filter(|n| fits(role, n)).collect();
    }
    let mut fleet = run.fleet.iter();
    let Some(first) = fleet.find(|host| role.is_none_or(|r| host.has_role(r))) else {
        return Vec::new();
    };
    match run.hosts.iter().position(|host| host.name == first.name) {
        Some(n) if among.contains(&n) => vec![n],
        Some(_) => Vec::new(),
        None => {
            run.warn(format!(
                "task `{}` runs once, on `{}`, which is not part of this run: left out",
                task.name, first.name
            ));
            Vec::new()
        }
    }
}

/// Tasks on some of the hosts, asked for by a task that runs once. All failures of one task in one error.
pub fn perform_all(run: &Arc<Run>, playbook: &Playbook, names: &[String], among: &[usize]) -> Result<()> {
    for task in names.iter().filter_map(|name| playbook.tasks.get(name)) {
        let failures = perform(run, task, among);
        let mut reports = reports(run, failures).into_iter();
        if let Some(mut first) = reports.next() {
            first.notes.extend(reports.map(|report| report.to_string()));
            return Err(first.into());
        }
    }
    Ok(())
}

/// Runs one task on those of `among` that it is for, and waits for all of them.
fn perform(run: &Arc<Run>, task: &Task, among: &[usize]) -> Vec<Failure> {
    let (hosts, body) = match &task.body {
        Body::Nothing => return Vec::new(),
        Body::Here(body) => (Vec::new(), body),
        Body::EachHost(body) => (hosts_of(run, task, among), body),
    };
    let is_here = matches!(task.body, Body::Here(_));
    if !is_here && hosts.is_empty() {
        return Vec::new();
    }
    run.begin_task();
    run.events.event(Event::TaskStarted { task: task.name.clone(), n_hosts: hosts.len() });
    let began = Instant::now();
    let deadline = task.timeout.map(|limit| began + limit);
    let call = |host: Option<usize>| -> Result<()> {
        if let (Some(undo), Some(host)) = (&task.undo, host) {
            enter_undo(run, &task.name, host, undo);
        }
        body(&Call { run, task: &task.name, host, deadline })
    };
    let failures: Vec<Failure> = if is_here {
        let error = call(None).err();
        error.into_iter().map(|error| (None, error)).map(|f| failure(task, f)).collect()
    } else {
        let limit = task.limit.unwrap_or(hosts.len());
        in_parallel(&hosts, limit, |host| call(Some(host)).err())
            .into_iter()
            .filter_map(|(host, error)| Some((Some(host), error?)))
            .map(|f| failure(task, f))
            .collect()
    };
    run.events.event(Event::TaskFinished {
        task: task.name.clone(),
        // A task that runs here may have acted on a set of hosts.
        n_hosts: if is_here { run.n_acted().min(run.hosts.len()) } else { hosts.len() },
        took: began.elapsed(),
        ended: match failures.is_empty() {
            true => Ended::Well,
            false => Ended::Failed,
        },
    });
    failures
}

fn failure(task: &Task, (host, error): (Option<usize>, Error)) -> Failure {
    Failure { task: task.name.clone(), host, error }
}

/// Entered before the task begins: one that was cut off half-way needs its undo as well.
fn enter_undo(run: &Arc<Run>, task: &str, host: usize, undo: &Function) {
    let (name, undo) = (task.to_owned(), undo.clone());
    run.enter_undo(host, &format!("undid `{task}`"), move |run| {
        undo(&Call { run, task: &name, host: Some(host), deadline: None })
    });
}

/// One report for each different failure; hosts that failed in the same way stand together.
fn reports(run: &Run, failures: Vec<Failure>) -> Vec<Report> {
    let mut groups: Vec<(Report, String, Vec<String>)> = Vec::new();
    for Failure { task, host, error } in failures {
        let report = Report::of(&error);
        let name = host.map(|host| run.hosts[host].name.clone());
        match groups.iter_mut().find(|(other, at, _)| *other == report && *at == task) {
            Some((_, _, names)) => names.extend(name),
            None => groups.push((report, task, name.into_iter().collect())),
        }
    }
    groups
        .into_iter()
        .map(|(mut report, task, names)| {
            let on = match names.as_slice() {
                [] => String::new(),
                names => {
                    format!(" on {}", names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "))
                }
            };
            report.message = format!("task `{task}` failed{on}: {}", report.message);
            report
        })
        .collect()
}
