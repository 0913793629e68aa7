//! The only place that knows Rhai: recipes are loaded, checked, documented, and turned into tasks and settings.

mod body;
pub mod check;
mod context;
pub mod docs;
mod draft;
mod engine;
mod failure;
mod kept;
mod options;
mod primitives;
mod resolver;
pub mod settings;
pub mod sources;
mod syntax;
mod value;
mod world;

use std::path::Path;
use std::sync::Arc;

use crate::event::{Report, Sink, Suggestion};
use crate::flow::{Doing, Playbook};
use crate::host::{Host, Settings};
use crate::recipe::draft::Draft;
use crate::recipe::resolver::Resolver;
use crate::recipe::sources::Source;
use crate::recipe::world::World;
use crate::site;
use crate::transport::Interrupt;

type Problems = Vec<Report>;

/// A recipe that was loaded and found well written.
pub struct Recipe {
    world: Arc<World>,
    trees: Vec<(Source, rhai::AST)>,
    pub playbook: Arc<Playbook>,
}

/// Where a recipe is loaded.
pub struct Setting<'a> {
    /// Where `runner.toml` is.
    pub directory: &'a Path,
    pub interrupt: &'a Interrupt,
    pub events: &'a Arc<dyn Sink>,
    pub can_prompt: bool,
}

impl Recipe {
    /// Evaluates the standard library and the recipe. Nothing acts: the top level of a file only declares.
    pub fn load(source: Option<Source>, setting: &Setting) -> Result<Self, Problems> {
        let draft = Draft::default();
        let resolver = Resolver::new(draft.clone());
        let engine = engine::engine(&draft, &resolver, setting.interrupt, setting.events);
        let shipped = sources::stdlib_names().into_iter().filter_map(sources::shipped);
        for source in shipped.chain(source) {
            let name = source.name.clone();
            if let Err(error) = resolver.load(&engine, source) {
                return Err(vec![body::load_report(&draft.lock(), &name, &error)]);
            }
        }
        let declared = std::mem::take(&mut *draft.lock());
        let directory = setting.directory.to_path_buf();
        let world = Arc::new(World::new(engine, declared, directory, setting.can_prompt));
        let playbook = body::playbook(&world);
        Ok(Self { trees: resolver.trees(), world, playbook })
    }

    /// What is wrong with the recipe that can be seen without a host. `doing` is what is about to be run.
    pub fn check(&self, doing: Option<&Doing>) -> Problems {
        check::check(&self.world, &self.trees, doing)
    }

    /// The flow or task of that name.
    pub fn doing(&self, name: &str) -> Result<Doing, Report> {
        if self.playbook.flows.contains_key(name) {
            return Ok(Doing::Flow(name.to_owned()));
        }
        if self.playbook.tasks.contains_key(name) {
            return Ok(Doing::Task(name.to_owned()));
        }
        let known = self.playbook.flows.keys().chain(self.playbook.tasks.keys());
        let near = Suggestion::new(name, known.map(String::as_str));
        Err(Report::new(format!("no flow or task named `{name}`{near}")).hint("`runner tasks` lists them"))
    }

    /// What is wrong with the settings given outside of the recipe.
    pub fn check_settings(&self, layers: &[&Settings]) -> Problems {
        settings::check(&self.world.declared, layers)
    }

    /// Settles the settings of the stage and of every host; answers what the core takes from them.
    pub fn settle(
        &self,
        file: &Settings,
        stage: &Settings,
        hosts: &[Host],
        cli: &Settings,
    ) -> Result<Settled, Problems> {
        let declared = &self.world.declared;
        let of_stage = settings::resolve(declared, &[file, stage, cli])?;
        let mut all = Vec::new();
        let mut sites = Vec::new();
        for host in hosts {
            let resolved = settings::resolve(declared, &[file, stage, &host.settings, cli])?;
            sites.push(options::of_host(declared, &resolved)?);
            all.push(resolved);
        }
        let (source, exclude) = options::of_source(declared, &of_stage)?;
        let here = options::of_host(declared, &of_stage)?;
        // A recipe is settled once, for the one run it is loaded for.
        let _ = self.world.settings.set(world::Settings { stage: of_stage, hosts: all });
        Ok(Settled { source, exclude, sites, here })
    }
}

/// What the core takes from the settings.
pub struct Settled {
    pub source: String,
    pub exclude: Vec<String>,
    /// Of each host, in the hosts' order.
    pub sites: Vec<site::Options>,
    /// Of the stage: for commands on this machine.
    pub here: site::Options,
}
