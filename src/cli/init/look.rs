//! A first look at the hosts: what lies at the path, who serves it. What cannot be seen is said, and keeps nothing from
//! being written.

use std::sync::Arc;

use crate::cli::prompt;
use crate::cli::verb::VerbError;
use crate::event::{Event, Report, Sink};
use crate::fleet::Fleet;
use crate::fleet::dropping::OnHostFailure;
use crate::here::proposal::Proposal;
use crate::here::proposed::ProposedStage;
use crate::here::recognise::kind::{ProjectKind, ServedBy};
use crate::host::deploy_path::is_at_or_below;
use crate::host::{HostSelection, Inventory};
use crate::release::surroundings::{LiesThere, Surroundings};
use crate::shell::Word;
use crate::site::{Options, surroundings};
use crate::transport::CancelToken;
use crate::web::served::ServedRoot;

/// What was seen on the hosts, as far as the next commands depend on it.
#[derive(Default)]
pub struct FirstLook {
    /// Whether something lies there that `runner adopt` takes over.
    pub adopts: bool,
}

/// Looks at all hosts. Puts what the web servers say into the stages.
pub fn look(
    proposal: &mut Proposal,
    inventory: &Inventory,
    cancel_token: &CancelToken,
    events: &Arc<dyn Sink>,
) -> Result<FirstLook, VerbError> {
    let mut first = FirstLook::default();
    let access = prompt::access(cancel_token, events);
    let kind = proposal.kind.clone();
    for stage in proposal.stages.iter_mut().filter(|stage| !stage.is_here()) {
        let selection = HostSelection { stage: Some(stage.name.clone()), ..HostSelection::default() };
        let selected = inventory.select(&selection)?;
        let options = vec![Options::default(); selected.hosts.len()];
        let fleet = Fleet::open(&selected, options, OnHostFailure::default(), &access)?;
        let answers = fleet.on_all(surroundings::surroundings);
        if cancel_token.is_cancelled() {
            return Err(VerbError::interrupted());
        }
        for (host, answer) in answers {
            match answer {
                Ok(seen) => learn(stage, &kind, &seen, &host, &mut first, events),
                Err(report) => events.event(Event::Failed { report: unseen(&host, report) }),
            }
        }
    }
    Ok(first)
}

/// The warning about a host that could not be asked. Its hint, if it has one, is the way to it.
fn unseen(host: &str, report: Report) -> Report {
    let report = Report { hosts: vec![host.to_owned()], excerpt: None, ..report };
    report.context("could not look around").warning()
}

fn learn(
    stage: &mut ProposedStage,
    kind: &ProjectKind,
    seen: &Surroundings,
    host: &str,
    first: &mut FirstLook,
    events: &Arc<dyn Sink>,
) {
    let note = |text: String| events.event(Event::Note { host: Some(host.to_owned()), text });
    let warn = |text: String| events.event(Event::Warning { host: Some(host.to_owned()), text });
    if matches!(seen.lies_there, LiesThere::CurrentDirectory | LiesThere::Docroot(_)) {
        first.adopts = true;
    }
    stage.absolute.get_or_insert_with(|| seen.root.clone());
    note(place(seen));
    if !seen.is_writable {
        warn(unwritable(seen));
    }
    let right = right_root(seen, kind);
    let served: Vec<&ServedRoot> = seen.roots.iter().filter(|served| concerns(served, seen)).collect();
    for served in &served {
        note(serves(served, &right));
    }
    if served.is_empty() && !seen.web_servers.is_empty() {
        let names: Vec<&str> = seen.web_servers.iter().map(String::as_str).collect();
        note(format!(
            "{} runs; no root of it that `{}` can read lies in `{}`",
            names.join(", "),
            seen.user,
            seen.root
        ));
    }
    if matches!(kind.serving, ServedBy::Php) {
        note(seen.php.as_ref().map_or("no `php` on the command line".to_owned(), |php| format!("PHP {php}")));
        let of_site =
            served.iter().find_map(|served| served.fpm.clone()).filter(|fpm| seen.fpm.contains(fpm));
        let only = || <[String; 1]>::try_from(seen.fpm.clone()).ok().map(|[fpm]| fpm);
        stage.fpm = stage.fpm.take().or(of_site).or_else(only);
    }
    if stage.url.is_none() {
        // Of http and https, visitors end at the second.
        let best = served
            .iter()
            .filter_map(|served| Some((served.root == right, served.is_tls, served.url()?)))
            .max();
        stage.url = best.map(|(is_right, _, url)| (url, is_right));
    }
}

/// What the web server's root must be.
fn right_root(seen: &Surroundings, kind: &ProjectKind) -> String {
    match kind.web_root.as_str() {
        "" => format!("{}/current", seen.root),
        below => format!("{}/current/{below}", seen.root),
    }
}

fn concerns(served: &ServedRoot, seen: &Surroundings) -> bool {
    is_at_or_below(&served.root, &seen.root) || is_at_or_below(&seen.root, &served.root)
}

fn place(seen: &Surroundings) -> String {
    let root = &seen.root;
    match (&seen.lies_there, seen.laid_out_by.first().map(String::as_str)) {
        (LiesThere::Docroot(file), _) => {
            format!("`{root}` is a web root: it has `{file}`; `runner adopt` takes it over")
        }
        (LiesThere::CurrentDirectory, _) => {
            format!("`{root}/current` is a directory; `runner adopt` makes a release of it")
        }
        (LiesThere::Current, Some("runner")) => format!("`runner` has deployed to `{root}` before"),
        (LiesThere::Current, tool) => {
            let tool = tool.map_or(String::new(), |tool| format!(" of {tool}"));
            format!("`{root}` is a site{tool}: the first deploy takes it over")
        }
        (LiesThere::Nothing, _) if seen.nearest == *root => {
            format!("`{root}` exists, and nothing is served from it")
        }
        (LiesThere::Nothing, _) if seen.is_writable => {
            format!("`{root}` does not exist; the first deploy makes it")
        }
        (LiesThere::Nothing, _) => format!("`{root}` does not exist"),
    }
}

fn unwritable(seen: &Surroundings) -> String {
    let Surroundings { nearest, user, root, .. } = seen;
    let (root, owner) = (Word::shown(root), Word::shown(user));
    format!("`{nearest}` is not writable by `{user}`; on the server: `sudo install -d -o {owner} {root}`")
}

fn serves(served: &ServedRoot, right: &str) -> String {
    let ServedRoot { server, root, file, .. } = served;
    let what = served.url().map_or(String::new(), |url| format!(" {url}"));
    let end = match root == right {
        true => String::new(),
        false => format!("; after the first deploy, its root must be `{right}`"),
    };
    format!("{server} serves{what} from `{root}` ({file}){end}")
}
