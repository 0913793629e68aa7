//! How a run ends: what was done is confirmed or undone, and what that means for the hosts.

use std::sync::Arc;

use anyhow::Result;

use crate::event::grouping::{group, keep_first_hint};
use crate::event::{Event, Report};
use crate::flow::failure::{TaskFailure, reports};
use crate::flow::outcome::Verdict;
use crate::flow::playbook::Playbook;
use crate::flow::unwind::{self, Back};
use crate::run::{Run, lock};

/// How far a run has come.
#[derive(Default)]
pub struct FlowProgress {
    pub failures: Vec<TaskFailure>,
    /// The task that settles the flow is over, and every host has heard so: what was done stays.
    pub is_settled: bool,
}

/// What the verdict depends on.
#[derive(Debug, Clone, Copy)]
struct EndFacts {
    has_failed: bool,
    is_settled: bool,
    /// What the undo came to, where there was one.
    back: Option<Back>,
    was_interrupted: bool,
    met_lock: bool,
}

/// Confirms what was done, or undoes it. `settles` is the task that failures of the confirmation are told of.
pub fn end(
    run: &Arc<Run>,
    playbook: &Playbook,
    settles: &str,
    mut done: FlowProgress,
) -> (Verdict, Vec<Report>) {
    if done.failures.is_empty() && !done.is_settled {
        done.failures = unconfirmed(settles, lock::confirm(run));
    }
    hear_of_loss(run, settles, &mut done);
    let was_interrupted = finish(run, settles, &mut done);
    let mut failures = group(reports(run, done.failures));
    keep_first_hint(&mut failures);
    for report in &failures {
        run.events.event(Event::Failed { report: report.clone() });
    }
    let has_failed = !failures.is_empty();
    let back = (has_failed && !done.is_settled).then(|| {
        // The undo has to run although the run was interrupted; a second Ctrl-C gives it up.
        run.cancel_token.clear();
        unwind::unwind(run, playbook)
    });
    if !has_failed {
        run.undo.confirm();
    }
    lock::release_locks(run);
    let facts =
        EndFacts { has_failed, is_settled: done.is_settled, back, was_interrupted, met_lock: run.met_lock() };
    (verdict(facts), failures)
}

/// The task that settles a flow is over: no host is dropped any more, and none goes back.
pub fn settle(run: &Run, settles: &str, done: &mut FlowProgress) {
    done.failures = unconfirmed(settles, lock::confirm(run));
    done.is_settled = done.failures.is_empty();
}

fn unconfirmed(settles: &str, confirmed: Result<()>) -> Vec<TaskFailure> {
    confirmed.err().into_iter().map(|error| TaskFailure::of(settles, None, error)).collect()
}

/// A host that was lost touch with ended the task at work: the others go back as this host does.
fn hear_of_loss(run: &Run, settles: &str, done: &mut FlowProgress) {
    let Some(host) = run.rollouts.settle_contact().filter(|_| !done.is_settled) else { return };
    // It was no user's wish.
    run.cancel_token.clear();
    let report = run.fleet.site(host).session.out_of_touch("it takes the swap back by itself");
    let task = done.failures.first().map_or(settles, |failure| &failure.task);
    done.failures.insert(0, TaskFailure::of(task, Some(host), report.into()));
}

/// Does what was left for the last step, where what was done stays. Answers whether the user interrupted the run.
fn finish(run: &Run, settles: &str, done: &mut FlowProgress) -> bool {
    let was_interrupted = run.cancel_token.is_cancelled();
    if done.is_settled {
        // What is live and found good stays so, and the hosts are to hear of it.
        run.cancel_token.clear();
    }
    if done.failures.is_empty() || done.is_settled {
        // A host that did not hear that the release is good has taken it back.
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
        EndFacts { back: Some(Back::Apart), .. } => Verdict::Apart,
        // The undo was given up; nothing was swapped.
        EndFacts { back: Some(Back::HalfWay), .. } | EndFacts { was_interrupted: true, .. } => {
            Verdict::Interrupted
        }
        EndFacts { met_lock: true, .. } => Verdict::Held,
        EndFacts { .. } => Verdict::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EndFacts by their first letters: failed, settled, interrupted, met a lock.
    #[track_caller]
    fn case(facts: &str, back: Option<Back>, want: Verdict) {
        let has = |letter: char| facts.contains(letter);
        let facts = EndFacts {
            has_failed: has('f'),
            is_settled: has('s'),
            back,
            was_interrupted: has('i'),
            met_lock: has('m'),
        };
        assert_eq!(verdict(facts), want, "{facts:?}");
    }

    #[test]
    fn a_verdict_says_what_the_hosts_serve_before_it_says_why() {
        use Back::*;
        case("", None, Verdict::Done);
        case("s", None, Verdict::Done);
        // A Ctrl-C that came too late to stop anything.
        case("i", None, Verdict::Done);
        case("si", None, Verdict::Done);
        case("fs", None, Verdict::LiveButFailed);
        case("fsi", None, Verdict::LiveButFailed);
        case("f", Some(AsBefore), Verdict::Failed);
        case("fm", Some(AsBefore), Verdict::Held);
        case("fi", Some(AsBefore), Verdict::Interrupted);
        case("fim", Some(AsBefore), Verdict::Interrupted);
        case("f", Some(HalfWay), Verdict::Interrupted);
        case("fm", Some(HalfWay), Verdict::Interrupted);
        case("f", Some(Apart), Verdict::Apart);
        case("fim", Some(Apart), Verdict::Apart);
    }
}
