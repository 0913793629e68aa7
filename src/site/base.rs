//! What a fill starts from: the previous release and the cache as they are on the server, and which files were edited.

use anyhow::{Result, bail};
use jiff::Timestamp;

use crate::event::{Report, few};
use crate::release::contents;
use crate::release::fill::Assumptions;
use crate::release::plan::{Base, Last, Plan, Strategy};
use crate::release::seen::{Cache, Seen};
use crate::release::survey::{self, By, Directory, Survey};
use crate::release::{Record, ReleaseName, SharedPath};
use crate::site::options::Drift;
use crate::site::session::Session;
use crate::site::state::Site;
use crate::tree::{Manifest, Store, TreePath};

/// What a fill starts from.
pub struct BaseState {
    pub last: Last,
    /// For the cache strategy.
    pub cache: Option<Base>,
    /// What only this machine remembers; the server checks it during the fill.
    pub unchecked: Assumptions,
}

/// A filled directory on the server, and what is known about its content.
pub(super) struct KnownDirectory {
    directory: Directory,
    /// From this machine's store, or from the server; `None` if neither has it.
    manifest: Option<Manifest>,
    /// The entries that differ from the manifest; `edited` has those of them that are files which somebody edited, and
    /// `changed` those whose content is another.
    drifted: Vec<TreePath>,
    edited: Vec<TreePath>,
    changed: Vec<TreePath>,
}

/// Finds out what a fill starts from. If this machine remembers all of it, the server checks that during the fill;
/// with `ahead`, it checks before.
pub fn base_state(site: &mut Site, strategy: Strategy, store: &Store, ahead: bool) -> Result<BaseState> {
    let seen = site.seen()?;
    let live = seen.live().and_then(|live| seen.record(live)).filter(|record| seen.is_complete(record));
    // A plan adopts nothing, so the release has no record yet.
    let to_adopt = seen.to_adopt().map(|name| Record::adopted(name.clone(), Timestamp::UNIX_EPOCH, ""));
    let record = to_adopt.or_else(|| live.or_else(|| seen.complete().next_back()).cloned());
    let filled = record.as_ref().filter(|record| !record.adopted);
    let mut last = filled.map(|record| {
        let name = record.name.as_str();
        let digest = record.manifest.as_deref();
        KnownDirectory::new(seen, [&format!("releases/{name}"), name], digest, By::Stat, store)
    });
    let mut cache = match strategy {
        Strategy::CopyPrevious => None,
        Strategy::Cache => cache_directory(seen, store),
    };
    // A check that fails during the fill starts the release over. That must not happen once commands have worked in it.
    let is_along =
        !ahead && !site.work.is_made() && last.iter().chain(&cache).all(KnownDirectory::is_remembered);
    let mut unchecked = Assumptions::default();
    if is_along {
        if strategy == Strategy::Cache
            && let Some(last) = &mut last
        {
            // Nothing is filled from it, so edited files in it are only reported.
            last.directory.relied_on = None;
        }
        let known = last.iter().chain(&cache);
        let both = known.map(|known| Some((known.directory.clone(), known.manifest.clone()?)));
        unchecked.directories = both.flatten().collect();
        unchecked.touched = filled.map_or(Vec::new(), |record| record.touched.clone());
    } else {
        survey(&mut site.session, last.iter_mut().chain(&mut cache).collect())?;
    }
    let cache = match strategy {
        Strategy::CopyPrevious => None,
        Strategy::Cache => Some(cache_base(&site.session, cache)),
    };
    let mut base = match &record {
        Some(record) => last_base(&site.session, record, last)?,
        None => Last::default(),
    };
    if let Some(record) = record.filter(|record| record.adopted) {
        learn_contents(site, &record, &mut base)?;
    }
    let last = base;
    Ok(BaseState { last, cache, unchecked })
}

/// What the fill of `plan` copies from the previous release, although nobody sent it.
pub fn carried(site: &mut Site, plan: &Plan) -> Result<Vec<TreePath>> {
    let Some(base) = &plan.base.release else { return Ok(Vec::new()) };
    let root = site.seen()?.root.clone();
    Ok(contents::carried(site.session.query(contents::contents(&root, base))?, plan))
}

/// Finds out what a release has that another tool made.
fn learn_contents(site: &mut Site, record: &Record, last: &mut Last) -> Result<()> {
    let root = site.seen()?.root.clone();
    let found = site.session.query(contents::contents(&root, &record.name))?;
    last.strangers = found.strangers(&site.options().rules);
    last.foreign_links = found.linked;
    Ok(())
}

/// Reads the surveys that came back with a fill. False if the fill did not start from what was expected.
pub(super) fn is_as_expected(
    session: &Session,
    plan: &Plan,
    unchecked: &Assumptions,
    surveys: &[Survey],
) -> Result<bool> {
    if surveys.len() != unchecked.directories.len() {
        bail!("the server did not report on all directories that the release was filled from");
    }
    let base = &plan.base;
    for ((directory, manifest), survey) in unchecked.directories.iter().zip(surveys) {
        if directory.relied_on.is_none() {
            report_drift(session, &survey.edited(manifest), &unchecked.touched)?;
        } else if survey.drifted(manifest).iter().any(|path| !base.drifted.contains(path)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn cache_directory(seen: &Seen, store: &Store) -> Option<KnownDirectory> {
    let known = |digest, by| Some(KnownDirectory::new(seen, ["cache", ".cache"], digest, by, store));
    match &seen.cache {
        Cache::Absent => None,
        Cache::Dirty => known(None, By::Hash),
        Cache::Clean(digest) => known(Some(digest), By::Stat),
    }
}

fn cache_base(session: &Session, known: Option<KnownDirectory>) -> Base {
    match known {
        None => Base::default(),
        Some(KnownDirectory { manifest: Some(manifest), drifted, .. }) => {
            Base { release: None, manifest, drifted }
        }
        Some(_) => {
            session.warn("the manifest of `cache` is missing; sending everything".to_owned());
            Base::default()
        }
    }
}

fn last_base(session: &Session, record: &Record, known: Option<KnownDirectory>) -> Result<Last> {
    let name = record.name.clone();
    let foreign_links = record.foreign_links.iter().filter_map(|text| SharedPath::parse(text).ok()).collect();
    let shared = record.shared_paths();
    let mut last = Last { name: Some(name.clone()), shared, foreign_links, ..Last::default() };
    match known {
        // Its content is unknown: everything is sent, and other files that it has are copied.
        None => last.base.release = Some(name),
        Some(KnownDirectory { manifest: Some(manifest), mut drifted, edited, .. }) => {
            report_drift(session, &edited, &record.touched)?;
            // A file that a command replaced by one of the same size and time looks unchanged.
            let replaced = manifest.entries().iter().map(|line| &line.entry.path);
            drifted.extend(replaced.filter(|path| record.touched.contains(&path.to_string())).cloned());
            last.base = Base { release: Some(name), manifest, drifted };
        }
        Some(KnownDirectory { directory, .. }) => session.warn(format!(
            "the manifest of `{}` is missing; not using its files, and not copying what commands left there",
            directory.path
        )),
    }
    Ok(last)
}

/// The manifest of a release, from this machine or from the server.
pub fn manifest_of(site: &mut Site, name: &ReleaseName, store: &Store) -> Result<Option<Manifest>> {
    let seen = site.seen()?;
    let digest = seen.record(name).and_then(|record| record.manifest.as_deref());
    let place = [&format!("releases/{name}"), name.as_str()];
    let mut known = KnownDirectory::new(seen, place, digest, By::Nothing, store);
    if known.manifest.is_none() {
        survey(&mut site.session, vec![&mut known])?;
    }
    Ok(known.manifest)
}

/// Compares directories on the server with their manifests.
pub(super) fn survey(session: &mut Session, all: Vec<&mut KnownDirectory>) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    let root = session.view().seen()?.root.clone();
    let directories: Vec<Directory> = all.iter().map(|known| known.directory.clone()).collect();
    let surveys = session.query(survey::survey(&root, &directories))?;
    if surveys.len() != all.len() {
        bail!("the server reported on {} of {} directories", surveys.len(), all.len());
    }
    for (known, survey) in all.into_iter().zip(surveys) {
        known.learn(&survey);
    }
    Ok(())
}

/// Reports edited files only. The fill restores directories and links without a message.
fn report_drift(session: &Session, edited: &[TreePath], touched: &[String]) -> Result<()> {
    let edited: Vec<String> =
        edited.iter().map(ToString::to_string).filter(|path| !touched.contains(path)).collect();
    if edited.is_empty() {
        return Ok(());
    }
    let what = format!("changed on the server since the last deploy: {}", few(&edited));
    match session.options.drift {
        Drift::Report => session.warn(format!(
            "{what}; the new release gets the local files, and `rollback` will refuse to return to the changed one"
        )),
        Drift::Overwrite => session.note(format!("{what}; overwritten in the new release")),
        Drift::Fail => {
            bail!(Report::new(what).hint("bring the change into the source, or set `drift` to `report`"))
        }
    }
    Ok(())
}

impl KnownDirectory {
    pub(super) fn new(
        seen: &Seen,
        [path, kept_as]: [&str; 2],
        digest: Option<&str>,
        by: By,
        store: &Store,
    ) -> Self {
        let has = |program| seen.facts.has(program);
        let by = match by {
            // What cannot be compared cannot be trusted.
            _ if !has("stat") => By::Nothing,
            By::Hash if !has("sha256sum") => By::Nothing,
            by => by,
        };
        let remembered = digest.and_then(|digest| store.get(digest));
        // The server compares with its own copy of the manifest, and that must equal ours. A server that cannot hash
        // its copy has to print it.
        let manifest = remembered.filter(|_| has("stat") && has("sha256sum"));
        let directory = Directory {
            path: path.to_owned(),
            kept_as: kept_as.to_owned(),
            by,
            shows_manifest: manifest.is_none(),
            relied_on: digest.map(str::to_owned),
        };
        Self { directory, manifest, drifted: Vec::new(), edited: Vec::new(), changed: Vec::new() }
    }

    /// What a survey found to differ; `None` if there was nothing to compare with.
    pub(super) fn differs(&self) -> Option<&[TreePath]> {
        (self.manifest.is_some() && self.directory.by != By::Nothing).then_some(self.changed.as_slice())
    }

    /// Whether this machine has the manifest, so that the server can check the directory during the fill.
    fn is_remembered(&self) -> bool {
        self.manifest.is_some() && self.directory.by == By::Stat
    }

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
                self.changed = survey.changed(manifest);
            }
        }
    }
}
