//! The project as a run meets it on this machine: the work tree, or the export of a commit, made when it is first needed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::Result;

use crate::here::export::Export;
use crate::here::git::Commit;
use crate::here::once::{Once, kept};
use crate::here::revision::Revision;
use crate::tree::Store;

pub struct Project {
    /// Where `runner.toml` is.
    directory: PathBuf,
    /// From there.
    source: PathBuf,
    /// A branch, tag or commit. Without one, the work tree is what is deployed.
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

    /// Whether it is not the work tree.
    pub fn is_export(&self) -> bool {
        self.reference.is_some()
    }

    /// Whether an export was made by now.
    pub fn has_export(&self) -> bool {
        self.export.get().is_some_and(Result::is_ok)
    }

    /// The commit that is asked for; `None`: none is.
    pub fn commit(&self) -> Result<Option<Arc<Commit>>> {
        let Some(reference) = &self.reference else { return Ok(None) };
        kept(&self.commit, || Commit::named(reference, &self.directory.join(&self.source))).map(Some)
    }

    /// Its export, which is made at the first call.
    pub fn export(&self) -> Result<Option<Arc<Export>>> {
        let Some(commit) = self.commit()? else { return Ok(None) };
        kept(&self.export, || Export::of(&commit, &self.directory, &self.source, &self.store)).map(Some)
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

    /// What is sent.
    pub fn source(&self) -> Result<PathBuf> {
        let export = self.export()?;
        Ok(export.map_or_else(|| self.directory.join(&self.source), |export| export.source.clone()))
    }

    /// Where `runner.toml` is, in any case: what comes from hosts is for whoever deploys.
    pub fn own_directory(&self) -> &Path {
        &self.directory
    }
}
