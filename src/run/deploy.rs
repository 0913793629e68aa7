//! Steps of a deployment that need the source, the name of the release or the undo log, which a single site does not
//! know. Filling a release is in `fill`.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::release::plan::PathRules;
use crate::release::{Record, SharedPath};
use crate::run::Run;
use crate::run::guard::mend;
use crate::tree::{Kind, TreePath};

/// Makes each host open the channels for an upload as soon as it is connected.
pub fn preopen_upload(run: &Run) {
    for host in run.fleet.all() {
        let source = Arc::clone(&run.here.source);
        run.fleet.site(host).session.preopen_pack(move |compression| source.n_parts(compression));
    }
}

pub fn create_release(run: &Arc<Run>, host: usize) -> Result<()> {
    let name = run.release_name()?;
    let mut record = Record::building(name, run.now(), &run.by);
    record.revision = run.here.revision.commit.clone();
    record.dirty = run.here.revision.is_dirty;
    run.fleet.site(host).create_release(record)?;
    let [what, done] = ["remove the unfinished release", "removed the unfinished release"];
    run.enter_undo(host, what, done, move |run| {
        let mended = mend(run, host);
        run.fleet.site(host).discard(run.now(), &run.by)?;
        mended
    });
    Ok(())
}

pub fn link_shared(run: &Arc<Run>, host: usize, paths: &[SharedPath]) -> Result<()> {
    let tree = run.here.source.tree()?;
    let tops: Vec<TreePath> = paths.iter().map(|path| path.path.clone()).collect();
    let rules = PathRules { shared: tops, ..PathRules::default() };
    let (_, under) = rules.split(&tree);
    let brought: Vec<TreePath> = under
        .into_iter()
        .filter(|entry| entry.kind != Kind::Directory)
        .take(1000)
        .map(|entry| entry.path)
        .collect();
    let mut site = run.fleet.site(host);
    let name = site.release().cloned().context("there is no release")?;
    let seen = site.seen()?;
    if rules.shared.iter().any(|path| !seen.has_shared(path)) {
        // Entered before the step: if no answer comes, some of the paths may have been seeded.
        let [what, done] = ["remove new paths from `shared/`", "removed new paths from `shared/`"];
        run.enter_undo(host, what, done, move |run| run.fleet.site(host).unseed(&name));
    }
    site.link_shared(paths, &brought, run.now())?;
    Ok(())
}
