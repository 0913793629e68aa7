//! The lock of a session: takes it, keeps it by heartbeats, takes it again after a lost connection.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::event::Report;
use crate::release::lock::{Held, Lock, Owner};
use crate::release::take::{self, LockReply, LockRequest, SiteSetup};
use crate::site::session::Session;
use crate::transport::Remote;

/// How long to wait for processes of an interrupted run to end, or for those of this run on a lost connection.
const TAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The limit for the time between two heartbeats, however long a swap may go unconfirmed: the lock of a run that died
/// must expire soon.
const HEARTBEAT_MAX: Duration = Duration::from_secs(10);
/// Added to the server's time limit before a swap counts as lost: on a busy machine, answers come late, and the server
/// swaps back late.
const GRACE: Duration = Duration::from_secs(1);

impl Session {
    /// Takes the lock. False if there is no site yet; `None` in a plan, which only probes the site.
    pub(super) fn take(&mut self, owner: &Owner, setup: Option<&SiteSetup>) -> Result<Option<bool>> {
        let request = LockRequest {
            owner,
            is_again: self.lock.is_some(),
            identity: self.options.identity.as_ref(),
            renames: self.options.takes_over && setup.is_some(),
            timeout: TAKE_TIMEOUT,
        };
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
                self.is_disconnected = false;
                // Set first: whatever the probe finds, the lock must be released in the end.
                self.lock = Some(Lock { root, run: owner.run.clone() });
                self.learn(seen.map_err(|error| self.host.at_path(error))?).map(|_| Some(true))
            }
            LockReply::Absent(seen) => self.learn(seen).map(|_| Some(false)),
            LockReply::Held { owner, ending, seen } => {
                // Only for the report of what the host serves. A problem of that site is not this run's.
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

    /// From now on, heartbeats keep the lock, and the session takes it again after a lost connection.
    pub(super) fn keep_lock(&mut self, owner: &Owner) {
        let within = Duration::from_secs(self.options.confirm_within);
        let heartbeat = self.held().map(|lock| take::heartbeat(lock, (within / 5).min(HEARTBEAT_MAX)));
        if let Some(heartbeat) = heartbeat {
            self.remote.start_heartbeat(heartbeat);
        }
        self.owner = Some(owner.clone());
    }

    /// Takes the lock again if it was lost with the connection.
    pub(super) fn retake_lock(&mut self) -> Result<()> {
        if !self.is_disconnected || self.held().is_none() {
            return Ok(());
        }
        let Some(owner) = self.owner.clone() else { return Ok(()) };
        match self.take(&owner, None)? {
            Some(false) => bail!("the site no longer exists"),
            _ => Ok(()),
        }
    }

    pub(super) fn locked(&self) -> Result<Lock> {
        self.lock.clone().context("the site is not locked: task `lock` must come first")
    }

    /// The lock, unless this is a plan: the server does not know of its lock.
    pub(super) fn held(&self) -> Option<&Lock> {
        self.lock.as_ref().filter(|_| !self.is_planning())
    }

    /// Whether the server has probably swapped back by itself, or is about to: it answers every heartbeat that it
    /// receives, and no answer came for too long.
    pub fn has_lost_contact(&self) -> bool {
        let within = Duration::from_secs(self.options.confirm_within);
        self.unconfirmed.is_some() && !self.backlog.confirms && self.remote.silence() >= within + GRACE
    }

    /// Limits how long the host may be silent during a step: as long as the server waits, while it would swap back.
    pub(super) fn limit_silence(&mut self) {
        let within = Duration::from_secs(self.options.confirm_within);
        let is_watched = self.unconfirmed.is_some() && !self.backlog.confirms;
        self.remote.limit_silence(is_watched.then_some(within + GRACE));
    }

    /// The error for that; `what` says what the server does then.
    pub fn lost_contact(&self, what: &str) -> Report {
        let within = self.options.confirm_within;
        Report::new(format!("no heartbeat reached the server for {within} s, so {what}"))
            .hint("set a longer `confirm_within` if the connection is slow or this machine sleeps")
    }

    /// Sends a heartbeat, if one is due.
    pub fn heartbeat(&mut self) {
        if self.held().is_some() && !self.is_disconnected {
            self.limit_silence();
            self.remote.send_heartbeat();
        }
    }
}

/// Ends the run that holds the lock. Returns its owner.
pub fn unlock(session: &mut Session) -> Result<Option<Owner>> {
    session.query(take::unlock(session.host.path.as_str()))
}
