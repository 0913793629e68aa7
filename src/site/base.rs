//! What a fill starts from: the last release and the cache as they stand, and who edited them.

use anyhow::{Result, bail};

use super::Site;
use crate::event::{Report, few};
use crate::release::Record;
use crate::release::fill::Unchecked;
use crate::release::plan::{Base, Last, Plan, Strategy};
use crate::release::seen::Cache;
use crate::release::survey::{self, By, Directory, Survey};
use crate::tree::{Manifest, Store, TreePath};

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

/// What a fill starts from.
pub struct Standing {
    pub last: Last,
    /// Of the cache strategy.
    pub cache: Option<Base>,
    /// What was taken from this machine's memory, without a question to the server.
    pub unchecked: Unchecked,
}

/// A filled directory of the server.
struct Kept {
    directory: Directory,
    /// As this machine remembers it, later as the server says; `None` when it is lost.
    manifest: Option<Manifest>,
    /// The entries that are not as the manifest says, and which of them are files that somebody edited.
    drifted: Vec<TreePath>,
    edited: Vec<TreePath>,
}

impl Site {
    /// What a fill starts from. Where this machine remembers all of it, the server is asked along with the fill, unless
    /// it is to be asked `ahead`.
    pub fn standing(&mut self, strategy: Strategy, store: &Store, ahead: bool) -> Result<Standing> {
        let seen = self.seen()?;
        let live = seen.live().and_then(|live| seen.record(live)).filter(|record| seen.is_complete(record));
        let record = live.or_else(|| seen.complete().next_back()).cloned();
        let filled = record.as_ref().filter(|record| !record.adopted);
        let mut last = filled.map(|record| {
            let name = record.name.as_str();
            self.kept(&format!("releases/{name}"), name, record.manifest.as_deref(), By::Stat, store)
        });
        let mut cache = match (strategy, &self.seen()?.cache) {
            (Strategy::CopyPrevious, _) | (_, Cache::Absent) => None,
            (_, Cache::Dirty) => Some(self.kept("cache", ".cache", None, By::Hash, store)),
            (_, Cache::Clean(digest)) => Some(self.kept("cache", ".cache", Some(digest), By::Stat, store)),
        };

        let kept = || last.iter().chain(&cache);
        // A release that commands have worked in is not begun anew.
        let is_along = !ahead
            && !self.is_planning
            && !self.is_made()
            && kept().all(|kept| kept.manifest.is_some() && kept.directory.by == By::Stat);
        let mut unchecked = Unchecked::default();
        if is_along {
            if strategy == Strategy::Cache
                && let Some(last) = &mut last
            {
                // Nothing is filled from it: what was edited in it is told, no more.
                last.directory.relied_on = None;
            }
            let kept = last.iter().chain(&cache);
            let both = kept.map(|kept| Some((kept.directory.clone(), kept.manifest.clone()?)));
            unchecked.directories = both.flatten().collect();
            unchecked.touched = filled.map_or(Vec::new(), |record| record.touched.clone());
        } else {
            let all: Vec<&mut Kept> = last.iter_mut().chain(&mut cache).collect();
            self.survey(all)?;
        }

        let cache = match (strategy, cache) {
            (Strategy::CopyPrevious, _) => None,
            (Strategy::Cache, None) => Some(Base::default()),
            (Strategy::Cache, Some(Kept { manifest: Some(manifest), drifted, .. })) => {
                Some(Base { release: None, manifest, drifted })
            }
            (Strategy::Cache, Some(_)) => {
                self.warn("the manifest of `cache` is lost: everything is sent".to_owned());
                Some(Base::default())
            }
        };
        let last = match record {
            Some(record) => self.last(&record, last)?,
            None => Last::default(),
        };
        Ok(Standing { last, cache, unchecked })
    }

    fn last(&self, record: &Record, kept: Option<Kept>) -> Result<Last> {
        let name = record.name.clone();
        let shared = record.shared.iter().filter_map(|path| TreePath::new(path.as_bytes()).ok()).collect();
        let mut last = Last { name: Some(name.clone()), shared, base: Base::default() };
        match kept {
            // Nothing is known of its content: all is sent, and what else is there is copied.
            None => last.base.release = Some(name),
            Some(Kept { manifest: Some(manifest), mut drifted, edited, .. }) => {
                self.report_drift(&edited, &record.touched)?;
                // One that was replaced by another of the same size and time looks as it did.
                let replaced = manifest.entries().iter().map(|line| &line.entry.path);
                drifted.extend(replaced.filter(|path| record.touched.contains(&path.to_string())).cloned());
                last.base = Base { release: Some(name), manifest, drifted };
            }
            Some(Kept { directory, .. }) => self.warn(format!(
                "the manifest of `{}` is lost: what commands left there is not carried over, and its files are not used",
                directory.path
            )),
        }
        Ok(last)
    }

    fn kept(&self, path: &str, kept_as: &str, digest: Option<&str>, by: By, store: &Store) -> Kept {
        let has = |program| self.seen.as_ref().is_some_and(|seen| seen.facts.has(program));
        let by = match by {
            // What cannot be compared cannot be trusted.
            _ if !has("stat") => By::Nothing,
            By::Hash if !has("sha256sum") => By::Nothing,
            by => by,
        };
        let known = digest.and_then(|digest| store.get(digest));
        // What is edited is the server's own: it must be the same, and a server that cannot hash has to show it.
        let manifest = known.filter(|_| has("stat") && has("sha256sum"));
        let directory = Directory {
            path: path.to_owned(),
            kept_as: kept_as.to_owned(),
            by,
            shows_manifest: manifest.is_none(),
            relied_on: digest.map(str::to_owned),
        };
        Kept { directory, manifest, drifted: Vec::new(), edited: Vec::new() }
    }

    /// Asks how directories stand.
    fn survey(&mut self, all: Vec<&mut Kept>) -> Result<()> {
        if all.is_empty() {
            return Ok(());
        }
        let root = self.root()?;
        let directories: Vec<Directory> = all.iter().map(|kept| kept.directory.clone()).collect();
        let surveys = self.ask(survey::survey(&root, &directories))?;
        if surveys.len() != all.len() {
            bail!("the server did not say how {} directories stand, but {}", all.len(), surveys.len());
        }
        for (kept, survey) in all.into_iter().zip(surveys) {
            kept.learn(&survey);
        }
        Ok(())
    }

    /// Reads what the server said along with a fill. False when the fill did not start from what it was thought to.
    pub(super) fn is_as_thought(
        &self,
        plan: &Plan,
        unchecked: &Unchecked,
        surveys: &[Survey],
    ) -> Result<bool> {
        if surveys.len() != unchecked.directories.len() {
            bail!("the server did not say how all directories stand that the release was filled from");
        }
        let base = &plan.base;
        for ((directory, manifest), survey) in unchecked.directories.iter().zip(surveys) {
            if directory.relied_on.is_none() {
                self.report_drift(&survey.edited(manifest), &unchecked.touched)?;
            } else if survey.drifted(manifest).iter().any(|path| !base.drifted.contains(path)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Only files are spoken of: directories and links are put right without a word.
    fn report_drift(&self, edited: &[TreePath], touched: &[String]) -> Result<()> {
        let edited: Vec<String> =
            edited.iter().map(ToString::to_string).filter(|path| !touched.contains(path)).collect();
        if edited.is_empty() {
            return Ok(());
        }
        let what = format!("changed on the server since the last deploy: {}", few(&edited));
        match self.options.drift {
            Drift::Report => self.warn(format!("{what}; the new release has the local content")),
            Drift::Adopt => self.note(what),
            Drift::Fail => {
                bail!(Report::new(what).hint("bring the change into the source, or set `drift` to `report`"))
            }
        }
        Ok(())
    }
}

impl Kept {
    fn learn(&mut self, survey: &Survey) {
        let digest = self.directory.relied_on.as_deref();
        let shown = survey.manifest.as_ref().and_then(|text| Manifest::parse(text).ok());
        let manifest = self.manifest.take().or(shown);
        let manifest = manifest.filter(|manifest| digest.is_none_or(|digest| manifest.digest() == digest));
        self.manifest =
            manifest.filter(|m| survey.digest.as_ref().is_none_or(|digest| *digest == m.digest()));
        let Some(manifest) = &self.manifest else {
            return;
        };
        match self.directory.by {
            By::Nothing => {
                self.drifted = manifest.entries().iter().map(|line| line.entry.path.clone()).collect();
            }
            By::Stat | By::Hash => {
                self.drifted = survey.drifted(manifest);
                self.edited = survey.edited(manifest);
            }
        }
    }
}
