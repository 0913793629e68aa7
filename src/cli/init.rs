//! `runner init`: recognises the project, asks where to deploy it, and writes `runner.toml`, and a recipe where one is
//! needed. Never overwrites a file.

mod answers;
mod hosts;
mod look;
mod needed;
pub mod options;
mod summary;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::signals::cancel_on_signals;
use crate::cli::verb::{VerbError, VerbResult};
use crate::cli::{check, out, project};
use crate::event::{Event, Report, Sink};
use crate::here::new_files;
use crate::here::proposal::Proposal;
use crate::here::recognise::kind::RecipeBase;
use crate::host::{Inventory, Settings};
use crate::recipe::sources::{Origin, RecipeSource};
use crate::transport::CancelToken;

const PROJECT_FILE: &str = "runner.toml";
const RECIPE: &str = "deploy.rhai";

pub fn init(args: &Args, cancel_token: &CancelToken, events: &Arc<dyn Sink>) -> VerbResult {
    let directory = directory(args)?;
    refuse_existing(&directory, PROJECT_FILE)?;
    cancel_on_signals(cancel_token)?;
    let mut proposal = Proposal::of(&directory);
    summary::recognised(&proposal, events);
    if proposal.recipe().is_some() {
        refuse_existing(&directory, RECIPE)?;
    } else if new_files::taken(&directory, &[RECIPE]).is_some() {
        events.event(Event::Note { host: None, text: own_recipe(&proposal) });
    }
    proposal.stages = answers::stages(args, &proposal, &directory, cancel_token, events)?;
    let inventory = inventory(&proposal, &directory)?;
    let first = look::look(&mut proposal, &inventory, cancel_token, events)?;
    check_proposal(&proposal, &directory, cancel_token, events)?;
    if cancel_token.is_cancelled() {
        return Err(VerbError::interrupted());
    }
    let files = files(&proposal);
    match args.is_plan() {
        true => print(&files),
        false => write(&directory, &files)?,
    }
    summary::print(args, &proposal, &first, &directory);
    Ok(0)
}

/// Where `runner.toml` will be.
fn directory(args: &Args) -> Result<PathBuf, VerbError> {
    let cwd = std::env::current_dir()
        .map_err(|error| Report::new(format!("failed to read the working directory: {error}")))?;
    let Some(given) = &args.directory else { return Ok(cwd) };
    let directory = cwd.join(given);
    match directory.is_dir() {
        true => Ok(std::fs::canonicalize(&directory).unwrap_or(directory)),
        false => Err(Report::new(format!("no directory `{}`", given.display())).into()),
    }
}

fn refuse_existing(directory: &Path, name: &str) -> Result<(), Report> {
    if new_files::taken(directory, &[name]).is_none() {
        return Ok(());
    }
    let report = Report::new(format!("`{name}` is already there, and `init` overwrites nothing"));
    Err(match name {
        PROJECT_FILE => report.hint(crate::event::Hint::runner(["check"], " finds mistakes in it")),
        _ => report.hint(format!("move `{name}` away, then run `init` again")),
    })
}

/// What becomes of a recipe that is there already.
fn own_recipe(proposal: &Proposal) -> String {
    match &proposal.kind.base {
        RecipeBase::Shipped(name) => format!(
            "`{RECIPE}` is there, and not used: `runner.toml` names the recipe `{name}`; to use both, name `{RECIPE}` there, and let it begin with `import \"{name}\" as {name};`"
        ),
        RecipeBase::Nothing | RecipeBase::Own(_) => format!("`{RECIPE}` is there: it is the recipe"),
    }
}

/// The files to write. The recipe comes first: `runner.toml` names it.
fn files(proposal: &Proposal) -> Vec<(&'static str, String)> {
    let recipe = proposal.recipe().map(|text| (RECIPE, text.to_owned()));
    recipe.into_iter().chain([(PROJECT_FILE, proposal.project_file())]).collect()
}

fn write(directory: &Path, files: &[(&'static str, String)]) -> Result<(), VerbError> {
    let texts: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    new_files::write(directory, &texts).map_err(|error| VerbError::failed(vec![Report::of(&error)]))
}

fn print(files: &[(&'static str, String)]) {
    for (name, text) in files {
        out::data(format!("would write `{name}`:\n\n{text}"));
    }
}

/// The inventory that the proposed `runner.toml` stands for.
fn inventory(proposal: &Proposal, directory: &Path) -> anyhow::Result<Inventory> {
    Inventory::parse(&directory.join(PROJECT_FILE), &proposal.project_file())
}

/// What `runner check` would say about the files, before they are written. A mistake in them is ours, or in an answer.
fn check_proposal(
    proposal: &Proposal,
    directory: &Path,
    cancel_token: &CancelToken,
    events: &Arc<dyn Sink>,
) -> Result<(), VerbError> {
    let inventory = inventory(proposal, directory)?;
    let own = proposal.recipe().map(|text| RecipeSource {
        origin: Origin::File(directory.join(RECIPE)),
        name: RECIPE.to_owned(),
        text: text.to_owned(),
    });
    let source = match own {
        Some(source) => Some(source),
        None => project::source(Some(&inventory), None)?,
    };
    let recipe = project::load(source, directory, cancel_token, events)?;
    let (problems, _) = check::problems(&recipe, Some(&inventory), &Settings::default());
    if problems.is_empty() {
        return Ok(());
    }
    let told = Report::new("nothing was written: `runner check` would find mistakes in the proposed files");
    let report = told
        .hint("answer differently, or write `runner.toml` by hand; if no answer helps, report this as a bug");
    events.event(Event::Failed { report: report.warning() });
    Err(problems.into())
}
