//! `Site`: one host of a run, with everything that the run knows about it.

use std::sync::Arc;

use anyhow::Result;

use crate::event::Sink;
use crate::host::Host;
use crate::release::seen::Seen;
use crate::release::{Record, ReleaseName};
use crate::site::options::Options;
use crate::site::session::Session;
use crate::site::swapping::Swapping;
use crate::site::visited::Visited;
use crate::site::work::Work;
use crate::transport::Remote;
use crate::tree::Manifest;
use crate::web::Visit;

pub struct Site {
    pub session: Session,
    pub(super) work: Work,
    pub(super) swapping: Swapping,
    /// Commands run in `current`, whatever state the release is in. After a swap back, tasks that reload services run
    /// this way.
    pub is_in_current: bool,
    /// The live release whose files the server watches since a command of this run; `None` if it watches those of the
    /// release that this run has filled.
    pub(super) watched: Option<ReleaseName>,
    /// Problems that `doctor` has found so far.
    pub findings: Vec<String>,
    /// How visitors were imitated last, and what they got.
    pub visit: Option<Visit>,
    pub(super) visited: Option<Visited>,
    /// The release of which something has shown that requests get it.
    pub(super) shown_live: Option<ReleaseName>,
}

impl Site {
    pub fn new(
        host: Host,
        options: Options,
        remote: Box<dyn Remote>,
        events: Arc<dyn Sink>,
        is_planning: bool,
    ) -> Self {
        Self {
            session: Session::new(host, options, remote, events, is_planning),
            work: Work::None,
            swapping: Swapping::None,
            is_in_current: false,
            watched: None,
            findings: Vec::new(),
            visit: None,
            visited: None,
            shown_live: None,
        }
    }

    pub fn host(&self) -> &Host {
        &self.session.host
    }

    pub fn options(&self) -> &Options {
        &self.session.options
    }

    /// Probes the server and the site, each time it is called.
    pub fn look(&mut self) -> Result<&Seen> {
        self.session.look()
    }

    /// The result of the last probe.
    pub fn seen(&self) -> Result<&Seen> {
        self.session.view.seen()
    }

    pub(super) fn root(&self) -> Result<String> {
        Ok(self.seen()?.root.clone())
    }

    /// The release of this run, from its creation on.
    pub fn release(&self) -> Option<&ReleaseName> {
        self.swapping.release().or(self.work.record().map(|record| &record.name))
    }

    /// The release if it is not live yet, and the manifest of the files that no command may write in place.
    pub fn guarded(&mut self) -> Option<(&mut Record, &Manifest)> {
        match self.swapping {
            Swapping::None | Swapping::Prepared { .. } => self.work.filled(),
            _ => None,
        }
    }

    /// Whether commands would run in a release that does not exist because this is a plan.
    pub(super) fn is_imaginary(&self) -> bool {
        self.session.is_planning() && self.release().is_some()
    }
}
