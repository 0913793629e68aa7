//! Runs one task: selects its hosts, enters its undo first, collects failures.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Error, Result};

use crate::event::grouping::combine;
use crate::event::{Event, Report, TaskResult};
use crate::fleet::parallel::in_parallel;
use crate::flow::failure::{TaskFailure, reports};
use crate::flow::playbook::Playbook;
use crate::flow::task::{Body, Call, Function, Task};
use crate::run::Run;
use crate::run::dropping::drop_hosts;

/// Runs tasks on some of the hosts, for a task that runs once. The error has all failures of one task.
pub fn perform_all(run: &Arc<Run>, playbook: &Playbook, names: &[String], among: &[usize]) -> Result<()> {
    for task in names.iter().filter_map(|name| playbook.tasks.get(name)) {
        let failures = perform(run, task, &run.fleet.left_of(among));
        let failures = reports(run, failures).into_iter();
        // The combined report names the task.
        if let Some(report) = combine(failures.map(|report| Report { task: None, ..report })) {
            return Err(Report { task: Some(task.name.clone()), ..report }.nested().into());
        }
    }
    Ok(())
}

/// Runs one task on those of `among` that it applies to, and waits for all of them.
pub fn perform(run: &Arc<Run>, task: &Task, among: &[usize]) -> Vec<TaskFailure> {
    let (mut hosts, body) = match &task.body {
        Body::Nothing => return Vec::new(),
        Body::Here(body) => return perform_here(run, task, body),
        Body::EachHost(body) => (hosts_of(run, task, among), body),
    };
    if let Some(error) = without_host(run, task) {
        return vec![TaskFailure::of(&task.name, None, error)];
    }
    if let Some(applies) = &task.applies {
        hosts.retain(|&host| applies(&Call { run, task: &task.name, host: Some(host), deadline: None }));
    }
    if hosts.is_empty() {
        note_without_host(run, task);
        return Vec::new();
    }
    let began = begin(run, task, hosts.len());
    if task.is_once {
        hosts.iter().for_each(|&host| run.fleet.keep_for(host, &task.name));
    }
    let deadline = task.timeout.map(|limit| began + limit);
    let call = |host: usize| -> Result<()> {
        if let Some(undo) = &task.undo {
            enter_undo(run, &task.name, host, undo);
        }
        body(&Call { run, task: &task.name, host: Some(host), deadline })
    };
    let failures = in_parallel(&hosts, task.limit.unwrap_or(hosts.len()), |host| call(host).err())
        .into_iter()
        .filter_map(|(host, error)| Some((host, error?)))
        .collect();
    let failures = drop_hosts(run, &task.name, failures);
    let failures =
        failures.into_iter().map(|(host, error)| TaskFailure::of(&task.name, Some(host), error)).collect();
    finish(run, task, began, run.fleet.left_of(&hosts).len(), failures)
}

/// Runs a task on this machine.
fn perform_here(run: &Arc<Run>, task: &Task, body: &Function) -> Vec<TaskFailure> {
    let began = begin(run, task, 0);
    let deadline = task.timeout.map(|limit| began + limit);
    let done = body(&Call { run, task: &task.name, host: None, deadline });
    let failures = done.err().into_iter().map(|error| TaskFailure::of(&task.name, None, error)).collect();
    // The task may have acted on a set of hosts.
    finish(run, task, began, run.n_acted().min(run.fleet.all().len()), failures)
}

fn begin(run: &Run, task: &Task, n_hosts: usize) -> Instant {
    run.begin_task();
    run.events.event(Event::TaskStarted { task: task.name.clone(), n_hosts });
    Instant::now()
}

fn finish(
    run: &Run,
    task: &Task,
    began: Instant,
    n_hosts: usize,
    failures: Vec<TaskFailure>,
) -> Vec<TaskFailure> {
    let ended = match failures.is_empty() {
        true => TaskResult::Well,
        false => TaskResult::Failed,
    };
    let n_failed = failed_hosts(&failures).len();
    run.events.event(Event::TaskFinished {
        task: task.name.clone(),
        n_hosts,
        took: began.elapsed(),
        ended,
        n_failed,
    });
    failures
}

/// The hosts on which a task failed. One that runs on this machine may have acted on hosts.
fn failed_hosts(failures: &[TaskFailure]) -> BTreeSet<String> {
    let named = |failure: &TaskFailure| match failure.host {
        Some(host) => vec![host.to_string()],
        None => Report::of(&failure.error).hosts,
    };
    failures.iter().flat_map(named).collect()
}

/// Enters the undo of a task. This comes before the task begins, because a task that is interrupted needs it as well.
fn enter_undo(run: &Arc<Run>, task: &str, host: usize, undo: &Function) {
    let (name, undo) = (task.to_owned(), undo.clone());
    run.enter_undo(host, &format!("undo `{task}`"), &format!("undid `{task}`"), move |run| {
        undo(&Call { run, task: &name, host: Some(host), deadline: None })
    });
}

/// Keeps the hosts on which tasks run once: they must not be dropped.
pub fn keep_hosts_of_once(run: &Run, playbook: &Playbook, order: &[String]) {
    for task in order.iter().filter_map(|name| playbook.tasks.get(name)) {
        if task.is_once
            && matches!(task.body, Body::EachHost(_))
            && let Some(host) = once_on(run, task).and_then(|name| run.fleet.position(name))
        {
            run.fleet.keep_for(host, &task.name);
        }
    }
}

/// The first host of the stage that has the role of a task.
fn once_on<'a>(run: &'a Run, task: &Task) -> Option<&'a str> {
    let role = task.role.as_deref();
    let first = run.fleet.stage.iter().find(|host| role.is_none_or(|role| host.has_role(role)));
    first.map(|host| host.name.as_str())
}

/// The hosts of this run that a task applies to.
fn hosts_of(run: &Run, task: &Task, among: &[usize]) -> Vec<usize> {
    let role = task.role.as_deref();
    let fits = |role: Option<&str>, n: &usize| role.is_none_or(|r| run.fleet.hosts[*n].has_role(r));
    if !task.is_once {
        return among.iter().copied().filter(|n| fits(role, n)).collect();
    }
    let Some(first) = once_on(run, task) else {
        return Vec::new();
    };
    match run.fleet.position(first) {
        Some(n) if among.contains(&n) => vec![n],
        Some(_) => Vec::new(),
        None => {
            run.warn(format!(
                "task `{}` runs once, on `{first}`, which is not part of this run; skipped",
                task.name
            ));
            Vec::new()
        }
    }
}

/// Says that a task runs on none of the hosts of this run, because none has its role.
fn note_without_host(run: &Run, task: &Task) {
    let Some(role) = task.role.as_deref().filter(|_| !task.is_once) else { return };
    if !run.fleet.hosts.iter().any(|host| host.has_role(role)) {
        let text = format!("task `{}` is skipped: no host of this run has the role `{role}`", task.name);
        run.events.event(Event::Note { host: None, text });
    }
}

/// The error for a task that must run once, on a host that was dropped. It can happen if `perform` runs the task: the
/// host of a task of the flow is never dropped.
fn without_host(run: &Run, task: &Task) -> Option<Error> {
    let name = once_on(run, task).filter(|_| task.is_once)?;
    let host = run.fleet.position(name)?;
    run.fleet.is_dropped(host).then(|| {
        let report = Report::new(format!("it must run once, on `{name}`, which was dropped"));
        report
            .note("a task that runs once never moves to another host, which might have another database")
            .into()
    })
}
