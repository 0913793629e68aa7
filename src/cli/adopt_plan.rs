//! What `runner adopt` would do on each host, and to `runner.toml`. Changes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::cli::args::Args;
use crate::cli::releases::{HostAnswers, fail_if_any_failed};
use crate::cli::verb::VerbError;
use crate::event::{Event, Place, Report};
use crate::fleet::Fleet;
use crate::fleet::access::Access;
use crate::fleet::dropping::OnHostFailure;
use crate::host::{DeployPath, Inventory, SelectedHosts, rewrite};
use crate::release::ReleaseName;
use crate::release::adoption::{Adoption, AdoptionFacts, Occupant};
use crate::release::seen::Seen;
use crate::release::takeover::{self, Takeover, TakeoverRequest};
use crate::site::{Options, docroot_of};

pub struct AdoptVerb<'a> {
    pub args: &'a Args,
    pub id: &'a str,
    pub inventory: Inventory,
    pub selected: SelectedHosts,
    pub options: Vec<Options>,
    pub access: Access,
}

/// What was found at the deploy path of a host. `None`: it is a link, so no site was looked for.
type Finding = (AdoptionFacts, Option<Seen>);

/// What is to be done, by the places of the hosts among the selected ones.
#[derive(Default)]
pub struct AdoptPlan {
    pub adoptions: BTreeMap<usize, Adoption>,
    pub lines: Vec<(String, String)>,
    /// Where the sites are.
    pub paths: BTreeMap<usize, String>,
    /// Texts of runner.toml: where, what they say, what they will say.
    pub changes: Vec<(Place, String, String)>,
    /// What its setting `shared` does not name yet.
    pub shared: Vec<String>,
}

impl AdoptVerb<'_> {
    pub fn file(&self) -> PathBuf {
        self.inventory.dir.join("runner.toml")
    }

    /// Where the site is to be, if the command line says so; it has no trailing slash.
    fn to(&self) -> Option<String> {
        let to = self.args.adopt.to.as_deref()?;
        Some(DeployPath::remote(to).map_or_else(|_| to.to_owned(), |path| path.as_str().to_owned()))
    }

    fn look(&self, fleet: &Fleet) -> Result<Vec<Finding>, VerbError> {
        let all: HostAnswers<Finding> = fleet.on_all(|site| {
            let path = site.host().path.as_str();
            let beside = self.to().unwrap_or_else(|| format!("{path}.site"));
            let found = site.adoption_facts(&beside)?;
            let seen = match found.at_root {
                Occupant::Link(_) => None,
                _ => Some(site.look()?.clone()),
            };
            Ok((found, seen))
        });
        if self.access.cancel_token.is_cancelled() {
            return Err(VerbError::interrupted());
        }
        fail_if_any_failed(&all)?;
        Ok(all.into_iter().filter_map(|(_, finding)| finding.ok()).collect())
    }

    /// `None` if there is nothing to do; then it has been said.
    pub fn plan(&self) -> Result<Option<AdoptPlan>, VerbError> {
        let fleet =
            Fleet::open(&self.selected, self.options.clone(), OnHostFailure::default(), &self.access)?;
        let findings = self.look(&fleet)?;
        let names = findings.iter().filter_map(|(_, seen)| seen.as_ref()).flat_map(|seen| &seen.directories);
        let release = ReleaseName::next(Timestamp::now(), names.map(String::as_str));
        let mut plan = AdoptPlan::default();
        let mut refused: HostAnswers<()> = Vec::new();
        for (host, finding) in findings.iter().enumerate() {
            let name = self.selected.hosts[host].name.clone();
            let planned = match self.args.adopt.undo {
                true => self.plan_undo(host, finding, &mut plan),
                false => self.plan_host(host, finding, &release, &mut plan),
            };
            refused.push((name, planned));
        }
        fail_if_any_failed(&refused)?;
        self.check_places(&plan)?;
        if !self.args.adopt.undo {
            let facts: Vec<&AdoptionFacts> = findings.iter().map(|(facts, _)| facts).collect();
            self.plan_shares(&fleet, &facts, &mut plan)?;
        }
        Ok((!plan.adoptions.is_empty() || !plan.changes.is_empty()).then_some(plan))
    }

    fn plan_host(
        &self,
        host: usize,
        (found, seen): &Finding,
        release: &ReleaseName,
        plan: &mut AdoptPlan,
    ) -> Result<(), Report> {
        let place = &self.selected.hosts[host].places.path.place;
        let path = rewrite::written(&self.file(), place).map_err(|error| Report::of(&error))?;
        let request = TakeoverRequest { release, path: &path, is_docroot: self.args.adopt.to.is_some() };
        let adoption = match takeover::decide(found, seen.as_ref(), &request)? {
            Takeover::Adopt(adoption) => adoption,
            Takeover::Moved => {
                let new = self.to().unwrap_or_else(|| beside(&path));
                plan.change(place, &path, new);
                return self.nothing(
                    host,
                    format!("`{}` is adopted already: its site is `{}`", found.root, found.beside),
                );
            }
            Takeover::Ours => return self.nothing(host, format!("`{}` is adopted already", found.root)),
            Takeover::Nothing => {
                return self.nothing(host, format!("`{}` has nothing to adopt", found.root));
            }
        };
        let is_beside = docroot_of(&adoption).is_some();
        if is_beside {
            let new = self.to().unwrap_or_else(|| beside(&path));
            plan.change(place, &path, new);
        }
        plan.paths.insert(host, if is_beside { &found.beside } else { &found.root }.clone());
        let name = &self.selected.hosts[host].name;
        plan.lines.extend(takeover::lines(found, &adoption).into_iter().map(|line| (name.clone(), line)));
        plan.adoptions.insert(host, adoption);
        Ok(())
    }

    fn plan_undo(&self, host: usize, (found, seen): &Finding, plan: &mut AdoptPlan) -> Result<(), Report> {
        let place = &self.selected.hosts[host].places.path.place;
        let path = rewrite::written(&self.file(), place).map_err(|error| Report::of(&error))?;
        let (adoption, site) = match (&found.adoption, &found.adoption_beside) {
            (Some(adoption), _) => (adoption, &found.root),
            (None, Some(_)) if found.is_deployed => {
                return Err(Report::new(format!(
                    "something was deployed to `{}` after it was adopted",
                    found.beside
                )));
            }
            (None, Some(adoption)) => (adoption, &found.beside),
            (None, None) => {
                return self.nothing(host, format!("`{}` was not adopted with `runner adopt`", found.root));
            }
        };
        seen.as_ref().map_or(Ok(()), takeover::can_take_back)?;
        let line = takeover::undo_line(found, seen.as_ref(), adoption, site)?;
        plan.lines.push((self.selected.hosts[host].name.clone(), line));
        if let Some((_, before)) = docroot_of(adoption).filter(|(_, before)| *before != path) {
            plan.change(place, &path, before.to_owned());
        }
        plan.paths.insert(host, site.clone());
        plan.adoptions.insert(host, adoption.clone());
        Ok(())
    }

    fn nothing(&self, host: usize, text: String) -> Result<(), Report> {
        self.access.events.event(Event::Note { host: Some(self.selected.hosts[host].name.clone()), text });
        Ok(())
    }

    /// Refuses to change a line of runner.toml for a part of the hosts that it is for.
    fn check_places(&self, plan: &AdoptPlan) -> Result<(), Report> {
        let adopted: Vec<&str> =
            plan.adoptions.keys().map(|host| self.selected.hosts[*host].name.as_str()).collect();
        for (place, old, _) in &plan.changes {
            let users = self.inventory.stages.iter().flat_map(|stage| &stage.hosts);
            let mut others = users.filter(|host| host.places.path.place == *place);
            let other = others.find(|host| !adopted.is_empty() && !adopted.contains(&host.name.as_str()));
            if let Some(other) = other {
                let report = Report::new(format!("`path = \"{old}\"` is also that of `{}`", other.name));
                return Err(report
                    .at(other.places.path.clone())
                    .hint("adopt all of these hosts at once, or give each a `path` of its own"));
            }
        }
        Ok(())
    }
}

/// The site beside a docroot, as runner.toml writes that.
fn beside(path: &str) -> String {
    format!("{}.site", path.trim_end_matches('/'))
}

impl AdoptPlan {
    /// Hosts of one stage may share a line.
    fn change(&mut self, place: &Place, old: &str, new: String) {
        if !self.changes.iter().any(|(known, ..)| known == place) {
            self.changes.push((place.clone(), old.to_owned(), new));
        }
    }
}
