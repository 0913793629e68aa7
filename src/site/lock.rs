//! The lock of a site as this run has it: taken first, taken again after a lost connection, let go last.

use std::time::Duration;

use anyhow::{Result, bail};
use jiff::Timestamp;

use super::Site;
use crate::event::{Report, few};
use crate::release::current::{Current, Target};
use crate::release::heal::{self, Healing};
use crate::release::history::{HistoryEntry, HistoryEvent};
use crate::release::lifecycle::{self, Finish, FinishReport};
use crate::release::lock::{Held, Lock, Owner};
use crate::release::seen::Seen;
use crate::release::take::{self, LockReply, LockRequest, SiteSetup};
use crate::release::{Record, ReleaseName, State};
use crate::shell::{Act, Effect, Step};
use crate::transport::{Remote, Silent};

/// For what a dead run left to end, and for what this run left on a connection that was lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// On a busy machine an answer may come late, and the server be more patient than it must.
const GRACE: Duration = Duration::from_secs(1);
/// However long a swap may go unconfirmed, the lock of one who is gone is not kept for long.
const BEAT_MAX: Duration = Duration::from_secs(10);

/// What may wait for the next step, or for the last: it needs no answer of its own.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub confirms: bool,
    pub prunes: Option<(Vec<ReleaseName>, Option<HistoryEntry>)>,
}

impl Site {
    /// Takes the lock and reads what stands in the site; makes its directories where they are missing, adopts what another
    /// tool serves. `Held` if another run has it.
    pub fn lock(&mut self, owner: &Owner, now: Timestamp, by: &str) -> Result<()> {
        if self.owner.is_some() {
            return Ok(());
        }
        if self.is_planning {
            let root = self.look()?.root.clone();
            self.is_fit()?;
            // Nothing is done, so nothing is fenced.
            self.lock = Some(Lock { root, run: String::new() });
            self.owner = Some(owner.clone());
            return Ok(());
        }
        let is_taken = self.take(owner, None)?;
        self.is_fit()?;
        let seen = self.seen()?;
        let adopted = seen.to_adopt().map(|name| Record::adopted(name.clone(), now, by));
        if !is_taken || !seen.is_open || adopted.is_some() {
            let entry = adopted.as_ref().map(|r| HistoryEntry::new(now, HistoryEvent::Adopt, &r.name, by));
            let setup = SiteSetup { adopts: adopted.as_ref().zip(entry.as_ref()) };
            if !self.take(owner, Some(&setup))? {
                bail!("the directories of the site were made and are gone again");
            }
        }
        if let Some(record) = adopted {
            let others = self.seen()?.unknown_directories();
            let left = match others.is_empty() {
                true => String::new(),
                false => format!("; {} are left alone", others.join(", ")),
            };
            self.note(format!("adopted `{}`, which is being served{left}", record.name));
        }
        let lock = self.locked()?;
        let within = Duration::from_secs(self.options.confirm_within);
        self.remote.start_heartbeat(take::heartbeat(&lock, (within / 5).min(BEAT_MAX)));
        self.owner = Some(owner.clone());
        Ok(())
    }

    /// Asks for the lock. False where there is no site yet.
    fn take(&mut self, owner: &Owner, setup: Option<&SiteSetup>) -> Result<bool> {
        let request = LockRequest { owner, is_again: self.lock.is_some(), patience: PATIENCE };
        let step = take::take(self.host.path.as_str(), &self.options.shared, &request, setup);
        let reply = self.remote.perform(&step.act, &mut Silent);
        self.is_cut |= reply.is_err();
        let Some(reply) = self.read(step, reply)? else {
            bail!("a plan takes no lock");
        };
        let host = self.host.name.clone();
        match reply {
            LockReply::Taken { root, seen } => {
                self.is_cut = false;
                // Whatever is found now, the lock is to be let go.
                self.lock = Some(Lock { root, run: owner.run.clone() });
                self.learn(seen?).map(|_| true)
            }
            LockReply::Absent(seen) => self.learn(seen).map(|_| false),
            LockReply::Held { owner, ending, seen } => {
                // For the last words only: what is wrong there is not this run's.
                let _ = seen.and_then(|seen| self.learn(seen).map(drop));
                Err(Held { host, owner, ending }.into())
            }
            LockReply::Same(other) => bail!(
                Report::new(format!("`{other}` and `{host}` are the same site"))
                    .hint("leave one of them out of `runner.toml`, or give it another `path`")
            ),
        }
    }

    /// Whether this user may deploy here.
    pub fn is_fit(&self) -> Result<()> {
        let Seen { root, facts, current, .. } = self.seen()?;
        if !facts.is_writable {
            let (nearest, user) = (&facts.nearest, &facts.user);
            bail!(Report::new(format!("`{nearest}` is not writable by `{user}`")).hint(
                match nearest.starts_with(root) {
                    true => format!("on the server: `sudo chown -R {user} {root}`"),
                    false => format!("on the server: `sudo install -d -o {user} {root}`"),
                }
            ));
        }
        if matches!(current, Current::Dangling { .. }) {
            self.warn(format!("`{root}/current` leads to nothing"));
        }
        Ok(())
    }

    /// Puts right what dead runs left, and looks again.
    pub fn heal(&mut self, healing: &Healing, now: Timestamp, by: &str) -> Result<()> {
        let lock = self.locked()?;
        let written = self.act(heal::heal(&lock, healing, now, by))?.unwrap_or_default();
        for (cut, lead) in &healing.cuts {
            let to = if lead.is_empty() { "nothing" } else { lead };
            self.warn(format!(
                "healed: the swap to `{}` by {} was cut; `current` leads to {to}",
                cut.release, cut.by
            ));
        }
        for name in &healing.leftovers {
            self.warn(format!("healed: the unfinished release `{name}` is gone"));
        }
        self.look()?;
        self.distrust(&lock, &written, now, by)?;
        self.before = Target::of(&self.seen()?.current);
        Ok(())
    }

    /// Marks releases that hold what nobody sent: none of them is copied from or gone back to.
    fn distrust(&mut self, lock: &Lock, written: &[String], now: Timestamp, by: &str) -> Result<()> {
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
        self.warn(format!(
            "healed: a command of a dead run wrote files of {} in place; nothing is taken from there, and nobody goes back to it",
            few(written)
        ));
        let marking = Healing { records: bad, has_marked: true, ..Healing::default() };
        self.act(heal::heal(lock, &marking, now, by))?;
        self.look().map(drop)
    }

    /// Before a step: what is due goes first, and a step that writes needs the lock, which was lost if the connection was.
    pub(super) fn prepare(&mut self, act: &Act) -> Result<()> {
        let is_due = self.due.confirms || self.due.prunes.is_some();
        if is_due || act.effect == Effect::Writes {
            self.hold()?;
        }
        if is_due { self.end(false) } else { Ok(()) }
    }

    /// Takes the lock again if it was lost with the connection.
    fn hold(&mut self) -> Result<()> {
        if !self.is_cut || self.lock.is_none() || self.is_planning {
            return Ok(());
        }
        let Some(owner) = self.owner.clone() else { return Ok(()) };
        match self.take(&owner, None)? {
            true => Ok(()),
            false => bail!("the site is gone"),
        }
    }

    /// Says that the release is found good: from now on the server does not take the swap back by itself. May wait for the
    /// next step, unless it is to be done `at_once`.
    pub fn confirm(&mut self, at_once: bool) -> Result<()> {
        if self.watch().is_none() {
            return Ok(());
        }
        self.due.confirms = true;
        if !at_once {
            return Ok(());
        }
        self.hold()?;
        self.end(false)
    }

    /// Has the confirmation on its way, for `confirm` to hear what became of it, which must come next. What hinders it is
    /// told there.
    pub fn begin_confirm(&mut self) {
        let Ok(lock) = self.locked() else { return };
        if self.watch().is_none() || self.is_cut {
            return;
        }
        self.due.confirms = true;
        let step = self.ending(&lock, &self.due, false);
        self.remote.begin(&step.act);
    }

    fn ending(&self, lock: &Lock, due: &Due, frees: bool) -> Step<FinishReport> {
        let to = self.unconfirmed_to().unwrap_or_default();
        let confirms = self.watch().filter(|_| due.confirms).map(|watch| (watch, to.as_str()));
        let prunes = due.prunes.as_ref().map(|(names, entry)| (names.as_slice(), entry.as_ref()));
        lifecycle::finish(lock, &Finish { confirms, prunes, frees })
    }

    /// Does what is due, and lets the lock go.
    pub fn finish(&mut self) -> Result<()> {
        if self.lock.is_none() || self.is_planning {
            return Ok(());
        }
        let confirms = self.due.confirms;
        // After a lost connection too: what this run left there is ended with it.
        match self.hold().and_then(|()| self.end(true)) {
            Err(error) if !confirms => {
                self.lock = None;
                self.warn(format!("the lock was not let go, and frees itself: {error:#}"));
                Ok(())
            }
            ended => ended,
        }
    }

    /// Lets the lock go while nothing has been done under it; it may be asked for again.
    pub fn let_go(&mut self) -> Result<()> {
        if self.lock.is_some() && !self.is_planning {
            self.end(true)?;
            self.owner = None;
        }
        Ok(())
    }

    /// Does what is due, and lets the lock go if it `frees`.
    fn end(&mut self, frees: bool) -> Result<()> {
        let lock = self.locked()?;
        let due = std::mem::take(&mut self.due);
        let watch = self.watch().cloned().filter(|_| due.confirms);
        let prunes = due.prunes.as_ref();
        let [step, again] = [(); 2].map(|()| self.ending(&lock, &due, frees));
        let mut reply = self.remote.perform(&step.act, &mut Silent);
        self.is_cut |= reply.is_err();
        // What became of a confirmation decides what is served: it is said again, or, where the lock was let go with it,
        // looked for.
        if reply.is_err() && watch.is_some() {
            if self.hold().is_ok() {
                reply = self.remote.perform(&again.act, &mut Silent);
                self.is_cut |= reply.is_err();
            } else if self.has_confirmed().unwrap_or(false) {
                self.is_confirmed = true;
                self.lock = None;
                return Ok(());
            }
        }
        let is_swapped = self.is_swapped();
        let ended = match self.read(step, reply) {
            Ok(ended) => ended.unwrap_or_default(),
            // Nothing that is left of it matters to what is served.
            Err(error) if is_swapped && watch.is_none() && prunes.is_some() => {
                self.warn(format!("old releases were not pruned: {error:#}"));
                return Ok(());
            }
            Err(error) => {
                self.due.confirms = due.confirms;
                return Err(error);
            }
        };
        if ended.is_expired {
            self.is_in_doubt = true;
            self.look()?;
            bail!(self.out_of_touch("it took the swap back by itself"));
        }
        if watch.is_some() {
            self.is_confirmed = true;
        }
        if prunes.is_some() {
            self.pruned(ended);
        }
        if frees {
            self.lock = None;
        }
        Ok(())
    }

    /// Tells what a prune could not remove.
    pub(super) fn pruned(&mut self, ended: FinishReport) -> Vec<String> {
        if let Some(why) = &ended.unpruned {
            self.warn(format!("old releases were not pruned: {why}"));
        }
        for name in &ended.stayed {
            self.warn(format!(
                "release `{name}` could not be removed whole: files of another user, most likely"
            ));
        }
        for name in &ended.occupied {
            self.warn(format!("a process still works in release `{name}`: it stays until the next prune"));
        }
        if let Some(seen) = &mut self.seen {
            seen.records.retain(|r| !ended.removed.contains(&r.name.to_string()));
            seen.directories.retain(|name| !ended.removed.contains(name));
        }
        ended.removed
    }

    /// Ends whoever holds the lock. Answers whose it was.
    pub fn unlock(&mut self) -> Result<Option<Owner>> {
        self.ask(take::unlock(self.host.path.as_str()))
    }

    /// Whether the server has, or soon will, take this run's swap back by itself, as far as can be known here: it would
    /// have answered signs of life that it heard.
    pub fn is_out_of_touch(&self) -> bool {
        let within = Duration::from_secs(self.options.confirm_within);
        self.watch().is_some() && !self.due.confirms && self.remote.silence() >= within + GRACE
    }

    /// What that means, as `what` says.
    pub fn out_of_touch(&self, what: &str) -> Report {
        let within = self.options.confirm_within;
        Report::new(format!("no sign of life reached the server for {within} s, and {what}"))
            .hint("a longer `confirm_within` helps where the line is slow or the machine sleeps")
    }

    /// A sign of life, if one is due.
    pub fn beat(&mut self) {
        if self.lock.is_some() && !self.is_cut {
            self.remote.send_heartbeat();
        }
    }
}
