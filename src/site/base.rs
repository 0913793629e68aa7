//! What a fill starts from: the last release and the cache as they stand, and who edited them.

use anyhow::{Result, bail};

use super::Site;
use crate::event::Report;
use crate::release::fill::{Base, Last};
use crate::release::guard;
use crate::release::probe::Cache;
use crate::release::survey::{self, By};
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

/// A directory on the server: what it was filled with, which entries are not as they were, and which of them are files
/// that somebody edited.
struct Described {
    manifest: Manifest,
    drifted: Vec<TreePath>,
    edited: Vec<TreePath>,
}

/// What follows a list of which `n_shown` are named.
pub(super) fn more(n: usize, n_shown: usize) -> String {
    match n.saturating_sub(n_shown) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

impl Site {
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
}
