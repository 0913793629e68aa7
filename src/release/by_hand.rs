//! The lines to type on the server where `runner adopt` cannot do it itself.

use crate::event::Report;
use crate::release::adoption::{Adoption, AdoptionFacts, AdoptionKind};
use crate::shell::Word;

/// The directory that visitors see.
pub fn path_of(found: &AdoptionFacts, adoption: &Adoption) -> String {
    match &adoption.kind {
        AdoptionKind::Docroot { directory, .. } => directory.clone(),
        _ => format!("{}/current", found.root),
    }
}

/// The lines that do it by hand, where nothing on the server can do it in one step.
pub fn with_gap(found: &AdoptionFacts, adoption: &Adoption, path: &str) -> Report {
    let mut lines = match adoption.kind {
        AdoptionKind::Docroot { .. } => prepared(found, adoption, ""),
        _ => vec![format!("mkdir -p {}", Word::shown(&format!("{}/releases", found.root)))],
    };
    lines.extend(moved(found, adoption, ""));
    Report::new(format!("no program on the server can exchange `{path}` for a link in one step"))
        .note("perl, python3 or `mv --exchange` (coreutils 9.5) can")
        .note(format!("by hand, visitors get errors between the last two lines:\n{}", lines.join("\n")))
        .hint("install perl or python3 on the server, then run this again")
}

/// The release's directory and the link to it in the site.
fn places(found: &AdoptionFacts, adoption: &Adoption) -> (String, String, String) {
    let (place, link) = adoption.exchange();
    let (place, site) = match adoption.kind {
        AdoptionKind::Docroot { .. } => (place.to_owned(), &found.beside),
        _ => (format!("{}/{place}", found.root), &found.root),
    };
    (Word::shown(&place), Word::shown(&link), Word::shown(&format!("{site}/releases/{}", adoption.release)))
}

/// Moves the directory and makes the link: two steps.
fn moved(found: &AdoptionFacts, adoption: &Adoption, sudo: &str) -> Vec<String> {
    let (place, link, release) = places(found, adoption);
    vec![format!("{sudo}mv {place} {release}"), format!("{sudo}ln -s {link} {place}")]
}

/// Makes the site beside, as far as it can be made before the exchange.
fn prepared(found: &AdoptionFacts, adoption: &Adoption, sudo: &str) -> Vec<String> {
    let below = |name: &str| Word::shown(&format!("{}{name}", found.beside));
    let (user, site, releases, current) =
        (Word::shown(&found.user), below(""), below("/releases"), below("/current"));
    vec![
        format!("{sudo}install -d -o {user} {site} {releases}"),
        format!("{sudo}ln -s {} {current}", Word::shown(&format!("releases/{}", adoption.release))),
    ]
}

/// The lines for whoever may write above the deploy path. The next `runner adopt` finds what they have made.
pub fn for_administrator(found: &AdoptionFacts, adoption: &Adoption) -> Report {
    let (place, link, release) = places(found, adoption);
    let parent = found.root.rsplit_once('/').map_or("/", |(parent, _)| parent);
    let mut lines = vec![format!("sudo chown {} {place}", Word::shown(&found.user))];
    lines.extend(prepared(found, adoption, "sudo "));
    let begin = format!("sudo ln -s {link} {release}");
    let at_once = exchange_line(found, &place, &release);
    match at_once {
        Some(exchange) => lines.extend([begin, exchange]),
        None => lines.extend(moved(found, adoption, "sudo ")),
    }
    Report::new(format!(
        "`{parent}` is not writable by `{}`, so `{}` cannot become a link",
        found.user, found.root
    ))
    .note(format!("nothing was changed; an administrator can do it on the server:\n{}", lines.join("\n")))
    .hint("after that, run this again: it finds what was done, and goes on")
}

/// The line that exchanges two names, if a program on the server can.
fn exchange_line(found: &AdoptionFacts, place: &str, release: &str) -> Option<String> {
    let call = &found.call;
    match found.exchanger.as_deref() {
        Some("mv") => Some(format!("sudo mv --exchange -T {place} {release}")),
        Some("perl") => Some(format!(
            "sudo perl -e 'syscall({call}, -100, $ARGV[0], -100, $ARGV[1], 2) == 0 or die \"$!\\n\"' {place} {release}"
        )),
        Some("python3") => Some(format!(
            "sudo python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall({call}, -100, sys.argv[1].encode(), -100, sys.argv[2].encode(), 2))' {place} {release}"
        )),
        _ => None,
    }
}

/// The lines that take an adoption back, for whoever may write above the docroot. What was moved to `shared/` comes first:
/// its links lead nowhere from the docroot.
pub fn undo_for_administrator(found: &AdoptionFacts, adoption: &Adoption, site: &str) -> Report {
    let (place, _) = adoption.exchange();
    let name = &adoption.release;
    let moved = |from: String, to: String, link: String| {
        let (from, to) = (Word::shown(&from), Word::shown(&to));
        // Without such a program, the link makes way: a gap.
        let by_hand = || format!("sudo rm {from}\nsudo mv {to} {from}");
        exchange_line(found, &from, &to).map_or_else(by_hand, |line| format!("{line}\nsudo rm {link}"))
    };
    let shared = adoption.shared().into_iter().map(|path| {
        let to = format!("{site}/shared/{}", path.path);
        moved(format!("{site}/releases/{name}/{}", path.path), to.clone(), Word::shown(&to))
    });
    let release = format!("{site}/releases/{name}");
    let whole = moved(place.to_owned(), release.clone(), Word::shown(&release));
    let lines: Vec<String> = shared.chain([whole]).collect();
    let parent = place.rsplit_once('/').map_or("/", |(parent, _)| parent);
    Report::new(format!(
        "`{parent}` is not writable by `{}`, so `{place}` cannot become a directory",
        found.user
    ))
    .note(format!("nothing was changed; an administrator can do it on the server:\n{}", lines.join("\n")))
    .hint("after that, run this again: it finds what was done, and goes on")
}
