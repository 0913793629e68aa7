//! Undoes a run: the undo log in reverse order, then tasks that reload services; and what each host serves in the end.

use std::sync::{Arc, Mutex, PoisonError};

use crate::event::grouping::group;
use crate::event::{Event, Report};
use crate::fleet::parallel::in_parallel;
use crate::flow::outcome::Serving;
use crate::flow::playbook::Playbook;
use crate::flow::task::{Body, Call};
use crate::run::Run;
use crate::run::undo::Undo;
use crate::site::{Visited, visit};

/// Whether the hosts serve again what they served before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndoOutcome {
    AsBefore,
    /// They do, but the user stopped the undo before everything else was undone.
    Partial,
    Diverged,
}

/// Undoes the run: the latest task first, on all of its hosts at once. A failing undo is reported and does not stop the
/// rest.
pub fn unwind(run: &Arc<Run>, playbook: &Playbook) -> UndoOutcome {
    if run.mode.is_plan() {
        return UndoOutcome::AsBefore;
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
            return stopped(run, entries.iter().any(|undo| undo.is_swap));
        }
        let is_swap = entries.iter().any(|undo| undo.is_swap);
        was_swapped |= is_swap;
        let hosts = undo_all(run, entries);
        if is_swap && !run.cancel_token.is_cancelled() {
            repeat(run, playbook, &hosts);
        }
    }
    if run.cancel_token.is_cancelled() {
        return stopped(run, false);
    }
    if !was_swapped {
        return UndoOutcome::AsBefore;
    }
    let answers = in_parallel(&run.fleet.all(), run.fleet.hosts.len(), |host| {
        run.fleet.site(host).serves_as_before().unwrap_or(false)
    });
    match answers.iter().all(|(_, is_as_before)| *is_as_before) {
        true => UndoOutcome::AsBefore,
        false => UndoOutcome::Diverged,
    }
}

/// The outcome after the user has stopped the undo. It sends nothing more to any host, and uses the last probes.
fn stopped(run: &Run, has_swap: bool) -> UndoOutcome {
    run.warn("interrupted again: stopped undoing, without checking what the hosts serve");
    let is_as_before = |host: usize| run.fleet.site(host).session.view().is_as_before();
    match has_swap || run.undo.has_swap() || !run.fleet.all().into_iter().all(is_as_before) {
        true => UndoOutcome::Diverged,
        false => UndoOutcome::Partial,
    }
}

/// Undoes the entries of one task, and returns their hosts.
fn undo_all(run: &Arc<Run>, entries: Vec<Undo<Run>>) -> Vec<usize> {
    let mut hosts: Vec<usize> = entries.iter().map(|undo| undo.host).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let done = entries.first().map(|undo| undo.done.clone()).unwrap_or_default();
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
        // All are tried even if one fails. The first failure is reported.
        let mut first = Ok(());
        let mut was_any = false;
        for undo in mine {
            let what = undo.what;
            let done = (undo.act)(run).map_err(|error| error.context(format!("failed to {what}")));
            first = first.and(done.map(|was_there| was_any |= was_there));
        }
        if !was_any {
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(host);
        }
        first
    });
    let idle = idle.into_inner().unwrap_or_else(PoisonError::into_inner);
    report_failures(run, &failures, "undo");
    let failed: Vec<usize> = failures.iter().map(|(host, _)| *host).collect();
    // A swap that was only armed changed nothing, so there was nothing to undo.
    let undone: Vec<usize> =
        hosts.iter().copied().filter(|host| !failed.contains(host) && !idle.contains(host)).collect();
    if !undone.is_empty() {
        run.events.event(Event::Undone { what: done, hosts: run.fleet.names(&undone) });
        if let Some(time) = run.rollouts.served_for(&undone).filter(|_| is_swap) {
            let text = format!("the release was served for {:.1} s before the swap back", time.as_secs_f64());
            run.events.event(Event::Note { host: None, text });
        }
    }
    hosts
}

/// Reports failures of the undo, without hints: only the failure that caused the undo has one.
fn report_failures(run: &Run, failures: &[(usize, anyhow::Error)], context: &str) {
    let reports = failures.iter().map(|(host, error)| {
        let hosts = vec![run.fleet.name(*host).to_owned()];
        Report { hosts, hint: None, ..Report::of(error) }.context(context)
    });
    for report in group(reports) {
        run.events.event(Event::Failed { report });
    }
}

/// After a swap back, runs tasks again that make services load the live release.
fn repeat(run: &Arc<Run>, playbook: &Playbook, hosts: &[usize]) {
    for task in playbook.tasks.values().filter(|task| task.is_repeated) {
        let Body::EachHost(body) = &task.body else {
            continue;
        };
        let hosts: Vec<usize> = hosts
            .iter()
            .copied()
            // If nothing was live before, there is nothing to load.
            .filter(|&host| run.fleet.site(host).seen().is_ok_and(|seen| seen.live().is_some()))
            .filter(|&host| task.role.as_deref().is_none_or(|role| run.fleet.hosts[host].has_role(role)))
            .collect();
        let failures = run.on_each(&hosts, |host| {
            run.fleet.site(host).is_in_current = true;
            let done = body(&Call { run, task: &task.name, host: Some(host), deadline: None });
            run.fleet.site(host).is_in_current = false;
            done
        });
        report_failures(run, &failures, &format!("`{}` after the swap back", task.name));
    }
}

/// Where the run has changed what is live since it asked what visitors get, asks again.
fn visit_again(run: &Arc<Run>) {
    in_parallel(&run.fleet.all(), run.fleet.hosts.len(), |host| {
        let mut site = run.fleet.site(host);
        if let Some(asked) = site.visit.clone().filter(|_| visit::visited(&site).is_none()) {
            // Without a response, the last line says nothing of visitors.
            let _ = visit::visit(&mut site, &asked, false);
        }
    });
}

/// What each host serves at the end of a run.
pub fn serving(run: &Arc<Run>, was_undo_stopped: bool) -> Vec<Serving> {
    if run.mode.is_plan() {
        return Vec::new();
    }
    let of = |host| {
        let site = run.fleet.site(host);
        let seen = site.seen().ok();
        let problem = match seen {
            None if site.session.view().has_answered.get() => Some("what it serves could not be read"),
            None => Some("not reached"),
            Some(_) if site.session.view().is_in_doubt() => {
                Some("no answer since the swap; if it was not confirmed, the host swaps back by itself")
            }
            Some(seen) if seen.live().is_none() && !seen.webroot.is_empty() => {
                Some("no site yet; what lies there is as it was")
            }
            Some(_) if was_undo_stopped => Some("not asked again, because the run was interrupted"),
            Some(_) => None,
        };
        let visitors = visit::visited(&site).filter(|_| problem.is_none()).map(Visited::text);
        Serving {
            host: site.host().name.clone(),
            release: seen.and_then(|seen| seen.live()).map(ToString::to_string),
            is_dropped: run.fleet.is_dropped(host),
            problem: problem.map(str::to_owned),
            visitors,
        }
    };
    if !was_undo_stopped {
        visit_again(run);
    }
    run.fleet.including_dropped().into_iter().map(of).collect()
}
