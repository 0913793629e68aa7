//! The project on this machine: the work tree, or the export of a commit, made when it is first needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::Result;

use crate::here::export::Export;
use crate::here::git::Commit;
use crate::here::ignored::{Exports, WorkTree};
use crate::here::once::{Once, get_or_make};
use crate::here::revision::Revision;
use crate::tree::{GitRules, Store};

pub struct Project {
    /// Where `runner.toml` is.
    directory: PathBuf,
    /// Relative to `directory`.
    source: PathBuf,
    /// A branch, tag or commit. Without one, the work tree is deployed.
    reference: Option<String>,
    store: Store,
    commit: Once<Commit>,
    export: Once<Export>,
}

impl Project {
    pub fn new(directory: PathBuf, source: &str, reference: Option<String>, store: Store) -> Self {
        let (commit, export) = (OnceLock::new(), OnceLock::new());
        Self { directory, source: source.into(), reference, store, commit, export }
    }

    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// Whether a commit is deployed, not the work tree.
    pub fn is_export(&self) -> bool {
        self.reference.is_some()
    }

    /// Whether an export has been made.
    pub fn has_export(&self) -> bool {
        self.export.get().is_some_and(Result::is_ok)
    }

    /// The commit to deploy; `None`: the work tree.
    pub fn commit(&self) -> Result<Option<Arc<Commit>>> {
        let Some(reference) = &self.reference else { return Ok(None) };
        get_or_make(&self.commit, || Commit::named(reference, &self.directory.join(&self.source))).map(Some)
    }

    /// The export of the commit, which is made at the first call.
    pub fn export(&self) -> Result<Option<Arc<Export>>> {
        let Some(commit) = self.commit()? else { return Ok(None) };
        get_or_make(&self.export, || Export::of(&commit, &self.directory, &self.source, &self.store))
            .map(Some)
    }

    pub fn revision(&self) -> Result<Revision> {
        Ok(match self.commit()? {
            Some(commit) => Revision { commit: Some(commit.hash.clone()), is_dirty: false },
            None => Revision::of(&self.directory.join(&self.source)),
        })
    }

    /// Where commands start.
    pub fn directory(&self) -> Result<PathBuf> {
        let export = self.export()?;
        Ok(export.map_or_else(|| self.directory.clone(), |export| export.directory.clone()))
    }

    /// The directory that is sent.
    pub fn source(&self) -> Result<PathBuf> {
        let export = self.export()?;
        Ok(export.map_or_else(|| self.directory.join(&self.source), |export| export.source.clone()))
    }

    /// What git ignores in the source.
    pub fn git_rules(&self) -> Result<Arc<dyn GitRules>> {
        Ok(match self.export()? {
            Some(export) => Arc::new(Exports(export.commits.clone())),
            None => Arc::new(WorkTree),
        })
    }

    /// The line that adds items to a setting. A table of TOML cannot have it twice: where it is, the items go into its list.
    pub fn addition(&self, setting: &str, items: &str) -> String {
        let text = fs::read_to_string(self.directory.join("runner.toml")).unwrap_or_default();
        let file = text.parse::<toml::Table>().unwrap_or_default();
        match file.get("settings").and_then(|settings| settings.get(setting)) {
            Some(toml::Value::Array(_)) => format!("put {items} into the list `{setting}`"),
            Some(known) if known.get("add").is_some() => format!("put {items} into the list `{setting}.add`"),
            _ => format!("`{setting}.add = [{items}]`"),
        }
    }

    /// The directory of `runner.toml` itself, never an export. Files from hosts are downloaded to it, so that the
    /// user finds them there.
    pub fn own_directory(&self) -> &Path {
        &self.directory
    }
}
