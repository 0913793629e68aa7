//! A release on one host comes into being: made, filled, linked, sealed.

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use super::{Site, Work};
use crate::event::{Event, Report, Sent};
use crate::release::fill::{self, Base, Last, Plan};
use crate::release::guard;
use crate::release::lifecycle::{self, Sealed};
use crate::release::probe::Cache;
use crate::release::share::{self, Linked};
use crate::release::survey::{self, By};
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
    /// Files in the pack that are to begin shared paths.
    pub n_seeds: usize,
}

/// A directory on the server: what it was filled with, which entries are not as they were, and which of them are files
/// that somebody edited.
struct Described {
    manifest: Manifest,
    drifted: Vec<TreePath>,
    edited: Vec<TreePath>,
}

/// What follows a list of which `n_shown` are named.
fn more(n: usize, n_shown: usize) -> String {
    match n.saturating_sub(n_shown) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
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
        self.work = Work::Building { record, manifest: None, shared: Vec::new(), touched: Vec::new() };
        Ok(())
    }

    /// The last release as it stands. Reads its manifest from the server only where this machine has it not.
    pub fn last(&mut self, store: &Store) -> Result<Last> {
        let seen = self.seen()?;
        let live = seen.live().and_then(|live| seen.record(live)).filter(|record| seen.is_complete(record));
        let Some(record) = live.or_else(|| seen.complete().next_back()).cloned() else {
            return Ok(Last::default());
        };
        let name = record.name.clone();
        let shared = record.shared.iter().filter_map(|path| TreePath::new(path.as_bytes()).ok()).collect();
        let mut last = Last { name: Some(name.clone()), shared, base: Base::default() };
        let place = format!("releases/{name}");
        if record.adopted {
            // Nothing is known of its content: all is sent, and what else is there is copied.
            last.base.release = Some(name);
        } else if let Some(described) =
            self.described(&place, name.as_str(), record.manifest, By::Stat, store)?
        {
            self.report_drift(&described.edited, &record.touched)?;
            let Described { manifest, mut drifted, .. } = described;
            // One that was replaced by another of the same size and time looks as it did.
            let replaced = manifest.entries().iter().map(|line| &line.entry.path);
            drifted.extend(replaced.filter(|path| record.touched.contains(&path.to_string())).cloned());
            last.base = Base { release: Some(name), manifest, drifted };
        } else {
            self.warn(format!(
                "the manifest of `{place}` is lost: what commands left there is not carried over, and its files are not used"
            ));
        }
        Ok(last)
    }

    /// The clean copy of the cache strategy as it stands.
    pub fn cache(&mut self, store: &Store) -> Result<Base> {
        let (digest, by) = match &self.seen()?.cache {
            Cache::Absent => return Ok(Base::default()),
            Cache::Dirty => (None, By::Hash),
            Cache::Clean(digest) => (Some(digest.clone()), By::Stat),
        };
        let described = self.described("cache", ".cache", digest, by, store)?;
        let Some(Described { manifest, drifted, .. }) = described else {
            self.warn("the manifest of `cache` is lost: everything is sent".to_owned());
            return Ok(Base::default());
        };
        Ok(Base { release: None, manifest, drifted })
    }

    /// The manifest of a directory and which of its entries differ; `None` when the manifest is lost.
    fn described(
        &mut self,
        place: &str,
        kept_as: &str,
        digest: Option<String>,
        by: By,
        store: &Store,
    ) -> Result<Option<Described>> {
        let seen = self.seen()?;
        let root = seen.root.clone();
        let (has_stat, has_hash) = (seen.facts.has("stat"), seen.facts.has("sha256sum"));
        let known = digest.as_deref().and_then(|digest| store.get(digest));
        // What is edited is the server's own: it must be the same, and a server that cannot hash has to show it.
        let manifest = match known.filter(|_| has_stat && has_hash) {
            Some(manifest) => manifest,
            None => {
                let text = self.ask(guard::manifest(&root, kept_as))?;
                let digest = digest.as_deref();
                let manifest = text.and_then(|text| Manifest::parse(&text).ok());
                match manifest.filter(|m| digest.is_none_or(|digest| m.digest() == digest)) {
                    Some(manifest) => manifest,
                    None => return Ok(None),
                }
            }
        };
        if !has_stat || (by == By::Hash && !has_hash) {
            // What cannot be compared cannot be trusted.
            let all = manifest.entries().iter().map(|line| line.entry.path.clone()).collect();
            return Ok(Some(Described { manifest, drifted: all, edited: Vec::new() }));
        }
        let survey = self.ask(survey::survey(&root, place, kept_as, by))?;
        if survey.digest.as_ref().is_some_and(|digest| *digest != manifest.digest()) {
            return Ok(None);
        }
        let (drifted, edited) = (survey.drifted(&manifest), survey.edited(&manifest));
        Ok(Some(Described { manifest, drifted, edited }))
    }

    /// Only files are spoken of: directories and links are put right without a word.
    fn report_drift(&self, edited: &[TreePath], touched: &[String]) -> Result<()> {
        let edited: Vec<String> =
            edited.iter().map(ToString::to_string).filter(|path| !touched.contains(path)).collect();
        if edited.is_empty() {
            return Ok(());
        }
        let shown = edited.iter().take(5).map(|path| format!("`{path}`"));
        let more = more(edited.len(), 5);
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
        let Fill { plan, pack, n_seeds } = fill;
        record.strategy = Some(plan.strategy.name().to_owned());
        record.manifest = Some(plan.manifest.digest());
        let record = record.clone();
        *manifest = Some(plan.manifest.clone());
        let duplicate = self.options.duplicate;
        let step = fill::fill(&root, &record, plan, duplicate, is_guarded, pack);
        let filled = self.send(step, pack)?;
        let sent = Sent {
            strategy: plan.strategy.name(),
            n_files: plan.manifest.n_files() + n_seeds,
            n_unpacked: pack.n_files,
            bytes: pack.content_bytes,
            n_removed: plan.change.remove.len(),
            n_carried: filled.as_ref().map_or(0, |f| f.n_carried),
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
                "the source brings {}{} under a shared path, where nobody will see it: put it into `shared/` by hand if it is needed",
                names.join(", "),
                more(linked.hidden.len(), 5)
            ));
        }
        if let Work::Building { shared, .. } = &mut self.work {
            shared.extend(paths.iter().cloned());
        }
        Ok(linked)
    }

    pub fn unseed(&mut self, name: &ReleaseName) -> Result<()> {
        let root = self.locked_root()?;
        let kept = self.act(share::unseed(&root, name))?;
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
        let Work::Building { record, manifest, shared, touched } = &self.work else {
            bail!("there is no release to seal: task `release` must come first");
        };
        let manifest = manifest.clone().context("the release is empty: task `upload` must come first")?;
        let (mut record, shared) = (record.clone(), shared.clone());
        record.shared = shared.iter().map(|shared| shared.path.to_string()).collect();
        record.touched = touched.iter().map(ToString::to_string).collect();
        let step =
            |record: &Record, is_guarded| lifecycle::seal(&root, record, &shared, is_guarded, is_durable);
        if let Some(Sealed::Differs(lines)) = self.act(step(&record, is_guarded))? {
            let written = self.inspect()?;
            if !written.is_empty() {
                return Ok(written);
            }
            record.touched = survey::named(&manifest, &lines).iter().map(ToString::to_string).collect();
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

    /// The files shared with other releases that were written in place; none where nothing is being built.
    pub fn inspect(&mut self) -> Result<Vec<TreePath>> {
        let root = self.locked_root()?;
        let Work::Building { record, manifest: Some(manifest), .. } = &self.work else {
            return Ok(Vec::new());
        };
        let (name, manifest) = (record.name.clone(), manifest.clone());
        let lines = self.act(guard::inspect(&root, &name))?.unwrap_or_default();
        Ok(survey::named(&manifest, &lines))
    }

    /// The manifest of the release that is being built.
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.work {
            Work::Building { manifest, .. } => manifest.as_ref(),
            _ => None,
        }
    }

    /// Puts the sent content of written files back into every release that shares them.
    pub fn restore(&mut self, written: &[TreePath], pack: &Pack) -> Result<()> {
        let root = self.root()?;
        let name = self.release().cloned().context("there is no release")?;
        self.send(guard::restore(&root, &name, written), pack)?;
        if let Work::Building { touched, .. } = &mut self.work {
            touched.retain(|path| !written.contains(path));
        }
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
