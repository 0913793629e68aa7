//! One run: its hosts and this machine, its release, its undo log, and what it does on all hosts.

pub mod adoption;
pub mod deploy;
pub mod dropping;
pub mod examine;
pub mod fill;
pub mod guard;
mod heal;
pub mod heartbeat;
pub mod lock;
mod plan;
pub mod rollback;
pub mod rollback_target;
mod rollout;
mod sent;
pub mod serve;
mod source_change;
pub mod undo;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::Result;
use jiff::Timestamp;

use crate::event::{Event, Sink};
use crate::fleet::Fleet;
use crate::fleet::parallel::Failures;
use crate::here::Here;
use crate::here::mode::Mode;
use crate::release::ReleaseName;
use crate::release::plan::PathRules;
use crate::run::rollout::Rollouts;
use crate::run::source_change::SourceChanges;
use crate::run::undo::{Undo, UndoLog};
use crate::transport::CancelToken;
use crate::tree::TreePath;

pub struct Run {
    pub here: Here,
    pub fleet: Fleet,
    pub application: String,
    pub stage: String,
    pub by: String,
    /// Unique among all runs.
    id: String,
    /// The flow or task that runs.
    pub flow: String,
    /// The release that `--release` names.
    pub wanted: Option<ReleaseName>,
    pub mode: Mode,
    pub events: Arc<dyn Sink>,
    pub cancel_token: CancelToken,
    /// Whether the run waits for a lock that another run has.
    waits: bool,
    began: Timestamp,
    met_lock: AtomicBool,
    pub undo: UndoLog<Run>,
    pub rollouts: Rollouts,
    changes: SourceChanges,
    release: OnceLock<ReleaseName>,
    /// Whether no host has a release that this program made.
    is_first: OnceLock<bool>,
    told_source: OnceLock<()>,
    /// The paths of releases that hosts have beside the source.
    special: Vec<TreePath>,
    /// How many tasks have begun. This orders the entries of the undo log.
    n_begun: AtomicUsize,
    /// On how many hosts the running task has acted through a set of hosts.
    n_acted: AtomicUsize,
}

/// What identifies a run, and what the user has asked it to do.
pub struct Setup {
    /// Unique among all runs.
    pub id: String,
    pub application: String,
    pub stage: String,
    pub by: String,
    pub flow: String,
    pub wanted: Option<ReleaseName>,
    pub waits: bool,
}

impl Run {
    pub fn new(here: Here, fleet: Fleet, setup: Setup) -> Arc<Self> {
        Arc::new(Self {
            mode: here.mode,
            events: here.events.clone(),
            cancel_token: here.cancel_token.clone(),
            here,
            application: setup.application,
            stage: setup.stage,
            by: setup.by,
            id: setup.id,
            flow: setup.flow,
            wanted: setup.wanted,
            waits: setup.waits,
            began: Timestamp::now(),
            met_lock: AtomicBool::new(false),
            undo: UndoLog::default(),
            rollouts: Rollouts::default(),
            changes: SourceChanges::default(),
            release: OnceLock::new(),
            is_first: OnceLock::new(),
            told_source: OnceLock::new(),
            special: special_paths(&fleet),
            n_begun: AtomicUsize::new(0),
            n_acted: AtomicUsize::new(0),
            fleet,
        })
    }

    /// Emits the first event of the run, and its warnings.
    pub fn begin(&self) {
        let Here { sends, revision, project, .. } = &self.here;
        self.events.event(Event::Started {
            application: self.application.clone(),
            stage: self.stage.clone(),
            flow: self.flow.clone(),
            hosts: self.fleet.names(&self.fleet.including_dropped()),
            revision: revision.commit.clone().filter(|_| *sends),
            reference: project.reference().map(str::to_owned).filter(|_| *sends),
            is_plan: self.mode.is_plan(),
        });
        for text in &self.here.warnings {
            self.warn(text);
        }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    pub fn begin_task(&self) {
        self.n_begun.fetch_add(1, Ordering::SeqCst);
        self.n_acted.store(0, Ordering::SeqCst);
    }

    /// Enters an undo of something on a host. `what` says what the undo does, `done` says it in the past tense.
    pub fn enter_undo(
        &self,
        host: usize,
        what: &str,
        done: &str,
        act: impl FnOnce(&Arc<Run>) -> Result<()> + Send + 'static,
    ) {
        self.enter(host, [what, done], false, move |run| act(run).map(|()| true));
    }

    /// Enters an undo into the log, with `what` and `done`. A plan does nothing that could be undone.
    fn enter(
        &self,
        host: usize,
        texts: [&str; 2],
        is_swap: bool,
        act: impl FnOnce(&Arc<Run>) -> Result<bool> + Send + 'static,
    ) {
        if !self.mode.is_plan() {
            let (order, [what, done]) = (self.order(), texts.map(str::to_owned));
            self.undo.enter(Undo { order, host, what, done, is_swap, act: Box::new(act) });
        }
    }

    /// On how many hosts the running task has acted through a set of hosts.
    pub fn n_acted(&self) -> usize {
        self.n_acted.load(Ordering::SeqCst)
    }

    fn order(&self) -> usize {
        self.n_begun.load(Ordering::SeqCst)
    }

    /// Does something on several hosts at once and collects all failures. The task counts as having acted on the hosts.
    pub fn on_each(&self, hosts: &[usize], act: impl Fn(usize) -> Result<()> + Sync) -> Failures {
        self.n_acted.fetch_add(hosts.len(), Ordering::SeqCst);
        self.fleet.on_each(hosts, act)
    }

    /// Whether the run found a lock that another run has.
    pub fn met_lock(&self) -> bool {
        self.met_lock.load(Ordering::SeqCst)
    }

    /// The name of this run's release. It sorts after every name that exists on any host.
    pub fn release_name(&self) -> Result<ReleaseName> {
        if let Some(name) = self.release.get() {
            return Ok(name.clone());
        }
        let (mut names, mut is_first) = (Vec::new(), true);
        for host in self.fleet.all() {
            let site = self.fleet.site(host);
            let seen = site.seen()?;
            is_first &= seen.complete().all(|record| record.adopted);
            names.extend(seen.directories.iter().cloned());
            names.extend(seen.records.iter().map(|record| record.name.to_string()));
        }
        self.is_first.get_or_init(|| is_first);
        let name = ReleaseName::next(self.now(), names.iter().map(String::as_str));
        let name = self.release.get_or_init(|| name).clone();
        self.events.event(Event::Release { name: name.to_string() });
        Ok(name)
    }

    /// Whether no host has a release that this program made; known once the release has a name.
    fn is_first(&self) -> bool {
        self.is_first.get().copied().unwrap_or(true)
    }

    /// The release of this run, once it has a name.
    pub fn release(&self) -> Option<&ReleaseName> {
        self.release.get()
    }

    pub fn warn(&self, text: impl Into<String>) {
        self.events.event(Event::Warning { host: None, text: text.into() });
    }
}

fn special_paths(fleet: &Fleet) -> Vec<TreePath> {
    let mut all = Vec::new();
    for host in fleet.all() {
        let PathRules { generated, writable, shared } = fleet.site(host).options().rules.clone();
        all.extend([generated, writable, shared].concat());
    }
    all
}
