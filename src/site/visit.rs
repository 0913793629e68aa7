//! What visitors get from a host, and which release that comes from.

use anyhow::{Result, bail};

use crate::event::Report;
use crate::release::ReleaseName;
use crate::release::origins::{Origins, Sample, find_origins};
use crate::site::state::Site;
use crate::site::visited::{Exposure, PageOrigin, Visited};
use crate::site::web::{self, RequestOutcome};
use crate::tree::Hash;
use crate::web::visit::{file_path, is_file};
use crate::web::{Response, Visit};

/// How many redirects within the site are followed.
const REDIRECTIONS_MAX: usize = 5;

/// The outcome of a visit.
pub enum VisitOutcome {
    Visited(Visited),
    /// The response says nothing about the site, or there was none.
    NotUnderstood(Report),
    /// A plan did not send the request.
    Planned,
}

/// Requests what visitors request. With `is_thorough`, also checks whether visitors can read `.runner` although they get the
/// live release.
pub fn visit(site: &mut Site, visit: &Visit, is_thorough: bool) -> Result<VisitOutcome> {
    site.visit = Some(visit.clone());
    let (response, title) = match page(site, visit)? {
        Ok(Some(page)) => page,
        Ok(None) => return Ok(VisitOutcome::Planned),
        Err(report) => return Ok(VisitOutcome::NotUnderstood(report)),
    };
    let mut visited = Visited {
        title,
        status: response.status,
        live: site.seen()?.live().cloned(),
        origin: PageOrigin::Unknown,
        lacking: visit.expected.lacks(&response),
        missing: None,
        exposure: Exposure::No,
        server: response.header("server").map(str::to_owned),
        root: format!("{}/current", site.root()?),
    };
    if let Some(live) = visited.live.clone() {
        find_origin(site, visit, &response, &live, &mut visited)?;
    }
    if is_thorough || visited.origin != PageOrigin::Live {
        visited.exposure = exposure(site, visit)?;
    }
    site.visited = Some(visited.clone());
    Ok(VisitOutcome::Visited(visited))
}

fn find_origin(
    site: &mut Site,
    visit: &Visit,
    response: &Response,
    live: &ReleaseName,
    visited: &mut Visited,
) -> Result<()> {
    let other = served_before(site, live)?;
    let sample = Sample {
        live,
        other: other.as_ref(),
        path: file_path(&visit.url.target).unwrap_or_default(),
        body: &response.body,
        is_file: is_file(response),
    };
    let step = find_origins(&site.root()?, &sample);
    let origins = site.session.query(step)?;
    if let Some(top) = origins.web_root.as_deref().filter(|top| *top != ".") {
        visited.root = format!("{}/{top}", visited.root);
    }
    visited.origin = match response.header("x-release") {
        Some(told) if told == live.as_str() => PageOrigin::Live,
        Some(told) if site.seen()?.directories.contains(told) => PageOrigin::Other(told.to_owned()),
        _ => origin(&origins, live, is_file(response)),
    };
    if visited.origin == PageOrigin::Unknown {
        ask_witness(site, visit, &origins, other.as_ref(), visited)?;
    }
    // Something has shown it already that knows more than files.
    if visited.origin == PageOrigin::Unknown && site.shown_live.as_ref() == Some(live) {
        visited.origin = PageOrigin::Live;
    }
    Ok(())
}

/// What visitors got, if the release was live that is live now.
pub fn visited(site: &Site) -> Option<&Visited> {
    let live = site.seen().ok()?.live();
    site.visited.as_ref().filter(|visited| visited.live.as_ref() == live)
}

/// Notes that requests get the live release: something else than a response has shown it.
pub fn show_live(site: &mut Site) -> Result<()> {
    site.shown_live = site.seen()?.live().cloned();
    Ok(())
}

/// The release that was served before the live one, if it is still there.
fn served_before(site: &Site, live: &ReleaseName) -> Result<Option<ReleaseName>> {
    let seen = site.seen()?;
    let before = site.session.view().previous().filter(|name| name != live);
    let newest = || seen.complete().map(|record| &record.name).rfind(|name| *name != live).cloned();
    Ok(before.or_else(newest).filter(|name| seen.directories.contains(name.as_str())))
}

/// Requests a file of the live release whose content is known.
fn ask_witness(
    site: &mut Site,
    visit: &Visit,
    origins: &Origins,
    other: Option<&ReleaseName>,
    visited: &mut Visited,
) -> Result<()> {
    let Some(witness) = &origins.witness else { return Ok(()) };
    let (request, title) = visit.request(&format!("/{}", witness.path))?;
    let RequestOutcome::Answered { response, .. } = web::request(site, &request, &title, true)? else {
        return Ok(());
    };
    let sum = Hash::of(&response.body).to_string();
    let is_page_of_live = visited.live.as_ref().is_some_and(|live| is_in(origins, live));
    if sum == witness.sum {
        if is_page_of_live {
            visited.origin = PageOrigin::Live;
        }
    } else if let Some(other) = other.filter(|_| Some(&sum) == witness.other_sum.as_ref()) {
        visited.origin = PageOrigin::Other(other.to_string());
    } else if matches!(visited.status, 403 | 404) && visited.lacking.is_some() {
        visited.missing = Some(witness.path.clone());
    }
    Ok(())
}

fn is_in(origins: &Origins, live: &ReleaseName) -> bool {
    origins.releases.iter().any(|name| name == live.as_str())
}

/// Which release a page comes from, as far as its content tells. `Unknown` if a file that differs can tell more.
fn origin(origins: &Origins, live: &ReleaseName, is_file: bool) -> PageOrigin {
    let can_tell_more = origins.witness.as_ref().is_some_and(|witness| witness.differs);
    match origins.releases.first() {
        Some(_) if is_in(origins, live) => {
            let is_only = origins.releases.len() == 1;
            if is_only || !can_tell_more { PageOrigin::Live } else { PageOrigin::Unknown }
        }
        Some(other) => PageOrigin::Other(other.clone()),
        None if is_file && origins.web_root.is_some() => PageOrigin::Elsewhere,
        None => PageOrigin::Unknown,
    }
}

/// The page that visitors get, after redirects within the site.
fn page(site: &mut Site, visit: &Visit) -> Result<Result<Option<(Response, String)>, Report>> {
    let mut target = visit.url.target.clone();
    for _ in 0..=REDIRECTIONS_MAX {
        let (request, title) = visit.request(&target)?;
        let response = match web::request(site, &request, &title, true)? {
            RequestOutcome::Answered { response, .. } => response,
            RequestOutcome::Failed(why) => return Ok(Err(visit.no_response(&why))),
            RequestOutcome::Planned => return Ok(Ok(None)),
        };
        match visit.next(&response) {
            Ok(Some(next)) => target = next,
            Ok(None) => return Ok(Ok(Some((response, title)))),
            Err(report) => return Ok(Err(report)),
        }
    }
    bail!("`{}` redirects more than {REDIRECTIONS_MAX} times", visit.text)
}

/// Whether the deploy path is the web root. A server that may not read `.runner` refuses it, but does not find what is not
/// there.
fn exposure(site: &mut Site, visit: &Visit) -> Result<Exposure> {
    let mut ask = |target: &str| -> Result<Option<Response>> {
        let (request, title) = visit.request(target)?;
        Ok(match web::request(site, &request, &title, true)? {
            RequestOutcome::Answered { response, .. } => Some(response),
            _ => None,
        })
    };
    let is_number = |body: &[u8]| String::from_utf8_lossy(body).trim().parse::<u32>().is_ok();
    Ok(match ask("/.runner/format")? {
        Some(response) if response.status == 200 && is_number(&response.body) => Exposure::Readable,
        Some(response) if response.status == 403 => match ask("/.runner-is-not-there/format")? {
            Some(other) if other.status == 404 => Exposure::Root,
            _ => Exposure::No,
        },
        _ => Exposure::No,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::origins::Witness;

    #[track_caller]
    fn case(releases: &[&str], differs: bool, is_file: bool, want: PageOrigin) {
        let witness = Witness { path: "a.css".to_owned(), sum: "1".to_owned(), other_sum: None, differs };
        let origins = Origins {
            releases: releases.iter().map(|name| (*name).to_owned()).collect(),
            web_root: Some(".".to_owned()),
            witness: Some(witness),
        };
        let live = ReleaseName::new("2").unwrap();
        assert_eq!(origin(&origins, &live, is_file), want);
    }

    #[test]
    fn a_page_tells_its_release_unless_another_release_has_the_same() {
        case(&["2"], true, true, PageOrigin::Live);
        case(&["2", "1"], true, true, PageOrigin::Unknown);
        case(&["2", "1"], false, true, PageOrigin::Live);
        case(&["1"], true, true, PageOrigin::Other("1".to_owned()));
        case(&[], true, true, PageOrigin::Elsewhere);
        case(&[], true, false, PageOrigin::Unknown);
    }
}
