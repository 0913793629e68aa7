//! The locks of a run's sites: the first host's first, the rest at once, or one by one where another run is met; what
//! dead runs left is put right under them.

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
use crate::transport::cancel::POLL_INTERVAL;

/// How often a run that waits for a lock asks for it.
const AGAIN: Duration = Duration::from_secs(1);
/// How long another run may take to notice that it has to give way.
const GIVING_WAY: Duration = Duration::from_secs(3);
/// Takes the locks of hosts: that of the first in the file alone, so that of two runs on the same hosts one always
/// proceeds, then the rest at once. All are connected to and looked at meanwhile. A first one that is dropped leaves
/// its turn to the next.
pub fn lock_all(run: &Arc<Run>, hosts: &[usize]) -> Result<()> {
    loop {
        let left = run.fleet.left_of(hosts);
        let first = left.iter().min().copied();
        let failures = run.on_each(&left, |host| match Some(host) == first {
            true => lock(run, host, Duration::ZERO),
            false => run.fleet.site(host).look().map(drop),
        });
        dropping_the_bad(run, failures)?;
        if first.is_none_or(|first| !run.fleet.is_dropped(first)) {
            break;
        }
    }
    let rest = run.fleet.left_of(hosts);
    let failures = run.on_each(&rest, |host| try_lock(run, host));
    dropping_the_bad(run, in_turn(run, &rest, failures))?;
    dropping_the_bad(run, heal(run, &run.fleet.left_of(hosts)))
}

/// Connects to hosts and reads what stands in their sites, which must be fit for a deployment.
pub fn connect_all(run: &Run, hosts: &[usize]) -> Result<()> {
    let failures = run.on_each(hosts, |host| {
        let mut site = run.fleet.site(host);
        site.look()?;
        site.is_fit()
    });
    run.fleet.none_failed(failures)
}

/// A run on some of these hosts has another first one, and may have met this one half-way. Nobody keeps what comes
/// later in the file while asking for what comes earlier, so neither two waits nor two failures can meet.
fn in_turn(run: &Run, hosts: &[usize], failures: Failures) -> Failures {
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
        if let Err(error) = lock(run, host, GIVING_WAY) {
            failures.push((host, error));
            if run.met_lock() {
                break;
            }
        }
    }
    failures
}

fn dropping_the_bad(run: &Arc<Run>, failures: Failures) -> Result<()> {
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

/// Takes the lock of one host; waits for it for so long, or as long as it takes if that is asked for.
fn lock(run: &Run, host: usize, patience: Duration) -> Result<()> {
    let until = Instant::now() + patience;
    let mut is_told = false;
    loop {
        let locked = try_lock(run, host);
        let Some(held) = locked.as_ref().err().and_then(|error| error.downcast_ref::<Held>()) else {
            return locked;
        };
        let is_patient = run.waits || Instant::now() < until;
        if !is_patient || run.cancel_token.is_cancelled() {
            run.met_lock.store(true, Ordering::SeqCst);
            return Err(held.report().into());
        }
        if run.waits && !is_told {
            is_told = true;
            let text = format!("waiting: {}", held.report().message);
            run.events.event(Event::Note { host: None, text });
        }
        pause(run, if run.waits { AGAIN } else { POLL_INTERVAL });
    }
}

fn pause(run: &Run, mut left: Duration) {
    while !left.is_zero() && !run.cancel_token.is_cancelled() {
        thread::sleep(POLL_INTERVAL);
        left = left.saturating_sub(POLL_INTERVAL);
    }
}

/// What all rollouts of the run did is found good: no server takes its swap back by itself any more. A single host hears it with the next
/// step. Several are told one right after the other, before any answer is waited for: if this program dies between
/// the first and the last, they stay apart until the next run.
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

/// Does what was left for the last step, and lets all locks go.
pub fn finish(run: &Run) -> Result<()> {
    let failures = run.on_each(&run.fleet.all(), |host| run.fleet.site(host).session.finish());
    run.fleet.none_failed(failures)
}

/// The same after a failure. A lock that cannot be released frees itself when the program ends, so that is no failure.
pub fn release_locks(run: &Run) {
    if let Err(error) = finish(run) {
        let error = error.context("could not release the lock; it expires by itself");
        let report = Report { hint: None, ..Report::of(&error) };
        run.events.event(Event::Failed { report: report.warning() });
    }
}
