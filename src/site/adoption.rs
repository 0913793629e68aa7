//! Adopts a site that is served already, or takes that back.

use anyhow::{Result, bail};
use jiff::Timestamp;

use crate::event::{Report, few};
use crate::release::adoption::{self, Adoption, AdoptionFacts, AdoptionKind};
use crate::release::history::{HistoryEntry, HistoryEvent};
use crate::release::contents::{self, ReleaseContents};
use crate::release::sharing::{self, AdoptedPlace, AtPath, ShareFound};
use crate::release::{Record, ReleaseName, SharedPath};
use crate::site::state::Site;

impl Site {
    /// What is at the deploy path, and at `beside`.
    pub fn adoption_facts(&mut self, beside: &str) -> Result<AdoptionFacts> {
        let step = adoption::look(self.host().path.as_str(), beside);
        let mut facts = self.session.query(step)?;
        if let Some(adoption) = facts.adoption.clone().filter(|adoption| !adoption.shared().is_empty()) {
            let at = AdoptedPlace::of(&facts, &adoption);
            let found = self.share_facts(&at, &facts.user, &adoption.shared())?;
            facts.is_unfinished = found.iter().any(|found| matches!(found.at, AtPath::Here(_)));
        }
        Ok(facts)
    }

    /// What a directory has that is to be adopted.
    pub fn adopted_contents(&mut self, at: &AdoptedPlace) -> Result<ReleaseContents> {
        self.session.query(contents::of_directory(&at.root, &at.place))
    }

    /// What it has at paths that are to be shared.
    pub fn share_facts(
        &mut self,
        at: &AdoptedPlace,
        user: &str,
        paths: &[SharedPath],
    ) -> Result<Vec<ShareFound>> {
        self.session.query(sharing::look(at, user, paths))
    }

    /// Makes what visitors see the first release. The site is locked. `changed` is called once this run has changed
    /// anything that can be taken back: another one may have exchanged the directory before.
    pub fn exchange(&mut self, adoption: &Adoption, changed: impl FnOnce()) -> Result<()> {
        let lock = self.session.locked()?;
        let Some(adopted) = self.session.act(adoption::adopt(&lock, adoption))? else { return Ok(()) };
        if adopted.has_exchanged || adoption.kind == AdoptionKind::Layout {
            changed();
        }
        adopted.ended
    }

    /// Takes an adoption back, whether it was finished or not.
    pub fn undo_adoption(&mut self, adoption: &Adoption, now: Timestamp, by: &str) -> Result<()> {
        let lock = self.session.locked()?;
        let records = self.seen()?.records.clone();
        let entry = HistoryEntry::new(now, HistoryEvent::Discard, &adoption.release, by);
        let own = Record::adopted(adoption.release.clone(), now, by);
        let adopted = records.iter().chain([&own]).filter(|record| record.adopted);
        self.session.act(adoption::undo(&lock, adoption, adopted, &entry)).map(drop)
    }
}

/// Records what was adopted.
pub fn record_adopted(site: &mut Site, adoption: &Adoption, now: Timestamp, by: &str) -> Result<()> {
    let seen = site.look()?;
    if seen.live() != Some(&adoption.release) {
        bail!("`{}/current` does not lead to release `{}`", seen.root, adoption.release);
    }
    let others: Vec<String> = seen.unknown_directories().into_iter().map(str::to_owned).collect();
    if let Some(live) = seen.to_adopt().cloned()
        && let Some(owner) = site.session.owner.clone()
    {
        let moved = adoption.kind != AdoptionKind::Layout;
        let record = Record { moved, ..Record::adopted(live, now, by) };
        site.make(&owner, Some(&record), now, by)?;
    }
    if !others.is_empty() {
        site.session
            .note(format!("left alone, because no log says that they are complete: {}", few(&others)));
    }
    Ok(())
}

/// Refuses to take an adoption back after something was deployed.
pub fn check_undo(site: &Site) -> Result<()> {
    let newest = site.seen()?.records.iter().rfind(|record| !record.adopted).map(|record| &record.name);
    newest.map_or(Ok(()), |name: &ReleaseName| {
        let report = Report::new(format!("`{name}` was deployed after the site was adopted"));
        bail!(report.hint("to serve what was adopted, go back to it with `rollback`"))
    })
}

/// The docroot that was exchanged, and `path` as runner.toml had it.
pub fn docroot_of(adoption: &Adoption) -> Option<(&str, &str)> {
    match &adoption.kind {
        AdoptionKind::Docroot { directory, path, .. } => Some((directory, path)),
        _ => None,
    }
}
