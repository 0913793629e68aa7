//! `runner help`: the command line, a verb, or a flow or task of the recipe.

use std::sync::Arc;

use clap::{Command, CommandFactory};

use crate::cli::args::Args;
use crate::cli::verb::{VERBS, VerbHelp, VerbResult};
use crate::cli::{check, out, words};
use crate::event::Sink;
use crate::recipe::docs::NamedDoc;
use crate::transport::CancelToken;

pub fn help(
    args: &Args,
    word: Option<String>,
    cancel_token: &CancelToken,
    events: &Arc<dyn Sink>,
) -> VerbResult {
    let Some(word) = word else {
        out::data(of_program().render_help().to_string().trim_end());
        return Ok(0);
    };
    if let Some(verb) = VERBS.iter().find(|verb| verb.name == word) {
        out::data(of_verb(verb).render_help().to_string().trim_end());
        return Ok(0);
    }
    let (recipe, name) = check::recipe(args, None, cancel_token, events)?;
    let is_asked = |named: &&NamedDoc| named.name == word;
    let (flows, tasks) = (recipe.flows(), recipe.tasks());
    if let Some(flow) = flows.iter().find(is_asked) {
        out::data(format!("{}: {}\n\nUsage: runner [OPTIONS] {} [STAGE]\n", flow.name, flow.doc, flow.name));
        out::data(format!("Flow of {name}, with the tasks: {}", flow.detail));
    } else if let Some(task) = tasks.iter().find(is_asked) {
        out::data(format!("{}: {}\n\nUsage: runner [OPTIONS] {} [STAGE]\n", task.name, task.doc, task.name));
        let in_flows: Vec<&str> = flows
            .iter()
            .filter(|flow| flow.detail.split(' ').any(|name| name == task.name))
            .map(|flow| flow.name.as_str())
            .collect();
        out::data(format!("Task of {name}; runs: {}; flows: {}", task.detail, in_flows.join(", ")));
    } else {
        return Err(words::unknown(&word, &recipe, None).into());
    }
    Ok(0)
}

const FLOWS: &str = "  deploy       Puts the new version live; this is what `runner` alone does
  rollback     Goes back to the release that was live before
  doctor       Looks at the servers, and says what would keep a deployment from working
";

const EXAMPLES: &str = "Examples:
  runner prod                    deploys to the stage `prod`
  runner --plan prod             shows what that would do
  runner rollback prod           goes back to the release that was live before
  runner recipes/laravel.rhai --stage prod --set ref=v1.2";

/// The command line with its verbs.
pub fn of_program() -> Command {
    let width = VERBS.iter().map(|verb| verb.name.len()).max().unwrap_or_default();
    let lines = VERBS.iter().map(|verb| format!("  {:width$}  {}\n", verb.name, verb.about));
    let verbs: String = lines.collect();
    Args::command().after_help(format!(
        "Flows of every recipe:\n{FLOWS}\nVerbs:\n{verbs}\n`runner help WORD` describes one of them, with its options.\n\n{EXAMPLES}"
    ))
}

/// One verb, with the options that matter to it.
fn of_verb(verb: &VerbHelp) -> Command {
    let options = Args::command();
    let options = options.get_arguments().filter(|arg| verb.options.contains(&arg.get_id().as_str()));
    Command::new("runner")
        .disable_help_flag(true)
        .about(format!("{}.", verb.about))
        .override_usage(format!("runner {} [OPTIONS] {}", verb.name, verb.takes))
        .args(options.cloned())
        .after_help(verb.more.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_names_options_that_exist() {
        let args = Args::command();
        let known: Vec<&str> = args.get_arguments().map(|arg| arg.get_id().as_str()).collect();
        for verb in VERBS {
            for option in verb.options {
                assert!(known.contains(option), "{}: {option}", verb.name);
            }
        }
    }

    #[test]
    fn help_fits_a_terminal_of_100_columns() {
        let texts = VERBS.iter().map(|verb| of_verb(verb).render_help().to_string());
        for text in texts.chain([of_program().render_help().to_string()]) {
            for line in text.lines() {
                assert!(line.chars().count() <= 100, "{line}");
            }
        }
    }
}
