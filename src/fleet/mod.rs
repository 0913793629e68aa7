//! The hosts of a run: their sites, work on several of them in parallel, and which of them remain.

pub mod access;
pub mod dropping;
pub mod parallel;

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use crate::event::Report;
use crate::fleet::access::Access;
use crate::fleet::dropping::{Dropping, OnHostFailure};
use crate::fleet::parallel::{Failures, combined, in_parallel};
use crate::host::{Host, SelectedHosts};
use crate::site::{Options, Site};

/// Methods refer to a host by its index in `hosts`.
pub struct Fleet {
    /// In file order, like `sites`.
    pub hosts: Vec<Host>,
    /// All hosts of the stage, selected or not.
    pub stage: Vec<Host>,
    sites: Vec<Mutex<Site>>,
    dropping: Dropping,
}

impl Fleet {
    /// Opens the sites of the hosts that were selected, each with its own of `options`. Nothing is connected yet.
    pub fn open(
        selected: &SelectedHosts,
        options: Vec<Options>,
        policy: OnHostFailure,
        access: &Access,
    ) -> Result<Self, Report> {
        let sites = selected.hosts.iter().zip(options);
        let sites: Result<_, _> =
            sites.map(|(host, options)| access.site(host, options).map(Mutex::new)).collect();
        Ok(Self {
            hosts: selected.hosts.clone(),
            stage: selected.all().to_vec(),
            sites: sites?,
            dropping: Dropping::new(policy),
        })
    }

    pub fn name(&self, host: usize) -> &str {
        &self.hosts[host].name
    }

    pub fn names(&self, hosts: &[usize]) -> Vec<String> {
        hosts.iter().map(|&host| self.hosts[host].name.clone()).collect()
    }

    /// The host with this name, if it was selected.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.hosts.iter().position(|host| host.name == name)
    }

    /// The site of a host, for one step or a few. Never hold it while locking the site of another host.
    pub fn site(&self, host: usize) -> MutexGuard<'_, Site> {
        self.sites[host].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The site of a host, if no other thread is using it now.
    pub fn idle_site(&self, host: usize) -> Option<MutexGuard<'_, Site>> {
        self.sites[host].try_lock().ok()
    }

    /// All hosts, including dropped ones.
    pub fn including_dropped(&self) -> Vec<usize> {
        (0..self.hosts.len()).collect()
    }

    /// The hosts that were not dropped.
    pub fn all(&self) -> Vec<usize> {
        self.left_of(&self.including_dropped())
    }

    /// Those of `hosts` that were not dropped.
    pub fn left_of(&self, hosts: &[usize]) -> Vec<usize> {
        self.dropping.left_of(hosts)
    }

    pub fn is_dropped(&self, host: usize) -> bool {
        self.dropping.is_dropped(host)
    }

    /// Notes that `task` runs once, on `host`, so that the host is not dropped. What it does there (a migration) is for
    /// all hosts: if it were undone on a dropped host, the others would lack it, and on another host it might meet
    /// another database.
    pub fn keep_for(&self, host: usize, task: &str) {
        self.dropping.keep_for(host, task);
    }

    /// Whether hosts that fail may be dropped at all.
    pub fn may_drop(&self) -> bool {
        self.dropping.is_allowed()
    }

    /// Drops hosts, or returns the reason why it must not.
    pub fn drop_hosts(&self, hosts: &[usize]) -> Result<(), String> {
        self.dropping.drop_hosts(hosts, &self.hosts)
    }

    /// Runs `act` on several hosts in parallel, and collects every failure.
    pub fn on_each(&self, hosts: &[usize], act: impl Fn(usize) -> Result<()> + Sync) -> Failures {
        in_parallel(hosts, hosts.len(), |host| act(host).err())
            .into_iter()
            .filter_map(|(host, error)| Some((host, error?)))
            .collect()
    }

    /// Asks all hosts in parallel. Returns each answer with the name of its host, in file order.
    pub fn on_all<A: Send>(
        &self,
        act: impl Fn(&mut Site) -> Result<A> + Sync,
    ) -> Vec<(String, Result<A, Report>)> {
        let act = |host| act(&mut self.site(host)).map_err(|error| Report::of(&error));
        let answers = in_parallel(&self.including_dropped(), self.hosts.len(), act);
        answers.into_iter().map(|(host, answer)| (self.name(host).to_owned(), answer)).collect()
    }

    /// Fails with one error if there are failures.
    pub fn none_failed(&self, failures: Failures) -> Result<()> {
        combined(failures, |host| self.name(host)).map_or(Ok(()), Err)
    }
}
