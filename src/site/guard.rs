//! Files that releases share: whether a command wrote one in place, and how it is put back.

use anyhow::{Context, Result};

use crate::release::{guard, survey};
use crate::site::state::Site;
use crate::tree::{Pack, TreePath};

impl Site {
    /// The files shared with other releases that were written in place; none where nothing is guarded.
    pub fn inspect(&mut self) -> Result<Vec<TreePath>> {
        let lock = self.session.locked()?;
        let Some((record, manifest)) = self.guarded() else {
            return Ok(Vec::new());
        };
        let (name, manifest) = (record.name.clone(), manifest.clone());
        let lines = self.session.act(guard::inspect(&lock, &name))?.unwrap_or_default();
        Ok(survey::named(&manifest, &lines))
    }

    /// Puts the sent content of written files back into every release that shares them.
    pub fn restore(&mut self, written: &[TreePath], pack: &Pack) -> Result<()> {
        let lock = self.session.locked()?;
        let name = self.release().cloned().context("there is no release")?;
        self.session.send(guard::restore(&lock, &name, written), &name, pack)?;
        let written = texts(written);
        if let Some((record, _)) = self.guarded() {
            record.touched.retain(|path| !written.contains(path));
        }
        Ok(())
    }
}

/// Paths as a record keeps them.
pub(super) fn texts(paths: &[TreePath]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}
