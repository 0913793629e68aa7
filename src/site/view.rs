//! What a run knows about a site: the result of the last probe, and what `current` pointed to at first.

use std::cell::Cell;

use anyhow::{Context, Result};

use crate::release::ReleaseName;
use crate::release::current::{Current, Target};
use crate::release::seen::Seen;
use crate::release::swap::Swap;

pub struct View {
    seen: Option<Seen>,
    /// What `current` pointed to when this run first probed the site.
    before: Target,
    /// A step may have re-pointed `current`, and the site was not probed since.
    is_in_doubt: bool,
    /// The host has answered, even if the answer could not be used.
    pub has_answered: Cell<bool>,
}

impl View {
    pub(super) fn new() -> Self {
        Self { seen: None, before: Target::Nothing, is_in_doubt: false, has_answered: Cell::new(false) }
    }

    pub fn seen(&self) -> Result<&Seen> {
        self.seen.as_ref().context("the host has not been probed yet: task `lock` must come first")
    }

    pub(super) fn seen_mut(&mut self) -> Result<&mut Seen> {
        self.seen.as_mut().context("the host has not been probed yet: task `lock` must come first")
    }

    /// Stores the result of a probe.
    pub(super) fn learn(&mut self, seen: Seen) -> &Seen {
        if self.seen.is_none() {
            self.before = Target::of(&seen.current);
        }
        self.is_in_doubt = false;
        self.seen.insert(seen)
    }

    /// Forgets what `current` pointed to at first: cleaning up after an interrupted run may have changed it.
    pub(super) fn reset_before(&mut self) {
        self.before = self.seen.as_ref().map_or(Target::Nothing, |seen| Target::of(&seen.current));
    }

    /// Whether `current` may have changed since the last probe.
    pub fn is_in_doubt(&self) -> bool {
        self.is_in_doubt
    }

    /// Until the next probe, or until the server answers, `current` may have changed.
    pub(super) fn doubt(&mut self) {
        self.is_in_doubt = true;
    }

    pub(super) fn trust(&mut self) {
        self.is_in_doubt = false;
    }

    /// The release that was live when this run began.
    pub fn previous(&self) -> Option<ReleaseName> {
        self.before.release_name()
    }

    /// Whether the host is known to serve what it served when this run began.
    pub fn is_as_before(&self) -> bool {
        !self.is_in_doubt && self.seen.as_ref().is_none_or(|seen| Target::of(&seen.current) == self.before)
    }

    /// The live release.
    pub(super) fn live(&self) -> Option<&ReleaseName> {
        self.seen.as_ref()?.live()
    }

    /// Whether the server is known to have a program.
    pub(super) fn has(&self, program: &str) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.facts.has(program))
    }

    /// Stores a swap that was made: `current` and the records.
    pub(super) fn swapped(&mut self, swap: &Swap) -> Result<()> {
        let Swap { intent, records, .. } = swap;
        let seen = self.seen_mut()?;
        for record in records {
            match seen.records.iter_mut().find(|other| other.name == record.name) {
                Some(known) => *known = record.clone(),
                None => seen.records.push(record.clone()),
            }
        }
        seen.current = Current::Release { link: intent.to(), name: intent.release.clone() };
        Ok(())
    }

    /// Forgets releases that were removed.
    pub(super) fn pruned(&mut self, names: &[String]) {
        if let Some(seen) = &mut self.seen {
            seen.records.retain(|record| !names.contains(&record.name.to_string()));
            seen.directories.retain(|name| !names.contains(name));
        }
    }
}
