//! Drops hosts that fail: decides whether the run can continue without them, and undoes what it did there.
//!
//! **Invariant:** from the first swap on, no host is dropped, so that hosts never serve different releases unnoticed.

use std::sync::Arc;

use crate::event::{Event, Report};
use crate::fleet::parallel::{Failures, in_parallel};
use crate::run::Run;
use crate::run::undo::Undo;

/// Drops the hosts on which `task` failed, if the run can continue without them. Returns the failures if it cannot.
pub fn drop_hosts(run: &Arc<Run>, task: &str, failures: Failures) -> Failures {
    if failures.is_empty()
        || !run.fleet.may_drop()
        || run.cancel_token.is_cancelled()
        || run.met_lock()
        || !run.rollouts.allow_dropping()
    {
        return failures;
    }
    let failed: Vec<usize> = failures.iter().map(|(host, _)| *host).collect();
    if let Err(why) = run.fleet.drop_hosts(&failed) {
        run.warn(why);
        return failures;
    }
    for (host, error) in &failures {
        let report = Report { task: Some(task.to_owned()), ..Report::of(error) }.warning();
        let host = run.fleet.name(*host).to_owned();
        run.events.event(Event::Dropped { host, report });
    }
    in_parallel(&failed, failed.len(), |host| undo_host(run, host));
    Failures::new()
}

/// Undoes what this run did on one host, the latest first. A failing undo is reported and does not stop the rest.
fn undo_host(run: &Arc<Run>, host: usize) {
    run.fleet.site(host).session.begin_undo();
    for undo in run.undo.take_of(host) {
        let Undo { what, done, act, .. } = undo;
        match act(run) {
            Ok(_) => {
                let hosts = vec![run.fleet.name(host).to_owned()];
                run.events.event(Event::Undone { what: done, hosts });
            }
            Err(error) => {
                let error = error.context(format!("failed to {what}"));
                let hosts = vec![run.fleet.name(host).to_owned()];
                let report = Report { hosts, ..Report::of(&error) }.warning().context("undo");
                run.events.event(Event::Failed { report });
            }
        }
    }
    // A lock that cannot be released expires by itself.
    let _ = run.fleet.site(host).session.finish();
}
