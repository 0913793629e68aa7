//! What the hosts of a run serve: swapped, taken back, rolled back, all of them or none.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::event::{Event, Report};
use crate::release::ReleaseName;
use crate::release::swap::Phase;
use crate::run::Run;
use crate::run::parallel::combined;
use crate::run::undo::Undo;
use crate::run::way_back::Apart;
use crate::site::Occasion;

impl Run {
    /// Swaps the release of this run in on `hosts`: all are asked whether they are ready before any is told to.
    pub fn swap(self: &Arc<Self>, hosts: &[usize]) -> Result<()> {
        self.end_dropping();
        for &host in hosts {
            self.site(host).is_ready().with_context(|| format!("`{}` cannot swap", self.hosts[host].name))?;
        }
        self.point(hosts, |run, host, occasion| run.site(host).mean_to_swap(occasion))
    }

    /// Takes this run's swap back on `hosts`, as its undo would.
    pub fn swap_back(&self, hosts: &[usize]) -> Result<()> {
        let failures = self.on_each(hosts, |host| self.site(host).swap_back(self.now(), &self.by).map(drop));
        combined(failures, |host| &self.hosts[host].name).map_or(Ok(()), Err)
    }

    /// Rolls `hosts` back to the newest complete release before the live one that all of them have.
    pub fn roll_back(self: &Arc<Self>, hosts: &[usize], apart: Apart) -> Result<ReleaseName> {
        self.roll_back_to(hosts, &self.way_back(hosts, apart)?)
    }

    /// Rolls `hosts` back to `name`. Those that serve it already stay, unless all do.
    pub fn roll_back_to(self: &Arc<Self>, hosts: &[usize], name: &ReleaseName) -> Result<ReleaseName> {
        self.end_dropping();
        let (mut staying, mut going) = (Vec::new(), Vec::new());
        for &host in hosts {
            let site = self.site(host);
            let seen = site.seen()?;
            let known = seen.record(name).filter(|record| seen.is_complete(record));
            if known.is_none() {
                let complete: Vec<String> = seen.complete().map(|r| format!("`{}`", r.name)).collect();
                let what = match seen.record(name) {
                    Some(record) => format!("is {}", record.state),
                    None => "is not there".to_owned(),
                };
                bail!(
                    Report::new(format!("release `{name}` {what} on `{}`", site.host.name))
                        .hint(format!("complete there: {}", complete.join(", ")))
                );
            }
            let is_there = seen.live() == Some(name);
            if is_there { &mut staying } else { &mut going }.push(host);
        }
        if going.is_empty() {
            bail!("release `{name}` is being served by all hosts already");
        }
        for &host in &staying {
            self.site(host).stay()?;
        }
        self.point(&going, |run, host, occasion| run.site(host).mean_to_roll_back(name, occasion))?;
        let _ = self.release.set(name.clone());
        Ok(name.clone())
    }

    /// Re-points `current` on all hosts: every one is armed before any is told to, and then all do it at once. What some
    /// did is in the undo log before it is known whether all did.
    fn point(
        self: &Arc<Self>,
        hosts: &[usize],
        mean: impl Fn(&Arc<Run>, usize, &Occasion) -> Result<()> + Sync,
    ) -> Result<()> {
        let names: Vec<String> = hosts.iter().map(|&host| self.hosts[host].name.clone()).collect();
        let occasion = Occasion { run: &self.id, hosts: &names, by: &self.by, now: self.now() };
        for &host in hosts {
            mean(self, host, &occasion)?;
        }
        let together = |failures| match combined(failures, |host| &self.hosts[host].name) {
            Some(error) => Err(error),
            None => Ok(()),
        };
        let is_one = hosts.len() == 1;
        if !is_one {
            together(self.on_each(hosts, |host| {
                self.enter_swap_back(host);
                self.swap_one(host, Phase::Arm)
            }))?;
        }
        let began = Instant::now();
        let done = Mutex::new(Vec::new());
        together(self.on_each(hosts, |host| {
            let phase = match is_one {
                true => {
                    self.enter_swap_back(host);
                    Phase::Both
                }
                false => Phase::Commit,
            };
            let told = began.elapsed();
            self.swap_one(host, phase)?;
            done.lock().unwrap_or_else(PoisonError::into_inner).push((told, began.elapsed()));
            Ok(())
        }))?;
        let took = began.elapsed();
        let _ = self.swapped.set(began);
        let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Each has swapped at some time between what it was told and what it answered.
        let first = done.iter().map(|(told, _)| *told).min();
        let last = done.iter().map(|(_, answered)| *answered).max();
        let spread = last.zip(first).map(|(last, first)| last.saturating_sub(first));
        let release = hosts.first().and_then(|&host| self.site(host).release().map(ToString::to_string));
        if !self.mode.is_plan() {
            self.events.event(Event::Swapped {
                release: release.unwrap_or_default(),
                hosts: hosts.iter().map(|&h| self.hosts[h].name.clone()).collect(),
                took,
                spread: spread.unwrap_or_default(),
            });
        }
        Ok(())
    }

    /// For how long what this run has swapped to is served by now.
    pub fn served_for(&self) -> Option<Duration> {
        self.swapped.get().map(Instant::elapsed)
    }

    /// Entered before the swap is asked for: an answer that never came may have been a yes.
    fn enter_swap_back(self: &Arc<Self>, host: usize) {
        if self.mode.is_plan() {
            return;
        }
        self.undo.enter(Undo {
            order: self.order(),
            host,
            what: "swapped back".to_owned(),
            is_swap: true,
            act: Box::new(move |run| run.site(host).swap_back(run.now(), &run.by)),
        });
    }

    pub fn prune(&self, host: usize, keep: NonZeroUsize) -> Result<Vec<String>> {
        self.site(host).prune(keep, self.now(), &self.by)
    }
}
