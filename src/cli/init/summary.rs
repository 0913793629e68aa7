//! What `init` says: what it recognised, what it wrote, the lines of the web server, and what comes next.

use std::path::Path;
use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::init::look::FirstLook;
use crate::cli::init::needed::needed;
use crate::cli::out;
use crate::event::{Event, Sink};
use crate::here::proposal::Proposal;
use crate::here::proposed::{ProposedPlace, ProposedStage};
use crate::here::recognise::kind::ServedBy;
use crate::here::serving::{self, ServedSite};
use crate::host::inventory::address::HostAddress;
use crate::shell::Word;

/// Says what kind of project this is, and what another tool's configuration says.
pub fn recognised(proposal: &Proposal, events: &Arc<dyn Sink>) {
    let note = |text: String| events.event(Event::Note { host: None, text });
    let kind = &proposal.kind;
    let marks: Vec<String> = kind.marks.iter().map(|mark| format!("`{mark}`")).collect();
    match marks.is_empty() {
        true => note(format!("this looks like {}", kind.name)),
        false => note(format!("this looks like {} ({})", kind.name, marks.join(", "))),
    }
    let Some(former) = &proposal.former else { return };
    let files: Vec<String> = former.files.iter().map(|file| format!("`{file}`")).collect();
    note(format!("read {}, the configuration of {}", files.join(", "), former.tool));
    for (what, place) in &former.unread {
        events.event(Event::Warning { host: None, text: format!("could not read `{what}` in {place}") });
    }
    if !former.steps.is_empty() {
        let steps: Vec<String> =
            former.steps.iter().map(|(what, place)| format!("`{what}` ({place})")).collect();
        let text = format!(
            "tasks and hooks of {} are not carried over: {}; docs/coming-from.md has what each becomes",
            former.tool,
            steps.join(", ")
        );
        events.event(Event::Warning { host: None, text });
    }
}

/// Says what to do now.
pub fn print(args: &Args, proposal: &Proposal, first: &FirstLook, directory: &Path) {
    if args.json {
        out::data(json(args, proposal, first, directory));
        return;
    }
    if !args.is_plan() {
        let files =
            if proposal.recipe().is_some() { "`deploy.rhai` and `runner.toml`" } else { "`runner.toml`" };
        out::data(format!("wrote {files}; `runner check` finds no mistakes"));
    }
    let stage = &proposal.stages[0];
    match first.adopts {
        true => out::data("\nthe web server stays as it is: `runner adopt` takes over what it serves"),
        false => out::data(web_server(proposal, stage, directory)),
    }
    let needed = needed(proposal, directory);
    if !needed.is_empty() {
        out::data(format!("\nbefore the first deploy:\n{}", indented(&needed.join("\n"))));
    }
    let next = next(args, proposal, first);
    let width = next.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    out::data("\nnext:");
    next.iter().for_each(|(command, what)| out::data(format!("    {command:width$}  # {what}")));
}

fn json(args: &Args, proposal: &Proposal, first: &FirstLook, directory: &Path) -> serde_json::Value {
    let recipe = proposal.recipe().map(|_| "deploy.rhai");
    let files: Vec<&str> = recipe.into_iter().chain(["runner.toml"]).collect();
    let stage = |stage: &ProposedStage| serde_json::json!({ "name": stage.name, "path": stage.path(), "web_root": root(proposal, stage, directory) });
    serde_json::json!({
        "application": proposal.application,
        "project": proposal.kind.name,
        "files": if args.is_plan() { Vec::new() } else { files },
        "stages": proposal.stages.iter().map(stage).collect::<Vec<_>>(),
        "next": next(args, proposal, first).into_iter().map(|(command, _)| command).collect::<Vec<_>>(),
    })
}

/// The path of a stage, absolute.
fn path(stage: &ProposedStage, directory: &Path) -> String {
    match &stage.place {
        ProposedPlace::Here { path } => directory.join(path).display().to_string(),
        ProposedPlace::Servers { path, user, .. } => {
            // A web server knows no `~`.
            let user = user.as_deref().unwrap_or("deploy");
            let usual = path.strip_prefix("~/").map(|below| format!("/home/{user}/{below}"));
            stage.absolute.clone().or(usual).unwrap_or_else(|| path.clone())
        }
    }
}

fn root(proposal: &Proposal, stage: &ProposedStage, directory: &Path) -> String {
    let current = format!("{}/current", path(stage, directory));
    match proposal.kind.web_root.as_str() {
        "" => current,
        below => format!("{current}/{below}"),
    }
}

fn web_server(proposal: &Proposal, stage: &ProposedStage, directory: &Path) -> String {
    let root = root(proposal, stage, directory);
    let current = format!("{}/current", path(stage, directory));
    let (user, name) = match &stage.place {
        ProposedPlace::Here { .. } => (None, "localhost"),
        ProposedPlace::Servers { user, hosts, .. } => (user.clone(), hosts[0].address.as_str()),
    };
    // Without its port, which is that of ssh.
    let address = HostAddress::parse(name).ok();
    let name = address.as_ref().map_or(name, |address| address.name.as_str());
    let of_url = stage.url.as_ref().and_then(|(url, _)| url.split("://").nth(1)?.split('/').next());
    let site = ServedSite {
        serving: &proposal.kind.serving,
        root: &root,
        current: &current,
        server_name: of_url.unwrap_or(name),
        fpm: stage.fpm.as_deref().unwrap_or("/run/php/php-fpm.sock"),
        user: user.as_deref().unwrap_or("deploy"),
        application: &proposal.application,
    };
    let who = match proposal.kind.serving {
        ServedBy::Process { .. } if root == current => {
            "the application runs in `PATH/current`; a web server's root is that, or below it"
        }
        ServedBy::Process { .. } | ServedBy::Files { .. } | ServedBy::Php => {
            "the web server's root is `PATH/current`, or below it"
        }
    };
    let mut text = format!("\n{who}:\n    {root}\n\nnginx:\n{}", indented(&serving::nginx(&site)));
    if let Some(unit) = serving::unit(&site) {
        let file = format!("/etc/systemd/system/{}.service", proposal.application);
        text += &format!("\n\nsystemd, `{file}`:\n{}", indented(&unit));
    }
    if matches!(proposal.kind.serving, ServedBy::Php) && stage.fpm.is_none() {
        text += "\n\n`fastcgi_pass` is the `listen` of your PHP-FPM pool; ";
        text += "with `fpm` set to it in\n`runner.toml`, a release is tested there before it is live";
    }
    text
}

fn indented(text: &str) -> String {
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("    {line}") };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Commands, each with what it does.
fn next(args: &Args, proposal: &Proposal, first: &FirstLook) -> Vec<(String, &'static str)> {
    let directory = args.directory.iter().map(|dir| dir.display().to_string());
    let directory: Vec<String> = directory.flat_map(|dir| ["-C".to_owned(), dir]).collect();
    let stage = proposal.stages.first().filter(|_| proposal.stages.len() > 1).map(|stage| stage.name.clone());
    let command = |word: Option<&str>| {
        let words = directory.iter().cloned().chain(word.map(str::to_owned)).chain(stage.clone());
        words.fold("runner".to_owned(), |command, word| format!("{command} {}", Word::shown(&word)))
    };
    let mut commands = Vec::new();
    if first.adopts {
        commands.push((command(Some("adopt")), "shows how it would take over what lies there"));
    }
    if !proposal.stages.iter().all(ProposedStage::is_here) {
        commands.push((command(Some("doctor")), "looks at the server, and changes nothing"));
    }
    commands.push((command(Some("--plan")), "shows what a deploy would do"));
    commands.push((command(None), "deploys"));
    commands
}
