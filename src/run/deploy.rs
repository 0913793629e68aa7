//! The acts of a deployment that need more than one host knows: the source, the release's name, the undo log.

use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::here::mode::Mode;
use crate::release::plan::{PathRules, Plan, Strategy};
use crate::release::{Record, SharedPath};
use crate::run::Run;
use crate::run::guard::mend;
use crate::run::plan::plan_fill;
use crate::site::{BaseState, Fill, Site, base_state};
use crate::tree::{CompressionMode, Entry, Kind, Pack, Tree, TreePath};

/// What an upload needs is made ready on all hosts as soon as they are connected to.
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
    run.enter_undo(host, "removed the unfinished release", move |run| {
        let mended = mend(run, host);
        run.fleet.site(host).discard(run.now(), &run.by)?;
        mended
    });
    Ok(())
}

pub fn fill(run: &Run, host: usize, strategy: Strategy) -> Result<()> {
    let mut site = run.fleet.site(host);
    if fill_from(run, &mut site, strategy, false)? {
        return Ok(());
    }
    // Something on the server is not as the last run left it.
    site.look()?;
    match fill_from(run, &mut site, strategy, true)? {
        true => Ok(()),
        false => bail!("the previous release changed while the new one was being filled from it"),
    }
}

/// False when the server was not asked `ahead` and is not as it was thought to be.
fn fill_from(run: &Run, site: &mut Site, strategy: Strategy, ahead: bool) -> Result<bool> {
    let tree = run.here.source.tree()?;
    if site.release().is_none() {
        bail!("there is no release to fill: task `release` must come first");
    }
    let rules = site.options().rules.clone();
    let (managed, under) = rules.split(&tree);
    let has = site.seen()?.shared.clone();
    let starting: Vec<TreePath> =
        rules.shared.iter().filter(|path| !has.contains(&path.to_string())).cloned().collect();
    // What begins in `shared/` is chosen by what was written in the last release.
    let state = base_state(site, strategy, &run.here.store, ahead || !starting.is_empty())?;
    let BaseState { last, cache, unchecked } = state;
    let seeds: Vec<Entry> = under
        .into_iter()
        .filter(|entry| starting.iter().any(|top| entry.path.starts_with(top)))
        .filter(|entry| last.gives_way_to(entry))
        .collect();
    let plan = Plan::new(last, cache, &managed, &rules, starting);
    for manifest in [&plan.manifest, &plan.change.next] {
        if let Some(warning) = run.here.store.put(manifest) {
            run.warn(warning);
        }
    }

    // What will seed `shared/` travels with the release, but is not of it.
    let n_seeds = seeds.iter().filter(|seed| seed.kind == Kind::File).count();
    let mut entries = managed.entries;
    let mut send = plan.change.send.clone();
    for seed in seeds {
        send.push(entries.len());
        entries.push(seed);
    }
    let sent = Tree { root: tree.root.clone(), entries };
    let name = site.release().cloned().context("there is no release")?;
    if let Mode::Plan { with_diff } = run.mode {
        plan_fill(run, site, &plan, &sent, &send, with_diff);
    }
    let facts = &site.seen()?.facts;
    let pack = Pack::new(&sent, &run.here.source.contents, &send, &plan.prefix(&name), &plan.extra())?
        .in_parts(CompressionMode::by(|program| facts.has(program)));
    site.fill(&Fill { plan: &plan, unchecked: &unchecked, pack: &pack, n_seeds })
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
    let has = &site.seen()?.shared;
    if rules.shared.iter().any(|path| !has.contains(&path.to_string())) {
        // Entered before: an answer that never came may have been a half.
        run.enter_undo(host, "took back what was put into `shared/`", move |run| {
            run.fleet.site(host).unseed(&name)
        });
    }
    site.link_shared(paths, &brought, run.now())?;
    Ok(())
}
