//! Creates, fills, seals and discards a release on one host.

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use crate::event::{Event, FillStats};
use crate::release::fill::{self, Assumptions, DirectoryState, FillOptions, FillReport};
use crate::release::guard::Guarded;
use crate::release::history::{HistoryEntry, HistoryEvent};
use crate::release::lifecycle;
use crate::release::linked::LinksBefore;
use crate::release::plan::Plan;
use crate::release::room::Room;
use crate::release::seen::Seen;
use crate::release::survey;
use crate::release::{Record, State};
use crate::site::base::is_as_expected;
use crate::site::guard::texts;
use crate::site::linked::check_links;
use crate::site::session::Session;
use crate::site::state::Site;
use crate::site::swapping::Swapping;
use crate::site::work::{Building, Complete, Work};
use crate::tree::{Pack, TreePath};

/// A fill that is planned and packed.
pub struct Fill<'a> {
    pub plan: &'a Plan,
    pub unchecked: &'a Assumptions,
    pub pack: &'a Pack,
    /// How many files in the pack start shared paths.
    pub n_seeds: usize,
}

impl Site {
    /// Registers the release. Its directory is created when it is first needed, usually by the fill; a plan lists it here.
    pub fn create_release(&mut self, mut record: Record) -> Result<()> {
        let lock = self.session.locked()?;
        if self.release().is_some() {
            bail!("this run has already created its release");
        }
        record.state = State::Building;
        let create = lifecycle::create(&lock, &record).act;
        let directory = match self.session.plans(&create.op, create.effect) {
            true => DirectoryState::Created,
            false => DirectoryState::Absent,
        };
        self.session.view.seen_mut()?.records.push(record.clone());
        self.work = Work::Building(Building {
            record,
            directory,
            manifest: None,
            shared: Vec::new(),
            links: LinksBefore::default(),
            is_worked_in: false,
        });
        Ok(())
    }

    /// Creates the directory of the release, unless that was done before.
    pub(super) fn make_release(&mut self) -> Result<()> {
        let Work::Building(Building { record, directory: directory @ DirectoryState::Absent, .. }) =
            &mut self.work
        else {
            return Ok(());
        };
        // If no answer comes, the server may still have created it.
        *directory = DirectoryState::Created;
        let record = record.clone();
        let lock = self.session.locked()?;
        self.session.act(lifecycle::create(&lock, &record)).map(drop)
    }

    /// Fills the release from what the server has, and from the pack. False if the server was not as expected: then the
    /// release must be filled again.
    pub fn fill(&mut self, fill: &Fill) -> Result<bool> {
        let lock = self.session.locked()?;
        let (duplicate, is_guarded) = (self.options().duplicate, self.seen()?.facts.has("stat"));
        self.check_room(fill)?;
        let (record, directory) = self.work.begin_fill(fill.plan)?;
        self.session.n_parts = None;
        self.watched = None;
        let Fill { plan, unchecked, pack, .. } = fill;
        let options = FillOptions { duplicate, is_guarded, directory, unchecked };
        let step = fill::fill(&lock, &record, plan, &options, pack);
        let (mut filled, n_saved) = self.session.send(step, &record.name, pack)?;
        if let Some(filled) = &filled
            && (filled.is_stale || !is_as_expected(&self.session, plan, unchecked, &filled.surveys)?)
        {
            self.work.fill_anew(filled.is_stale);
            return Ok(false);
        }
        if pack.is_in_parts() {
            filled = self
                .session
                .act(fill::complete(&lock, &record, plan, &options))
                .with_context(|| format!("all {} bytes were sent", pack.n_bytes()))?;
        }
        report_fill(&self.session, fill, &filled.unwrap_or_default(), n_saved);
        Ok(true)
    }

    /// Refuses a release for which the server has no room, before anything is sent. If the last probe found too little
    /// room, it probes again: there may be more by now.
    fn check_room(&mut self, fill: &Fill) -> Result<()> {
        let room = Room::needed(fill.plan, self.options().duplicate, fill.pack);
        let lacking = |seen: &Seen| room.lacking(&seen.facts, &seen.root);
        if lacking(self.seen()?).is_none() {
            return Ok(());
        }
        match lacking(self.look()?) {
            Some(report) => self.session.refuse(report),
            None => Ok(()),
        }
    }

    /// Seals the release. The record lists managed files that a command replaced, so that they are no drift next time.
    /// Returns the files that a command wrote in place; if there are any, nothing was sealed.
    pub fn seal(&mut self) -> Result<Vec<TreePath>> {
        let lock = self.session.locked()?;
        check_links(self)?;
        let is_durable = self.options().is_durable;
        let has_stat = self.seen()?.facts.has("stat");
        let Work::Building(Building { record, manifest, shared, links, is_worked_in, .. }) = &self.work
        else {
            bail!("there is no release to seal: task `release` must come first");
        };
        // Arming the swap checks again, and so finds what others write.
        let is_guarded = *is_worked_in && has_stat;
        let manifest = manifest.clone().context("the release is empty: task `upload` must come first")?;
        let (mut record, shared) = (record.clone(), shared.clone());
        record.link(&shared, &links.kept);
        let step =
            |record: &Record, is_guarded| lifecycle::seal(&lock, record, &shared, is_guarded, is_durable);
        if let Some(Guarded::Differs(lines)) = self.session.act(step(&record, is_guarded))? {
            let written = self.inspect()?;
            if !written.is_empty() {
                return Ok(written);
            }
            record.touched = texts(&survey::named(&manifest, &lines));
            self.session.act(step(&record, false))?;
        }
        record.state = State::Complete;
        let seen = self.session.view.seen_mut()?;
        seen.records.retain(|other| other.name != record.name);
        seen.records.push(record.clone());
        seen.directories.insert(record.name.to_string());
        self.work = Work::Complete(Complete { record, manifest: Some(manifest), shared });
        Ok(Vec::new())
    }

    /// Undoes `create_release`. A release that was live stays, because processes may still run in it.
    pub fn discard(&mut self, now: Timestamp, by: &str) -> Result<()> {
        let lock = self.session.locked()?;
        let is_made = self.work.is_made();
        let work = std::mem::replace(&mut self.work, Work::None);
        let record = match std::mem::take(&mut self.swapping) {
            Swapping::Made { swap } => swap.records.into_iter().next(),
            Swapping::None | Swapping::Prepared { .. } => work.record().cloned(),
            Swapping::AlreadyServed { .. } | Swapping::SwappedBack { .. } => None,
        };
        let Some(record) = record else { return Ok(()) };
        if is_made {
            let entry = HistoryEntry::new(now, HistoryEvent::Discard, &record.name, by);
            self.session.act(lifecycle::discard(&lock, &record, &entry))?;
        }
        let seen = self.session.view.seen_mut()?;
        seen.records.retain(|other| other.name != record.name);
        seen.directories.remove(record.name.as_str());
        Ok(())
    }
}

fn report_fill(session: &Session, fill: &Fill, filled: &FillReport, n_saved: u64) {
    let Fill { plan, pack, n_seeds, .. } = fill;
    let sent = FillStats {
        strategy: plan.strategy.name(),
        n_files: plan.manifest.n_files() + n_seeds,
        n_unpacked: pack.n_files,
        bytes: pack.content_bytes,
        n_saved,
        n_removed: plan.change.remove.len(),
        n_carried: filled.n_carried,
        carried: filled.carried.clone(),
    };
    for path in &filled.skipped {
        session.warn(format!("could not read `{path}` of the previous release; not copied"));
    }
    session.events.event(Event::Filled { host: session.host.name.clone(), sent });
}
