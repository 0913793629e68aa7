//! Fills the release of a host. Hosts whose fills start from the same state share one comparison with the source, and
//! one pack.

use anyhow::{Context, Result, bail};

use crate::event::{Event, Report, few};
use crate::here::mode::Mode;
use crate::here::source::SourceFiles;
use crate::release::plan::Strategy;
use crate::release::{ReleaseName, SharedPath};
use crate::run::plan::plan_fill;
use crate::run::source_change::{FillStart, SourceChange};
use crate::run::{Run, sent};
use crate::site::{BaseState, Fill, Site, base_state, check_kinds, shared_line};
use crate::tree::{CompressionMode, Pack, TreePath};

/// How many paths a message about an adopted release names.
const NAMED: usize = 20;

pub fn fill(run: &Run, host: usize, strategy: Strategy) -> Result<()> {
    let mut site = run.fleet.site(host);
    if fill_from(run, &mut site, strategy, false)? {
        return Ok(());
    }
    // Something on the server has changed since the last run from this machine: probes, and tries once more.
    site.look()?;
    match fill_from(run, &mut site, strategy, true)? {
        true => Ok(()),
        false => bail!("the previous release changed while `runner` was filling the new one from it"),
    }
}

/// With `ahead`, the server is checked before the fill; otherwise during the fill. False if that check fails: nothing
/// was filled.
fn fill_from(run: &Run, site: &mut Site, strategy: Strategy, ahead: bool) -> Result<bool> {
    let source = &run.here.source;
    let files = source.files()?;
    let release =
        site.release().cloned().context("there is no release to fill: task `release` must come first")?;
    let rules = site.options().rules.clone();
    check_kinds(site, &files.tree)?;
    let seen = site.seen()?;
    let starting: Vec<TreePath> =
        rules.shared.iter().filter(|path| !seen.has_shared(path)).cloned().collect();
    // What is copied to `shared/` depends on which files of the previous release were edited, so that must be known
    // first.
    let state = base_state(site, strategy, &run.here.store, ahead || !starting.is_empty())?;
    let BaseState { last, cache, unchecked } = state;
    let start = FillStart { release, last, cache, rules, starting };
    let change = run.changes.get_or_make(&start, || compare(run, &files, &start))?;
    check_left_behind(site, &start, &change.plan.left_behind)?;
    if let Mode::Plan { with_diff } = run.mode {
        plan_fill(run, site, &change, with_diff)?;
    }
    let facts = &site.seen()?.facts;
    let compression = CompressionMode::by(|program| facts.has(program));
    let pack = change.packs.get_or_make(&compression, || {
        let SourceChange { plan, tree, send, .. } = &*change;
        let pack = Pack::new(tree, &source.contents, send, &plan.prefix(&start.release), &plan.extra())?;
        Ok(pack.in_parts(compression))
    })?;
    site.fill(&Fill { plan: &change.plan, unchecked: &unchecked, pack: &pack, n_seeds: change.n_seeds })
}

/// Compares the source with what the hosts have. Reports the result, and caches the manifests for the next run.
fn compare(run: &Run, files: &SourceFiles, start: &FillStart) -> Result<SourceChange> {
    sent::check(run, files, &start.last)?;
    let change = SourceChange::new(&files.tree, start);
    for manifest in [&change.plan.manifest, &change.plan.change.next] {
        if let Some(warning) = run.here.store.put(manifest) {
            run.warn(warning);
        }
    }
    if let (Some(name), false) = (&start.last.name, change.plan.left_behind.is_empty()) {
        run.events.event(Event::Note { host: None, text: not_copied(name, &change.plan.left_behind) });
    }
    run.events.event(change.event());
    Ok(change)
}

/// Refuses to leave behind what only the directory has that was served before `runner adopt`: nobody has decided about it,
/// and visitors would lose it.
fn check_left_behind(site: &Site, start: &FillStart, paths: &[SharedPath]) -> Result<()> {
    let Some(name) = &start.last.name else { return Ok(()) };
    let is_moved = site.seen()?.record(name).is_some_and(|record| record.moved);
    if !is_moved || paths.is_empty() || site.options().allows_unlinked {
        return Ok(());
    }
    let line = shared_line(site.options(), &paths[..paths.len().min(NAMED)]);
    let report = Report::new(format!(
        "visitors would lose what only the adopted release `{name}` has: {}",
        few(paths)
    ))
    .note("the source does not have it, and no setting names it")
    .hint(format!(
        "to keep it, write in `runner.toml`: {line}; if it is not needed, add `--set allow_unlinked=true`"
    ));
    site.session.refuse(report)
}

/// Names what stays in a release that another tool made, or a person.
fn not_copied(name: &ReleaseName, paths: &[SharedPath]) -> String {
    let shown: Vec<String> = paths.iter().take(NAMED).map(|path| format!("`{path}`")).collect();
    let more = match paths.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "not copied from `{name}`, which `runner` did not make: {}{more}; to keep a path, add it to the setting `shared` or `writable`",
        shown.join(", ")
    )
}
