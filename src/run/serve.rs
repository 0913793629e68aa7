//! What the hosts of a run serve: swapped, taken back, rolled back, all of them or none.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use crate::event::{Event, Report};
use crate::release::ReleaseName;
use crate::run::Run;
use crate::run::parallel::combined;
use crate::run::undo::Undo;
use crate::run::way_back::Apart;

impl Run {
    /// Swaps the release of this run in on `hosts`: all are asked whether they are ready before any is told to.
    pub fn swap(self: &Arc<Self>, hosts: &[usize]) -> Result<()> {
        self.end_dropping();
        for &host in hosts {
            self.site(host).is_ready().with_context(|| format!("`{}` cannot swap", self.hosts[host].name))?;
        }
        self.point(hosts, |run, host, now| run.site(host).swap(now, &run.by))
    }

    /// Takes this run's swap back on `hosts`, as its undo would.
    pub fn swap_back(&self, hosts: &[usize]) -> Result<()> {
        let failures = self.on_each(hosts, |host| self.site(host).swap_back(self.now(), &self.by));
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
        self.point(&going, |run, host, now| run.site(host).roll_back(name, now, &run.by))?;
        let _ = self.release.set(name.clone());
        Ok(name.clone())
    }

    /// Re-points `current` on all hosts at once. What some did is in the undo log before it is known whether all did.
    fn point(
        self: &Arc<Self>,
        hosts: &[usize],
        act: impl Fn(&Arc<Run>, usize, Timestamp) -> Result<()> + Sync,
    ) -> Result<()> {
        let began = Instant::now();
        let now = self.now();
        let failures = self.on_each(hosts, |host| {
            self.enter_swap_back(host);
            act(self, host, now)
        });
        if let Some(error) = combined(failures, |host| &self.hosts[host].name) {
            return Err(error);
        }
        let release = hosts.first().and_then(|&host| self.site(host).release().map(ToString::to_string));
        if !self.mode.is_plan() {
            self.events.event(Event::Swapped {
                release: release.unwrap_or_default(),
                hosts: hosts.iter().map(|&h| self.hosts[h].name.clone()).collect(),
                took: began.elapsed(),
            });
        }
        Ok(())
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
