//! What is one for all hosts of a run: its release, its source, its undo log; and the sites themselves.

pub mod build_cache;
mod contact;
pub mod deploy;
pub mod dropping;
pub mod export;
pub mod fetch;
pub mod guard;
pub mod here;
pub mod lock;
pub mod parallel;
mod plan;
pub mod project;
pub mod question;
pub mod revision;
mod serve;
pub mod source;
pub mod undo;
pub mod way_back;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use anyhow::Result;
use jiff::Timestamp;

use crate::event::mask::Mask;
use crate::event::{Event, Report, Sink};
use crate::host::Host;
use crate::release::ReleaseName;
use crate::run::contact::Contact;
use crate::run::dropping::{Dropping, OnHostFailure};
use crate::run::here::Here;
use crate::run::project::Project;
use crate::run::revision::Revision;
use crate::run::source::Source;
use crate::run::undo::UndoLog;
use crate::site::Site;
use crate::transport::Interrupt;
use crate::transport::mark::Nonce;
use crate::tree::Store;

/// Whether a run acts or only tells what it would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Act,
    Plan { with_diff: bool },
}

impl Mode {
    pub fn is_plan(self) -> bool {
        self != Mode::Act
    }
}

/// A host of the run, as what speaks of it needs it without asking its site.
#[derive(Debug, Clone)]
pub struct Named {
    pub name: String,
    pub roles: Option<Vec<String>>,
}

impl Named {
    pub fn of(host: &Host) -> Self {
        Self { name: host.name.clone(), roles: host.roles.clone() }
    }

    pub fn has_role(&self, role: &str) -> bool {
        let roles = self.roles.as_ref();
        roles.is_none_or(|roles| roles.iter().any(|r| r == role))
    }
}

pub struct Run {
    pub application: String,
    pub stage: String,
    pub by: String,
    /// What no other run is called.
    id: String,
    /// The flow or task that is run.
    pub flow: String,
    pub mode: Mode,
    /// Whether it waits for a lock that another run has.
    waits: bool,
    began: Timestamp,
    met_lock: AtomicBool,
    pub revision: Revision,
    /// The release that `--release` asks for.
    pub wanted: Option<ReleaseName>,
    pub events: Arc<dyn Sink>,
    mask: Arc<Mask>,
    pub interrupt: Interrupt,
    /// This machine, as commands meet it.
    here: Mutex<Here>,
    pub project: Arc<Project>,
    pub source: Arc<Source>,
    pub store: Store,
    pub undo: UndoLog,
    /// In file order, as `sites`.
    pub hosts: Vec<Named>,
    /// All hosts of the stage, whether chosen for this run or not.
    pub fleet: Vec<Named>,
    sites: Vec<Mutex<Site>>,
    dropping: Dropping,
    pub contact: Contact,
    release: OnceLock<ReleaseName>,
    /// When it first told hosts to swap.
    swapped: OnceLock<Instant>,
    /// How many tasks have begun: the order of what they enter into the undo log.
    n_begun: AtomicUsize,
    /// On how many hosts the task at work has acted as on a set.
    n_acted: AtomicUsize,
}

/// What a run is made from.
pub struct Setup {
    pub application: String,
    pub stage: String,
    pub by: String,
    pub flow: String,
    pub mode: Mode,
    pub waits: bool,
    pub revision: Revision,
    pub wanted: Option<ReleaseName>,
    /// What hears of the run, and hides its secrets.
    pub mask: Arc<Mask>,
    pub interrupt: Interrupt,
    pub here: Here,
    pub project: Arc<Project>,
    pub source: Arc<Source>,
    pub store: Store,
    pub sites: Vec<Site>,
    pub fleet: Vec<Named>,
    pub on_host_failure: OnHostFailure,
}

impl Run {
    pub fn new(setup: Setup) -> Arc<Self> {
        Arc::new(Self {
            application: setup.application,
            stage: setup.stage,
            by: setup.by,
            id: Nonce::random().to_string(),
            flow: setup.flow,
            waits: setup.waits,
            began: Timestamp::now(),
            met_lock: AtomicBool::new(false),
            mode: setup.mode,
            revision: setup.revision,
            wanted: setup.wanted,
            events: setup.mask.clone(),
            mask: setup.mask,
            here: Mutex::new(setup.here),
            interrupt: setup.interrupt,
            project: setup.project,
            source: setup.source,
            store: setup.store,
            undo: UndoLog::default(),
            hosts: setup.sites.iter().map(|site| Named::of(&site.host)).collect(),
            fleet: setup.fleet,
            sites: setup.sites.into_iter().map(Mutex::new).collect(),
            dropping: Dropping::new(setup.on_host_failure),
            contact: Contact::default(),
            release: OnceLock::new(),
            swapped: OnceLock::new(),
            n_begun: AtomicUsize::new(0),
            n_acted: AtomicUsize::new(0),
        })
    }

    /// The site of a host, for one step or a few. Never held while another host's is asked for.
    pub fn site(&self, host: usize) -> MutexGuard<'_, Site> {
        self.sites[host].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sites(&self) -> &[Mutex<Site>] {
        &self.sites
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    pub fn begin_task(&self) {
        self.n_begun.fetch_add(1, Ordering::SeqCst);
        self.n_acted.store(0, Ordering::SeqCst);
    }

    /// On how many hosts the task at work has acted.
    pub fn n_acted(&self) -> usize {
        self.n_acted.load(Ordering::SeqCst)
    }

    fn order(&self) -> usize {
        self.n_begun.load(Ordering::SeqCst)
    }

    /// The name of this run's release: after every name that any host has.
    pub fn release_name(&self) -> Result<ReleaseName> {
        if let Some(name) = self.release.get() {
            return Ok(name.clone());
        }
        let mut names = Vec::new();
        for host in self.all() {
            let site = self.site(host);
            let seen = site.seen()?;
            names.extend(seen.directories.iter().cloned());
            names.extend(seen.records.iter().map(|record| record.name.to_string()));
        }
        let name = ReleaseName::next(self.now(), names.iter().map(String::as_str));
        let name = self.release.get_or_init(|| name).clone();
        self.events.event(Event::Release { name: name.to_string() });
        Ok(name)
    }

    /// The release of this run, once it has a name.
    pub fn release(&self) -> Option<&ReleaseName> {
        self.release.get()
    }

    /// Hides a value in everything that is said from now on.
    pub fn mask(&self, secret: &str) {
        self.mask.add(secret);
    }

    /// A problem with its secrets hidden, for a recipe to pass on.
    pub fn masked(&self, report: Report) -> Report {
        self.mask.report(report)
    }

    pub fn warn(&self, text: impl Into<String>) {
        self.events.event(Event::Warning { host: None, text: text.into() });
    }
}
