//! What a deployment would be refused for, for the flow `doctor`: the source is compared with a host as a fill does it.

use anyhow::Result;

use crate::event::Report;
use crate::release::ReleaseName;
use crate::release::plan::Strategy;
use crate::release::room::Room;
use crate::run::source_change::{FillStart, SourceChange};
use crate::run::{Run, sent};
use crate::site::{BaseState, base_state, kind_problems};
use crate::tree::Pack;

/// What a deployment would be refused for.
pub enum Refusals {
    Known(Vec<Report>),
    /// The source could not be read, for this reason.
    Unknown(String),
}

/// Why a deployment of the source, as it is now, would be refused before anything is sent: kinds of paths that contradict
/// each other, paths that git ignores, too little room. What a build would still change is not known.
pub fn refusals(run: &Run, host: usize, strategy: Strategy) -> Result<Refusals> {
    let files = match run.here.source.files() {
        Ok(files) => files,
        // A build may have to make it first.
        Err(error) => return Ok(Refusals::Unknown(Report::of(&error).message)),
    };
    let mut site = run.fleet.site(host);
    let mut refusals = kind_problems(site.options(), Some(site.seen()?), &files.tree);
    let BaseState { last, cache, .. } = match base_state(&mut site, strategy, &run.here.store, true) {
        Ok(base) => base,
        // Files that were changed on the server, where the settings say that this ends a deployment.
        Err(error) if error.is::<Report>() && !run.cancel_token.is_cancelled() => {
            refusals.push(Report::of(&error));
            return Ok(Refusals::Known(refusals));
        }
        Err(error) => return Err(error),
    };
    refusals.extend(sent::refusal(run, &files, &last));
    // Nothing is made, so any name does.
    let release = ReleaseName::new("doctor")?;
    let rules = site.options().rules.clone();
    let start = FillStart { release, last, cache, rules, starting: Vec::new() };
    let SourceChange { plan, tree, send, .. } = SourceChange::new(&files.tree, &start);
    let pack = Pack::new(&tree, &run.here.source.contents, &send, &[], &plan.extra())?;
    let seen = site.seen()?;
    let room = Room::needed(&plan, site.options().duplicate, &pack);
    refusals.extend(room.lacking(&seen.facts, &seen.root));
    Ok(Refusals::Known(refusals))
}
