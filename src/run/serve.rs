//! Changes what the hosts of a run serve, on all of them or none: swap, swap back, prune.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::event::Event;
use crate::release::swap::Phase;
use crate::run::Run;
use crate::run::guard::swap_one;
use crate::site::SwapRequest;

/// Swaps `hosts` to the release of this run, after checking that each of them is ready.
pub fn swap(run: &Arc<Run>, hosts: &[usize]) -> Result<()> {
    for &host in hosts {
        run.fleet
            .site(host)
            .check_ready()
            .with_context(|| format!("`{}` cannot swap", run.fleet.name(host)))?;
    }
    roll_out(run, hosts, |run, host, request| run.fleet.site(host).prepare_swap(request))
}

/// Swaps `hosts` back, as the undo of this run's swap would.
pub fn swap_back(run: &Run, hosts: &[usize]) -> Result<()> {
    let failures = run.on_each(hosts, |host| run.fleet.site(host).swap_back(run.now(), &run.by).map(drop));
    run.fleet.none_failed(failures)
}

/// Re-points `current` on all hosts, as one rollout: arms all of them, then all swap at once. Each host's undo is
/// entered before its step, because some hosts may have swapped when another one fails.
pub(super) fn roll_out(
    run: &Arc<Run>,
    hosts: &[usize],
    prepare: impl Fn(&Arc<Run>, usize, &SwapRequest) -> Result<()> + Sync,
) -> Result<()> {
    let names = run.fleet.names(hosts);
    let rollout = run.rollouts.begin(&run.id, hosts);
    let request = SwapRequest { rollout: &rollout, hosts: &names, by: &run.by, now: run.now() };
    for &host in hosts {
        prepare(run, host, &request)?;
    }
    if hosts.len() > 1 {
        run.fleet.none_failed(run.on_each(hosts, |host| {
            enter_swap_back(run, host);
            swap_one(run, host, Phase::Arm)
        }))?;
    }
    let began = Instant::now();
    let spread = commit(run, hosts, began)?;
    let took = began.elapsed();
    run.rollouts.swapped(&rollout, began);
    let release = hosts.first().and_then(|&host| run.fleet.site(host).release().map(ToString::to_string));
    if !run.mode.is_plan() {
        let release = release.unwrap_or_default();
        run.events.event(Event::Swapped { release, hosts: names, took, spread });
    }
    Ok(())
}

/// Swaps all hosts of a rollout, and returns the longest time that can have passed between the first and the last. A
/// single host is armed by the same step.
fn commit(run: &Arc<Run>, hosts: &[usize], began: Instant) -> Result<Duration> {
    let is_one = hosts.len() == 1;
    let done = Mutex::new(Vec::new());
    run.fleet.none_failed(run.on_each(hosts, |host| {
        let phase = match is_one {
            true => {
                enter_swap_back(run, host);
                Phase::Both
            }
            false => Phase::Commit,
        };
        let sent = began.elapsed();
        swap_one(run, host, phase)?;
        done.lock().unwrap_or_else(PoisonError::into_inner).push((sent, began.elapsed()));
        Ok(())
    }))?;
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    // Each host has swapped between the moment its step was sent and the moment its answer arrived.
    let first = done.iter().map(|(sent, _)| *sent).min();
    let last = done.iter().map(|(_, answered)| *answered).max();
    Ok(last.zip(first).map(|(last, first)| last.saturating_sub(first)).unwrap_or_default())
}

/// Enters the undo of a swap. This comes before the swap: if no answer comes, the server may still have swapped.
fn enter_swap_back(run: &Arc<Run>, host: usize) {
    let texts = ["swap back", "swapped back"];
    run.enter(host, texts, true, move |run| run.fleet.site(host).swap_back(run.now(), &run.by));
}

pub fn prune(run: &Run, host: usize, keep: NonZeroUsize) -> Result<Vec<String>> {
    run.fleet.site(host).prune(keep, run.now(), &run.by)
}
