//! The lock as a session has it: taken first, kept by heartbeats, taken again after a lost connection.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::event::Report;
use crate::release::lock::{Held, Lock, Owner};
use crate::release::take::{self, LockReply, LockRequest, SiteSetup};
use crate::site::session::Session;
use crate::transport::Remote;

/// For what a dead run left to end, and for what this run left on a connection that was lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// However long a swap may go unconfirmed, the lock of one who is gone is not kept for long.
const HEARTBEAT_MAX: Duration = Duration::from_secs(10);
/// On a busy machine an answer may come late, and the server be more patient than it must.
const GRACE: Duration = Duration::from_secs(1);

impl Session {
    /// Asks for the lock. False where there is no site yet; `None` in a plan, which looks and takes none.
    pub(super) fn take(&mut self, owner: &Owner, setup: Option<&SiteSetup>) -> Result<Option<bool>> {
        let request = LockRequest { owner, is_again: self.lock.is_some(), patience: PATIENCE };
        let step = take::take(self.host.path.as_str(), &self.options.shared, &request, setup);
        if self.plans(&step.act.op, step.act.effect) {
            if self.lock.is_none() {
                let root = self.look()?.root.clone();
                self.lock = Some(Lock::imagined(root));
            }
            return Ok(None);
        }
        let reply = self.perform_silently(&step.act);
        let host = self.host.name.clone();
        match self.read(step, reply).map_err(|error| self.host.at_path(error))? {
            LockReply::Taken { root, seen } => {
                self.is_cut = false;
                // Whatever is found now, the lock is to be released.
                self.lock = Some(Lock { root, run: owner.run.clone() });
                self.learn(seen.map_err(|error| self.host.at_path(error))?).map(|_| Some(true))
            }
            LockReply::Absent(seen) => self.learn(seen).map(|_| Some(false)),
            LockReply::Held { owner, ending, seen } => {
                // For the last words only: what is wrong there is not this run's.
                let _ = seen.and_then(|seen| self.learn(seen).map(drop));
                Err(Held { host, owner, ending }.into())
            }
            LockReply::Same(other) => bail!(
                Report::new(format!("`{other}` and `{host}` are the same site"))
                    .at(self.host.places.path.clone())
                    .hint("leave one of them out of `runner.toml`, or give it another `path`")
            ),
        }
    }

    /// From now on the lock is this run's: it is kept by heartbeats, and taken again when the connection is lost.
    pub(super) fn keep_lock(&mut self, owner: &Owner) {
        let within = Duration::from_secs(self.options.confirm_within);
        let heartbeat = self.held().map(|lock| take::heartbeat(lock, (within / 5).min(HEARTBEAT_MAX)));
        if let Some(heartbeat) = heartbeat {
            self.remote.start_heartbeat(heartbeat);
        }
        self.owner = Some(owner.clone());
    }

    /// Takes the lock again if it was lost with the connection.
    pub(super) fn hold(&mut self) -> Result<()> {
        if !self.is_cut || self.held().is_none() {
            return Ok(());
        }
        let Some(owner) = self.owner.clone() else { return Ok(()) };
        match self.take(&owner, None)? {
            Some(false) => bail!("the site is gone"),
            _ => Ok(()),
        }
    }

    pub(super) fn locked(&self) -> Result<Lock> {
        self.lock.clone().context("the site is not locked: task `lock` must come first")
    }

    /// The lock, if the server knows of it.
    pub(super) fn held(&self) -> Option<&Lock> {
        self.lock.as_ref().filter(|_| !self.is_planning())
    }

    /// Ends whoever holds the lock. Answers whose it was.
    pub fn unlock(&mut self) -> Result<Option<Owner>> {
        self.ask(take::unlock(self.host.path.as_str()))
    }

    /// Whether the server has, or soon will, take this run's swap back by itself, as far as can be known here: it would
    /// have answered heartbeats that it heard.
    pub fn is_out_of_touch(&self) -> bool {
        let within = Duration::from_secs(self.options.confirm_within);
        self.unconfirmed.is_some() && !self.backlog.confirms && self.remote.silence() >= within + GRACE
    }

    /// What that means, as `what` says.
    pub fn out_of_touch(&self, what: &str) -> Report {
        let within = self.options.confirm_within;
        Report::new(format!("no heartbeat reached the server for {within} s, and {what}"))
            .hint("set a longer `confirm_within` if the connection is slow or this machine sleeps")
    }

    /// Gives a heartbeat, if one is due.
    pub fn heartbeat(&mut self) {
        if self.held().is_some() && !self.is_cut {
            self.remote.send_heartbeat();
        }
    }
}
