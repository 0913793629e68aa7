//! `Site`: one host of a run, with all that this run knows of it.

use std::sync::Arc;

use anyhow::Result;

use crate::event::Sink;
use crate::host::Host;
use crate::release::seen::Seen;
use crate::release::{Record, ReleaseName};
use crate::site::options::Options;
use crate::site::session::Session;
use crate::site::swapping::Swapping;
use crate::site::work::Work;
use crate::transport::Remote;
use crate::tree::Manifest;

pub struct Site {
    pub session: Session,
    pub(super) work: Work,
    pub(super) swapping: Swapping,
    /// Commands work in `current` whatever the release is at: after a swap back, services take up what is served.
    pub is_in_current: bool,
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
        }
    }

    pub fn host(&self) -> &Host {
        &self.session.host
    }

    pub fn options(&self) -> &Options {
        &self.session.options
    }

    /// Asks the server what it is and what stands in the site. Asked again, it looks again.
    pub fn look(&mut self) -> Result<&Seen> {
        self.session.look()
    }

    /// What it said when it was asked last.
    pub fn seen(&self) -> Result<&Seen> {
        self.session.view.seen()
    }

    pub(super) fn root(&self) -> Result<String> {
        Ok(self.seen()?.root.clone())
    }

    /// The release of this run, while it is being built or after.
    pub fn release(&self) -> Option<&ReleaseName> {
        self.swapping.release().or(self.work.record().map(|record| &record.name))
    }

    /// The release that is not served yet, and what it was filled with: nobody may write that in place.
    pub fn guarded(&mut self) -> Option<(&mut Record, &Manifest)> {
        match self.swapping {
            Swapping::None | Swapping::Prepared { .. } => self.work.filled(),
            _ => None,
        }
    }

    /// Whether commands would work in a release that a plan has not made.
    pub(super) fn is_imaginary(&self) -> bool {
        self.session.is_planning() && self.release().is_some()
    }
}
