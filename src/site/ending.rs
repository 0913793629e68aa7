//! How a session ends: the swap is confirmed, old releases are pruned, the lock is released. All of it may wait for the
//! next step, or for the last.

use anyhow::{Result, bail};

use crate::release::Lock;
use crate::release::history::{self, HistoryEntry};
use crate::release::lifecycle::{self, Finish, FinishReport};
use crate::shell::{Act, Answer, Step};
use crate::site::session::{Backlog, Session, UnconfirmedSwap};
use crate::transport::{Remote, TransportError};

impl Session {
    /// Says that the release is found good: from now on the server does not take the swap back by itself. May wait for the
    /// next step, unless it is to be done `at_once`.
    pub fn confirm(&mut self, at_once: bool) -> Result<()> {
        if self.unconfirmed.is_none() {
            return Ok(());
        }
        self.backlog.confirms = true;
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
        if self.unconfirmed.is_none() || self.is_cut {
            return;
        }
        self.backlog.confirms = true;
        let step = self.ending(&lock, &self.backlog, false);
        self.remote.begin(&step.act);
    }

    fn ending(&self, lock: &Lock, backlog: &Backlog, frees: bool) -> Step<FinishReport> {
        let unconfirmed = self.unconfirmed.as_ref().filter(|_| backlog.confirms);
        let confirms = unconfirmed.map(|unconfirmed| (&unconfirmed.watch, &unconfirmed.intent));
        let prunes = backlog.prunes.as_ref().map(|(names, entry)| (names.as_slice(), entry.as_ref()));
        lifecycle::finish(lock, &Finish { confirms, prunes, frees })
    }

    /// Does what is due, and releases the lock.
    pub fn finish(&mut self) -> Result<()> {
        if self.held().is_none() {
            return Ok(());
        }
        let confirms = self.backlog.confirms;
        // After a lost connection too: what this run left there is ended with it.
        match self.hold().and_then(|()| self.end(true)) {
            Err(error) if !confirms => {
                self.lock = None;
                self.warn_of(error.context("could not release the lock; it expires by itself"));
                Ok(())
            }
            ended => ended,
        }
    }

    /// Releases the lock while nothing has been done under it; it may be asked for again.
    pub fn release_lock(&mut self) -> Result<()> {
        if self.held().is_some() {
            self.end(true)?;
            self.owner = None;
        }
        Ok(())
    }

    /// Does what is due, and releases the lock if it `frees`.
    pub(super) fn end(&mut self, frees: bool) -> Result<()> {
        let lock = self.locked()?;
        let backlog = std::mem::take(&mut self.backlog);
        let confirms = backlog.confirms && self.unconfirmed.is_some();
        let prunes = backlog.prunes.is_some();
        let [step, again] = [(); 2].map(|()| self.ending(&lock, &backlog, frees));
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
            // Nothing that is left of it matters to what is served.
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
            bail!(self.out_of_touch("it took the swap back by itself"));
        }
        if confirms {
            self.unconfirmed = None;
        }
        if prunes {
            self.pruned(ended);
        }
        if frees {
            self.lock = None;
        }
        Ok(())
    }

    /// What became of a confirmation decides what is served: it is said again, or, where the lock was released with it,
    /// looked for. `None`: it was heard.
    fn confirm_again(
        &mut self,
        again: &Act,
        lost: Result<Answer, TransportError>,
    ) -> Option<Result<Answer, TransportError>> {
        if self.hold().is_ok() {
            return Some(self.perform_silently(again));
        }
        match self.has_confirmed() {
            Ok(true) => None,
            _ => Some(lost),
        }
    }

    /// Asks the server whether the swap was confirmed: it is served, and nothing is left that would take it back.
    fn has_confirmed(&mut self) -> Result<bool> {
        let Some(UnconfirmedSwap { intent, .. }) = self.unconfirmed.clone() else {
            return Ok(true);
        };
        let seen = self.look()?;
        Ok(seen.live() == Some(&intent.release)
            && seen.intents.iter().all(|other| other.rollout != intent.rollout))
    }

    /// Tells what a prune could not remove. Answers what it did.
    pub(super) fn pruned(&mut self, ended: FinishReport) -> Vec<String> {
        if let Some(why) = &ended.unpruned {
            self.warn(format!("old releases were not pruned: {why}"));
        }
        for name in &ended.stayed {
            self.warn(format!(
                "release `{name}` could not be removed completely; some files probably belong to another user"
            ));
        }
        for name in &ended.occupied {
            self.warn(format!("a process still runs in release `{name}`; it is kept until the next prune"));
        }
        self.view.pruned(&ended.removed);
        ended.removed
    }

    /// The lines that runs have left in the site.
    pub fn history(&mut self) -> Result<Vec<Result<HistoryEntry, String>>> {
        let root = self.view.seen()?.root.clone();
        self.ask(history::history(&root))
    }
}
