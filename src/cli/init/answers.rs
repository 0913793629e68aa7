//! Where to deploy: from the options of the command line, or asked at the terminal. At most four questions.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::init::hosts::{HERE, Hosts, addresses, hosts, same};
use crate::cli::verb::VerbError;
use crate::event::{Event, Report, Sink};
use crate::here::proposal::{Proposal, taken_over};
use crate::here::proposed::{ProposedPlace, ProposedStage};
use crate::here::question;
use crate::host::DeployPath;
use crate::host::inventory::address::is_plain;
use crate::shell::Word;
use crate::transport::CancelToken;

const STAGE: &str = "prod";
const USER: &str = "deploy";

/// The stages to write.
pub fn stages(
    args: &Args,
    proposal: &Proposal,
    directory: &Path,
    cancel_token: &CancelToken,
    events: &Arc<dyn Sink>,
) -> Result<Vec<ProposedStage>, VerbError> {
    let is_terminal = std::io::stdin().is_terminal();
    if args.yes || !is_terminal {
        let usual = is_terminal.then(|| usual_path(proposal));
        return from_options(args, former(args, proposal, usual.as_deref()), proposal, directory);
    }
    let former = former(args, proposal, Some(&usual_path(proposal)));
    let questions = Questions { args, directory, cancel_token, events };
    match former.as_slice() {
        [] => questions.stage(None, proposal, true).map(|stage| vec![stage]),
        [stage] => questions.stage(Some(stage), proposal, true).map(|stage| vec![stage]),
        stages if questions.takes(stages)? => Ok(former),
        [stage, ..] => questions.stage(Some(stage), proposal, false).map(|stage| vec![stage]),
    }
}

fn usual_path(proposal: &Proposal) -> String {
    format!("/var/www/{}", proposal.application)
}

/// The stages of another tool, unless the command line names other hosts. `path`: of those that do not say theirs.
fn former(args: &Args, proposal: &Proposal, path: Option<&str>) -> Vec<ProposedStage> {
    if !args.selection().hosts.is_empty() {
        return Vec::new();
    }
    let stages = proposal.former.iter().flat_map(|former| &former.stages);
    let mut stages: Vec<ProposedStage> = stages
        .filter_map(|stage| taken_over(&stage.name, &stage.hosts, args.init.path.as_deref().or(path)))
        .collect();
    if let (Some(name), [stage]) = (args.selection().stage, stages.as_mut_slice()) {
        stage.name = name;
    }
    for stage in &mut stages {
        let ProposedPlace::Servers { path, user, .. } = &mut stage.place else { continue };
        *path = args.init.path.clone().unwrap_or_else(|| path.clone());
        *user = args.init.user.clone().or_else(|| user.clone());
    }
    stages
}

/// With `--yes` at a terminal, what would be proposed is taken, but nobody can guess a host. Without a terminal, nothing is
/// guessed.
fn from_options(
    args: &Args,
    former: Vec<ProposedStage>,
    proposal: &Proposal,
    directory: &Path,
) -> Result<Vec<ProposedStage>, VerbError> {
    if args.yes && !former.is_empty() {
        for stage in &former {
            check_path(stage.path(), &Hosts::of(&stage.place), directory).map_err(Report::new)?;
        }
        return Ok(former);
    }
    let selection = args.selection();
    let hosts = hosts(&selection.hosts.join(" "));
    let needs_user = !matches!(hosts, Ok(Hosts::Here | Hosts::Servers { user: Some(_), .. }));
    check_complete(args, &former, needs_user, proposal)?;
    let hosts = hosts.map_err(Report::new)?;
    let path = args.init.path.clone().unwrap_or_else(|| match hosts {
        Hosts::Here => here_path(directory).to_owned(),
        Hosts::Servers { .. } => usual_path(proposal),
    });
    check_path(&path, &hosts, directory).map_err(Report::new)?;
    let name = selection.stage.unwrap_or_else(|| STAGE.to_owned());
    let user = args.init.user.clone().or_else(|| needs_user.then(|| USER.to_owned()));
    Ok(vec![ProposedStage::new(&name, hosts.place(path, user))])
}

/// Fails if the command line does not say all that nobody guesses.
fn check_complete(
    args: &Args,
    former: &[ProposedStage],
    needs_user: bool,
    proposal: &Proposal,
) -> Result<(), VerbError> {
    let guesses = std::io::stdin().is_terminal();
    let selection = args.selection();
    let missing = [
        ("--stage", former.is_empty() && selection.stage.is_none() && !guesses),
        ("--host", former.is_empty() && selection.hosts.is_empty()),
        ("--user", former.is_empty() && args.init.user.is_none() && needs_user && !guesses),
        ("--path", former.is_empty() && args.init.path.is_none() && !guesses),
        ("--yes", !args.yes),
    ];
    let missing: Vec<String> =
        missing.iter().filter(|(_, is)| *is).map(|(option, _)| format!("`{option}`")).collect();
    if !missing.is_empty() {
        let when = if std::io::stdin().is_terminal() { "with `--yes`" } else { "without a terminal" };
        let message = format!("{when}, `init` needs {}; nothing was written", missing.join(", "));
        return Err(Report::new(message).hint(full_command(args, former, proposal)).into());
    }
    Ok(())
}

/// A command that would do, with what is known.
fn full_command(args: &Args, former: &[ProposedStage], proposal: &Proposal) -> String {
    let mut words = vec!["runner".to_owned()];
    if let Some(directory) = &args.directory {
        words.extend(["-C".to_owned(), directory.display().to_string()]);
    }
    words.push("init".to_owned());
    if former.is_empty() {
        let selection = args.selection();
        words.extend(["--stage".to_owned(), selection.stage.unwrap_or_else(|| STAGE.to_owned())]);
        let is_here = selection.hosts == [HERE];
        let hosts =
            if selection.hosts.is_empty() { vec!["web1.example.com".to_owned()] } else { selection.hosts };
        words.extend(hosts.into_iter().flat_map(|host| ["--host".to_owned(), host]));
        let path = if is_here { "site".to_owned() } else { usual_path(proposal) };
        if !is_here {
            words.extend(["--user".to_owned(), args.init.user.clone().unwrap_or_else(|| USER.to_owned())]);
        }
        words.extend(["--path".to_owned(), args.init.path.clone().unwrap_or(path)]);
    }
    words.push("--yes".to_owned());
    let words: Vec<String> = words.iter().map(|word| Word::shown(word)).collect();
    format!("`{}`", words.join(" "))
}

fn check_path(path: &str, hosts: &Hosts, directory: &Path) -> Result<(), String> {
    let parsed = match hosts {
        Hosts::Here => DeployPath::local(path, directory),
        Hosts::Servers { .. } => DeployPath::remote(path),
    };
    parsed.map(drop).map_err(|problem| format!("the path {problem}"))?;
    match above(path) {
        Some((meant, name)) => {
            Err(format!("the path is the directory above `{name}`: `{meant}`, not `{path}`"))
        }
        None => Ok(()),
    }
}

/// The directory above `current`, `releases` or `shared`, and which it is; also where a web root below `current` is named.
/// A directory of such a name in `/` or in a home directory may be a site.
fn above(path: &str) -> Option<(&str, &str)> {
    let (before, last) = path.trim_end_matches('/').rsplit_once('/')?;
    let (before, name) = match before.rsplit_once('/') {
        Some((before, "current")) => (before, "current"),
        _ => (before, last),
    };
    let is_ours = ["current", "releases", "shared"].contains(&name);
    (is_ours && !["", "~"].contains(&before)).then_some((before, name))
}

fn check_user(user: &str) -> Result<(), String> {
    if is_plain(user) { Ok(()) } else { Err(format!("`{user}` is not the name of a user")) }
}

/// The questions at the terminal.
struct Questions<'q> {
    args: &'q Args,
    directory: &'q Path,
    cancel_token: &'q CancelToken,
    events: &'q Arc<dyn Sink>,
}

impl Questions<'_> {
    /// Asks for what the command line does not say. `known` are the defaults.
    fn stage(
        &self,
        known: Option<&ProposedStage>,
        proposal: &Proposal,
        asks_name: bool,
    ) -> Result<ProposedStage, VerbError> {
        let selection = self.args.selection();
        let name = known.map_or(STAGE, |stage| &stage.name);
        let name = match selection.stage {
            Some(name) => name,
            None if asks_name => self.ask("stage", Some(name), |word| Ok(word.to_owned()))?,
            None => name.to_owned(),
        };
        let place = known.map(|stage| &stage.place);
        let known_hosts = place.map(addresses);
        let hosts = match selection.hosts.is_empty() {
            true => {
                let question = "host (`localhost`: this machine)";
                self.ask(question, known_hosts.as_deref(), hosts)?
            }
            false => hosts(&selection.hosts.join(" ")).map_err(Report::new)?,
        };
        let user = self.user(&hosts, place)?;
        let path = self.path(&hosts, place, proposal)?;
        let place = match place {
            // Its hosts have roles and paths that no question asks for.
            Some(ProposedPlace::Servers { hosts: known, .. }) if same(&hosts, known) => {
                ProposedPlace::Servers { path, user, hosts: known.clone() }
            }
            _ => hosts.place(path, user),
        };
        Ok(ProposedStage::new(&name, place))
    }

    fn user(&self, hosts: &Hosts, known: Option<&ProposedPlace>) -> Result<Option<String>, VerbError> {
        match hosts {
            Hosts::Here => return Ok(None),
            Hosts::Servers { user: Some(user), .. } => return Ok(Some(user.clone())),
            Hosts::Servers { user: None, .. } => {}
        }
        if let Some(user) = &self.args.init.user {
            check_user(user).map_err(Report::new)?;
            return Ok(Some(user.clone()));
        }
        let known = match known {
            Some(ProposedPlace::Servers { user, .. }) => user.as_deref(),
            _ => None,
        };
        let read = |word: &str| check_user(word).map(|()| word.to_owned());
        self.ask("user to log in as", Some(known.unwrap_or(USER)), read).map(Some)
    }

    fn path(
        &self,
        hosts: &Hosts,
        known: Option<&ProposedPlace>,
        proposal: &Proposal,
    ) -> Result<String, VerbError> {
        let read = |word: &str| check_path(word, hosts, self.directory).map(|()| word.to_owned());
        if let Some(path) = &self.args.init.path {
            return read(path).map_err(|problem| Report::new(problem).into());
        }
        let default = match (hosts, known) {
            (Hosts::Here, _) => here_path(self.directory).to_owned(),
            (_, Some(ProposedPlace::Servers { path, .. })) => path.clone(),
            _ => usual_path(proposal),
        };
        self.ask("path to deploy to", Some(&default), read)
    }

    /// Whether the stages of another tool are taken as they are.
    fn takes(&self, stages: &[ProposedStage]) -> Result<bool, VerbError> {
        for stage in stages {
            let text = format!("stage `{}`: {}, in `{}`", stage.name, addresses(&stage.place), stage.path());
            self.events.event(Event::Note { host: None, text });
        }
        self.ask("write these stages", Some("yes"), |word| match word.to_lowercase().as_str() {
            "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => Err("answer `yes` or `no`".to_owned()),
        })
    }

    /// Asks until the answer can be read. An empty answer is the default. Ctrl-C and Ctrl-D end the program.
    fn ask<T>(
        &self,
        question: &str,
        default: Option<&str>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, VerbError> {
        let shown = default.map_or(String::new(), |default| format!(" [{default}]"));
        loop {
            let answer = question::line(&format!("{question}{shown}: "), self.cancel_token, &**self.events)
                .map_err(|_| VerbError::interrupted())?;
            match read(answer.trim().is_empty().then_some(default).flatten().unwrap_or(answer.trim())) {
                Ok(read) => return Ok(read),
                Err(problem) => self.events.event(Event::Warning { host: None, text: problem }),
            }
        }
    }
}

/// A directory beside `runner.toml` that nothing has yet.
fn here_path(directory: &Path) -> &'static str {
    let free = ["site", "local-site"].into_iter().find(|name| !directory.join(name).exists());
    free.unwrap_or("runner-site")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_above_what_is_made_in_it() {
        let case =
            |path: &str, want: Option<&str>| assert_eq!(above(path).map(|(meant, _)| meant), want, "{path}");
        for path in
            ["/srv/shop/current", "/srv/shop/current/", "/srv/shop/current/public", "/srv/shop/shared"]
        {
            case(path, Some("/srv/shop"));
        }
        case("~/shop/releases", Some("~/shop"));
        for fine in ["/srv/shop", "/current", "~/shared", "/srv/shared/shop", "/srv/currently", "site"] {
            case(fine, None);
        }
    }
}
