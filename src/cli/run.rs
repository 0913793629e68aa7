//! Runs a flow or a task, or prints its plan.

use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::signals::cancel_on_signals;
use crate::cli::verb::{VerbError, VerbResult};
use crate::cli::{project, prompt, words};
use crate::event::mask::Mask;
use crate::event::{Event, Hint, Report, Sink};
use crate::fleet::Fleet;
use crate::fleet::access::Access;
use crate::flow::{Goal, execute};
use crate::here::Here;
use crate::here::mode::Mode;
use crate::here::options::HereOptions;
use crate::here::revision::deployer;
use crate::host::{Inventory, SelectedHosts};
use crate::recipe::{Recipe, Settled};
use crate::release::{Identity, ReleaseName};
use crate::run::{Run, Setup};
use crate::transport::CancelToken;
use crate::transport::ssh::Logins;

/// The flow to run if the command line names none.
const DEFAULT: &str = "deploy";

pub fn run(
    args: &Args,
    recipe: Option<String>,
    words: &[String],
    id: &str,
    cancel_token: &CancelToken,
    events: &Arc<dyn Sink>,
) -> VerbResult {
    let mask = Arc::new(Mask::new(events.clone()));
    let masked: Arc<dyn Sink> = mask.clone();
    let config = RunConfig::read(args, recipe, words, cancel_token, &masked)?;
    cancel_on_signals(cancel_token)?;
    let here =
        Here::open(config.here(args), mask, cancel_token).map_err(|error| stop(error, cancel_token))?;
    config.recipe.work_in(&here.project);
    let fleet = config.fleet(&here, prompt::logins(cancel_token, events))?;
    let run = Run::new(here, fleet, config.setup(args, id));
    run.begin();
    let outcome = execute(&run, &config.recipe.playbook, &config.goal);
    note_removed_export(&run, &config.goal);
    Ok(outcome.verdict.exit_code())
}

/// What to run and on which hosts, according to the command line, `runner.toml` and the recipe.
struct RunConfig {
    inventory: Inventory,
    selected: SelectedHosts,
    recipe: Recipe,
    goal: Goal,
    wanted: Option<ReleaseName>,
    settled: Settled,
    takes_over: bool,
}

impl RunConfig {
    fn read(
        args: &Args,
        recipe: Option<String>,
        words: &[String],
        cancel_token: &CancelToken,
        events: &Arc<dyn Sink>,
    ) -> Result<Self, VerbError> {
        let inventory = Inventory::find(args.directory.as_deref())?;
        if words.is_empty() {
            // Before the recipe is read: its mistakes are not the first thing to tell.
            project::select(args, &inventory)?;
        }
        let cli = args.settings()?;
        let wanted = args.release.as_deref().map(ReleaseName::new).transpose()?;
        let source = project::source(Some(&inventory), recipe.as_deref())?;
        let recipe = project::load(source, &inventory.dir, cancel_token, events)?;
        let what = words::meaning(args, words, &recipe, &inventory)?;
        let selected = project::select(args, &inventory)?;
        let what = what.as_deref().unwrap_or(DEFAULT);
        let goal = recipe.goal(what).ok_or_else(|| words::unknown(what, &recipe, Some(&inventory)))?;
        let mut problems = recipe.check(Some(&goal));
        problems.extend(recipe.check_roles(&inventory.stages, &[&selected.stage]));
        let secrets = recipe.missing_secrets(Some(&goal));
        problems.extend(secrets.mistakes);
        problems.extend(wanted.as_ref().filter(|_| sends(&recipe, &goal)).map(not_to_be_made));
        match recipe.settle(&inventory.settings, &selected.stage.settings, &selected.hosts, &cli) {
            Ok(settled) if problems.is_empty() => {
                let warnings = secrets.warnings.into_iter().map(Report::warning);
                warnings.for_each(|report| events.event(Event::Failed { report }));
                let takes_over = args.adopt_application;
                Ok(Self { inventory, selected, recipe, goal, wanted, settled, takes_over })
            }
            settled => {
                problems.extend(settled.err().into_iter().flatten());
                Err(problems.into())
            }
        }
    }
    fn stage(&self) -> String {
        self.selected.stage.name.clone()
    }

    fn here(&self, args: &Args) -> HereOptions {
        HereOptions {
            mode: match args.is_plan() {
                true => Mode::Plan { with_diff: args.diff },
                false => Mode::Act,
            },
            directory: self.inventory.dir.clone(),
            stage: self.stage(),
            source: self.settled.source.clone(),
            env: self.settled.env.clone(),
            skip: project::local_sites(&self.inventory),
            sends: sends(&self.recipe, &self.goal),
        }
    }

    fn fleet(&self, here: &Here, logins: Arc<Logins>) -> Result<Fleet, Report> {
        let mut sites = self.settled.sites.clone();
        for options in &mut sites {
            // First, so that the setting `env` can override them.
            options.env.splice(..0, here.revision.env(&self.stage()));
            options.identity =
                self.inventory.identity().map(|name| Identity { application: name.to_owned() });
            options.takes_over = self.takes_over;
        }
        let access = Access {
            logins,
            cancel_token: here.cancel_token.clone(),
            events: here.events.clone(),
            is_plan: here.mode.is_plan(),
        };
        Fleet::open(&self.selected, sites, self.settled.on_host_failure, &access)
    }

    fn setup(&self, args: &Args, id: &str) -> Setup {
        Setup {
            id: id.to_owned(),
            application: self.inventory.application(),
            stage: self.stage(),
            by: deployer(),
            flow: self.goal.name().to_owned(),
            wanted: self.wanted.clone(),
            waits: args.wait,
        }
    }
}

/// The error for `--release` with a flow that sends a release.
fn not_to_be_made(wanted: &ReleaseName) -> Report {
    Report::new("`--release` selects a release to roll back to, but this flow makes a new one")
        .hint(Hint::runner(["rollback", "--release", wanted.as_str()], " rolls back to it"))
}

fn sends(recipe: &Recipe, goal: &Goal) -> bool {
    match goal {
        Goal::Flow(name) => recipe.playbook.sends_at(&recipe.playbook.order(name)).is_some(),
        Goal::Task(_) => false,
    }
}

fn stop(error: anyhow::Error, cancel_token: &CancelToken) -> VerbError {
    match cancel_token.is_cancelled() {
        true => VerbError::interrupted(),
        false => error.into(),
    }
}

fn note_removed_export(run: &Run, goal: &Goal) {
    if matches!(goal, Goal::Task(_)) && run.here.project.has_export() {
        let text = "the export was removed, with everything that was made in it; use `--set ref=` to work in the work tree"
            .to_owned();
        run.events.event(Event::Note { host: None, text });
    }
}
