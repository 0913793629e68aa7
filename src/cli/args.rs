//! The command line: its options, and what its words mean.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::event::{Hint, Report};
use crate::host::{HostSelection, Settings};
use crate::recipe::sources;

/// Deploys an application to servers without downtime, and rolls it back.
///
/// RECIPE is a `.rhai` file or a shipped recipe (laravel, node, wordpress); the default is the one that `runner.toml`
/// names. FLOW is `deploy` (the default), `rollback`, `doctor` (checks the servers), or any other flow or task of the
/// recipe.
///
/// Verbs: `check` (finds mistakes in the recipe and in `runner.toml`), `releases`, `status`, `tasks`, `docs`,
/// `unlock`.
#[derive(Debug, Parser)]
#[command(
    name = "runner",
    version,
    override_usage = "runner [OPTIONS] [RECIPE] [FLOW or TASK]\n       runner [OPTIONS] check|releases|status|tasks|docs|unlock [RECIPE]"
)]
pub struct Args {
    /// A recipe, a flow, a task or a verb
    #[arg(value_name = "WORD", hide = true)]
    words: Vec<String>,

    /// The directory of `runner.toml`; by default, the nearest parent directory that contains one
    #[arg(short = 'C', value_name = "DIR")]
    pub directory: Option<PathBuf>,

    /// The stage; required if there are several
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

    /// Changes a setting, or appends to a list with KEY.add=VALUE; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,

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
    #[arg(short, long)]
    pub verbose: bool,

    /// Shows only errors and warnings
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,

    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

/// A verb, or a flow or task to run.
#[derive(Debug, PartialEq, Eq)]
pub enum Invocation {
    Check(Option<String>),
    Tasks(Option<String>),
    Docs(Option<String>),
    Releases,
    Status,
    Unlock,
    Run { recipe: Option<String>, what: Option<String> },
}

impl Args {
    pub fn read() -> Self {
        Self::parse()
    }

    pub fn is_plan(&self) -> bool {
        self.plan || self.diff
    }

    pub fn selection(&self) -> HostSelection {
        HostSelection { stage: self.stage.clone(), hosts: self.hosts.clone(), roles: self.roles.clone() }
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
        let recipe = |word: &&str| (*word).to_owned();
        let invocation = match words.as_slice() {
            ["check", rest @ ..] if rest.len() < 2 => Invocation::Check(rest.first().map(recipe)),
            ["tasks", rest @ ..] if rest.len() < 2 => Invocation::Tasks(rest.first().map(recipe)),
            ["docs", rest @ ..] if rest.len() < 2 => Invocation::Docs(rest.first().map(recipe)),
            ["releases"] => Invocation::Releases,
            ["status"] => Invocation::Status,
            ["unlock"] => Invocation::Unlock,
            [] => Invocation::Run { recipe: None, what: None },
            [word] if is_recipe(word) => Invocation::Run { recipe: Some(recipe(word)), what: None },
            [word] => Invocation::Run { recipe: None, what: Some(recipe(word)) },
            [word, what] if is_recipe(word) => {
                Invocation::Run { recipe: Some(recipe(word)), what: Some(recipe(what)) }
            }
            [word, name] if name.len() == 14 && name.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(Report::new(format!("too many arguments: `{}`", words.join(" ")))
                    .hint(Hint::runner([word, "--release", name], " selects that release")));
            }
            [word, ..] => {
                return Err(Report::new(format!("too many arguments: `{}`", words.join(" ")))
                    .note(format!(
                        "`{word}` is not a recipe: a recipe ends in `.rhai`, contains a `/`, or is a shipped name"
                    ))
                    .hint("`runner --help`"));
            }
        };
        match self.verify && invocation != Invocation::Status {
            true => Err(Report::new("`--verify` is an option of `status`").hint(Hint::runner(
                ["status", "--verify"],
                " compares the live releases with what was deployed",
            ))),
            false => Ok(invocation),
        }
    }
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
    fn the_first_word_is_a_verb_or_a_recipe_or_a_flow() {
        let run = |recipe: Option<&str>, what: Option<&str>| Invocation::Run {
            recipe: recipe.map(str::to_owned),
            what: what.map(str::to_owned),
        };
        case(&[], run(None, None));
        case(&["rollback"], run(None, Some("rollback")));
        case(&["a.rhai"], run(Some("a.rhai"), None));
        case(&["laravel", "rollback"], run(Some("laravel"), Some("rollback")));
        case(&["./x/deploy", "--plan", "t"], run(Some("./x/deploy"), Some("t")));
        case(&["check", "a.rhai"], Invocation::Check(Some("a.rhai".to_owned())));
        case(&["status"], Invocation::Status);
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }
}
