//! What a host serves: swap, swap back, roll back, prune.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::{Site, Work};
use crate::event::{Report, few};
use crate::release::current::{Current, Target};
use crate::release::guard::Guarded;
use crate::release::history::{self, HistoryEntry, HistoryEvent};
use crate::release::intent::Intent;
use crate::release::lifecycle::{self, Finish};
use crate::release::swap::{self, Phase, Swap, Watch, Watching};
use crate::release::{Record, ReleaseName, SharedPath, State, keep, survey};
use crate::shell::Word;
use crate::tree::TreePath;

/// A swap of this run, from when it is armed.
pub(super) struct Swapping {
    swap: Swap,
    watch: Option<Watch>,
    entry: HistoryEntry,
    links: Vec<SharedPath>,
}

/// What a swap is made for.
pub struct Occasion<'a> {
    pub run: &'a str,
    /// All hosts that swap.
    pub hosts: &'a [String],
    pub by: &'a str,
    pub now: Timestamp,
}

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

    /// Says what is about to be done: `current` re-pointed to the release of this run.
    pub fn mean_to_swap(&mut self, occasion: &Occasion) -> Result<()> {
        self.is_ready()?;
        let Work::Complete { record, shared, .. } = &self.work else {
            bail!("the release is not complete");
        };
        let mut record = record.clone();
        let links = shared.clone();
        record.first_served = Some(occasion.now);
        let back = vec![record.with_state(State::Failed)];
        self.mean_to(record.clone(), vec![record], back, links, occasion)
    }

    /// The same to an older complete release; the one that it leaves will be marked bad.
    pub fn mean_to_roll_back(&mut self, to: &ReleaseName, occasion: &Occasion) -> Result<()> {
        let seen = self.seen()?;
        let mut served = seen
            .record(to)
            .filter(|record| seen.is_complete(record))
            .with_context(|| format!("release `{to}` is not complete on `{}`", self.host.name))?
            .clone();
        let left = seen.live().and_then(|live| seen.record(live)).filter(|left| left.name != served.name);
        // What a rollback left is as good as it was.
        let back = left.map(|left| left.with_state(State::Complete)).into_iter().collect();
        let left = left.map(|left| left.with_state(State::Bad));
        served.first_served = served.first_served.or(Some(occasion.now));
        let mut records = vec![served.clone()];
        records.extend(left);
        self.mean_to(served, records, back, Vec::new(), occasion)
    }

    fn mean_to(
        &mut self,
        release: Record,
        records: Vec<Record>,
        back: Vec<Record>,
        links: Vec<SharedPath>,
        occasion: &Occasion,
    ) -> Result<()> {
        let from = Target::of(&self.seen()?.current);
        let is_new = matches!(&self.work, Work::Complete { .. });
        let event = if is_new { HistoryEvent::Swap } else { HistoryEvent::Rollback };
        let swap = Swap {
            intent: Intent {
                run: occasion.run.to_owned(),
                release: release.name.clone(),
                is_new,
                from: from.link(),
                at: occasion.now,
                by: occasion.by.to_owned(),
                hosts: occasion.hosts.to_vec(),
            },
            from,
            linked: links.iter().map(link).collect(),
            records,
            back,
            watching: Watching {
                within: self.options.confirm_within,
                revert_command: self.options.revert_command.clone(),
                env: self.options.env.clone(),
                is_durable: self.options.is_durable,
            },
        };
        let entry = HistoryEntry::new(occasion.now, event, &release.name, occasion.by);
        self.is_confirmed = false;
        self.swapping = Some(Swapping { swap, watch: None, entry, links });
        Ok(())
    }

    /// Checks that the swap can be made, and has the server watch over it; makes it, unless that is another step. Answers
    /// files of the release that were written in place: then nothing was done.
    pub fn swap(&mut self, phase: Phase) -> Result<Vec<TreePath>> {
        let lock = self.locked()?;
        let has_stat = self.seen()?.facts.has("stat");
        let is_guarded = has_stat && self.guarded().is_some();
        let Some(Swapping { swap, entry, .. }) = &self.swapping else {
            bail!("no swap is prepared");
        };
        let swap = swap.clone();
        let step = swap::swap(&lock, &swap, phase, is_guarded, entry);
        let commits = phase != Phase::Arm;
        self.is_in_doubt |= commits;
        let answer = self.act(step)?;
        self.is_in_doubt = false;
        match answer {
            Some(Guarded::Differs(lines)) => {
                let written = self.inspect()?;
                if written.is_empty() {
                    let names =
                        self.guarded().map_or(Vec::new(), |(_, manifest)| survey::named(manifest, &lines));
                    bail!("{} changed since the release was sealed, by no command of this run", few(&names));
                }
                return Ok(written);
            }
            Some(Guarded::Passed(watch)) => {
                if let (Some(swapping), Some(watch)) = (&mut self.swapping, watch) {
                    swapping.watch = Some(watch);
                }
            }
            None if commits => self.planned(format!("re-point `current` to `{}`", swap.intent.to())),
            None => {}
        }
        self.swapped(&swap, commits)?;
        Ok(Vec::new())
    }

    fn swapped(&mut self, swap: &Swap, is_made: bool) -> Result<()> {
        if !is_made {
            return Ok(());
        }
        let Swap { intent, records, .. } = swap;
        let seen = self.seen_mut()?;
        for record in records {
            match seen.records.iter_mut().find(|other| other.name == record.name) {
                Some(known) => *known = record.clone(),
                None => seen.records.push(record.clone()),
            }
        }
        seen.current = Current::Release { link: intent.to(), name: intent.release.clone() };
        let record = records.first().cloned().context("a swap has a release")?;
        self.work = Work::Swapped { record };
        Ok(())
    }

    /// Whether `current` leads to where this run swapped it.
    pub(super) fn is_swapped(&self) -> bool {
        matches!(self.work, Work::Swapped { .. })
    }

    /// What watches over the swap, until it is confirmed.
    pub(super) fn watch(&self) -> Option<&Watch> {
        self.unconfirmed()?.watch.as_ref()
    }

    fn unconfirmed(&self) -> Option<&Swapping> {
        self.swapping.as_ref().filter(|_| !self.is_confirmed)
    }

    /// Where the swap leads that is not confirmed yet.
    pub(super) fn unconfirmed_to(&self) -> Option<String> {
        self.unconfirmed().map(|swapping| swapping.swap.intent.to())
    }

    /// Asks the server whether the swap was confirmed: it is served, and nothing is left that would take it back.
    pub(super) fn has_confirmed(&mut self) -> Result<bool> {
        let Some(Swapping { swap: Swap { intent, .. }, .. }) = self.unconfirmed() else {
            return Ok(true);
        };
        let (run, release) = (intent.run.clone(), intent.release.clone());
        let seen = self.look()?;
        Ok(seen.live() == Some(&release) && seen.intents.iter().all(|intent| intent.run != run))
    }

    /// Takes a swap or a rollback back: `current` leads where it led before this run, unless somebody else moved it. The
    /// answer to the swap may have been lost on its way, so the server looks first where it leads. Answers whether it was
    /// made at all.
    pub fn swap_back(&mut self, now: Timestamp, by: &str) -> Result<bool> {
        let Some(Swapping { swap, watch, links, .. }) = &self.swapping else {
            return Ok(false);
        };
        let (swap, links) = (swap.clone(), links.clone());
        let entry = HistoryEntry::new(now, HistoryEvent::SwapBack, &swap.intent.release, by);
        // What was confirmed is no longer watched over.
        let watch = watch.clone().filter(|_| !self.is_confirmed);
        self.due = super::Due::default();
        let lock = self.locked()?;
        let [step, again] = [(); 2].map(|()| swap::swap_back(&lock, &swap, watch.as_ref(), &entry));
        self.is_in_doubt = true;
        // One that was killed on the server is worth a second try.
        let was_made = match self.act(step) {
            Err(_) => self.act(again)?,
            made => made?,
        };
        let was_made = was_made.unwrap_or(false);
        self.swapping = None;
        self.look()?;
        let record = swap.records.first().cloned().context("a swap has a release")?;
        self.work = match (swap.intent.is_new, was_made) {
            (true, true) => Work::TakenBack { record },
            (true, false) => Work::Complete { record, manifest: None, shared: links },
            (false, _) => Work::None,
        };
        Ok(was_made)
    }

    /// Removes all but the newest `keep` releases, or will, once the release is served: what cannot be removed is told
    /// then, and no failure. Answers which.
    pub fn prune(&mut self, keep: NonZeroUsize, now: Timestamp, by: &str) -> Result<Vec<String>> {
        let lock = self.locked()?;
        let names = keep::to_prune(self.seen()?, keep);
        let entry = names.last().map(|name| HistoryEntry::new(now, HistoryEvent::Prune, name, by));
        if self.is_planning {
            for name in &names {
                self.planned(format!("prune `{name}`"));
            }
            return Ok(Vec::new());
        }
        let removed = names.iter().map(ToString::to_string).collect();
        if self.is_swapped() {
            self.due.prunes = Some((names, entry));
            return Ok(removed);
        }
        let finish = Finish { prunes: Some((&names, entry.as_ref())), ..Finish::default() };
        let ended = self.act(lifecycle::finish(&lock, &finish))?.unwrap_or_default();
        match &ended.unpruned {
            Some(why) => bail!("{why}"),
            None => Ok(self.pruned(ended)),
        }
    }

    pub fn history(&mut self) -> Result<Vec<Result<HistoryEntry, String>>> {
        let root = self.root()?;
        self.ask(history::history(&root))
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
        self.work = Work::Swapped { record };
        Ok(())
    }

    /// Whether this run put a new release live here.
    pub fn serves_new(&self) -> bool {
        self.is_swapped() && self.swapping.as_ref().is_some_and(|swapping| swapping.swap.intent.is_new)
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

/// A link into `shared/` as it must stand: the path, and its text.
fn link(shared: &SharedPath) -> [Word; 2] {
    let [_, path, text] = shared.row();
    [path, text]
}
