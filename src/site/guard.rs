//! Finds files that a command wrote in place although other releases share them, and restores them.

use anyhow::{Context, Result};

use crate::release::{ReleaseName, guard, survey};
use crate::site::state::Site;
use crate::tree::{Pack, TreePath};

impl Site {
    /// The files that releases share and that were written in place; none if nothing is guarded.
    pub fn inspect(&mut self) -> Result<Vec<TreePath>> {
        let lock = self.session.locked()?;
        let Some((record, manifest)) = self.guarded() else {
            return Ok(Vec::new());
        };
        let (name, manifest) = (record.name.clone(), manifest.clone());
        let found = self.session.act(guard::inspect(&lock, &name))?.unwrap_or_default();
        Ok(survey::named(&manifest, &found.lines))
    }

    /// Restores the content that was sent, in every release that shares the written files.
    pub fn restore(&mut self, written: &[TreePath], pack: &Pack) -> Result<()> {
        let lock = self.session.locked()?;
        let name = self.release().cloned().context("there is no release")?;
        self.session.send(guard::restore(&lock, &name, written, false), &name, pack)?;
        let written = texts(written);
        if let Some((record, _)) = self.guarded() {
            record.touched.retain(|path| !written.contains(path));
        }
        Ok(())
    }
}

/// Restores files in every release that shares them with the live release `name`, which keeps what was written.
pub fn restore_others(site: &mut Site, name: &ReleaseName, written: &[TreePath], pack: &Pack) -> Result<()> {
    let lock = site.session.locked()?;
    site.session.send(guard::restore(&lock, name, written, true), name, pack).map(drop)
}

/// Paths as a record stores them.
pub(super) fn texts(paths: &[TreePath]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}
