//! Adopts a site that is served already, or takes that back.

use anyhow::{Result, bail};
use jiff::Timestamp;

use crate::event::few;
use crate::release::adoption::{self, Adoption, AdoptionFacts, AdoptionKind};
use crate::release::contents::{self, ReleaseContents};
use crate::release::history::{HistoryEntry, HistoryEvent};
use crate::release::sharing::{self, AdoptedPlace, AtPath, ShareFound};
use crate::release::takeover::can_take_back;
use crate::release::{Record, SharedPath};
use crate::site::state::Site;

impl Site {
    /// What is at the deploy path, and at `beside`.
    pub fn adoption_facts(&mut self, beside: &str) -> Result<AdoptionFacts> {
        let step = adoption::look(self.host().path.as_str(), beside);
        let mut facts = self.session.query(step)?;
        if let Some(adoption) = facts.adoption.clone().filter(|adoption| !adoption.shared().is_empty()) {
            let at = AdoptedPlace::of(&facts, &adoption);
            let found = share_facts(self, &at, &facts.user, &adoption.shared())?;
            facts.is_unfinished = found.iter().any(|found| matches!(found.at, AtPath::Here(_)));
        }
        Ok(facts)
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

    /// Takes an adoption back, whether it was finished or not. The note about it stays.
    pub fn undo_adoption(&mut self, adoption: &Adoption, now: Timestamp, by: &str) -> Result<()> {
        let lock = self.session.locked()?;
        let records = self.seen()?.records.clone();
        let own = Record::adopted(adoption.release.clone(), now, by);
        let adopted = records.iter().chain([&own]).filter(|record| record.adopted);
        self.session.act(adoption::undo(&lock, adoption, adopted)).map(drop)
    }
}

/// What a directory has that is to be adopted.
pub fn adopted_contents(site: &mut Site, at: &AdoptedPlace) -> Result<ReleaseContents> {
    site.session.query(contents::of_directory(&at.root, &at.place))
}

/// What it has at paths that are to be shared.
pub fn share_facts(
    site: &mut Site,
    at: &AdoptedPlace,
    user: &str,
    paths: &[SharedPath],
) -> Result<Vec<ShareFound>> {
    site.session.query(sharing::look(at, user, paths))
}

/// Forgets an adoption that was taken back.
pub fn forget_adoption(site: &mut Site, adoption: &Adoption, now: Timestamp, by: &str) -> Result<()> {
    let lock = site.session.locked()?;
    let entry = HistoryEntry::new(now, HistoryEvent::Discard, &adoption.release, by);
    site.session.act(adoption::forget(&lock, &entry)).map(drop)
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
    Ok(can_take_back(site.seen()?)?)
}

/// The docroot that was exchanged, and `path` as runner.toml had it.
pub fn docroot_of(adoption: &Adoption) -> Option<(&str, &str)> {
    match &adoption.kind {
        AdoptionKind::Docroot { directory, path, .. } => Some((directory, path)),
        _ => None,
    }
}
