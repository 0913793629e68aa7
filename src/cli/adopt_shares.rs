//! What `runner adopt` moves to `shared/`: what the settings share already, directories without code that the source does
//! not have, links that lead there, and what `--share` names.

use std::sync::Arc;

use crate::cli::adopt_plan::{AdoptPlan, AdoptVerb};
use crate::cli::project;
use crate::cli::releases::{HostAnswers, fail_if_any_failed};
use crate::cli::verb::VerbError;
use crate::event::mask::Mask;
use crate::event::{Event, Report};
use crate::fleet::Fleet;
use crate::fleet::parallel::in_parallel;
use crate::here::Here;
use crate::here::mode::Mode;
use crate::here::options::{HereOptions, SourceOptions};
use crate::host::{SettingChange, rewrite};
use crate::recipe::Settled;
use crate::release::SharedPath;
use crate::release::adoption::{Adoption, AdoptionFacts, AdoptionKind};
use crate::release::plan::PathRules;
use crate::release::sharing::{self, AdoptedPlace, AtPath, SharePlan, WantedBy};
use crate::release::unsourced::unsourced;
use crate::site::{Options, adopted_contents, share_facts};
use crate::tree::Tree;

/// What one host shares, and what else only its directory has.
type HostSharing = (SharePlan, Vec<SharedPath>);

impl AdoptVerb<'_> {
    /// Adds what the hosts share to the plan.
    pub fn plan_shares(
        &self,
        fleet: &Fleet,
        facts: &[&AdoptionFacts],
        plan: &mut AdoptPlan,
    ) -> Result<(), VerbError> {
        let asked = SharedPath::parse_all(self.args.adopt.share.iter().map(String::as_str))?;
        if plan.adoptions.is_empty() {
            return nothing_to_share(&asked);
        }
        let all = self.sharing(fleet, facts, plan, &asked)?;
        is_somewhere(&asked, &all)?;
        let mut adds = different(all.iter().flat_map(|(_, (sharing, _))| &sharing.adds));
        adds.sort_by_cached_key(ToString::to_string);
        self.check_layers(&adds)?;
        for (host, (mut sharing, rest)) in all {
            // What is shared because of another host is copied here.
            let (copied, stay) = sharing.stay.into_iter().partition(|(path, _)| adds.contains(path));
            sharing.stay = stay;
            sharing.copied.extend::<Vec<_>>(copied);
            let name = fleet.name(host);
            let rest = (!rest.is_empty()).then(|| sharing::left(&rest));
            plan.lines.extend(sharing.lines().into_iter().chain(rest).map(|line| (name.to_owned(), line)));
            if let Some(adoption) = plan.adoptions.get_mut(&host) {
                // What an interrupted run has moved goes back with the rest.
                let begun = adoption.shared();
                adoption.share(&different(begun.iter().chain(&sharing.moves)));
            }
        }
        plan.shared = adds.iter().map(ToString::to_string).collect();
        Ok(())
    }

    /// What each host shares.
    fn sharing(
        &self,
        fleet: &Fleet,
        facts: &[&AdoptionFacts],
        plan: &AdoptPlan,
        asked: &[SharedPath],
    ) -> Result<Vec<(usize, HostSharing)>, VerbError> {
        let settled = self.settled();
        let tree = settled.as_ref().and_then(|settled| self.tree(&settled.source));
        let hosts: Vec<usize> = plan.adoptions.keys().copied().collect();
        let answers = in_parallel(&hosts, hosts.len(), |host| {
            let options = settled.as_ref().map(|settled| &settled.sites[host]);
            let context = HostContext { facts: facts[host], options, asked, tree: tree.as_deref() };
            self.host_sharing(fleet, host, &plan.adoptions[&host], &context)
        });
        let mut all = Vec::new();
        let mut failed: HostAnswers<()> = Vec::new();
        for (host, answer) in answers {
            match answer {
                Ok(sharing) => all.push((host, sharing)),
                Err(error) => failed.push((fleet.name(host).to_owned(), Err(Report::of(&error)))),
            }
        }
        if self.access.cancel_token.is_cancelled() {
            return Err(VerbError::interrupted());
        }
        fail_if_any_failed(&failed)?;
        Ok(all)
    }

    fn host_sharing(
        &self,
        fleet: &Fleet,
        host: usize,
        adoption: &Adoption,
        context: &HostContext,
    ) -> anyhow::Result<HostSharing> {
        let at = AdoptedPlace::of(context.facts, adoption);
        let mut site = fleet.site(host);
        let contents = adopted_contents(&mut site, &at)?;
        let mut wanted = Wishes::default();
        if adoption.kind != AdoptionKind::Layout {
            wanted.want(context.options.iter().flat_map(|options| &options.shared), WantedBy::Setting);
        }
        wanted.want(context.asked, WantedBy::CommandLine);
        // What an interrupted run began.
        wanted.want(&adoption.shared(), WantedBy::Proposal);
        let mut rest = Vec::new();
        if adoption.kind == AdoptionKind::Layout {
            let links = share_facts(&mut site, &at, &context.facts.user, &contents.linked)?;
            // A link that leads to another path in `shared/` means something else.
            let links = contents.linked.iter().zip(links).filter(|(_, found)| found.at == AtPath::Shared);
            let rules = context.rules();
            let links = links.map(|(link, _)| link).filter(|link| !rules.shared.contains(&link.path));
            wanted.want(links, WantedBy::Proposal);
        } else if let Some(tree) = context.tree {
            let found = unsourced(&contents, &context.rules(), tree);
            wanted.want(&found.directories, WantedBy::Proposal);
            rest = found.rest;
        }
        let paths: Vec<SharedPath> = wanted.0.iter().map(|(path, _)| path.clone()).collect();
        let found = share_facts(&mut site, &at, &context.facts.user, &paths)?;
        Ok((sharing::decide(&wanted.0, &found)?, rest))
    }

    /// The settings of the hosts. `None` if they have mistakes, which has been said.
    fn settled(&self) -> Option<Settled> {
        let inventory = &self.inventory;
        let load =
            |source| project::load(source, &inventory.dir, &self.access.cancel_token, &self.access.events);
        let recipe = project::source(Some(inventory), None).map_err(|report| vec![report]).and_then(load);
        let settled = recipe.and_then(|recipe| {
            let cli = self.args.settings().map_err(|error| vec![Report::of(&error)])?;
            recipe.settle(&inventory.settings, &self.selected.stage.settings, &self.selected.hosts, &cli)
        });
        settled.map_err(|reports| self.unknown(reports.first().map_or("", |report| &report.message))).ok()
    }

    /// The source. `None` if it cannot be read, which has been said.
    fn tree(&self, source: &SourceOptions) -> Option<Arc<Tree>> {
        let mask = Arc::new(Mask::new(self.access.events.clone()));
        let here = Here::open(self.here(Some(source)), mask, &self.access.cancel_token);
        let tree = here.and_then(|here| here.source.tree());
        tree.map_err(|error| self.unknown(&Report::of(&error).message)).ok()
    }

    fn unknown(&self, why: &str) {
        let text = format!(
            "nothing is proposed for `shared`, because the source could not be compared ({why}); the first deployment refuses to lose what only the adopted release has"
        );
        self.access.events.event(Event::Warning { host: None, text });
    }

    /// `source`: what is deployed, where that matters.
    pub fn here(&self, source: Option<&SourceOptions>) -> HereOptions {
        let nothing = || SourceOptions {
            directory: ".".to_owned(),
            reference: None,
            is_emptied: false,
            exclude: Vec::new(),
            include: Vec::new(),
        };
        HereOptions {
            mode: Mode::Act,
            directory: self.inventory.dir.clone(),
            stage: self.selected.stage.name.clone(),
            source: source.cloned().unwrap_or_else(nothing),
            env: Vec::new(),
            skip: project::local_sites(&self.inventory),
            sends: false,
        }
    }

    /// Refuses to write a setting that a stage or a host replaces.
    fn check_layers(&self, adds: &[SharedPath]) -> Result<(), Report> {
        let layers = std::iter::once(&self.selected.stage.settings)
            .chain(self.selected.hosts.iter().map(|host| &host.settings));
        let set = layers.filter_map(|layer| layer.get("shared"));
        let hiding = set.into_iter().find(|setting| matches!(setting.change, SettingChange::Set(_)));
        match hiding.filter(|_| !adds.is_empty()) {
            None => Ok(()),
            Some(setting) => {
                let names: Vec<String> = adds.iter().map(ToString::to_string).collect();
                let line = rewrite::shared_line(&names).replace("shared.add = ", "");
                Err(Report::new(format!("this list replaces what `[settings]` share, and lacks {line}"))
                    .at(setting.place.clone())
                    .hint("add them to this list, then run this again"))
            }
        }
    }
}

struct HostContext<'a> {
    facts: &'a AdoptionFacts,
    options: Option<&'a Options>,
    asked: &'a [SharedPath],
    tree: Option<&'a Tree>,
}

impl HostContext<'_> {
    /// The rules of the settings, with what the command line shares.
    fn rules(&self) -> PathRules {
        let mut rules = self.options.map_or_else(PathRules::default, |options| options.rules.clone());
        rules.shared.extend(self.asked.iter().map(|path| path.path.clone()));
        rules
    }
}

/// Paths, none inside of another one; who names one first decides.
#[derive(Default)]
struct Wishes(Vec<(SharedPath, WantedBy)>);

impl Wishes {
    fn want<'a>(&mut self, paths: impl IntoIterator<Item = &'a SharedPath>, by: WantedBy) {
        for path in paths {
            let is_known = |(other, _): &(SharedPath, _)| {
                other.path.starts_with(&path.path) || path.path.starts_with(&other.path)
            };
            if !self.0.iter().any(is_known) {
                self.0.push((path.clone(), by));
            }
        }
    }
}

fn different<'a>(paths: impl Iterator<Item = &'a SharedPath>) -> Vec<SharedPath> {
    let mut all: Vec<SharedPath> = Vec::new();
    paths.for_each(|path| all.extend((!all.contains(path)).then(|| path.clone())));
    all
}

fn nothing_to_share(asked: &[SharedPath]) -> Result<(), VerbError> {
    if asked.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = asked.iter().map(ToString::to_string).collect();
    let hint = format!("write in `runner.toml`, in its table `settings`: {}", rewrite::shared_line(&names));
    Err(Report::new("`--share` moves what is adopted, and nothing is").hint(hint).into())
}

/// Fails if no host has a path that the command line names.
fn is_somewhere(asked: &[SharedPath], all: &[(usize, HostSharing)]) -> Result<(), Report> {
    let is_absent =
        |path: &&SharedPath| all.iter().all(|(_, (sharing, _))| sharing.absent.contains(&path.path));
    match asked.iter().find(is_absent) {
        Some(path) => Err(Report::new(format!("no host has `{}`, which `--share` names", path.path))
            .hint("`--share` takes a path in the directory that is served, such as `uploads`")),
        None => Ok(()),
    }
}
