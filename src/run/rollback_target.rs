//! Chooses the release for a rollback that names none, and says after a deploy if there would be none.

use anyhow::{Result, bail};

use crate::event::{Event, Hint, Report};
use crate::fleet::Fleet;
use crate::release::ReleaseName;
use crate::release::keep::earlier_releases;
use crate::run::Run;

/// The complete release that all of `hosts` have, that is older than the live one of each, and that was live last.
pub fn rollback_target(run: &Run, hosts: &[usize], may_be_apart: bool) -> Result<ReleaseName> {
    let fleet = &run.fleet;
    if !may_be_apart {
        serve_the_same(fleet, hosts)?;
    }
    match earlier(fleet, hosts)? {
        Ok(names) => {
            note_skipped(run, hosts, &names)?;
            Ok(names[0].clone())
        }
        Err(why) => bail!(
            Report::new("there is no earlier complete release to roll back to")
                .note(why)
                .hint(Hint::runner(["releases"], " shows what each host has"))
        ),
    }
}

/// Reports if the first of `names`, the one that was live last, is not the newest.
fn note_skipped(run: &Run, hosts: &[usize], names: &[ReleaseName]) -> Result<()> {
    let site = run.fleet.site(hosts[0]);
    let newest = site.seen()?.complete().rev().find(|record| names.contains(&record.name));
    if let Some(newest) = newest.filter(|record| record.name != names[0]) {
        let text =
            format!("`{}` was live before; `{}` is newer, but was last live earlier", names[0], newest.name);
        run.events.event(Event::Note { host: None, text });
    }
    Ok(())
}

/// All such releases, the one that was live last first; or the reason why there is none.
fn earlier(fleet: &Fleet, hosts: &[usize]) -> Result<Result<Vec<ReleaseName>, String>> {
    let mut common: Option<Vec<ReleaseName>> = None;
    let mut without = Vec::new();
    for &host in hosts {
        let earlier = earlier_releases(fleet.site(host).seen()?)?;
        if earlier.is_empty() {
            without.push(format!("`{}`", fleet.name(host)));
        }
        common = Some(match common {
            None => earlier,
            Some(names) => names.into_iter().filter(|name| earlier.contains(name)).collect(),
        });
    }
    let common = common.filter(|names| !names.is_empty());
    Ok(common.ok_or_else(|| match without.as_slice() {
        [] => "the hosts have no earlier complete release in common".to_owned(),
        [one] => format!("{one} has no earlier complete release"),
        more => format!("{} have no earlier complete release", more.join(", ")),
    }))
}

/// Fails if hosts serve different releases: something went wrong before, and the releases before them differ, too.
fn serve_the_same(fleet: &Fleet, hosts: &[usize]) -> Result<()> {
    let mut groups: Vec<(Option<ReleaseName>, Vec<String>)> = Vec::new();
    for &host in hosts {
        let live = fleet.site(host).seen()?.live().cloned();
        let name = format!("`{}`", fleet.name(host));
        match groups.iter_mut().find(|(other, _)| *other == live) {
            Some((_, names)) => names.push(name),
            None => groups.push((live, vec![name])),
        }
    }
    if groups.len() <= 1 {
        return Ok(());
    }
    let mut report = Report::new("the hosts serve different releases");
    for (live, names) in &groups {
        let verb = if names.len() == 1 { "serves" } else { "serve" };
        let live = live.as_ref().map_or("nothing".to_owned(), |name| format!("`{name}`"));
        report = report.note(format!("{} {verb} {live}", names.join(", ")));
    }
    bail!(match meeting_point(fleet, hosts)? {
        Some(name) => report.hint(Hint::runner(
            ["rollback", "--release", name.as_str()],
            " makes all hosts serve that release; to roll back further, use `--set allow_apart=true`",
        )),
        None => report.hint("deploy: then all hosts serve the same release"),
    })
}

/// The newest release that is complete on all of `hosts` and no newer than the newest that is served.
fn meeting_point(fleet: &Fleet, hosts: &[usize]) -> Result<Option<ReleaseName>> {
    let mut common: Option<Vec<ReleaseName>> = None;
    for &host in hosts {
        let mut complete =
            fleet.site(host).seen()?.complete().rev().map(|r| r.name.clone()).collect::<Vec<_>>();
        if let Some(common) = &common {
            complete = common.iter().filter(|name| complete.contains(name)).cloned().collect();
        }
        common = Some(complete);
    }
    let mut served = Vec::new();
    for &host in hosts {
        served.extend(fleet.site(host).seen()?.live().cloned());
    }
    let common = common.unwrap_or_default();
    // A release that some host already serves is known to work.
    let is_served = |name: &&ReleaseName| served.contains(name);
    Ok(common.iter().find(is_served).or(common.first()).cloned())
}

/// Says at the end of a deploy if there is no release to roll back to.
pub fn note_no_rollback_target(run: &Run) {
    let new: Vec<usize> =
        run.fleet.all().into_iter().filter(|&host| run.fleet.site(host).serves_new()).collect();
    if new.is_empty() || run.mode.is_plan() {
        return;
    }
    if let Ok(Err(why)) = earlier(&run.fleet, &new) {
        let text = format!("there is nothing to roll back to: {why}");
        run.events.event(Event::Note { host: None, text });
    }
}
