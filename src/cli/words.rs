//! What the words of a command line mean that name no verb and no recipe: a flow or a task, and a stage, in any order.

use crate::cli::args::Args;
use crate::cli::foreign;
use crate::cli::verb::{VERBS, is_verb};
use crate::event::{Hint, Report, Suggestion};
use crate::host::Inventory;
use crate::recipe::Recipe;
use crate::recipe::docs::NamedDoc;

/// What a word can mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// A flow or a task.
    Target,
    Stage,
}

/// The name of the flow or task that `words` name, if they do. Notes the stage that they name.
pub fn meaning(
    args: &Args,
    words: &[String],
    recipe: &Recipe,
    inventory: &Inventory,
) -> Result<Option<String>, Report> {
    let mut target: Option<&String> = None;
    for word in words {
        match one(args, word, recipe, inventory, target.is_some())? {
            Meaning::Stage => args.choose_stage(word)?,
            Meaning::Target => {
                if let Some(first) = target {
                    return Err(two_targets(first, word));
                }
                target = Some(word);
            }
        }
    }
    Ok(target.cloned())
}

fn two_targets(first: &str, second: &str) -> Report {
    let report = Report::new(format!("`{first}` and `{second}` are both flows or tasks: a run has one"));
    match second.len() == 14 && second.bytes().all(|byte| byte.is_ascii_digit()) {
        true => report.hint(Hint::runner([first, "--release", second], " selects that release")),
        false => report.hint("start two runs, or define a flow of your own that contains both"),
    }
}

fn one(
    args: &Args,
    word: &str,
    recipe: &Recipe,
    inventory: &Inventory,
    has_target: bool,
) -> Result<Meaning, Report> {
    let is_stage = inventory.stages.iter().any(|stage| stage.name == word);
    match (recipe.goal(word).is_some(), is_stage) {
        (true, true) if args.has_stage() => Ok(Meaning::Target),
        (true, true) => Err(ambiguous(word)),
        (true, false) => Ok(Meaning::Target),
        (false, true) => Ok(Meaning::Stage),
        (false, false) if has_target => Err(no_stage(word, inventory)),
        (false, false) => Err(unknown(word, recipe, Some(inventory))),
    }
}

fn ambiguous(word: &str) -> Report {
    Report::new(format!("`{word}` is a stage, and also a flow or task of the recipe"))
        .note(format!("the stage: `--stage {word}`"))
        .note(format!("the flow or task: `{word} --stage NAME`"))
        .hint("rename one of them: then each can be named alone")
}

/// The error for the second word, after a flow or task.
fn no_stage(word: &str, inventory: &Inventory) -> Report {
    if word.len() == 14 && word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Report::new(format!("`{word}` is not a stage"))
            .hint(Hint::runner(["rollback", "--release", word], " selects that release"));
    }
    let is_host = |stage: &crate::host::Stage| stage.hosts.iter().any(|host| host.name == word);
    if inventory.stages.iter().any(is_host) {
        return Report::new(format!("`{word}` is not a stage, but a host"))
            .hint(format!("`--host {word}` selects it"));
    }
    inventory.no_such_stage(word)
}

/// The error for a word that means nothing.
pub fn unknown(word: &str, recipe: &Recipe, inventory: Option<&Inventory>) -> Report {
    let (flows, tasks) = (recipe.flows(), recipe.tasks());
    let stages: Vec<&str> =
        inventory.iter().flat_map(|inventory| &inventory.stages).map(|stage| stage.name.as_str()).collect();
    if let Some(hint) = foreign::hint(word) {
        return Report::new(format!("`{word}` is not a verb, flow, task or stage")).hint(hint);
    }
    let near = match inventory.and_then(|inventory| inventory.near_stage(word)) {
        Some(stage) => format!(" (did you mean `{stage}`?)"),
        None => {
            let named = flows.iter().chain(&tasks).map(|named: &NamedDoc| named.name.as_str());
            Suggestion::new(word, named.chain(VERBS.iter().map(|verb| verb.name))).to_string()
        }
    };
    let report = Report::new(format!("`{word}` is not a verb, flow, task or stage{near}"));
    let list = |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let report =
        report.note(format!("flows: {}", list(flows.iter().map(|flow| flow.name.as_str()).collect())));
    let report = match stages.is_empty() {
        true => report,
        false => report.note(format!("stages: {}", list(stages))),
    };
    report.hint(Hint::runner(["tasks"], " lists the tasks, `runner help` the verbs"))
}

/// Names of a project that hide behind other words: mistakes, and remarks.
pub fn hidden(
    recipe: &Recipe,
    inventory: Option<&Inventory>,
    recipes: &[&str],
) -> (Vec<Report>, Vec<Report>) {
    let mut mistakes = Vec::new();
    for stage in inventory.iter().flat_map(|inventory| &inventory.stages) {
        let name = stage.name.as_str();
        let what = match recipe.goal(name).is_some() {
            true => "a flow or task of the recipe",
            false if recipes.contains(&name) => "a shipped recipe",
            false => continue,
        };
        mistakes.push(Report::new(format!("stage `{name}` has the name of {what}")).hint("rename the stage"));
    }
    let tasks = recipe.tasks();
    let behind = tasks.iter().filter(|task| is_verb(&task.name));
    let remarks = behind.map(|task| {
        Report::new(format!(
            "task `{}` cannot be started by its name: `runner {}` is a verb",
            task.name, task.name
        ))
    });
    (mistakes, remarks.collect())
}
