//! The command line: its options, and what its words mean.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use clap::error::{ContextKind, ErrorKind};
use clap::{Parser, ValueEnum};

use crate::cli::adopt_options::AdoptOptions;
use crate::cli::foreign;
use crate::cli::init::options::InitOptions;
use crate::cli::verb::is_verb;
use crate::event::{Hint, Report};
use crate::host::{HostSelection, Settings};
use crate::recipe::sources;
use crate::shell::Word;

/// Deploys an application to servers without downtime, and rolls it back.
///
/// RECIPE is a `.rhai` file or a shipped recipe (laravel, node, wordpress); the default is the one that `runner.toml`
/// names. FLOW is `deploy` (the default), `rollback`, `doctor` (checks the servers), or any other flow or task of the
/// recipe. STAGE is a stage of `runner.toml`.
#[derive(Debug, Parser)]
#[command(
    name = "runner",
    version = env!("RUNNER_VERSION"),
    disable_help_flag = true,
    override_usage = "runner [OPTIONS] [RECIPE] [FLOW or TASK] [STAGE]\n       runner [OPTIONS] VERB [...]"
)]
pub struct Args {
    /// A recipe, a flow, a task, a stage or a verb
    #[arg(value_name = "WORD", hide = true)]
    words: Vec<String>,

    /// The directory of `runner.toml`; by default, the nearest parent directory that contains one
    #[arg(short = 'C', value_name = "DIR")]
    pub directory: Option<PathBuf>,

    /// The stage, required if there are several; `RUNNER_STAGE` sets a default
    #[arg(long, value_name = "NAME")]
    stage: Option<String>,

    /// Only this host; can be repeated
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,

    /// Only hosts with this role; can be repeated
    #[arg(long = "role", value_name = "NAME")]
    roles: Vec<String>,

    /// The release to roll back to
    #[arg(long, value_name = "NAME")]
    pub release: Option<String>,

    /// With `status`: compares the live release with what was deployed
    #[arg(long)]
    pub verify: bool,

    /// Takes over a site that belongs to another application
    #[arg(long)]
    pub adopt_application: bool,

    #[command(flatten)]
    pub adopt: AdoptOptions,

    /// Changes a setting, or appends to a list with KEY.add=VALUE; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,

    #[command(flatten)]
    pub init: InitOptions,

    /// Takes what is proposed, and asks nothing
    #[arg(long)]
    pub yes: bool,

    /// Waits for as long as another run holds the lock
    #[arg(long)]
    pub wait: bool,

    /// Prints what the run would change, and changes nothing
    #[arg(long)]
    pub plan: bool,

    /// Like `--plan`, with the differences of changed text files
    #[arg(long)]
    pub diff: bool,

    /// Prints one JSON object per line to standard output
    #[arg(long)]
    pub json: bool,

    /// Shows commands and their output
    #[arg(short, long, overrides_with = "verbose")]
    pub verbose: bool,

    /// Shows only errors and warnings
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: When,

    /// Prints help; `runner help VERB` has more
    #[arg(short, long)]
    pub help: bool,

    /// The stage that a word named.
    #[arg(skip)]
    named_stage: Arc<OnceLock<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

/// A verb, or what to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Invocation {
    Help(Option<String>),
    Completions(Option<String>),
    Check(Option<String>),
    Tasks(Option<String>),
    Docs(Option<String>),
    Init,
    Adopt,
    Releases,
    Status,
    Unlock,
    /// `words` name a flow or a task and a stage, in any order: which is which, only `runner.toml` and the recipe know.
    Run {
        recipe: Option<String>,
        words: Vec<String>,
    },
}

impl Args {
    /// Parses the arguments of the program. If they make no sense, prints why; the error is the exit code.
    pub fn read() -> Result<Self, ExitCode> {
        Self::try_parse().map_err(|error| {
            match error.get(ContextKind::InvalidArg) {
                Some(option) if error.kind() == ErrorKind::UnknownArgument => {
                    let near = error.get(ContextKind::SuggestedArg);
                    foreign::unknown_option(&option.to_string(), near.map(ToString::to_string).as_deref());
                }
                // Fails only if nobody reads it any more.
                _ => drop(error.print()),
            }
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        })
    }

    pub fn is_plan(&self) -> bool {
        self.plan || self.diff
    }

    /// The stage is the one of `--stage`, else the one that a word names, else the one of `RUNNER_STAGE`.
    pub fn selection(&self) -> HostSelection {
        let stage = self.chosen_stage().map(str::to_owned).or_else(stage_of_environment);
        HostSelection { stage, hosts: self.hosts.clone(), roles: self.roles.clone() }
    }

    /// The stage that the command line names.
    fn chosen_stage(&self) -> Option<&str> {
        self.stage.as_deref().or_else(|| self.named_stage.get().map(String::as_str))
    }

    /// Whether only `RUNNER_STAGE` names the stage.
    pub fn is_stage_of_environment(&self) -> bool {
        self.chosen_stage().is_none() && stage_of_environment().is_some()
    }

    /// What hints need to repeat this choice of hosts. `RUNNER_STAGE` is still set when the user types the hint.
    pub fn shared_choice(&self) -> HostSelection {
        HostSelection { stage: self.chosen_stage().map(str::to_owned), ..self.selection() }
    }

    /// Whether `--stage` is given: then no word names a stage.
    pub fn has_stage(&self) -> bool {
        self.stage.is_some()
    }

    /// Notes the stage that a word names.
    pub fn choose_stage(&self, word: &str) -> Result<(), Report> {
        match self.chosen_stage() {
            Some(stage) if stage != word => Err(Report::new(format!("two stages: `{stage}` and `{word}`"))
                .hint(format!("name one: `--stage {}`", Word::shown(stage)))),
            _ => {
                let _ = self.named_stage.set(word.to_owned());
                Ok(())
            }
        }
    }

    pub fn settings(&self) -> anyhow::Result<Settings> {
        Settings::from_cli(&self.set)
    }

    /// The recipe on the command line.
    pub fn recipe(&self) -> Option<String> {
        match self.invocation() {
            Ok(
                Invocation::Check(recipe)
                | Invocation::Tasks(recipe)
                | Invocation::Docs(recipe)
                | Invocation::Run { recipe, .. },
            ) => recipe,
            _ => None,
        }
    }

    /// Parses these words as the arguments of the program.
    #[cfg(test)]
    pub fn of(words: &[&str]) -> Self {
        Self::parse_from(std::iter::once("runner").chain(words.iter().copied()))
    }

    pub fn invocation(&self) -> Result<Invocation, Report> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        if self.help {
            return Ok(Invocation::Help(words.into_iter().find(|word| *word != "help").map(str::to_owned)));
        }
        let invocation = match words.as_slice() {
            [] => Invocation::Run { recipe: None, words: Vec::new() },
            [verb] if is_verb(verb) => self.verb(verb, None)?,
            [verb, word] if is_verb(verb) => self.verb(verb, Some(word))?,
            [recipe, rest @ ..] if is_recipe(recipe) && rest.len() < 3 => Invocation::Run {
                recipe: Some((*recipe).to_owned()),
                words: rest.iter().map(|word| (*word).to_owned()).collect(),
            },
            [first, rest @ ..] if rest.len() < 2 && !is_verb(first) => {
                Invocation::Run { recipe: None, words: self.words.clone() }
            }
            [first, ..] => return Err(foreign::too_many(&self.words, first)),
        };
        self.check_options(&invocation).map(|()| invocation)
    }

    /// Refuses options of another verb.
    fn check_options(&self, invocation: &Invocation) -> Result<(), Report> {
        if *invocation != Invocation::Init {
            self.init.refuse()?;
        }
        if *invocation != Invocation::Adopt {
            self.adopt.refuse()?;
        }
        match self.verify && *invocation != Invocation::Status {
            true => Err(Report::new("`--verify` is an option of `status`").hint(Hint::runner(
                ["status", "--verify"],
                " compares the live releases with what was deployed",
            ))),
            false => Ok(()),
        }
    }

    /// A verb with the word after it.
    fn verb(&self, verb: &str, word: Option<&str>) -> Result<Invocation, Report> {
        let text = word.map(str::to_owned);
        let on_stage = |invocation| {
            word.map_or(Ok(()), |word| self.choose_stage(word))?;
            Ok(invocation)
        };
        match verb {
            "check" => Ok(Invocation::Check(text)),
            "tasks" => Ok(Invocation::Tasks(text)),
            "docs" => Ok(Invocation::Docs(text)),
            "init" => on_stage(Invocation::Init),
            "completions" => Ok(Invocation::Completions(text)),
            "adopt" => on_stage(Invocation::Adopt),
            "releases" => on_stage(Invocation::Releases),
            "status" => on_stage(Invocation::Status),
            "unlock" => on_stage(Invocation::Unlock),
            _ => Ok(Invocation::Help(text)),
        }
    }
}

/// The default stage that the environment sets.
fn stage_of_environment() -> Option<String> {
    std::env::var("RUNNER_STAGE").ok().filter(|name| !name.is_empty())
}

fn is_recipe(word: &str) -> bool {
    word.ends_with(".rhai") || word.contains('/') || sources::recipe_names().contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(words: &[&str], want: Invocation) {
        assert_eq!(Args::of(words).invocation().unwrap(), want);
    }

    #[test]
    fn the_first_word_is_a_verb_or_a_recipe_or_what_to_run() {
        let run = |recipe: Option<&str>, words: &[&str]| Invocation::Run {
            recipe: recipe.map(str::to_owned),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
        };
        case(&[], run(None, &[]));
        case(&["rollback"], run(None, &["rollback"]));
        case(&["rollback", "prod"], run(None, &["rollback", "prod"]));
        case(&["a.rhai"], run(Some("a.rhai"), &[]));
        case(&["laravel", "rollback"], run(Some("laravel"), &["rollback"]));
        case(&["laravel", "prod", "rollback"], run(Some("laravel"), &["prod", "rollback"]));
        case(&["./x/deploy", "--plan", "t"], run(Some("./x/deploy"), &["t"]));
        case(&["check", "a.rhai"], Invocation::Check(Some("a.rhai".to_owned())));
        case(&["status"], Invocation::Status);
        case(&["status", "--help"], Invocation::Help(Some("status".to_owned())));
        case(&["help"], Invocation::Help(None));
    }

    #[test]
    fn a_stage_is_named_once() {
        let stage = |words: &[&str]| {
            let args = Args::of(words);
            args.invocation().map(|_| args.chosen_stage().map(str::to_owned)).map_err(|report| report.message)
        };
        assert_eq!(stage(&["status", "prod"]), Ok(Some("prod".to_owned())));
        assert_eq!(stage(&["status", "prod", "--stage", "prod"]), Ok(Some("prod".to_owned())));
        assert_eq!(
            stage(&["status", "prod", "--stage", "dev"]),
            Err("two stages: `dev` and `prod`".to_owned())
        );
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
