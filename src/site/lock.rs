//! Locks a site for a run, creates or adopts it if necessary, and cleans up after interrupted runs.

use anyhow::{Result, bail};
use jiff::Timestamp;

use crate::event::few;
use crate::release::heal::{self, Healing};
use crate::release::history::{HistoryEntry, HistoryEvent};
use crate::release::lock::{Lock, Owner};
use crate::release::take::SiteSetup;
use crate::release::{Record, State};
use crate::site::access::{check_access, note_first_contact, takes_over};
use crate::site::state::Site;

impl Site {
    /// Takes the lock and probes the site. Creates directories that are missing, and adopts a live release that another
    /// tool made. The error is `Held` if another run has the lock.
    pub fn lock(&mut self, owner: &Owner, now: Timestamp, by: &str) -> Result<()> {
        if self.session.owner.is_some() {
            return Ok(());
        }
        let is_taken = self.session.take(owner, None)?;
        check_access(self)?;
        let seen = self.seen()?;
        // Also where the client that adopted it died before it made the record.
        let moved = seen.was_moved;
        let adopted = seen.to_adopt().map(|name| Record { moved, ..Record::adopted(name.clone(), now, by) });
        if is_taken == Some(false) || !seen.is_open || adopted.is_some() || takes_over(self)? {
            self.make(owner, adopted.as_ref(), now, by)?;
        }
        self.session.keep_lock(owner);
        Ok(())
    }

    /// Creates the directories of the site, and the record of a live release that another tool made.
    pub(super) fn make(
        &mut self,
        owner: &Owner,
        adopted: Option<&Record>,
        now: Timestamp,
        by: &str,
    ) -> Result<()> {
        let entry = adopted.map(|record| HistoryEntry::new(now, HistoryEvent::Adopt, &record.name, by));
        let setup = SiteSetup { adopts: adopted.zip(entry.as_ref()) };
        note_first_contact(self)?;
        match self.session.take(owner, Some(&setup))? {
            None => return Ok(()),
            Some(false) => bail!("the directories of the site disappeared after they were created"),
            Some(true) => {}
        }
        if let Some(record) = adopted {
            let others = self.seen()?.unknown_directories();
            // `runner adopt` records more of them, and names the rest then.
            let left = match others.is_empty() || self.options().adopts {
                true => String::new(),
                false => format!("; other directories are left alone: {}", others.join(", ")),
            };
            self.session.note(format!("adopted `{}`, which is live{left}", record.name));
        }
        Ok(())
    }

    /// Cleans up after interrupted runs, and probes the site again.
    pub fn heal(&mut self, healing: &Healing, now: Timestamp, by: &str) -> Result<()> {
        let lock = self.session.locked()?;
        let Some(written) = self.session.act(heal::heal(&lock, healing, now, by))? else {
            return Ok(());
        };
        for (intent, target) in &healing.interrupted {
            let to = if target.is_empty() { "nothing" } else { target };
            self.session.warn(format!(
                "cleaned up after an interrupted run: {} was swapping to `{}`; `current` now points to {to}",
                intent.by, intent.release
            ));
        }
        for name in &healing.leftovers {
            self.session.warn(format!(
                "cleaned up after an interrupted run: removed its unfinished release `{name}`"
            ));
        }
        self.look()?;
        self.mark_bad(&lock, &written, now, by)?;
        self.session.view.reset_before();
        Ok(())
    }

    /// Marks releases as bad if they have files that nobody sent: no deploy copies from them, and no rollback chooses them.
    fn mark_bad(&mut self, lock: &Lock, written: &[String], now: Timestamp, by: &str) -> Result<()> {
        let is_written = |record: &&Record| written.contains(&record.name.to_string());
        let bad: Vec<Record> = self
            .seen()?
            .records
            .iter()
            .filter(is_written)
            .map(|record| record.with_state(State::Bad))
            .collect();
        if written.is_empty() {
            return Ok(());
        }
        self.session.warn(format!(
            "cleaned up after an interrupted run: one of its commands wrote files of {} in place; no deploy copies from there, and no rollback goes there",
            few(written)
        ));
        let marking = Healing { records: bad, has_marked: true, ..Healing::default() };
        self.session.act(heal::heal(lock, &marking, now, by))?;
        self.look().map(drop)
    }
}
