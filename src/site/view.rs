//! What is known of a site: as it was seen last, and where `current` led at first.

use anyhow::{Context, Result};

use crate::release::ReleaseName;
use crate::release::current::{Current, Target};
use crate::release::seen::Seen;
use crate::release::swap::Swap;

pub struct View {
    seen: Option<Seen>,
    /// Where `current` led when this run first saw it.
    before: Target,
    /// `current` was to be re-pointed, and nobody has looked since.
    is_in_doubt: bool,
}

impl View {
    pub(super) fn new() -> Self {
        Self { seen: None, before: Target::Nothing, is_in_doubt: false }
    }

    pub fn seen(&self) -> Result<&Seen> {
        self.seen.as_ref().context("the host was not asked yet: task `lock` must come first")
    }

    pub(super) fn seen_mut(&mut self) -> Result<&mut Seen> {
        self.seen.as_mut().context("the host was not asked yet: task `lock` must come first")
    }

    /// Takes what the server said of the site for given.
    pub(super) fn learn(&mut self, seen: Seen) -> &Seen {
        if self.seen.is_none() {
            self.before = Target::of(&seen.current);
        }
        self.is_in_doubt = false;
        self.seen.insert(seen)
    }

    /// Takes what is served now for what was served before this run: what a dead run left is put right.
    pub(super) fn begin_here(&mut self) {
        self.before = self.seen.as_ref().map_or(Target::Nothing, |seen| Target::of(&seen.current));
    }

    /// Whether what is known of `current` may be wrong by now.
    pub fn is_in_doubt(&self) -> bool {
        self.is_in_doubt
    }

    /// From here until somebody looks, or the server answers, `current` may lead elsewhere.
    pub(super) fn doubt(&mut self) {
        self.is_in_doubt = true;
    }

    pub(super) fn trust(&mut self) {
        self.is_in_doubt = false;
    }

    /// What was served when this run began.
    pub fn previous(&self) -> Option<ReleaseName> {
        self.before.release_name()
    }

    /// Whether the host serves what it served when this run began, as far as is known.
    pub fn is_as_before(&self) -> bool {
        !self.is_in_doubt && self.seen.as_ref().is_none_or(|seen| Target::of(&seen.current) == self.before)
    }

    /// What is served.
    pub(super) fn live(&self) -> Option<&ReleaseName> {
        self.seen.as_ref()?.live()
    }

    /// Whether the server is known to have a program.
    pub(super) fn has(&self, program: &str) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.facts.has(program))
    }

    /// `current` was re-pointed, and the records say so.
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

    /// Releases are gone.
    pub(super) fn pruned(&mut self, names: &[String]) {
        if let Some(seen) = &mut self.seen {
            seen.records.retain(|record| !names.contains(&record.name.to_string()));
            seen.directories.retain(|name| !names.contains(name));
        }
    }
}
