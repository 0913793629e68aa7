//! Ends a run: confirms or undoes what it did, and decides what that means for the hosts.

use std::sync::Arc;

use anyhow::Result;

use crate::event::grouping::{group, keep_first_hint};
use crate::event::{Event, Report};
use crate::flow::failure::{TaskFailure, reports};
use crate::flow::outcome::Verdict;
use crate::flow::playbook::Playbook;
use crate::flow::unwind::{self, UndoOutcome};
use crate::run::{Run, lock};

/// The progress of a run.
#[derive(Default)]
pub struct FlowProgress {
    pub failures: Vec<TaskFailure>,
    /// The task that settles the flow has succeeded, and every host has received the confirmation. Nothing is undone any
    /// more.
    pub is_settled: bool,
}

/// The facts from which the verdict follows.
#[derive(Debug, Clone, Copy)]
struct EndFacts {
    has_failed: bool,
    is_settled: bool,
    /// The outcome of the undo, if there was one.
    undone: Option<UndoOutcome>,
    was_interrupted: bool,
    met_lock: bool,
}

/// Confirms what was done, or undoes it. A failed confirmation is reported as a failure of the task `settles`.
pub fn end(
    run: &Arc<Run>,
    playbook: &Playbook,
    settles: &str,
    mut done: FlowProgress,
) -> (Verdict, Vec<Report>) {
    if done.failures.is_empty() && !done.is_settled {
        done.failures = unconfirmed(settles, lock::confirm(run));
    }
    add_lost_contact(run, settles, &mut done);
    let was_interrupted = finish(run, settles, &mut done);
    let mut failures = group(reports(run, done.failures));
    keep_first_hint(&mut failures);
    for report in &failures {
        run.events.event(Event::Failed { report: report.clone() });
    }
    let has_failed = !failures.is_empty();
    let undone = (has_failed && !done.is_settled).then(|| {
        // The undo must run although the user interrupted the run. A second Ctrl-C stops the undo.
        run.cancel_token.clear();
        unwind::unwind(run, playbook)
    });
    if !has_failed {
        run.undo.clear();
    }
    lock::release_locks(run);
    let facts = EndFacts {
        has_failed,
        is_settled: done.is_settled,
        undone,
        was_interrupted,
        met_lock: run.met_lock(),
    };
    (verdict(facts), failures)
}

/// Settles a flow after its settling task: from now on, no host is dropped, and nothing is undone.
pub fn settle(run: &Run, settles: &str, done: &mut FlowProgress) {
    done.failures = unconfirmed(settles, lock::confirm(run));
    done.is_settled = done.failures.is_empty();
}

fn unconfirmed(settles: &str, confirmed: Result<()>) -> Vec<TaskFailure> {
    confirmed.err().into_iter().map(|error| TaskFailure::of(settles, None, error)).collect()
}

/// If contact with a host was lost, that has cancelled the running task. Adds the failure, so that the other hosts swap
/// back as this one does.
fn add_lost_contact(run: &Run, settles: &str, done: &mut FlowProgress) {
    let Some(host) = run.rollouts.settle_contact().filter(|_| !done.is_settled) else { return };
    // The user did not interrupt the run.
    run.cancel_token.clear();
    let report = run.fleet.site(host).session.lost_contact("it swaps back by itself");
    let task = done.failures.first().map_or(settles, |failure| &failure.task);
    done.failures.insert(0, TaskFailure::of(task, Some(host), report.into()));
}

/// Does what has waited for the last step, if nothing will be undone. Returns whether the user interrupted the run.
fn finish(run: &Run, settles: &str, done: &mut FlowProgress) -> bool {
    let was_interrupted = run.cancel_token.is_cancelled();
    if done.is_settled {
        // The release stays live, and the hosts must receive that even if the user interrupted the run.
        run.cancel_token.clear();
    }
    if done.failures.is_empty() || done.is_settled {
        // A host that did not receive the confirmation has swapped back.
        let failures = unconfirmed(settles, lock::finish(run));
        done.is_settled &= failures.is_empty();
        done.failures.extend(failures);
    }
    was_interrupted || run.cancel_token.is_cancelled()
}

fn verdict(facts: EndFacts) -> Verdict {
    match facts {
        EndFacts { has_failed: false, .. } => Verdict::Done,
        EndFacts { is_settled: true, .. } => Verdict::LiveButFailed,
        EndFacts { undone: Some(UndoOutcome::Diverged), .. } => Verdict::Diverged,
        // The user stopped the undo, but every host serves what it served before.
        EndFacts { undone: Some(UndoOutcome::Partial), .. } | EndFacts { was_interrupted: true, .. } => {
            Verdict::Interrupted
        }
        EndFacts { met_lock: true, .. } => Verdict::Held,
        EndFacts { .. } => Verdict::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `facts` are the first letters of: failed, settled, interrupted, met a lock.
    #[track_caller]
    fn case(facts: &str, undone: Option<UndoOutcome>, want: Verdict) {
        let has = |letter: char| facts.contains(letter);
        let facts = EndFacts {
            has_failed: has('f'),
            is_settled: has('s'),
            undone,
            was_interrupted: has('i'),
            met_lock: has('m'),
        };
        assert_eq!(verdict(facts), want, "{facts:?}");
    }

    #[test]
    fn a_verdict_says_what_the_hosts_serve_before_it_says_why() {
        use UndoOutcome::*;
        case("", None, Verdict::Done);
        case("s", None, Verdict::Done);
        // The Ctrl-C came too late to stop anything.
        case("i", None, Verdict::Done);
        case("si", None, Verdict::Done);
        case("fs", None, Verdict::LiveButFailed);
        case("fsi", None, Verdict::LiveButFailed);
        case("f", Some(AsBefore), Verdict::Failed);
        case("fm", Some(AsBefore), Verdict::Held);
        case("fi", Some(AsBefore), Verdict::Interrupted);
        case("fim", Some(AsBefore), Verdict::Interrupted);
        case("f", Some(Partial), Verdict::Interrupted);
        case("fm", Some(Partial), Verdict::Interrupted);
        case("f", Some(Diverged), Verdict::Diverged);
        case("fim", Some(Diverged), Verdict::Diverged);
    }
}
