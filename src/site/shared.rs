//! Shared paths and writable directories of a release.

use anyhow::Result;
use jiff::Timestamp;

use crate::event::few;
use crate::release::share::{self, LinkReport};
use crate::release::{ReleaseName, SharedKind, SharedPath};
use crate::site::session::Session;
use crate::site::state::Site;
use crate::site::work::Work;
use crate::tree::{Manifest, TreePath};

impl Site {
    /// Links shared paths; `brought` are the source's own files under them. Returns what was seeded.
    pub fn link_shared(
        &mut self,
        paths: &[SharedPath],
        brought: &[TreePath],
        now: Timestamp,
    ) -> Result<LinkReport> {
        let lock = self.session.locked()?;
        let name = self.work.building_name("link into")?;
        if paths.is_empty() {
            return Ok(LinkReport::default());
        }
        self.make_release()?;
        let step = share::link(&lock, &name, paths, brought, now);
        let Some(linked) = self.session.act(step)? else {
            warn_of_missing(&mut self.session, paths, brought)?;
            return Ok(LinkReport::default());
        };
        for path in &linked.seeded {
            self.session.note(format!("created `shared/{path}` from this release"));
        }
        if !linked.hidden.is_empty() {
            self.session.warn(format!(
                "the source contains {} under a shared path, where it is hidden; copy it into `shared/` if it is needed",
                few(&linked.hidden)
            ));
        }
        if let Work::Building(building) = &mut self.work {
            // If a link replaces a managed file, that is no drift next time.
            let managed = building.manifest.iter().flat_map(Manifest::entries);
            let mut managed = managed.map(|line| &line.entry.path);
            building.is_worked_in |=
                managed.any(|path| paths.iter().any(|shared| path.starts_with(&shared.path)));
            building.shared.extend(paths.iter().cloned());
        }
        Ok(linked)
    }

    pub fn unseed(&mut self, name: &ReleaseName) -> Result<()> {
        let lock = self.session.locked()?;
        let kept = self.session.act(share::unseed(&lock, name))?;
        for path in kept.unwrap_or_default() {
            self.session.note(format!("`shared/{path}` has changed since it was created; kept"));
        }
        Ok(())
    }

    pub fn writable(&mut self, paths: &[TreePath]) -> Result<()> {
        let lock = self.session.locked()?;
        let name = self.work.building_name("make writable in")?;
        if paths.is_empty() {
            return Ok(());
        }
        self.make_release()?;
        self.session.act(share::writable(&lock, &name, paths)).map(drop)
    }
}

/// Warns of shared files that a deploy would not find. In a run, the server reports them.
fn warn_of_missing(session: &mut Session, paths: &[SharedPath], brought: &[TreePath]) -> Result<()> {
    let seen = session.view().seen()?;
    let is_missing = |path: &&SharedPath| {
        let comes = brought.iter().any(|entry| entry.starts_with(&path.path));
        path.kind == SharedKind::File && !seen.shared.contains(&path.path.to_string()) && !comes
    };
    let missing: Vec<TreePath> = paths.iter().filter(is_missing).map(|path| path.path.clone()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    // A file that the live release has itself is copied to `shared/`: that of an adopted one, above all.
    let own = match (seen.live(), seen.root.clone()) {
        (Some(live), root) => session.query(share::own(&root, &live.clone(), &missing))?,
        (None, _) => Vec::new(),
    };
    for path in missing.iter().filter(|path| !own.contains(&path.to_string())) {
        session.warn(format!("`shared/{path}` is missing: a deploy would fail"));
    }
    Ok(())
}
