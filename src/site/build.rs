//! A release on one host comes into being: made, filled, linked, sealed.

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::{Site, Work};
use crate::event::{Event, Report, Sent};
use crate::release::fill::{self, Base, Plan, Strategy};
use crate::release::guard::{self, By};
use crate::release::lifecycle::{self, Sealed};
use crate::release::probe::Cache;
use crate::release::share::{self, Linked};
use crate::release::{Record, ReleaseName, SharedPath, State};
use crate::tree::{Manifest, Pack, Store, TreePath};

/// What is done about managed files that were edited on the server. The new release has the local content always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    Report,
    Fail,
    Adopt,
}

impl Drift {
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "report" => Ok(Self::Report),
            "fail" => Ok(Self::Fail),
            "adopt" => Ok(Self::Adopt),
            _ => bail!("`{text}` is none of `report`, `fail` and `adopt`"),
        }
    }
}

/// A fill, decided and packed.
pub struct Fill<'a> {
    pub plan: &'a Plan,
    pub pack: &'a Pack,
}

impl Site {
    pub fn create_release(&mut self, mut record: Record) -> Result<()> {
        let root = self.locked_root()?;
        if !matches!(self.work, Work::None) {
            bail!("this run has its release already");
        }
        record.state = State::Building;
        if self.act(lifecycle::create(&root, &record))?.is_none() {
            self.planned(format!("make release `{}`", record.name));
        }
        self.seen_mut()?.records.push(record.clone());
        self.work = Work::Building { record, manifest: None, shared: Vec::new() };
        Ok(())
    }

    /// What a fill by `strategy` starts from. Reads the manifest from the server only where this machine has it not.
    pub fn base(&mut self, strategy: Strategy, store: &Store) -> Result<Base> {
        let seen = self.seen()?.clone();
        let root = &seen.root;
        let last = seen
            .live()
            .and_then(|live| seen.record(live))
            .filter(|record| seen.is_complete(record))
            .or_else(|| seen.complete().next_back());
        let (release, kept_as, place, digest, by) = match strategy {
            Strategy::CopyPrevious => {
                let Some(last) = last else {
                    return Ok(Base::default());
                };
                let place = format!("releases/{}", last.name);
                let name = Some(last.name.clone());
                (name, last.name.to_string(), place, last.manifest.clone(), By::Stat)
            }
            Strategy::Cache => {
                let digest = match &seen.cache {
                    Cache::Absent => return Ok(Base::default()),
                    Cache::Dirty => None,
                    Cache::Clean(digest) => Some(digest.clone()),
                };
                let by = if digest.is_some() { By::Stat } else { By::Hash };
                (None, ".cache".to_owned(), "cache".to_owned(), digest, by)
            }
        };
        let is_adopted = strategy == Strategy::CopyPrevious && last.is_some_and(|r| r.adopted);
        if is_adopted {
            // Nothing is known of its content: all is sent, and what else is there is copied.
            return Ok(Base { release, ..Base::default() });
        }
        let Some(manifest) = self.manifest(root, &kept_as, digest, store)? else {
            self.warn(format!("the manifest of `{place}` is lost: everything is sent"));
            return Ok(Base::default());
        };
        let differs = match (seen.facts.has("stat"), by) {
            (false, _) => None,
            (true, By::Hash) if !seen.facts.has("sha256sum") => None,
            (true, by) => Some(self.ask(guard::survey(root, &place, &kept_as, by))?),
        };
        let drifted = match differs {
            Some(lines) => guard::named(&manifest, &lines),
            // What cannot be compared cannot be trusted.
            None => manifest.entries().iter().map(|l| l.entry.path.clone()).collect(),
        };
        if strategy == Strategy::CopyPrevious && seen.facts.has("stat") {
            self.report_drift(&drifted, last.map_or(&[], |r| r.touched.as_slice()))?;
        }
        Ok(Base { release, manifest, drifted })
    }

    fn manifest(
        &mut self,
        root: &str,
        kept_as: &str,
        digest: Option<String>,
        store: &Store,
    ) -> Result<Option<Manifest>> {
        if let Some(digest) = &digest
            && let Some(manifest) = store.get(digest)
        {
            return Ok(Some(manifest));
        }
        let text = self.ask(guard::manifest(root, kept_as))?;
        let manifest = Manifest::parse(&text).ok();
        Ok(manifest.filter(|m| digest.is_none_or(|digest| m.digest() == digest)))
    }

    fn report_drift(&self, drifted: &[TreePath], touched: &[String]) -> Result<()> {
        let edited: Vec<String> =
            drifted.iter().map(ToString::to_string).filter(|path| !touched.contains(path)).collect();
        if edited.is_empty() {
            return Ok(());
        }
        let shown = edited.iter().take(5).map(|path| format!("`{path}`"));
        let more = match edited.len().saturating_sub(5) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let what = format!(
            "changed on the server since the last deploy: {}{more}",
            shown.collect::<Vec<_>>().join(", ")
        );
        match self.options.drift {
            Drift::Report => self.warn(format!("{what}; the new release has the local content")),
            Drift::Adopt => self.note(what),
            Drift::Fail => {
                bail!(Report::new(what).hint("bring the change into the source, or set `drift` to `report`"))
            }
        }
        Ok(())
    }

    /// Fills the release from what the server has and the pack.
    pub fn fill(&mut self, fill: &Fill) -> Result<()> {
        let root = self.locked_root()?;
        let is_guarded = self.seen()?.facts.has("stat");
        let Work::Building { record, manifest, .. } = &mut self.work else {
            bail!("there is no release to fill: task `release` must come first");
        };
        if manifest.is_some() {
            bail!("the release is filled already");
        }
        let Fill { plan, pack } = fill;
        record.strategy = Some(plan.strategy.name().to_owned());
        record.manifest = Some(plan.manifest.digest());
        let record = record.clone();
        *manifest = Some(plan.manifest.clone());
        let duplicate = self.options.duplicate;
        let step = fill::fill(&root, &record, plan, duplicate, is_guarded, pack);
        let filled = self.send(step, pack)?;
        let sent = Sent {
            strategy: plan.strategy.name(),
            n_files: plan.manifest.n_files(),
            n_unpacked: pack.n_files,
            bytes: pack.content_bytes,
            n_removed: plan.change.remove.len(),
            n_carried: filled.as_ref().map_or(0, |f| f.carried.len()),
        };
        for path in filled.iter().flat_map(|f| &f.skipped) {
            self.warn(format!("`{path}` of the last release could not be read and is not carried over"));
        }
        self.events.event(Event::Filled { host: self.host.name.clone(), sent });
        Ok(())
    }

    /// Links shared paths; `brought` are the source's own files under them. Answers what was seeded.
    pub fn link_shared(
        &mut self,
        paths: &[SharedPath],
        brought: &[TreePath],
        now: Timestamp,
    ) -> Result<Linked> {
        let root = self.locked_root()?;
        let (name, _) = self.building("link into")?;
        let stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let step = share::link(&root, &name, paths, brought, &stamp);
        let Some(linked) = self.act(step)? else {
            for path in paths {
                self.planned(format!("link `{path}`"));
            }
            return Ok(Linked::default());
        };
        for path in &linked.seeded {
            self.note(format!("`shared/{path}` was made from this release"));
        }
        if !linked.hidden.is_empty() {
            let names: Vec<String> = linked.hidden.iter().take(5).map(|p| format!("`{p}`")).collect();
            self.warn(format!(
                "the source brings {} under a shared path, where nobody will see it",
                names.join(", ")
            ));
        }
        if let Work::Building { shared, .. } = &mut self.work {
            shared.extend(paths.iter().cloned());
        }
        Ok(linked)
    }

    pub fn unseed(&mut self, name: &ReleaseName, seeded: &[String]) -> Result<()> {
        let root = self.locked_root()?;
        let kept = self.act(share::unseed(&root, name, seeded))?;
        for path in kept.unwrap_or_default() {
            self.note(format!("`shared/{path}` was written since it was made, and stays"));
        }
        Ok(())
    }

    pub fn writable(&mut self, paths: &[TreePath]) -> Result<()> {
        let root = self.locked_root()?;
        let (name, _) = self.building("make writable in")?;
        if paths.is_empty() {
            return Ok(());
        }
        if self.act(share::writable(&root, &name, paths))?.is_none() {
            let names: Vec<String> = paths.iter().map(|p| format!("`{p}`")).collect();
            self.planned(format!("make writable {}", names.join(", ")));
        }
        Ok(())
    }

    fn building(&self, what: &str) -> Result<(ReleaseName, Option<Manifest>)> {
        match &self.work {
            Work::Building { record, manifest, .. } => Ok((record.name.clone(), manifest.clone())),
            Work::None => bail!("there is no release to {what}: task `release` must come first"),
            _ => bail!("the release is sealed: nothing is written in it any more"),
        }
    }

    /// Makes the release complete. Managed files that a command replaced are remembered, so that they are no drift
    /// next time. Answers those that it wrote in place: then nothing was sealed.
    pub fn seal(&mut self) -> Result<Vec<TreePath>> {
        let root = self.locked_root()?;
        let is_durable = self.options.is_durable;
        let is_guarded = self.seen()?.facts.has("stat");
        let Work::Building { record, manifest, shared } = &self.work else {
            bail!("there is no release to seal: task `release` must come first");
        };
        let manifest = manifest.clone().context("the release is empty: task `upload` must come first")?;
        let (mut record, shared) = (record.clone(), shared.clone());
        let step =
            |record: &Record, is_guarded| lifecycle::seal(&root, record, &shared, is_guarded, is_durable);
        if let Some(Sealed::Differs(lines)) = self.act(step(&record, is_guarded))? {
            let differs = guard::named(&manifest, &lines);
            let written = self.inspect(&record.name, &manifest, &differs)?;
            if !written.is_empty() {
                return Ok(written);
            }
            record.touched = differs.iter().map(ToString::to_string).collect();
            self.act(step(&record, false))?;
        }
        record.state = State::Complete;
        let seen = self.seen_mut()?;
        seen.records.retain(|other| other.name != record.name);
        seen.records.push(record.clone());
        seen.directories.insert(record.name.to_string());
        self.work = Work::Complete { record };
        Ok(Vec::new())
    }

    /// Of managed files that differ, those that are one inode with another release's.
    pub(super) fn inspect(
        &mut self,
        name: &ReleaseName,
        manifest: &Manifest,
        differs: &[TreePath],
    ) -> Result<Vec<TreePath>> {
        let root = self.root()?;
        let lines = self.ask(guard::inspect(&root, name, differs))?;
        Ok(guard::named(manifest, &lines))
    }

    /// Puts the sent content of written files back into every release that shares them.
    pub fn restore(&mut self, written: &[TreePath], pack: &Pack) -> Result<()> {
        let root = self.root()?;
        let name = self.release().cloned().context("there is no release")?;
        self.send(guard::restore(&root, &name, written), pack)?;
        Ok(())
    }

    /// Takes back `create_release`.
    pub fn discard(&mut self, now: Timestamp, by: &str) -> Result<()> {
        let root = self.locked_root()?;
        let record = match std::mem::replace(&mut self.work, Work::None) {
            Work::None => return Ok(()),
            Work::Building { record, .. } | Work::Complete { record } | Work::Swapped { record, .. } => {
                record
            }
        };
        let entry = lifecycle::entry(now, "discard", &record.name, by);
        self.act(lifecycle::discard(&root, &record, &entry))?;
        let seen = self.seen_mut()?;
        seen.records.retain(|other| other.name != record.name);
        seen.directories.remove(record.name.as_str());
        Ok(())
    }
}
