//! The way back: the undo log worked off in reverse, services told, and what each host serves in the end.

use std::sync::{Arc, Mutex, PoisonError};

use crate::event::grouping::group;
use crate::event::{Event, Report};
use crate::fleet::parallel::in_parallel;
use crate::flow::outcome::Serving;
use crate::flow::playbook::Playbook;
use crate::flow::task::{Body, Call};
use crate::run::Run;
use crate::run::undo::Undo;

/// Whether the hosts serve again what they served before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    AsBefore,
    /// They do, but not all else was undone: the user gave it up.
    HalfWay,
    Apart,
}

/// Works off the undo log: the latest task first, its hosts at once. A failing undo is told and does not stop the rest.
pub fn unwind(run: &Arc<Run>, playbook: &Playbook) -> Back {
    if run.mode.is_plan() {
        return Back::AsBefore;
    }
    for host in run.fleet.all() {
        run.fleet.site(host).session.begin_undo();
    }
    let mut was_swapped = false;
    loop {
        let entries = run.undo.take_latest();
        if entries.is_empty() {
            break;
        }
        if run.cancel_token.is_cancelled() {
            return given_up(run, entries.iter().any(|undo| undo.is_swap));
        }
        let is_swap = entries.iter().any(|undo| undo.is_swap);
        was_swapped |= is_swap;
        let hosts = undo_all(run, entries);
        if is_swap && !run.cancel_token.is_cancelled() {
            repeat(run, playbook, &hosts);
        }
    }
    if run.cancel_token.is_cancelled() {
        return given_up(run, false);
    }
    if !was_swapped {
        return Back::AsBefore;
    }
    let answers = in_parallel(&run.fleet.all(), run.fleet.hosts.len(), |host| {
        run.fleet.site(host).serves_as_before().unwrap_or(false)
    });
    match answers.iter().all(|(_, is_as_before)| *is_as_before) {
        true => Back::AsBefore,
        false => Back::Apart,
    }
}

/// Nothing more is asked of any host: what was known last has to do.
fn given_up(run: &Run, has_swap: bool) -> Back {
    run.warn("interrupted again: stopped undoing; the hosts were not asked what they serve");
    let is_as_before = |host: usize| run.fleet.site(host).session.view().is_as_before();
    match has_swap || run.undo.has_swap() || !run.fleet.all().into_iter().all(is_as_before) {
        true => Back::Apart,
        false => Back::HalfWay,
    }
}

/// Takes the entries of one task back, and answers the hosts concerned.
fn undo_all(run: &Arc<Run>, entries: Vec<Undo<Run>>) -> Vec<usize> {
    let mut hosts: Vec<usize> = entries.iter().map(|undo| undo.host).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let what = entries.first().map(|undo| undo.what.clone()).unwrap_or_default();
    let is_swap = entries.iter().any(|undo| undo.is_swap);
    let entries = Mutex::new(entries);
    let idle = Mutex::new(Vec::new());
    let failures = run.on_each(&hosts, |host| {
        let mine: Vec<Undo<Run>> = {
            let mut entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
            let (mine, rest) = entries.drain(..).partition(|undo| undo.host == host);
            *entries = rest;
            mine
        };
        // One that fails does not keep the others from being tried; the first to fail is told.
        let mut first = Ok(());
        let mut was_any = false;
        for undo in mine {
            let what = undo.what;
            let done = (undo.act)(run).map_err(|error| error.context(format!("this was not done: {what}")));
            first = first.and(done.map(|was_there| was_any |= was_there));
        }
        if !was_any {
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(host);
        }
        first
    });
    let idle = idle.into_inner().unwrap_or_else(PoisonError::into_inner);
    tell(run, &failures, "undo");
    let failed: Vec<usize> = failures.iter().map(|(host, _)| *host).collect();
    // A swap that was only armed was none.
    let undone: Vec<usize> =
        hosts.iter().copied().filter(|host| !failed.contains(host) && !idle.contains(host)).collect();
    if !undone.is_empty() {
        run.events.event(Event::Undone { what, hosts: run.fleet.names(&undone) });
        if let Some(time) = run.rollouts.served_for(&undone).filter(|_| is_swap) {
            let text = format!("what was taken back was served for {:.1} s", time.as_secs_f64());
            run.events.event(Event::Note { host: None, text });
        }
    }
    hosts
}

/// What went wrong on the way back. What to do next is said of what led here, and only of that.
fn tell(run: &Run, failures: &[(usize, anyhow::Error)], context: &str) {
    let reports = failures.iter().map(|(host, error)| {
        let hosts = vec![run.fleet.name(*host).to_owned()];
        Report { hosts, hint: None, ..Report::of(error) }.context(context)
    });
    for report in group(reports) {
        run.events.event(Event::Failed { report });
    }
}

/// After a swap back, services are told again which release they serve.
fn repeat(run: &Arc<Run>, playbook: &Playbook, hosts: &[usize]) {
    for task in playbook.tasks.values().filter(|task| task.is_repeated) {
        let Body::EachHost(body) = &task.body else {
            continue;
        };
        let hosts: Vec<usize> = hosts
            .iter()
            .copied()
            // Where nothing was served before, there is nothing to take up again.
            .filter(|&host| run.fleet.site(host).seen().is_ok_and(|seen| seen.live().is_some()))
            .filter(|&host| task.role.as_deref().is_none_or(|role| run.fleet.hosts[host].has_role(role)))
            .collect();
        let failures = run.on_each(&hosts, |host| {
            run.fleet.site(host).is_in_current = true;
            let done = body(&Call { run, task: &task.name, host: Some(host), deadline: None });
            run.fleet.site(host).is_in_current = false;
            done
        });
        tell(run, &failures, &format!("`{}` after the swap back", task.name));
    }
}

/// The last word of every run: what each host serves.
pub fn serving(run: &Arc<Run>, is_given_up: bool) -> Vec<Serving> {
    if run.mode.is_plan() {
        return Vec::new();
    }
    let of = |host| {
        let site = run.fleet.site(host);
        let seen = site.seen().ok();
        let problem = match seen {
            None => Some("not reached"),
            Some(_) if site.session.view().is_in_doubt() => {
                Some("it did not answer after the swap; an unconfirmed swap goes back by itself")
            }
            Some(_) if is_given_up => Some("not asked again, because the run was interrupted"),
            Some(_) => None,
        };
        Serving {
            host: site.host().name.clone(),
            release: seen.and_then(|seen| seen.live()).map(ToString::to_string),
            is_dropped: run.fleet.is_dropped(host),
            problem: problem.map(str::to_owned),
        }
    };
    run.fleet.including_dropped().into_iter().map(of).collect()
}
