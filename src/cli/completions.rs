//! `runner completions`: the script for a shell, and the answers that this script asks the program for.

use std::ffi::OsStr;
use std::sync::Arc;

use clap::{Command, CommandFactory, Parser};
use clap_complete::env::Shells;
use clap_complete::{ArgValueCompleter, CompleteEnv, CompletionCandidate};

use crate::cli::args::Args;
use crate::cli::verb::{VERBS, VerbResult};
use crate::cli::{check, man, out, project};
use crate::event::{Event, Report, Sink, Suggestion};
use crate::recipe::sources;
use crate::transport::CancelToken;

/// The variable by which the script of a shell asks for completions.
const VARIABLE: &str = "RUNNER_COMPLETE";

/// Prints the script.
pub fn completions(shell: Option<&str>) -> VerbResult {
    // For packages: a page in troff is of no use to people.
    if shell == Some("man") {
        return man::print();
    }
    let shells = Shells::builtins();
    let names: Vec<&str> = shells.names().collect();
    let known = format!("shells: {}", names.join(", "));
    let Some(shell) = shell else {
        return Err(Report::new("`completions` needs the name of a shell").note(known).into());
    };
    let Some(completer) = shells.completer(shell) else {
        let near = Suggestion::new(shell, names.iter().copied());
        return Err(Report::new(format!("no completions for `{shell}`{near}")).note(known).into());
    };
    let mut script = Vec::new();
    let written = completer.write_registration(VARIABLE, "runner", "runner", "runner", &mut script);
    written.map_err(|error| Report::new(format!("failed to make the completions for `{shell}`: {error}")))?;
    out::data(String::from_utf8_lossy(&script).trim());
    Ok(0)
}

/// Answers the script of a shell, if that is who calls.
pub fn answer_if_asked() {
    CompleteEnv::with_factory(command).var(VARIABLE).bin("runner").complete();
}

fn command() -> Command {
    let all = ArgValueCompleter::new(|typed: &OsStr| starting_with(typed, words()));
    let stages = ArgValueCompleter::new(|typed: &OsStr| starting_with(typed, stages()));
    let hosts = ArgValueCompleter::new(|typed: &OsStr| starting_with(typed, hosts()));
    Args::command()
        .mut_arg("words", |arg| arg.hide(false).add(all))
        .mut_arg("stage", |arg| arg.add(stages))
        .mut_arg("hosts", |arg| arg.add(hosts))
}

/// A word with its description.
type Described = (String, String);

fn starting_with(typed: &OsStr, words: Vec<Described>) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    let fitting = words.into_iter().filter(|(word, _)| word.starts_with(&*typed));
    fitting.map(|(word, about)| CompletionCandidate::new(word).help(Some(about.into()))).collect()
}

/// What the first words can be, in the project of this directory.
fn words() -> Vec<Described> {
    let verbs = VERBS.iter().map(|verb| (verb.name.to_owned(), verb.about.to_owned()));
    let recipes =
        sources::recipe_names().into_iter().map(|name| (name.to_owned(), "a shipped recipe".to_owned()));
    let mut all: Vec<Described> = stages();
    let events: Arc<dyn Sink> = Arc::new(Silence);
    // A recipe with mistakes has no flows to offer.
    if let Ok((recipe, _)) = check::recipe(&nothing_typed(), None, &CancelToken::default(), &events) {
        let named = recipe.flows().into_iter().chain(recipe.tasks());
        all.extend(named.map(|named| (named.name, first_sentence(&named.doc))));
    }
    all.into_iter().chain(verbs).chain(recipes).collect()
}

fn stages() -> Vec<Described> {
    let inventory = project::inventory_if_any(&nothing_typed()).ok().flatten();
    let stages = inventory.into_iter().flat_map(|inventory| inventory.stages);
    stages.map(|stage| (stage.name, "a stage".to_owned())).collect()
}

fn hosts() -> Vec<Described> {
    let inventory = project::inventory_if_any(&nothing_typed()).ok().flatten();
    let stages = inventory.into_iter().flat_map(|inventory| inventory.stages);
    let mut hosts: Vec<Described> =
        stages.flat_map(|stage| stage.hosts).map(|host| (host.name, "a host".to_owned())).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

fn first_sentence(text: &str) -> String {
    text.split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned()
}

fn nothing_typed() -> Args {
    Args::parse_from(["runner"])
}

/// Shows nothing: a shell that completes a word has no place for messages.
struct Silence;

impl Sink for Silence {
    fn event(&self, _: Event) {}
}
