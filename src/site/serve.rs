//! Changes what a host serves: swap, swap back, rollback; and prunes old releases.

use std::num::NonZeroUsize;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use crate::event::few;
use crate::release::current::Target;
use crate::release::guard::Guarded;
use crate::release::history::{HistoryEntry, HistoryEvent};
use crate::release::intent::Intent;
use crate::release::lifecycle::{self, Finish};
use crate::release::swap::{self, Phase, Swap, Watching};
use crate::release::{Record, ReleaseName, SharedPath, State, keep, survey};
use crate::shell::Word;
use crate::site::session::Backlog;
use crate::site::state::Site;
use crate::site::swapping::{Swapping, UnconfirmedSwap};
use crate::site::work::{Complete, Work};
use crate::tree::TreePath;

/// What all hosts of a swap have in common.
pub struct SwapRequest<'a> {
    pub rollout: &'a str,
    /// All hosts of the rollout.
    pub hosts: &'a [String],
    pub by: &'a str,
    pub now: Timestamp,
}

/// The release that a host swaps to, and what else the swap changes.
struct SwapPlan {
    release: ReleaseName,
    is_new: bool,
    /// Records after the swap, that of the release first; and after a swap back.
    records: Vec<Record>,
    back: Vec<Record>,
    /// Links into `shared/` that must exist.
    linked: Vec<[Word; 2]>,
}

impl Site {
    /// Fails if the release of this run cannot be swapped to.
    pub fn check_ready(&self) -> Result<()> {
        self.ready().map(drop)
    }

    fn ready(&self) -> Result<&Complete> {
        match (&self.swapping, &self.work) {
            (Swapping::Made { .. } | Swapping::AlreadyServed { .. }, _) => {
                bail!("the release is already live")
            }
            (Swapping::SwappedBack { .. }, _) => bail!("the release was swapped back"),
            (_, Work::Complete(complete)) => Ok(complete),
            (_, Work::Building(_)) => bail!("the release is not complete: task `seal` must come first"),
            (_, Work::None) => bail!("there is no release to swap to: task `release` must come first"),
        }
    }

    /// Prepares a swap to the release of this run.
    pub fn prepare_swap(&mut self, request: &SwapRequest) -> Result<()> {
        let Complete { record, shared, .. } = self.ready()?;
        let mut record = record.clone();
        record.first_served = Some(request.now);
        let plan = SwapPlan {
            release: record.name.clone(),
            is_new: true,
            back: vec![record.with_state(State::Failed)],
            records: vec![record],
            linked: shared.iter().map(link).collect(),
        };
        self.prepare(plan, request)
    }

    /// Prepares a swap to a release that is on the host. The one that is live now will be marked as bad if it is newer.
    pub fn prepare_rollback(&mut self, to: &ReleaseName, request: &SwapRequest) -> Result<()> {
        let seen = self.seen()?;
        let mut served = seen
            .record(to)
            .filter(|record| seen.can_return_to(record))
            .with_context(|| format!("release `{to}` is not complete on `{}`", self.host().name))?
            .clone();
        let left = seen.live().and_then(|live| seen.record(live)).filter(|left| left.name != served.name);
        // After a swap back, both are as before.
        let back =
            left.map(|left| left.with_state(State::Complete)).into_iter().chain([served.clone()]).collect();
        let left = left.filter(|left| left.is_bad_after(&served)).map(|left| left.with_state(State::Bad));
        served.state = State::Complete;
        served.first_served = served.first_served.or(Some(request.now));
        served.last_served = Some(request.now);
        let mut records = vec![served];
        records.extend(left);
        let plan = SwapPlan { release: to.clone(), is_new: false, records, back, linked: Vec::new() };
        self.prepare(plan, request)
    }

    fn prepare(&mut self, plan: SwapPlan, request: &SwapRequest) -> Result<()> {
        let SwapPlan { release, is_new, records, back, linked } = plan;
        let from = Target::of(&self.seen()?.current);
        let event = if is_new { HistoryEvent::Swap } else { HistoryEvent::Rollback };
        let entry = HistoryEntry::new(request.now, event, &release, request.by);
        let options = self.options();
        let watching = Watching {
            within: options.confirm_within,
            revert_command: options.revert_command.clone(),
            env: options.env.clone(),
            is_durable: options.is_durable,
        };
        let intent = Intent {
            rollout: request.rollout.to_owned(),
            release,
            is_new,
            from: from.link(),
            at: request.now,
            by: request.by.to_owned(),
            hosts: request.hosts.to_vec(),
            back: if is_new { Vec::new() } else { back.clone() },
        };
        let swap = Swap { intent, from, linked, records, back, watching };
        self.session.unconfirmed = None;
        self.swapping = Swapping::Prepared { swap, entry };
        Ok(())
    }

    /// Arms the swap, makes it, or both. Returns the files of the release that were written in place; if there are any,
    /// nothing was done.
    pub fn swap(&mut self, phase: Phase) -> Result<Vec<TreePath>> {
        let lock = self.session.locked()?;
        let is_guarded = self.seen()?.facts.has("stat") && self.guarded().is_some();
        let Swapping::Prepared { swap, entry } = &self.swapping else {
            bail!("no swap is prepared");
        };
        let swap = swap.clone();
        let step = swap::swap(&lock, &swap, phase, is_guarded, entry);
        let commits = phase != Phase::Arm;
        if commits {
            self.session.view.doubt();
        }
        let answer = self.session.act(step)?;
        self.session.view.trust();
        match answer {
            Some(Guarded::Differs(lines)) => return self.written_in_place(&lines),
            Some(Guarded::Passed(Some(watch))) => {
                let intent = swap.intent.clone();
                self.session.unconfirmed = Some(UnconfirmedSwap { watch, intent });
            }
            Some(Guarded::Passed(None)) | None => {}
        }
        if commits {
            self.session.view.swapped(&swap)?;
            self.swapping = Swapping::Made { swap };
        }
        Ok(Vec::new())
    }

    /// The files that differ from what was sent, if a command of this run has written them. Fails if something else has.
    fn written_in_place(&mut self, lines: &[Vec<u8>]) -> Result<Vec<TreePath>> {
        let written = self.inspect()?;
        if written.is_empty() {
            let names = self.guarded().map_or(Vec::new(), |(_, manifest)| survey::named(manifest, lines));
            bail!("{} changed after the release was sealed; no command of this run did that", few(&names));
        }
        Ok(written)
    }

    /// Undoes a swap or a rollback: `current` points again to what it pointed to before this run, unless somebody else
    /// changed it. The answer to the swap may have been lost, so the server first checks whether the swap was made.
    /// Returns that.
    pub fn swap_back(&mut self, now: Timestamp, by: &str) -> Result<bool> {
        let Some(swap) = self.swapping.swap().cloned() else {
            return Ok(false);
        };
        let entry = HistoryEntry::new(now, HistoryEvent::SwapBack, &swap.intent.release, by);
        // After its confirmation, a swap has no watch.
        let watch = self.session.unconfirmed.as_ref().map(|unconfirmed| unconfirmed.watch.clone());
        self.session.backlog = Backlog::default();
        let lock = self.session.locked()?;
        let [step, again] = [(); 2].map(|()| swap::swap_back(&lock, &swap, watch.as_ref(), &entry));
        self.session.view.doubt();
        // The step may have been killed on the server: it is tried twice.
        let was_made = match self.session.act(step) {
            Err(_) => self.session.act(again)?,
            made => made?,
        };
        let was_made = was_made.unwrap_or(false);
        self.session.unconfirmed = None;
        self.look()?;
        self.after_swap_back(swap, was_made)?;
        Ok(was_made)
    }

    /// Updates the state of this run's release after a swap back; `was_made` is false if the swap was never made.
    fn after_swap_back(&mut self, swap: Swap, was_made: bool) -> Result<()> {
        let record = swap.records.into_iter().next().context("a swap has a release")?;
        self.swapping = Swapping::None;
        if !swap.intent.is_new {
            return Ok(());
        }
        if was_made {
            self.work = Work::None;
            self.swapping = Swapping::SwappedBack { record };
        } else if let Work::Complete(complete) = &mut self.work {
            complete.record = record;
            // Arming has checked its files, and no command has run since.
            complete.manifest = None;
        }
        Ok(())
    }

    /// Removes all but the newest `keep` releases, and returns their names. If this run has swapped, that waits for the
    /// next step, and what cannot be removed is then a warning, not an error.
    pub fn prune(&mut self, keep: NonZeroUsize, now: Timestamp, by: &str) -> Result<Vec<String>> {
        let lock = self.session.locked()?;
        let names = keep::to_prune(self.seen()?, keep);
        let entry = names.last().map(|name| HistoryEntry::new(now, HistoryEvent::Prune, name, by));
        let prunes = Some((names.as_slice(), entry.as_ref()));
        let prune_command = self.options().prune_command.as_str();
        let step = lifecycle::finish(&lock, &Finish { prunes, prune_command, ..Finish::default() });
        if self.session.plans(&step.act.op, step.act.effect) {
            return Ok(Vec::new());
        }
        if self.swapping.is_live() {
            let removed = names.iter().map(ToString::to_string).collect();
            self.session.backlog.prunes = Some((names, entry));
            return Ok(removed);
        }
        let ended = self.session.act(step)?.unwrap_or_default();
        match &ended.unpruned {
            Some(why) => bail!("{why}"),
            None => Ok(self.session.pruned(ended)),
        }
    }

    /// Probes whether the host serves what it served when this run began.
    pub fn serves_as_before(&mut self) -> Result<bool> {
        self.look()?;
        Ok(self.session.view.is_as_before())
    }

    /// Takes the live release as the one that this run rolls back to.
    pub fn keep_current(&mut self) -> Result<()> {
        let seen = self.seen()?;
        let live = seen.live().and_then(|live| seen.record(live));
        let record = live.with_context(|| format!("`{}` serves no release", self.host().name))?.clone();
        self.swapping = Swapping::AlreadyServed { record };
        Ok(())
    }

    /// Whether this run has made a new release live.
    pub fn serves_new(&self) -> bool {
        matches!(&self.swapping, Swapping::Made { swap } if swap.intent.is_new)
    }
}

/// A link into `shared/`: its path and its text.
fn link(shared: &SharedPath) -> [Word; 2] {
    let [_, path, text] = shared.row();
    [path, text]
}
