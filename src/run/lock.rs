//! Locks the sites of a run: first that of the first host, then the rest at once, or one by one if another run has one of
//! them. Then cleans up after interrupted runs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::event::{Event, Report};
use crate::fleet::parallel::Failures;
use crate::release::lock::{Held, Owner};
use crate::run::Run;
use crate::run::dropping::drop_hosts;
use crate::run::heal::heal;
use crate::site::check_access;
use crate::transport::cancel::POLL_INTERVAL;

/// How often a run that waits for a lock tries to take it.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How long to wait for another run to notice that it has to release its locks.
const YIELD_TIMEOUT: Duration = Duration::from_secs(3);

/// Locks the first host in the file, then the rest at once: of two runs on the same hosts, one always proceeds. While it
/// locks the first, it connects to the others and probes them. If the first one is dropped, the next takes its place.
pub fn lock_all(run: &Arc<Run>, hosts: &[usize]) -> Result<()> {
    loop {
        let left = run.fleet.left_of(hosts);
        let first = left.iter().min().copied();
        let failures = run.on_each(&left, |host| match Some(host) == first {
            true => lock(run, host, Duration::ZERO),
            false => run.fleet.site(host).look().map(drop),
        });
        drop_failed(run, failures)?;
        if first.is_none_or(|first| !run.fleet.is_dropped(first)) {
            break;
        }
    }
    let rest = run.fleet.left_of(hosts);
    let failures = run.on_each(&rest, |host| try_lock(run, host));
    drop_failed(run, retry_in_order(run, &rest, failures))?;
    drop_failed(run, heal(run, &run.fleet.left_of(hosts)))
}

/// Connects to hosts and probes their sites. Fails if the user may not deploy to one of them.
pub fn connect_all(run: &Run, hosts: &[usize]) -> Result<()> {
    let failures = run.on_each(hosts, |host| {
        let mut site = run.fleet.site(host);
        site.look()?;
        check_access(&site)
    });
    run.fleet.none_failed(failures)
}

/// Locks hosts one by one, from the first one on that another run has locked: that run may have another first host, and
/// the two may have locked half of the hosts each. No run keeps the lock of a later host while it waits for that of an
/// earlier one, so two runs can neither wait for each other nor both fail.
fn retry_in_order(run: &Run, hosts: &[usize], failures: Failures) -> Failures {
    let (held, mut failures): (Vec<_>, Vec<_>) =
        failures.into_iter().partition(|(_, error)| error.downcast_ref::<Held>().is_some());
    let Some(met) = held.iter().map(|(host, _)| *host).min() else {
        return failures;
    };
    let mut later: Vec<usize> = hosts.iter().copied().filter(|host| *host >= met).collect();
    later.retain(|host| failures.iter().all(|(bad, _)| bad != host));
    later.sort_unstable();
    failures.extend(run.on_each(&later, |host| run.fleet.site(host).session.release_lock()));
    for host in later {
        if let Err(error) = lock(run, host, YIELD_TIMEOUT) {
            failures.push((host, error));
            if run.met_lock() {
                break;
            }
        }
    }
    failures
}

fn drop_failed(run: &Arc<Run>, failures: Failures) -> Result<()> {
    run.fleet.none_failed(drop_hosts(run, "lock", failures))
}

fn try_lock(run: &Run, host: usize) -> Result<()> {
    let owner = Owner {
        run: run.id.clone(),
        host: run.fleet.name(host).to_owned(),
        by: run.by.clone(),
        since: Some(run.began),
        flow: run.flow.clone(),
    };
    run.fleet.site(host).lock(&owner, run.now(), &run.by)
}

/// Takes the lock of one host. Waits for it until the timeout or, with `--wait`, as long as it takes.
fn lock(run: &Run, host: usize, timeout: Duration) -> Result<()> {
    let deadline = Instant::now() + timeout;
    let mut is_reported = false;
    loop {
        let locked = try_lock(run, host);
        let Some(held) = locked.as_ref().err().and_then(|error| error.downcast_ref::<Held>()) else {
            return locked;
        };
        let may_wait = run.waits || Instant::now() < deadline;
        if !may_wait || run.cancel_token.is_cancelled() {
            run.met_lock.store(true, Ordering::SeqCst);
            return Err(held.report().into());
        }
        if run.waits && !is_reported {
            is_reported = true;
            let text = format!("waiting: {}", held.report().message);
            run.events.event(Event::Note { host: None, text });
        }
        pause(run, if run.waits { RETRY_INTERVAL } else { POLL_INTERVAL });
    }
}

fn pause(run: &Run, mut left: Duration) {
    while !left.is_zero() && !run.cancel_token.is_cancelled() {
        thread::sleep(POLL_INTERVAL);
        left = left.saturating_sub(POLL_INTERVAL);
    }
}

/// Confirms all rollouts of the run: from then on, no server swaps back by itself. A single host receives this with the
/// next step. Several hosts receive it right after each other, before this waits for any answer: if the program dies
/// between the first and the last, they serve different releases until the next run.
pub fn confirm(run: &Run) -> Result<()> {
    let hosts = run.fleet.all();
    let at_once = hosts.len() > 1;
    if at_once {
        for &host in &hosts {
            run.fleet.site(host).session.begin_confirm();
        }
    }
    let failures = run.on_each(&hosts, |host| run.fleet.site(host).session.confirm(at_once));
    run.rollouts.settle(&failures.iter().map(|(host, _)| *host).collect::<Vec<_>>());
    run.fleet.none_failed(failures)
}

/// Does what has waited for the last step, and releases all locks.
pub fn finish(run: &Run) -> Result<()> {
    let failures = run.on_each(&run.fleet.all(), |host| run.fleet.site(host).session.finish());
    run.fleet.none_failed(failures)
}

/// The same after a failure. If a lock cannot be released, that is only a warning: it expires when the program ends.
pub fn release_locks(run: &Run) {
    if let Err(error) = finish(run) {
        let error = error.context("could not release the lock; it expires by itself");
        let report = Report { hint: None, ..Report::of(&error) };
        run.events.event(Event::Failed { report: report.warning() });
    }
}
