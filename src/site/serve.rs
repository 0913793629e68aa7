//! What a host serves: swap, swap back, roll back, prune.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::{Site, Work};
use crate::event::Report;
use crate::release::lifecycle::{self, Pruned};
use crate::release::probe::Current;
use crate::release::swap::{self, Target};
use crate::release::{Record, ReleaseName, State, keep};

impl Site {
    /// Whether the release of this run can be swapped to.
    pub fn is_ready(&self) -> Result<()> {
        match &self.work {
            Work::Complete { .. } => Ok(()),
            Work::Building { .. } => bail!("the release is not complete: task `seal` must come first"),
            Work::None => bail!("there is no release to swap to: task `release` must come first"),
            Work::Swapped { .. } => bail!("the release is swapped to already"),
            Work::TakenBack { .. } => bail!("the release was taken back"),
        }
    }

    /// Re-points `current` to the release of this run.
    pub fn swap(&mut self, now: Timestamp, by: &str) -> Result<()> {
        self.is_ready()?;
        let Work::Complete { record } = &self.work else {
            bail!("the release is not complete");
        };
        let mut record = record.clone();
        record.first_served = Some(now);
        self.point(Target::Release(record.name.clone()), vec![record.clone()], "swap", now, by)?;
        self.work = Work::Swapped { record, is_new: true };
        Ok(())
    }

    /// Re-points `current` to an older complete release; the one it leaves is marked bad.
    pub fn roll_back(&mut self, to: &ReleaseName, now: Timestamp, by: &str) -> Result<()> {
        let seen = self.seen()?;
        let target = seen
            .record(to)
            .filter(|record| seen.is_complete(record))
            .with_context(|| format!("release `{to}` is not complete on `{}`", self.host.name))?
            .clone();
        let left = seen
            .live()
            .and_then(|live| seen.record(live))
            .filter(|left| left.name != target.name)
            .map(|left| left.with_state(State::Bad));
        let mut served = target;
        served.first_served = served.first_served.or(Some(now));
        let mut records = vec![served.clone()];
        records.extend(left);
        self.work = Work::Swapped { record: served, is_new: false };
        self.point(Target::Release(to.clone()), records, "rollback", now, by)
    }

    /// Takes a swap or a rollback back: `current` leads where it led before this run, unless somebody else moved it.
    /// Asks first where it leads, since the answer to a swap may have been lost on its way.
    pub fn swap_back(&mut self, now: Timestamp, by: &str) -> Result<()> {
        let (record, is_new) = match &self.work {
            Work::Complete { record } => (record.clone(), true),
            Work::Swapped { record, is_new } => (record.clone(), *is_new),
            Work::None | Work::Building { .. } | Work::TakenBack { .. } => return Ok(()),
        };
        if self.look()?.live() != Some(&record.name) {
            return Ok(());
        }
        let back = self.before.clone();
        let mut records = Vec::new();
        if is_new {
            records.push(record.with_state(State::Failed));
        }
        // What a rollback left is as good as it was.
        let left = back.release_name();
        let left = left.and_then(|name| self.seen().ok()?.record(&name).cloned());
        records.extend(left.map(|left| left.with_state(State::Complete)));
        self.point(back, records, "swap-back", now, by)?;
        self.work = match is_new {
            true => Work::TakenBack { record },
            false => Work::None,
        };
        Ok(())
    }

    fn point(
        &mut self,
        to: Target,
        records: Vec<Record>,
        what: &str,
        now: Timestamp,
        by: &str,
    ) -> Result<()> {
        let root = self.locked_root()?;
        let from = Target::of(&self.seen()?.current);
        let name = records.first().map(|r| r.name.clone());
        let entry = name.as_ref().map_or(String::new(), |name| lifecycle::entry(now, what, name, by));
        let step = swap::swap(&root, &from, &to, &records, self.options.is_durable, &entry);
        self.is_in_doubt = true;
        if self.act(step)?.is_none() {
            self.planned(format!("re-point `current` to `{to}`"));
        }
        self.is_in_doubt = false;
        let seen = self.seen_mut()?;
        for record in records {
            match seen.records.iter_mut().find(|other| other.name == record.name) {
                Some(known) => *known = record,
                None => seen.records.push(record),
            }
        }
        seen.current = match (to.release_name(), to) {
            (_, Target::Nothing) => Current::Absent,
            (Some(name), to) => Current::Release { link: to.link(), name },
            (None, to) => Current::Dangling { link: to.link() },
        };
        Ok(())
    }

    /// Removes all but the newest `keep` releases. What cannot be removed is told, and no failure; behind a swap, which
    /// nothing may take back by then, nothing is.
    pub fn prune(&mut self, keep: NonZeroUsize, now: Timestamp, by: &str) -> Result<Vec<String>> {
        let root = self.locked_root()?;
        let names = keep::to_prune(self.seen()?, keep);
        let entry = names.last().map_or(String::new(), |name| lifecycle::entry(now, "prune", name, by));
        let Pruned { removed, stayed } = match self.act(lifecycle::prune(&root, &names, &entry)) {
            Ok(Some(pruned)) => pruned,
            Ok(None) => {
                for name in &names {
                    self.planned(format!("prune `{name}`"));
                }
                return Ok(Vec::new());
            }
            Err(error) if matches!(self.work, Work::Swapped { .. }) => {
                self.warn(format!("old releases were not pruned: {error:#}"));
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        for name in &stayed {
            self.warn(format!(
                "release `{name}` could not be removed whole: files of another user, most likely"
            ));
        }
        let seen = self.seen_mut()?;
        seen.records.retain(|r| !removed.contains(&r.name.to_string()));
        seen.directories.retain(|name| !removed.contains(name));
        Ok(removed)
    }

    pub fn history(&mut self) -> Result<Vec<String>> {
        let root = self.root()?;
        self.ask(lifecycle::history(&root))
    }

    /// Asks again what `current` leads to.
    pub fn serves(&mut self) -> Result<Option<ReleaseName>> {
        Ok(self.look()?.live().cloned())
    }

    /// Whether the host serves what it served when this run began.
    pub fn serves_as_before(&mut self) -> Result<bool> {
        let now = Target::of(&self.look()?.current);
        Ok(now == self.before)
    }

    /// The same by what is known, without asking.
    pub fn served_as_before(&self) -> bool {
        !self.is_in_doubt && self.seen.as_ref().is_none_or(|seen| Target::of(&seen.current) == self.before)
    }

    /// Takes an older release that is being served already for what this run goes back to.
    pub fn stay(&mut self) -> Result<()> {
        let seen = self.seen()?;
        let live = seen.live().and_then(|live| seen.record(live));
        let record = live.with_context(|| format!("`{}` serves no release", self.host.name))?.clone();
        self.work = Work::Swapped { record, is_new: false };
        Ok(())
    }

    /// Whether this run put a new release live here.
    pub fn serves_new(&self) -> bool {
        matches!(self.work, Work::Swapped { is_new: true, .. })
    }

    /// The newest complete release older than the live one, which a rollback without a name goes to.
    pub fn earlier(&self) -> Result<Vec<ReleaseName>> {
        let seen = self.seen()?;
        let live = seen.live().and_then(|name| seen.record(name));
        let Some(live) = live else {
            bail!(
                Report::new("nothing is being served, so there is nothing to roll back from")
                    .hint("deploy first")
            );
        };
        Ok(seen
            .complete()
            .rev()
            .filter(|record| (record.created, &record.name) < (live.created, &live.name))
            .map(|record| record.name.clone())
            .collect())
    }
}
