//! A release on one host comes into being: made, filled, linked, sealed.

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::{Site, Work};
use crate::event::{Event, Sent, few};
use crate::release::fill::{self, Begun, FillOptions, Unchecked};
use crate::release::guard::{self, Guarded};
use crate::release::history::{HistoryEntry, HistoryEvent};
use crate::release::lifecycle;
use crate::release::plan::Plan;
use crate::release::room::Room;
use crate::release::seen::Seen;
use crate::release::share::{self, Linked};
use crate::release::survey;
use crate::release::{Record, ReleaseName, SharedKind, SharedPath, State};
use crate::tree::{Manifest, Pack, TreePath};

/// A fill, decided and packed.
pub struct Fill<'a> {
    pub plan: &'a Plan,
    pub unchecked: &'a Unchecked,
    pub pack: &'a Pack<'a>,
    /// Files in the pack that are to begin shared paths.
    pub n_seeds: usize,
}

impl Site {
    /// Its directory is made when it is first needed, with the fill as a rule.
    pub fn create_release(&mut self, mut record: Record) -> Result<()> {
        self.locked()?;
        if !matches!(self.work, Work::None) {
            bail!("this run has its release already");
        }
        record.state = State::Building;
        if self.is_planning {
            self.planned(format!("make release `{}`", record.name));
        }
        self.seen_mut()?.records.push(record.clone());
        self.work = Work::Building { record, begun: Begun::No, manifest: None, shared: Vec::new() };
        Ok(())
    }

    /// Makes the directory of the release if that is still to be done.
    pub(super) fn make_release(&mut self) -> Result<()> {
        let Work::Building { record, begun: begun @ Begun::No, .. } = &mut self.work else {
            return Ok(());
        };
        // An answer that never comes may have been a yes.
        *begun = Begun::Yes;
        let record = record.clone();
        let lock = self.locked()?;
        self.act(lifecycle::create(&lock, &record))?;
        Ok(())
    }

    /// Whether the directory of the release is there, with what commands may have left in it.
    pub(super) fn is_made(&self) -> bool {
        !matches!(self.work, Work::Building { begun: Begun::No, .. })
    }

    /// Fills the release from what the server has and the pack. False if what was thought to be there was not: then
    /// it is to be filled anew.
    pub fn fill(&mut self, fill: &Fill) -> Result<bool> {
        let lock = self.locked()?;
        let is_guarded = self.seen()?.facts.has("stat");
        self.has_room(fill)?;
        let Work::Building { record, begun, manifest, .. } = &mut self.work else {
            bail!("there is no release to fill: task `release` must come first");
        };
        if manifest.is_some() {
            bail!("the release is filled already");
        }
        let Fill { plan, unchecked, pack, n_seeds } = fill;
        record.strategy = Some(plan.strategy.name().to_owned());
        record.manifest = Some(plan.manifest.digest().to_owned());
        let record = record.clone();
        *manifest = Some(plan.manifest.clone());
        self.n_parts = None;
        let options = FillOptions {
            duplicate: self.options.duplicate,
            is_guarded,
            begun: std::mem::replace(begun, Begun::Yes),
            unchecked,
        };
        let step = fill::fill(&lock, &record, plan, &options, pack);
        let (filled, n_saved) = self.send(step, &record.name, pack)?;
        if let Some(filled) = &filled {
            let is_as_thought = !filled.is_stale && self.is_as_thought(plan, unchecked, &filled.surveys)?;
            if !is_as_thought {
                if let Work::Building { begun, manifest, .. } = &mut self.work {
                    *manifest = None;
                    *begun = if filled.is_stale { Begun::Yes } else { Begun::Half };
                }
                return Ok(false);
            }
        }
        let filled = match pack.is_in_parts() {
            true => self
                .act(fill::complete(&lock, &record, plan, &options))
                .with_context(|| format!("all {} bytes were sent", pack.n_bytes()))?,
            false => filled,
        };
        let sent = Sent {
            strategy: plan.strategy.name(),
            n_files: plan.manifest.n_files() + n_seeds,
            n_unpacked: pack.n_files,
            bytes: pack.content_bytes,
            n_saved,
            n_removed: plan.change.remove.len(),
            n_carried: filled.as_ref().map_or(0, |f| f.n_carried),
        };
        for path in filled.iter().flat_map(|f| &f.skipped) {
            self.warn(format!("`{path}` of the last release could not be read and is not carried over"));
        }
        self.events.event(Event::Filled { host: self.host.name.clone(), sent });
        Ok(true)
    }

    /// Refuses what cannot fit, before it is sent. What was seen when the run began may have changed.
    fn has_room(&mut self, fill: &Fill) -> Result<()> {
        let room = Room::needed(fill.plan, self.options.duplicate, fill.pack);
        let lacking = |seen: &Seen| room.lacking(&seen.facts, &seen.root);
        let Some(report) = lacking(self.seen()?) else {
            return Ok(());
        };
        if self.is_planning {
            self.warn(format!("a deploy would fail: {}", report.message));
            return Ok(());
        }
        match lacking(self.look()?) {
            Some(report) => Err(report.into()),
            None => Ok(()),
        }
    }

    /// Links shared paths; `brought` are the source's own files under them. Answers what was seeded.
    pub fn link_shared(
        &mut self,
        paths: &[SharedPath],
        brought: &[TreePath],
        now: Timestamp,
    ) -> Result<Linked> {
        let lock = self.locked()?;
        let name = self.building("link into")?;
        if paths.is_empty() {
            return Ok(Linked::default());
        }
        self.make_release()?;
        let step = share::link(&lock, &name, paths, brought, now);
        let Some(linked) = self.act(step)? else {
            let has = self.seen()?.shared.clone();
            for path in paths {
                self.planned(format!("link `{path}`"));
                let is_there = has.contains(&path.path.to_string());
                let comes = brought.iter().any(|entry| entry.starts_with(&path.path));
                if path.kind == SharedKind::File && !is_there && !comes {
                    self.warn(format!("`shared/{path}` is missing: a deploy would fail"));
                }
            }
            return Ok(Linked::default());
        };
        for path in &linked.seeded {
            self.note(format!("`shared/{path}` was made from this release"));
        }
        if !linked.hidden.is_empty() {
            self.warn(format!(
                "the source brings {} under a shared path, where nobody will see it: put it into `shared/` by hand if it is needed",
                few(&linked.hidden)
            ));
        }
        if let Work::Building { shared, manifest, .. } = &mut self.work {
            // A link in the place of a managed file is no drift next time.
            let managed = manifest.iter().flat_map(Manifest::entries);
            let mut managed = managed.map(|line| &line.entry.path);
            self.is_worked_in |=
                managed.any(|path| paths.iter().any(|shared| path.starts_with(&shared.path)));
            shared.extend(paths.iter().cloned());
        }
        Ok(linked)
    }

    pub fn unseed(&mut self, name: &ReleaseName) -> Result<()> {
        let lock = self.locked()?;
        let kept = self.act(share::unseed(&lock, name))?;
        for path in kept.unwrap_or_default() {
            self.note(format!("`shared/{path}` was written since it was made, and stays"));
        }
        Ok(())
    }

    pub fn writable(&mut self, paths: &[TreePath]) -> Result<()> {
        let lock = self.locked()?;
        let name = self.building("make writable in")?;
        if paths.is_empty() {
            return Ok(());
        }
        self.make_release()?;
        if self.act(share::writable(&lock, &name, paths))?.is_none() {
            let names: Vec<String> = paths.iter().map(|p| format!("`{p}`")).collect();
            self.planned(format!("make writable {}", names.join(", ")));
        }
        Ok(())
    }

    fn building(&self, what: &str) -> Result<ReleaseName> {
        match &self.work {
            Work::Building { record, .. } => Ok(record.name.clone()),
            Work::None => bail!("there is no release to {what}: task `release` must come first"),
            _ => bail!("the release is sealed: nothing is written in it any more"),
        }
    }

    /// Makes the release complete. Managed files that a command replaced are remembered, so that they are no drift
    /// next time. Answers those that it wrote in place: then nothing was sealed.
    pub fn seal(&mut self) -> Result<Vec<TreePath>> {
        let lock = self.locked()?;
        let is_durable = self.options.is_durable;
        // What others do there is seen when the swap is armed.
        let is_guarded = self.is_worked_in && self.seen()?.facts.has("stat");
        let Work::Building { record, manifest, shared, .. } = &self.work else {
            bail!("there is no release to seal: task `release` must come first");
        };
        let manifest = manifest.clone().context("the release is empty: task `upload` must come first")?;
        let (mut record, shared) = (record.clone(), shared.clone());
        record.shared = shared.iter().map(|shared| shared.path.to_string()).collect();
        let step =
            |record: &Record, is_guarded| lifecycle::seal(&lock, record, &shared, is_guarded, is_durable);
        if let Some(Guarded::Differs(lines)) = self.act(step(&record, is_guarded))? {
            let written = self.inspect()?;
            if !written.is_empty() {
                return Ok(written);
            }
            record.touched = texts(&survey::named(&manifest, &lines));
            self.act(step(&record, false))?;
        }
        record.state = State::Complete;
        let seen = self.seen_mut()?;
        seen.records.retain(|other| other.name != record.name);
        seen.records.push(record.clone());
        seen.directories.insert(record.name.to_string());
        self.work = Work::Complete { record, manifest: Some(manifest), shared };
        Ok(Vec::new())
    }

    /// The files shared with other releases that were written in place; none where nothing is guarded.
    pub fn inspect(&mut self) -> Result<Vec<TreePath>> {
        let lock = self.locked()?;
        let Some((record, manifest)) = self.guarded() else {
            return Ok(Vec::new());
        };
        let (name, manifest) = (record.name.clone(), manifest.clone());
        let lines = self.act(guard::inspect(&lock, &name))?.unwrap_or_default();
        Ok(survey::named(&manifest, &lines))
    }

    /// The release that is not served yet, and what it was filled with: nobody may write that in place.
    pub fn guarded(&mut self) -> Option<(&mut Record, &Manifest)> {
        match &mut self.work {
            Work::Building { record, manifest: Some(manifest), .. }
            | Work::Complete { record, manifest: Some(manifest), .. } => Some((record, manifest)),
            _ => None,
        }
    }

    /// Puts the sent content of written files back into every release that shares them.
    pub fn restore(&mut self, written: &[TreePath], pack: &Pack) -> Result<()> {
        let lock = self.locked()?;
        let name = self.release().cloned().context("there is no release")?;
        self.send(guard::restore(&lock, &name, written), &name, pack)?;
        let written = texts(written);
        if let Some((record, _)) = self.guarded() {
            record.touched.retain(|path| !written.contains(path));
        }
        Ok(())
    }

    /// Takes back `create_release`.
    pub fn discard(&mut self, now: Timestamp, by: &str) -> Result<()> {
        let lock = self.locked()?;
        let is_made = self.is_made();
        let record = match std::mem::replace(&mut self.work, Work::None) {
            Work::None | Work::TakenBack { .. } => return Ok(()),
            Work::Building { record, .. } | Work::Complete { record, .. } | Work::Swapped { record } => {
                record
            }
        };
        if is_made {
            let entry = HistoryEntry::new(now, HistoryEvent::Discard, &record.name, by);
            self.act(lifecycle::discard(&lock, &record, &entry))?;
        }
        let seen = self.seen_mut()?;
        seen.records.retain(|other| other.name != record.name);
        seen.directories.remove(record.name.as_str());
        Ok(())
    }
}

/// Paths as a record keeps them.
pub(super) fn texts(paths: &[TreePath]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}
