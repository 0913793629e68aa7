//! Ends a session: confirms the swap, prunes old releases, releases the lock. The first two can wait for the next step,
//! so that they need no round trip of their own.

use anyhow::{Result, bail};

use crate::release::Lock;
use crate::release::history::{self, HistoryEntry};
use crate::release::lifecycle::{self, Finish, FinishReport};
use crate::shell::{Act, Answer, Step};
use crate::site::session::{Backlog, Session};
use crate::site::swapping::UnconfirmedSwap;
use crate::transport::{Remote, TransportError};

impl Session {
    /// Confirms the swap: from then on, the server does not swap back by itself. This waits for the next step, unless it
    /// must be done `at_once`.
    pub fn confirm(&mut self, at_once: bool) -> Result<()> {
        if self.unconfirmed.is_none() {
            return Ok(());
        }
        self.backlog.confirms = true;
        if !at_once {
            return Ok(());
        }
        self.retake_lock()?;
        self.end(false)
    }

    /// Sends the confirmation without waiting for the answer. `confirm` must come next: it reads the answer and reports
    /// problems.
    pub fn begin_confirm(&mut self) {
        let Ok(lock) = self.locked() else { return };
        if self.unconfirmed.is_none() || self.is_disconnected {
            return;
        }
        self.backlog.confirms = true;
        let step = self.ending(&lock, &self.backlog, false);
        self.remote.begin(&step.act);
    }

    fn ending(&self, lock: &Lock, backlog: &Backlog, releases_lock: bool) -> Step<FinishReport> {
        let unconfirmed = self.unconfirmed.as_ref().filter(|_| backlog.confirms);
        let confirms = unconfirmed.map(|unconfirmed| (&unconfirmed.watch, &unconfirmed.intent));
        let prunes = backlog.prunes.as_ref().map(|(names, entry)| (names.as_slice(), entry.as_ref()));
        let prune_command = &self.options.prune_command;
        lifecycle::finish(lock, &Finish { confirms, prunes, prune_command, releases_lock })
    }

    /// Does what has waited for the last step, and releases the lock.
    pub fn finish(&mut self) -> Result<()> {
        if self.held().is_none() {
            return Ok(());
        }
        let confirms = self.backlog.confirms;
        // After a lost connection, too: taking the lock again ends what this run left on the server.
        match self.retake_lock().and_then(|()| self.end(true)) {
            Err(error) if !confirms => {
                self.lock = None;
                self.warn_of(error.context("could not release the lock; it expires by itself"));
                Ok(())
            }
            ended => ended,
        }
    }

    /// Releases the lock before anything was done under it. The run can take it again.
    pub fn release_lock(&mut self) -> Result<()> {
        if self.held().is_some() {
            self.end(true)?;
            self.owner = None;
        }
        Ok(())
    }

    /// Does what has waited, and releases the lock if `releases_lock` is set.
    pub(super) fn end(&mut self, releases_lock: bool) -> Result<()> {
        let lock = self.locked()?;
        let backlog = std::mem::take(&mut self.backlog);
        let confirms = backlog.confirms && self.unconfirmed.is_some();
        let prunes = backlog.prunes.is_some();
        let [step, again] = [(); 2].map(|()| self.ending(&lock, &backlog, releases_lock));
        let mut reply = self.perform_silently(&step.act);
        if reply.is_err() && confirms {
            let Some(said) = self.confirm_again(&again.act, reply) else {
                self.unconfirmed = None;
                self.lock = None;
                return Ok(());
            };
            reply = said;
        }
        let ended = match self.read(step, reply) {
            Ok(ended) => ended,
            // A failed prune does not change what is live.
            Err(error) if prunes && !confirms => {
                self.warn_of(error.context("old releases were not pruned"));
                return Ok(());
            }
            Err(error) => {
                self.backlog.confirms = backlog.confirms;
                return Err(error);
            }
        };
        if ended.is_expired {
            self.view.doubt();
            self.look()?;
            bail!(self.lost_contact("it has swapped back by itself"));
        }
        if confirms {
            self.unconfirmed = None;
        }
        if prunes {
            self.pruned(ended);
        }
        if releases_lock {
            self.lock = None;
        }
        Ok(())
    }

    /// Finds out whether the server received a confirmation whose answer was lost, because that decides which release
    /// stays live: confirms again or, if the lock cannot be taken again, probes the site. `None` if the probe shows that
    /// the swap was confirmed.
    fn confirm_again(
        &mut self,
        again: &Act,
        lost: Result<Answer, TransportError>,
    ) -> Option<Result<Answer, TransportError>> {
        if self.retake_lock().is_ok() {
            return Some(self.perform_silently(again));
        }
        match self.has_confirmed() {
            Ok(true) => None,
            _ => Some(lost),
        }
    }

    /// Probes whether the swap was confirmed: its release is live, and no intent is left.
    fn has_confirmed(&mut self) -> Result<bool> {
        let Some(UnconfirmedSwap { intent, .. }) = self.unconfirmed.clone() else {
            return Ok(true);
        };
        let seen = self.look()?;
        Ok(seen.live() == Some(&intent.release)
            && seen.intents.iter().all(|other| other.rollout != intent.rollout))
    }

    /// Reports what a prune could not remove, and returns what it removed.
    pub(super) fn pruned(&mut self, ended: FinishReport) -> Vec<String> {
        if let Some(why) = &ended.unpruned {
            self.warn(format!("old releases were not pruned: {why}"));
        }
        for name in &ended.unmoved {
            self.warn(format!(
                "could not move release `{name}` out of `releases/`; it is kept until the next prune"
            ));
        }
        if !ended.leftovers.releases.is_empty() {
            let root = self.view.seen().map(|seen| seen.root.clone()).unwrap_or_default();
            self.warn(ended.leftovers.warning(&root));
        }
        for name in &ended.occupied {
            self.warn(format!("a process still runs in release `{name}`; it is kept until the next prune"));
        }
        self.view.pruned(&ended.removed);
        ended.removed
    }

    /// The history of the site.
    pub fn history(&mut self) -> Result<Vec<Result<HistoryEntry, String>>> {
        let root = self.view.seen()?.root.clone();
        self.query(history::history(&root))
    }
}
