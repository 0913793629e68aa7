//! A flow is worked off: one task after the other, each on all its hosts at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};

use crate::event::together::{as_one, keep_first_hint, together};
use crate::event::{Event, Report, TaskResult};
use crate::fleet::parallel::in_parallel;
use crate::flow::outcome::{Outcome, Verdict};
use crate::flow::playbook::Playbook;
use crate::flow::task::{Body, Call, Function, Task};
use crate::flow::{notice, unwind};
use crate::run::Run;
use crate::run::dropping::drop_hosts;
use crate::run::heartbeat::HeartbeatThread;
use crate::run::way_back::note_way_back;
use crate::run::{deploy, lock};

/// The task that sends the source.
const SENDS: &str = "upload";
/// From the end of this task on, what was done stays.
const LAST_UNDONE: &str = "watch";

/// What the user asked for.
#[derive(Debug, Clone)]
pub enum Doing {
    Flow(String),
    /// One task alone: it works in `current`, under the lock.
    Task(String),
}

impl Doing {
    pub fn name(&self) -> &str {
        match self {
            Doing::Flow(name) | Doing::Task(name) => name,
        }
    }
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
    let heartbeat = HeartbeatThread::start(run);
    let mut failures = Vec::new();
    keep_for_once(run, playbook, &order);
    if let Doing::Task(_) = doing {
        failures = lock_all(run);
    }
    // A flow without `watch` can be undone until it ends.
    let last_undone = order.iter().rposition(|name| name == LAST_UNDONE);
    let mut is_confirmed = false;
    let walk_from = walk_from(playbook, &order);
    for (n, name) in order.iter().enumerate() {
        if walk_from == Some(n) {
            run.here.source.walk_ahead();
            deploy::foresee_upload(run);
        }
        if failures.is_empty()
            && let Some(task) = playbook.tasks.get(name)
        {
            failures = perform(run, task, &run.fleet.all());
            if failures.is_empty() && last_undone == Some(n) {
                failures = confirmed(run);
                is_confirmed = failures.is_empty();
                run.end_dropping();
            }
        } else {
            run.events.event(Event::TaskFinished {
                task: name.clone(),
                n_hosts: 0,
                took: Duration::ZERO,
                ended: TaskResult::Skipped,
            });
        }
    }
    if failures.is_empty() && !is_confirmed {
        failures = confirmed(run);
    }
    let lost = run.contact.settle().filter(|_| !is_confirmed);
    if let Some(host) = lost {
        // It was no user's wish.
        run.interrupt.clear();
        failures.insert(0, out_of_touch(run, host, &failures));
    }
    let was_interrupted = run.interrupt.is_raised();
    if is_confirmed {
        // What is live and found good stays so, and the hosts are to hear of it.
        run.interrupt.clear();
    }
    if failures.is_empty() || is_confirmed {
        // A host that did not hear that the release is good has taken it back.
        let ended = unconfirmed(lock::finish(run));
        is_confirmed &= ended.is_empty();
        failures.extend(ended);
    }
    let was_interrupted = was_interrupted || run.interrupt.is_raised();
    let mut failures = together(reports(run, failures));
    keep_first_hint(&mut failures);
    for report in &failures {
        run.events.event(Event::Failed { report: report.clone() });
    }
    let verdict = if failures.is_empty() {
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
            // The undo was given up; nothing was swapped.
            unwind::Back::HalfWay => Verdict::Interrupted,
            unwind::Back::Apart => Verdict::Apart,
        }
    };
    lock::release_locks(run);
    drop(heartbeat);
    if verdict == Verdict::Done {
        note_way_back(run);
    }
    let is_given_up = verdict != Verdict::Done && run.interrupt.is_raised();
    let serving = unwind::serving(run, is_given_up);
    let outcome = Outcome { verdict, failures, took: began.elapsed(), serving };
    if let Doing::Flow(name) = doing {
        notice::give(run, playbook, name, &outcome);
    }
    run.events.event(Event::Finished {
        ended: match verdict {
            Verdict::Done => TaskResult::Well,
            _ => TaskResult::Failed,
        },
        took: outcome.took,
    });
    for serves in &outcome.serving {
        run.events.event(serves.event());
    }
    outcome
}

/// From which task on nothing changes the source before it is sent: it can be walked while hosts are connected to.
fn walk_from(playbook: &Playbook, order: &[String]) -> Option<usize> {
    let sends = order.iter().position(|name| name == SENDS)?;
    let spares = |name: &&String| playbook.tasks.get(*name).is_none_or(Task::spares_source);
    let n = order[..=sends].iter().rev().take_while(spares).count();
    (n > 0).then(|| sends + 1 - n)
}

fn lock_all(run: &Arc<Run>) -> Vec<Failure> {
    let error = lock::lock_all(run, &run.fleet.all()).err();
    error.into_iter().map(|error| Failure { task: "lock".to_owned(), host: None, error }).collect()
}

/// Hosts that a task of the flow runs on once are nobody's to drop.
fn keep_for_once(run: &Arc<Run>, playbook: &Playbook, order: &[String]) {
    for task in order.iter().filter_map(|name| playbook.tasks.get(name)) {
        if task.is_once
            && matches!(task.body, Body::EachHost(_))
            && let Some(host) = once_on(run, task).and_then(|name| run.fleet.position(name))
        {
            run.fleet.keep_for(host, &task.name);
        }
    }
}

/// The first host of the fleet that a task fits.
fn once_on<'a>(run: &'a Run, task: &Task) -> Option<&'a str> {
    let role = task.role.as_deref();
    let first = run.fleet.stage.iter().find(|host| role.is_none_or(|role| host.has_role(role)));
    first.map(|host| host.name.as_str())
}

fn confirmed(run: &Arc<Run>) -> Vec<Failure> {
    unconfirmed(lock::confirm(run))
}

fn unconfirmed(ended: Result<()>) -> Vec<Failure> {
    let error = ended.err().into_iter();
    error.map(|error| Failure { task: LAST_UNDONE.to_owned(), host: None, error }).collect()
}

/// What ended the task at work: the others go back as this host does.
fn out_of_touch(run: &Run, host: usize, failures: &[Failure]) -> Failure {
    let report = run.fleet.site(host).session.out_of_touch("it takes the swap back by itself");
    let task = failures.first().map_or(LAST_UNDONE, |failure| &failure.task);
    Failure { task: task.to_owned(), host: Some(host), error: report.into() }
}

/// The hosts of this run that a task is for.
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
                "task `{}` runs once, on `{first}`, which is not part of this run: left out",
                task.name
            ));
            Vec::new()
        }
    }
}

/// A task that runs once and whose host was dropped before anybody could know of the task: it goes to no other host.
fn orphaned(run: &Run, task: &Task) -> Option<Error> {
    let name = once_on(run, task).filter(|_| task.is_once)?;
    let host = run.fleet.position(name)?;
    run.fleet.is_dropped(host).then(|| {
        let report = Report::new(format!("it runs once, on `{name}`, which was dropped"));
        report.note("what runs once goes to no other host: a migration might meet another database").into()
    })
}

/// Tasks on some of the hosts, asked for by a task that runs once. All failures of one task in one error.
pub fn perform_all(run: &Arc<Run>, playbook: &Playbook, names: &[String], among: &[usize]) -> Result<()> {
    for task in names.iter().filter_map(|name| playbook.tasks.get(name)) {
        let failures = perform(run, task, &run.fleet.left_of(among));
        let failures = reports(run, failures).into_iter();
        // The task is said once, of all of them.
        if let Some(report) = as_one(failures.map(|report| Report { task: None, ..report })) {
            return Err(Report { task: Some(task.name.clone()), ..report }.nested().into());
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
    if let Some(error) = orphaned(run, task).filter(|_| !is_here) {
        return vec![failure(task, (None, error))];
    }
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
        if task.is_once {
            hosts.iter().for_each(|&host| run.fleet.keep_for(host, &task.name));
        }
        let limit = task.limit.unwrap_or(hosts.len());
        let failures = in_parallel(&hosts, limit, |host| call(Some(host)).err())
            .into_iter()
            .filter_map(|(host, error)| Some((host, error?)))
            .collect();
        let failures = drop_hosts(run, &task.name, failures);
        failures.into_iter().map(|(host, error)| failure(task, (Some(host), error))).collect()
    };
    run.events.event(Event::TaskFinished {
        task: task.name.clone(),
        // A task that runs here may have acted on a set of hosts.
        n_hosts: if is_here {
            run.n_acted().min(run.fleet.all().len())
        } else {
            run.fleet.left_of(&hosts).len()
        },
        took: began.elapsed(),
        ended: match failures.is_empty() {
            true => TaskResult::Well,
            false => TaskResult::Failed,
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

/// Each failure with its task and its hosts.
fn reports(run: &Run, failures: Vec<Failure>) -> Vec<Report> {
    let report = |Failure { task, host, error }| {
        let mut report = Report { task: Some(task), ..Report::of(&error) };
        report.hosts.extend(host.map(|host| run.fleet.name(host).to_owned()));
        report
    };
    failures.into_iter().map(report).collect()
}
