//! The command line: what was typed, then what is meant by it.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::event::{Hint, Report};
use crate::host::{HostSelection, Settings};
use crate::recipe::sources;

/// Puts a new version of an application live on its servers without one failed request, and takes it back.
///
/// RECIPE is a `.rhai` file or a shipped name (laravel, node, wordpress); by default the one that `runner.toml` names.
/// FLOW is `deploy` (the default), `rollback`, `doctor` (are the servers fit for it?), or any other flow or task of the recipe.
///
/// Verbs: `check` (is the recipe well written?), `releases`, `status`, `tasks`, `docs`, `unlock`.
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

    /// Where `runner.toml` is; by default the nearest parent that has one
    #[arg(short = 'C', value_name = "DIR")]
    pub directory: Option<PathBuf>,

    /// Which stage; needed when there are several
    #[arg(long, value_name = "NAME")]
    stage: Option<String>,

    /// Only this host; may be said again
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,

    /// Only hosts with this role; may be said again
    #[arg(long = "role", value_name = "NAME")]
    roles: Vec<String>,

    /// Which release to roll back to
    #[arg(long, value_name = "NAME")]
    pub release: Option<String>,

    /// Sets a setting, or adds to a list with KEY.add=VALUE; may be said again
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Waits for a lock that another run has, as long as it takes
    #[arg(long)]
    pub wait: bool,

    /// Shows what would be done, and changes nothing
    #[arg(long)]
    pub plan: bool,

    /// The same, with the differences of changed text files
    #[arg(long)]
    pub diff: bool,

    /// One JSON object a line on standard output
    #[arg(long)]
    pub json: bool,

    /// Shows commands and what they say
    #[arg(short, long)]
    pub verbose: bool,

    /// Shows problems only
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

/// What the words ask for.
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

    /// The recipe that was typed.
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

    /// As if these words were typed behind the program's name.
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
                return Err(Report::new(format!("too many words: `{}`", words.join(" ")))
                    .hint(Hint::runner([word, "--release", name], " names a release")));
            }
            [word, ..] => {
                return Err(Report::new(format!("too many words: `{}`", words.join(" ")))
                    .note(format!(
                        "`{word}` is not a recipe: a recipe ends in `.rhai`, contains a `/`, or is a shipped name"
                    ))
                    .hint("`runner --help`"));
            }
        };
        Ok(invocation)
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
