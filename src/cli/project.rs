//! The project of a command: its inventory, its recipe and its settings.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::args::Args;
use crate::event::{Report, Sink};
use crate::fleet::access::missing_transport;
use crate::host::{Inventory, SelectedHosts, TransportKind};
use crate::recipe::sources::{self, RecipeSource};
use crate::recipe::{LoadContext, Recipe};
use crate::transport::CancelToken;

/// The inventory, or `None` if there is no `runner.toml`, for verbs that do not need one.
pub fn inventory_if_any(args: &Args) -> Result<Option<Inventory>, Report> {
    match Inventory::find(args.directory.as_deref()) {
        Ok(inventory) => Ok(Some(inventory)),
        Err(error) if is_absent(args) => {
            drop(error);
            Ok(None)
        }
        Err(error) => Err(Report::of(&error)),
    }
}

/// Whether there is no `runner.toml` at all, rather than one with mistakes.
fn is_absent(args: &Args) -> bool {
    let Some(directory) = args.directory.clone().or_else(|| std::env::current_dir().ok()) else {
        return true;
    };
    match args.directory {
        Some(_) => !directory.join("runner.toml").exists(),
        None => directory.ancestors().all(|parent| !parent.join("runner.toml").exists()),
    }
}

/// The stage and the hosts that the command line selects.
pub fn select(args: &Args, inventory: &Inventory) -> Result<SelectedHosts, Report> {
    let selection = args.selection();
    inventory.select(&selection).map_err(|error| {
        let is_known = |name: &String| inventory.stages.iter().any(|stage| stage.name == *name);
        let report = Report::of(&error);
        match args.is_stage_of_environment() && !selection.stage.as_ref().is_some_and(is_known) {
            true => report.note("`RUNNER_STAGE` names this stage"),
            false => report,
        }
    })
}

/// The recipe to use, in this order: the one on the command line, the one that `runner.toml` names, `deploy.rhai`
/// beside `runner.toml`. If there is none, the standard library alone can deploy.
pub fn source(inventory: Option<&Inventory>, typed: Option<&str>) -> Result<Option<RecipeSource>, Report> {
    if let Some(typed) = typed {
        return find(Path::new("."), typed).map(Some);
    }
    let Some(inventory) = inventory else {
        return Ok(None);
    };
    if let Some(named) = &inventory.recipe {
        return find(&inventory.dir, &named.name).map(Some).map_err(|report| report.at(named.place.clone()));
    }
    let usual = inventory.dir.join("deploy.rhai");
    match usual.is_file() {
        true => read(&usual).map(Some),
        false => Ok(None),
    }
}

fn find(below: &Path, word: &str) -> Result<RecipeSource, Report> {
    if let Some(source) = sources::shipped(word).filter(|_| sources::recipe_names().contains(&word)) {
        return Ok(source);
    }
    let path = below.join(word);
    if !path.exists() {
        // If the project has no such file, `recipes/laravel.rhai` means the shipped recipe.
        let shipped = word.strip_prefix("recipes/").and_then(|name| name.strip_suffix(".rhai"));
        if let Some(source) = shipped.and_then(sources::shipped) {
            return Ok(source);
        }
        let names = sources::recipe_names();
        let beside = sources::beside(&path);
        let known = names.iter().copied().chain(beside.iter().map(String::as_str));
        let report = Report::new(format!("no recipe `{word}`{}", crate::event::Suggestion::new(word, known)));
        return Err(match names.as_slice() {
            [] => report,
            names => report.note(format!("shipped: {}", names.join(", "))),
        });
    }
    read(&path)
}

fn read(path: &Path) -> Result<RecipeSource, Report> {
    sources::file(path)
        .map_err(|error| Report::new(format!("failed to read recipe `{}`: {error}", path.display())))
}

/// Loads a recipe for this project.
pub fn load(
    source: Option<RecipeSource>,
    directory: &Path,
    cancel_token: &CancelToken,
    events: &Arc<dyn Sink>,
) -> Result<Recipe, Vec<Report>> {
    Recipe::load(
        source,
        &LoadContext { directory, cancel_token, events, can_prompt: std::io::stdin().is_terminal() },
    )
}

/// An error for each host whose transport this version does not support.
pub fn unreachable(inventory: &Inventory) -> Vec<Report> {
    let hosts = inventory.stages.iter().flat_map(|stage| &stage.hosts);
    hosts.filter(|host| host.transport == TransportKind::OpenSsh).map(missing_transport).collect()
}

/// The sites of all stages on this machine. They are not part of the source.
pub fn local_sites(inventory: &Inventory) -> Vec<PathBuf> {
    let hosts = inventory.stages.iter().flat_map(|stage| &stage.hosts);
    hosts
        .filter(|host| host.transport == TransportKind::Local)
        .map(|host| PathBuf::from(host.path.as_str()))
        .collect()
}
