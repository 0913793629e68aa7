//! `runner check`: finds mistakes in the recipe and in `runner.toml`, without contacting a host.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::out;
use crate::cli::project;
use crate::cli::report::size;
use crate::cli::verb::{VerbError, VerbResult};
use crate::cli::words;
use crate::event::{Event, Report, Sink};
use crate::here::glance;
use crate::host::{Inventory, Settings};
use crate::recipe::sources;
use crate::recipe::{Recipe, Settled};
use crate::site::{Options, kind_problems};
use crate::transport::CancelToken;
use crate::tree::TreePath;

/// Loads the recipe for a verb that contacts no host. Returns it with its name for messages.
pub fn recipe(
    args: &Args,
    typed: Option<String>,
    cancel_token: &CancelToken,
    events: &Arc<dyn Sink>,
) -> Result<(Recipe, String), VerbError> {
    let inventory = project::inventory_if_any(args)?;
    let source = project::source(inventory.as_ref(), typed.as_deref())?;
    let name =
        source.as_ref().map_or("the standard library".to_owned(), |source| format!("`{}`", source.name));
    let directory = inventory.as_ref().map_or(PathBuf::from("."), |inventory| inventory.dir.clone());
    Ok((project::load(source, &directory, cancel_token, events)?, name))
}

pub fn check(
    args: &Args,
    typed: Option<String>,
    cancel_token: &CancelToken,
    events: &Arc<dyn Sink>,
) -> VerbResult {
    let inventory = match typed {
        Some(_) => project::inventory_if_any(args)?,
        // There is nothing to check.
        None => Some(Inventory::find(args.directory.as_deref())?),
    };
    let (recipe, name) = recipe(args, typed, cancel_token, events)?;
    let (problems, behind_verbs) = problems(&recipe, inventory.as_ref(), &args.settings()?);
    if !problems.is_empty() {
        return Err(problems.into());
    }
    let secrets = recipe.missing_secrets(None).warnings;
    let remarks = recipe.remarks().into_iter().chain(secrets).chain(behind_verbs).map(Report::warning);
    remarks.for_each(|report| events.event(Event::Failed { report }));
    say_well(args, &recipe, &name, inventory.map_or(0, |inventory| inventory.stages.len()));
    Ok(0)
}

fn say_well(args: &Args, recipe: &Recipe, name: &str, n_stages: usize) {
    let (n_tasks, n_flows, n_settings) =
        (recipe.tasks().len(), recipe.flows().len(), recipe.settings().len());
    match args.json {
        true => out::data(serde_json::json!({
            "recipe": name.trim_matches('`'), "tasks": n_tasks, "flows": n_flows, "settings": n_settings,
            "stages": n_stages,
        })),
        false => out::data(format!(
            "{name} has no mistakes: {n_tasks} tasks, {n_flows} flows, {n_settings} settings; {} checked",
            size::count(n_stages, "stage"),
        )),
    }
}

/// The mistakes in a recipe, in `runner.toml`, and in the settings of the command line; and remarks.
pub fn problems(
    recipe: &Recipe,
    inventory: Option<&Inventory>,
    cli: &Settings,
) -> (Vec<Report>, Vec<Report>) {
    let mut problems = recipe.check(None);
    problems.extend(recipe.check_settings(&[cli]));
    let (hidden, behind_verbs) = words::hidden(recipe, inventory, &sources::recipe_names());
    problems.extend(hidden);
    for problem in inventory.iter().flat_map(|inventory| project_problems(recipe, inventory, cli)) {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    (problems, behind_verbs)
}

/// The mistakes in `runner.toml`, given the settings of this recipe.
fn project_problems(recipe: &Recipe, inventory: &Inventory, cli: &Settings) -> Vec<Report> {
    let mut layers = vec![&inventory.settings];
    for stage in &inventory.stages {
        layers.push(&stage.settings);
        layers.extend(stage.hosts.iter().map(|host| &host.settings));
    }
    let mut problems = recipe.check_settings(&layers);
    for stage in &inventory.stages {
        let settled = recipe.settle(&inventory.settings, &stage.settings, &stage.hosts, cli);
        match settled {
            Ok(settled) => problems.extend(source_problems(inventory, &settled)),
            Err(mistakes) => problems.extend(mistakes),
        }
    }
    problems.extend(recipe.check_roles(&inventory.stages, &inventory.stages.iter().collect::<Vec<_>>()));
    problems.extend(project::unreachable(inventory));
    problems
}

/// The paths of settings whose kinds do not fit with the source as it is now.
fn source_problems(inventory: &Inventory, settled: &Settled) -> Vec<Report> {
    let skip = project::local_sites(inventory);
    let paths: Vec<TreePath> = settled.sites.iter().flat_map(Options::paths).collect();
    glance::problems(&inventory.dir, &settled.source, skip, &paths, |tree| {
        settled.sites.iter().flat_map(|options| kind_problems(options, None, tree)).collect()
    })
}
