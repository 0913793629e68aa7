//! The only place that knows Rhai: recipes are loaded, checked, documented, and turned into tasks and settings.

mod body;
mod callback;
mod check;
mod closure;
mod context;
pub mod docs;
mod draft;
mod engine;
mod failure;
mod foreign;
mod foreign_settings;
mod functions;
mod literal;
mod nothing;

mod migration;
mod options;
mod outcome;
mod overrides;
mod primitives;
mod resolver;
mod runaway;
mod settings;
pub mod sources;
pub mod statement;
mod syntax;
mod trail;
mod uncaught;
mod value;
mod visit;
mod world;

use std::path::Path;
use std::sync::Arc;

use crate::event::{Report, Sink};
use crate::fleet::dropping::OnHostFailure;
use crate::flow::{Goal, Playbook};
use crate::here::options::SourceOptions;
use crate::here::project::Project;
use crate::host::{Host, Settings, Stage};
use crate::recipe::draft::Draft;
use crate::recipe::resolver::Resolver;
use crate::recipe::sources::RecipeSource;
use crate::recipe::world::World;
use crate::site;
use crate::transport::CancelToken;

/// A recipe that was loaded without errors.
pub struct Recipe {
    world: Arc<World>,
    pub playbook: Arc<Playbook>,
}

/// What is needed to load a recipe.
pub struct LoadContext<'a> {
    /// Where `runner.toml` is.
    pub directory: &'a Path,
    pub cancel_token: &'a CancelToken,
    pub events: &'a Arc<dyn Sink>,
    pub can_prompt: bool,
}

impl Recipe {
    /// Evaluates the standard library, then the recipe. This changes nothing: the top level of a file only declares.
    pub fn load(source: Option<RecipeSource>, context: &LoadContext) -> Result<Self, Vec<Report>> {
        let draft = Draft::default();
        let resolver = Resolver::new(draft.clone());
        let engine = engine::engine(&draft, &resolver, context.cancel_token, context.events);
        let shipped = sources::stdlib_names().into_iter().filter_map(sources::shipped);
        let mut ended = Ok(());
        for source in shipped.chain(source) {
            let name = source.name.clone();
            ended = resolver.load(&engine, source).map(drop).map_err(|error| (name, error));
            if ended.is_err() {
                break;
            }
        }
        let mut declared = std::mem::take(&mut *draft.lock());
        let trees = resolver.trees();
        if let Err((name, error)) = ended {
            let stopped = trail::report(&engine, &declared, &name, &error);
            return Err(check::of_rest(&engine, declared, &trees, context.directory, stopped));
        }
        declared.problems.extend(overrides::conflicts(&declared, &trees));
        let problems = std::mem::take(&mut declared.problems);
        let directory = context.directory.to_path_buf();
        let world = Arc::new(World::new(engine, declared, trees, directory, context.can_prompt));
        let playbook = body::playbook(&world);
        if !problems.is_empty() {
            let others = check::check(&world, &world.trees, None);
            return Err(check::in_order(problems.into_iter().chain(others).collect()));
        }
        Ok(Self { world, playbook })
    }

    /// The mistakes in the recipe that can be found without a host. `goal` is what will be run.
    pub fn check(&self, goal: Option<&Goal>) -> Vec<Report> {
        check::check(&self.world, &self.world.trees, goal)
    }

    /// What is worth a look in a recipe without mistakes.
    pub fn remarks(&self) -> Vec<Report> {
        check::remarks(&self.world, &self.world.trees)
    }

    /// The secrets that are not set and cannot be asked for. Those without which `goal` cannot end well are mistakes; the
    /// others are warnings.
    pub fn missing_secrets(&self, goal: Option<&Goal>) -> check::secrets::MissingSecrets {
        check::secrets::check(&self.world, goal)
    }

    /// The mistakes in roles, given `all` stages of `runner.toml`, of which some will be `used`.
    pub fn check_roles(&self, all: &[Stage], used: &[&Stage]) -> Vec<Report> {
        check::roles::check(&self.world.declared, &self.world.trees, all, used)
    }

    /// The flow or task of that name.
    pub fn goal(&self, name: &str) -> Option<Goal> {
        if self.playbook.flows.contains_key(name) {
            return Some(Goal::Flow(name.to_owned()));
        }
        self.playbook.tasks.contains_key(name).then(|| Goal::Task(name.to_owned()))
    }

    /// The mistakes in settings that are given outside of the recipe.
    pub fn check_settings(&self, layers: &[&Settings]) -> Vec<Report> {
        settings::check(&self.world.declared, layers)
    }

    /// The options of a site for verbs that only read, by these settings (lowest layer first). Mistakes are ignored: such
    /// a verb may run without the recipe that deploys.
    pub fn reading_options(&self, layers: &[&Settings]) -> site::Options {
        let (resolved, _) = settings::resolve(&self.world.declared, layers);
        let site::Options { accepts_new_keys, visit, .. } = options::of_host(&resolved).0;
        site::Options { accepts_new_keys, visit, ..site::Options::default() }
    }

    /// Resolves the settings of the stage and of every host, and returns those that the core acts on.
    pub fn settle(
        &self,
        file: &Settings,
        stage: &Settings,
        hosts: &[Host],
        cli: &Settings,
    ) -> Result<Settled, Vec<Report>> {
        let declared = &self.world.declared;
        let own = hosts.iter().map(|host| &host.settings);
        let layers: Vec<&Settings> = [file, stage].into_iter().chain(own).chain([cli]).collect();
        let mut problems = settings::check(declared, &layers);
        let (of_stage, _) = settings::resolve(declared, &[file, stage, cli]);
        let mut all = Vec::new();
        let mut sites = Vec::new();
        for host in hosts {
            let (resolved, wrong) = settings::resolve(declared, &[file, stage, &host.settings, cli]);
            problems.extend(wrong);
            let (site, wrong) = options::of_host(&resolved);
            problems.extend(wrong);
            all.push(resolved);
            sites.push(site);
        }
        let (source, wrong) = options::of_source(&of_stage);
        problems.extend(wrong);
        let (here, wrong) = options::of_host(&of_stage);
        problems.extend(wrong);
        let (on_host_failure, wrong) = options::of_failure(&of_stage);
        problems.extend(wrong);
        problems.extend(hosts.iter().flat_map(|host| not_of_one(&host.settings)));
        if !problems.is_empty() {
            return Err(different(problems));
        }
        // This is called once: a recipe is loaded for one run.
        let _ = self.world.settings.set(world::RunSettings { stage: of_stage, hosts: all });
        Ok(Settled { source, sites, env: here.env, on_host_failure })
    }

    /// Sets the project that scripts work in. This is called once: a recipe is loaded for one run.
    pub fn work_in(&self, project: &Arc<Project>) {
        let _ = self.world.project.set(project.clone());
    }
}

/// Reports settings of one host that apply to all hosts.
fn not_of_one(host: &Settings) -> Vec<Report> {
    let said = |key| Some((key, host.get(key)?.place.clone()));
    let keys =
        ["on_host_failure", "min_healthy", "allow_apart", "source", "ref"].into_iter().filter_map(said);
    keys.map(|(key, place)| {
        let report =
            Report::new(format!("setting `{key}` applies to all hosts and cannot be set for one host"));
        report.at(place).hint("move it to `[settings]` or to the settings of the stage")
    })
    .collect()
}

/// Removes duplicates: a mistake in a setting of the stage is found on each host.
fn different(problems: Vec<Report>) -> Vec<Report> {
    let mut all = Vec::new();
    for problem in problems {
        if !all.contains(&problem) {
            all.push(problem);
        }
    }
    all
}

/// The settings that the core acts on.
pub struct Settled {
    pub source: SourceOptions,
    /// One for each host, in the order of the hosts.
    pub sites: Vec<site::Options>,
    /// The environment variables of the stage, for commands on this machine.
    pub env: Vec<(String, String)>,
    pub on_host_failure: OnHostFailure,
}
