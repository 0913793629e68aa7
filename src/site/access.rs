//! Whether a run may deploy to a host: its user can write there, and the deploy path is not something else.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::event::{Hint, Report, few};
use crate::release::current::Current;
use crate::release::seen::{Seen, SitePart};
use crate::shell::Word;
use crate::site::state::Site;

/// Fails if this run may not deploy here. Nothing has been made by then.
pub fn check_access(site: &Site) -> Result<()> {
    let seen = site.seen()?;
    let refused = lacking(seen)
        .or_else(|| unwritable(seen))
        .or_else(|| docroot(site, seen))
        .or_else(|| other_application(site, seen))
        .or_else(|| other_owners(seen));
    if let Some(report) = refused {
        bail!(report.at(site.host().places.path.clone()));
    }
    for part in seen.parts.iter().filter(|part| part.owner == "root" && part.is_open && !seen.is_roots()) {
        let (path, user) = (Word::shown(&seen.path_of(part)), Word::shown(&seen.facts.user));
        site.session.warn(format!(
            "users other than root can write in {path}, so they can replace what is deployed; on the server: `sudo chown {user} {path} && sudo chmod go-w {path}`"
        ));
    }
    if matches!(seen.current, Current::Dangling { .. }) {
        site.session.warn(format!("`{}/current` points to nothing", seen.root));
    }
    Ok(())
}

/// A directory that is served as it is. Visitors would see neither a new release nor that anything is wrong, and the
/// web server would publish `releases/` and `shared/`.
fn docroot(site: &Site, seen: &Seen) -> Option<Report> {
    let Seen { root, webroot, .. } = seen;
    if webroot.is_empty() {
        return None;
    }
    let report = Report::new(format!("`{root}` looks like a web root: it contains {}", few(webroot)));
    let report = report.note(format!(
        "if a web server serves `{root}`, visitors would go on seeing these files, and could read `{root}/releases` and `{root}/shared`"
    ));
    let path = path_beside(site, root);
    let is_below = webroot.iter().any(|name| name == "artisan" || name == "public");
    let below = if is_below { "current/public" } else { "current" };
    let report = report.note(format!(
        "to leave it alone, set `path = {}` in `runner.toml`, and after the first deploy make `{path}/{below}` the root of the web server",
        toml::Value::String(path.clone())
    ));
    Some(
        report.hint(Hint::runner(["adopt"], " makes these files the first release; visitors notice nothing")),
    )
}

/// A deploy path to propose instead of `root`.
fn path_beside(site: &Site, root: &str) -> String {
    let named = site.options().identity.as_ref().map(|identity| identity.application.as_str());
    let (parent, name) = root.rsplit_once('/').unwrap_or(("", root));
    match named.filter(|named| *named != name && !named.contains('/')) {
        Some(named) => format!("{parent}/{named}"),
        None => format!("{root}-site"),
    }
}

fn other_application(site: &Site, seen: &Seen) -> Option<Report> {
    let (wanted, found) = (site.options().identity.as_ref()?, seen.identity.as_ref()?);
    if wanted == found || site.options().takes_over {
        return None;
    }
    let [wanted, found, root] = [&wanted.application, &found.application, &seen.root];
    let report = Report::new(format!("`{root}` belongs to application `{found}`, not to `{wanted}`"));
    let report = report.note(format!(
        "if `{wanted}` deployed here, it would replace `{found}`, and a rollback would bring `{found}` back"
    ));
    Some(report.hint(format!(
        "set another `path` for `{wanted}`; or, if `{found}` was renamed to `{wanted}`, add `--adopt-application`"
    )))
}

/// Whether this run makes a site of another application one of its own.
pub(super) fn takes_over(site: &Site) -> Result<bool> {
    let Some((wanted, found)) = site.options().identity.as_ref().zip(site.seen()?.identity.as_ref()) else {
        return Ok(false);
    };
    Ok(site.options().takes_over && wanted != found)
}

/// Says once what a deploy path has that is no part of a site, and to which application a site belonged.
pub(super) fn note_first_contact(site: &Site) -> Result<()> {
    let Seen { root, foreign, identity, .. } = site.seen()?;
    if !foreign.is_empty() {
        site.session.note(format!("`{root}` also has {}; left alone", few(foreign)));
    }
    if let Some(identity) = identity.as_ref().filter(|_| site.options().takes_over) {
        site.session.note(format!("the site belonged to application `{}` before", identity.application));
    }
    Ok(())
}

/// A server without a tool that every script may need.
fn lacking(seen: &Seen) -> Option<Report> {
    let lacks = &seen.facts.lacks;
    let packages: BTreeSet<&str> = lacks
        .iter()
        .map(|program| match program.as_str() {
            "cmp" => "diffutils",
            "find" | "xargs" => "findutils",
            "awk" => "mawk",
            "grep" | "sed" => program,
            _ => "coreutils",
        })
        .collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    let report = Report::new(format!("the server lacks required programs: {}", few(lacks)));
    let report = report.note(format!("its `PATH` is `{}`", seen.facts.path));
    let report = report.hint(format!("on Debian: `sudo apt-get install {}`", packages.join(" ")));
    (!lacks.is_empty()).then_some(report)
}

/// One user deploys a site: the owner of a directory can replace what is in it.
fn other_owners(seen: &Seen) -> Option<Report> {
    let user = &seen.facts.user;
    let others: Vec<&SitePart> =
        seen.parts.iter().filter(|part| part.owner != *user && part.owner != "root").collect();
    let owner = &others.first()?.owner;
    let shown: Vec<String> =
        others.iter().map(|part| format!("`{}` (`{}`)", seen.path_of(part), part.owner)).collect();
    let paths: Vec<String> = others.iter().map(|part| Word::shown(&seen.path_of(part))).collect();
    let report =
        Report::new(format!("these directories of the site do not belong to `{user}`: {}", shown.join(", ")));
    let report = report.note("the owner of a directory can replace its contents");
    let report =
        report.note(format!("if `{owner}` is the user who should deploy this site, log in as `{owner}`"));
    Some(report.hint(format!("on the server: `sudo chown {} {}`", Word::shown(user), paths.join(" "))))
}

fn unwritable(seen: &Seen) -> Option<Report> {
    let Seen { root, facts, .. } = seen;
    let (nearest, user) = (&facts.nearest, &facts.user);
    let report = Report::new(format!("`{nearest}` is not writable by `{user}`")).hint(
        match nearest.starts_with(root) {
            true => format!("on the server: `sudo chown -R {} {}`", Word::shown(user), Word::shown(root)),
            false => {
                format!("on the server: `sudo install -d -o {} {}`", Word::shown(user), Word::shown(root))
            }
        },
    );
    (!facts.is_writable).then_some(report)
}
