//! What `runner adopt` does with a site: a pure decision over what was found there.

use crate::event::{Report, few};
use crate::release::adoption::{Adoption, AdoptionFacts, AdoptionKind, Occupant};
use crate::release::by_hand::{for_administrator, path_of, undo_for_administrator, with_gap};
use crate::release::seen::Seen;
use crate::release::{Record, ReleaseName};
use crate::shell::Word;

/// What the user and this machine say about it.
#[derive(Debug, Clone)]
pub struct TakeoverRequest<'a> {
    /// A name for the release that a directory becomes.
    pub release: &'a ReleaseName,
    /// `path` as runner.toml has it.
    pub path: &'a str,
    /// Whether the user has said where the site is to be: then the deploy path is a docroot, whatever it has.
    pub is_docroot: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Takeover {
    Adopt(Adoption),
    /// The site is one of ours.
    Ours,
    /// It was adopted, and something was deployed since: runner.toml alone does not know yet where the site is.
    Moved,
    /// There is nothing to adopt.
    Nothing,
}

/// `seen` is what a probe has found at the deploy path, unless that is a link.
pub fn decide(
    found: &AdoptionFacts,
    seen: Option<&Seen>,
    request: &TakeoverRequest,
) -> Result<Takeover, Report> {
    let Some(seen) = seen else {
        let adoption = linked(found, request)?;
        return Ok(if found.is_deployed { Takeover::Moved } else { Takeover::Adopt(adoption) });
    };
    if matches!(found.at_current, Occupant::Directory { .. }) && !request.is_docroot {
        let adoption = Adoption::new(named(found.adoption.as_ref(), request), AdoptionKind::Current);
        can_exchange(found, &found.at_current, &adoption, [0, 1])?;
        return Ok(Takeover::Adopt(adoption));
    }
    if let Some(live) = seen.live() {
        return Ok(laid_out(found, seen, live));
    }
    let is_there = matches!(found.at_root, Occupant::Directory { .. });
    if !is_there || (seen.webroot.is_empty() && !request.is_docroot) {
        return Ok(Takeover::Nothing);
    }
    let kind = docroot(found, request.path);
    let adoption = Adoption::new(named(found.adoption_beside.as_ref(), request), kind);
    is_apart(found)?;
    is_free(found, &adoption)?;
    if !found.is_parent_writable {
        return Err(for_administrator(found, &adoption));
    }
    can_exchange(found, &found.at_root, &adoption, [2, 3])?;
    Ok(Takeover::Adopt(adoption))
}

/// The name that an interrupted run has given it, else a new one.
fn named(begun: Option<&Adoption>, request: &TakeoverRequest) -> ReleaseName {
    begun.map_or(request.release, |adoption| &adoption.release).clone()
}

/// `current` is a link to a release.
fn laid_out(found: &AdoptionFacts, seen: &Seen, live: &ReleaseName) -> Takeover {
    let is_noted = found.adoption.is_some() && seen.to_adopt().is_none() && !found.is_unfinished;
    if is_noted || seen.records.iter().any(|record| !record.adopted) {
        return Takeover::Ours;
    }
    let layout = || Adoption::new(live.clone(), AdoptionKind::Layout);
    let begun =
        found.adoption.clone().filter(|adoption| !matches!(adoption.kind, AdoptionKind::Docroot { .. }));
    let mut adoption = begun.unwrap_or_else(layout);
    adoption.records = logged(found, seen);
    Takeover::Adopt(adoption)
}

/// The records of the releases that are there and that another tool has noted, with the live one.
fn logged(found: &AdoptionFacts, seen: &Seen) -> Vec<Record> {
    let is_finished = |name: &str| found.unfinished.trim_end_matches('/').rsplit('/').next() != Some(name);
    let last = |name: &str| found.logged.iter().rfind(|release| release.name.as_str() == name);
    let is_live = |name: &str| seen.live().is_some_and(|live| live.as_str() == name);
    let names = seen.directories.iter().filter(|name| is_live(name) || is_finished(name));
    let records = names.filter_map(|name| {
        let record = last(name)?.record();
        // It is served, whatever the log tells.
        let first_served = record.first_served.or(is_live(name).then_some(record.created));
        Some(Record { first_served, ..record })
    });
    records.collect()
}

fn docroot(found: &AdoptionFacts, path: &str) -> AdoptionKind {
    let AdoptionFacts { root, beside, .. } = found;
    let (above, name) = beside.rsplit_once('/').unwrap_or(("", beside));
    let link = match root.rsplit_once('/').is_some_and(|(parent, _)| parent == above) {
        true => format!("{name}/current"),
        false => format!("{beside}/current"),
    };
    AdoptionKind::Docroot { directory: root.clone(), link, path: path.to_owned() }
}

/// The deploy path is a link: it leads to the site beside it if an interrupted run or an administrator has made it.
fn linked(found: &AdoptionFacts, request: &TakeoverRequest) -> Result<Adoption, Report> {
    let AdoptionFacts { root, at_root, at_next, .. } = found;
    let kind = docroot(found, request.path);
    let (Occupant::Link(text), Occupant::Link(next)) = (at_root, at_next) else {
        return Err(leads_elsewhere(root, at_root));
    };
    let release = next.strip_prefix("releases/").map(ReleaseName::new);
    match (&kind, release) {
        (AdoptionKind::Docroot { directory, link, .. }, Some(Ok(release))) if text == link => {
            let is_this = |adoption: &&Adoption| match &adoption.kind {
                AdoptionKind::Docroot { directory: other, link: text, .. } => {
                    other == directory && text == link
                }
                _ => false,
            };
            let begun = found.adoption_beside.as_ref().filter(is_this).cloned();
            Ok(begun.unwrap_or(Adoption::new(release, kind)))
        }
        _ => Err(leads_elsewhere(root, at_root)),
    }
}

fn leads_elsewhere(root: &str, at_root: &Occupant) -> Report {
    let target = match at_root {
        Occupant::Link(target) => target,
        _ => "nothing",
    };
    Report::new(format!("`{root}` is a link to `{target}`"))
        .hint("set `path` in `runner.toml` to the directory that the link leads to")
}

/// Refuses a site that is not beside the docroot, or that its visitors cannot reach.
fn is_apart(found: &AdoptionFacts) -> Result<(), Report> {
    let AdoptionFacts { root, beside, .. } = found;
    let is_below = |path: &str, other: &str| path == other || path.starts_with(&format!("{other}/"));
    if is_below(root, beside) || is_below(beside, root) {
        return Err(Report::new(format!("the site `{beside}` and the docroot `{root}` lie in each other"))
            .hint("name another directory with `--to`"));
    }
    if found.is_beside_closed {
        return Err(Report::new(format!(
            "the web server could not reach `{beside}`: a directory above it is closed to others"
        ))
        .hint("name another directory with `--to`"));
    }
    if let Some(above) = &found.webroot_above {
        return Err(Report::new(format!(
            "`{above}` looks like a web root, and `{beside}` would lie below it: visitors could read `shared/` and all releases"
        ))
        .hint("name a directory outside of it with `--to`"));
    }
    Ok(())
}

/// Refuses a site beside that somebody uses.
fn is_free(found: &AdoptionFacts, adoption: &Adoption) -> Result<(), Report> {
    let AdoptionFacts { root, beside, .. } = found;
    let begun = format!("releases/{}", adoption.release);
    let is_free = match &found.at_next {
        Occupant::Nothing => matches!(found.at_beside, Occupant::Nothing | Occupant::Directory { .. }),
        Occupant::Link(text) => found.adoption_beside.is_some() && *text == begun,
        _ => false,
    };
    match is_free {
        true => Ok(()),
        false => Err(Report::new(format!("`{beside}`, where the site of `{root}` is to be, exists already"))
            .hint("name another directory with `--to`")),
    }
}

fn can_exchange(
    found: &AdoptionFacts,
    place: &Occupant,
    adoption: &Adoption,
    [from, to]: [usize; 2],
) -> Result<(), Report> {
    let user = &found.user;
    let path = path_of(found, adoption);
    if let Occupant::Directory { owner } = place
        && owner != user
        && user != "root"
    {
        let chown = format!("on the server: `sudo chown {} {}`", Word::shown(user), Word::shown(&path));
        return Err(Report::new(format!("`{path}` belongs to `{owner}`, not to `{user}`"))
            .note("the owner of a directory can replace its contents")
            .hint(chown));
    }
    if !found.outside.is_empty() {
        return Err(Report::new(format!(
            "`{path}` has relative links that would lead elsewhere from its new place: {}",
            few(&found.outside)
        ))
        .hint("make them absolute, such as `ln -sfn /srv/data uploads`, then run this again"));
    }
    let [from, to] = [&found.devices[from], &found.devices[to]];
    if !from.is_empty() && !to.is_empty() && from != to {
        let where_to = match adoption.kind {
            AdoptionKind::Docroot { .. } => &found.beside,
            _ => "releases",
        };
        return Err(Report::new(format!("`{path}` is on another file system than `{where_to}`"))
            .hint("only what is on one file system can be exchanged in one step: move one of them"));
    }
    match found.exchanger {
        Some(_) => Ok(()),
        None => Err(with_gap(found, adoption, &path)),
    }
}

/// Refuses to take an adoption back after something was deployed.
pub fn can_take_back(seen: &Seen) -> Result<(), Report> {
    let Some(newest) = seen.records.iter().rfind(|record| !record.adopted) else { return Ok(()) };
    let report = Report::new(format!("`{}` was deployed after the site was adopted", newest.name));
    let is_served = |live: &ReleaseName| seen.record(live).is_some_and(|record| record.adopted);
    match seen.live().is_some_and(is_served) {
        true => Err(report.note("visitors see what was adopted")),
        false => Err(report.hint("to serve what was adopted, go back to it with `rollback`")),
    }
}

/// What would be taken back. Nobody but an administrator can do it where the directory above cannot be written.
pub fn undo_line(
    found: &AdoptionFacts,
    seen: Option<&Seen>,
    adoption: &Adoption,
    site: &str,
) -> Result<String, Report> {
    let release = &adoption.release;
    let line = match &adoption.kind {
        AdoptionKind::Layout => "forget the records of the other tool's releases".to_owned(),
        AdoptionKind::Current => format!("`releases/{release}` becomes the directory `current` again"),
        AdoptionKind::Docroot { directory, .. } => {
            let above = |path: &str| path.rsplit_once('/').map(|(above, _)| above.to_owned());
            // An administrator may have done it.
            let is_adopted = match found.root == *directory {
                true => matches!(found.at_root, Occupant::Link(_)),
                false => seen.is_some_and(|seen| seen.live().is_some()),
            };
            if is_adopted && above(directory) == above(&found.root) && !found.is_parent_writable {
                return Err(undo_for_administrator(found, adoption, site));
            }
            format!("`{site}/releases/{release}` becomes the directory `{directory}` again")
        }
    };
    let shared = adoption.shared();
    Ok(match shared.is_empty() {
        true => line,
        false => format!("{} move back from `shared/`; {line}", few(&shared)),
    })
}

/// What would be done, a line each.
pub fn lines(found: &AdoptionFacts, adoption: &Adoption) -> Vec<String> {
    let release = &adoption.release;
    let path = path_of(found, adoption);
    match &adoption.kind {
        AdoptionKind::Current => {
            vec![format!("`{path}` becomes `releases/{release}`; a link takes its place in the same instant")]
        }
        AdoptionKind::Docroot { link, .. } if matches!(found.at_root, Occupant::Link(_)) => {
            vec![format!("`{path}` is a link to `{link}` already")]
        }
        AdoptionKind::Docroot { link, .. } => {
            let beside = &found.beside;
            vec![
                format!("make the site `{beside}`"),
                format!("`{path}` becomes `releases/{release}` in it; a link to `{link}` takes its place in the same instant"),
            ]
        }
        AdoptionKind::Layout => Vec::new(),
    }
    .into_iter()
    .chain([format!("record `{release}`, which is live: you can roll back to it")])
    .chain(older(adoption))
    .collect()
}

fn older(adoption: &Adoption) -> Option<String> {
    let names: Vec<&ReleaseName> = adoption
        .records
        .iter()
        .map(|record| &record.name)
        .filter(|name| **name != adoption.release)
        .collect();
    (!names.is_empty()).then(|| format!("record the older releases {}", few(&names)))
}
