//! Notices that a new release lacks links into `shared/` which the release before has.

use anyhow::Result;

use crate::event::{Report, few};
use crate::release::SharedPath;
use crate::release::linked::LostLinks;
use crate::site::options::Options;
use crate::site::state::Site;
use crate::site::work::{Building, Work};

/// Warns of links that settings named before. Refuses to lose a link that another tool made: no setting has ever named
/// it, so nobody has decided about it.
pub(super) fn check_links(site: &Site) -> Result<()> {
    let Work::Building(Building { shared, links, .. }) = &site.work else { return Ok(()) };
    let Some(release) = &links.release else { return Ok(()) };
    let options = site.options();
    let lost = |before: &[SharedPath]| LostLinks::of(before, shared, &options.rules.generated);
    let [named, foreign] = [&links.named, &links.foreign].map(|before| lost(before));
    let lacks = |paths: &[SharedPath]| {
        format!("release `{release}` has links into `shared/` that the new release lacks: {}", few(paths))
    };
    let warn = |text: String| site.session.warn(text);
    match foreign.gone.as_slice() {
        [] => {}
        gone if options.allows_unlinked => warn(format!("{}, as `allow_unlinked` allows", lacks(gone))),
        gone => site.session.refuse(refusal(lacks(gone), &shared_line(options, gone)))?,
    }
    if !named.gone.is_empty() {
        let line = shared_line(options, &named.gone);
        warn(format!("{}; to keep them, write in `runner.toml`: {line}", lacks(&named.gone)));
    }
    let in_parts = [named.in_parts, foreign.in_parts].concat();
    if !in_parts.is_empty() {
        warn(format!("{}; only what the setting `shared` lists below is linked", lacks(&in_parts)));
    }
    Ok(())
}

fn refusal(lacks: String, line: &str) -> Report {
    let report = Report::new(lacks).note("another tool made them, and the source has something else there");
    report.hint(format!(
        "to keep them, write in `runner.toml`: {line}; if they are not needed, add `--set allow_unlinked=true`"
    ))
}

/// The line of `runner.toml` that shares these paths, too. If the file has a list already, the line replaces it.
pub fn shared_line(options: &Options, lost: &[SharedPath]) -> String {
    let is_listed =
        options.places.iter().any(|(key, place)| *key == "shared" && place.place.file.ends_with(".toml"));
    let before = if is_listed { options.shared.as_slice() } else { &[] };
    let items: Vec<String> =
        before.iter().chain(lost).map(|path| toml::Value::String(path.to_string()).to_string()).collect();
    let key = if is_listed { "shared" } else { "shared.add" };
    format!("{key} = [{}]", items.join(", "))
}
