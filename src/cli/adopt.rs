//! `runner adopt`: takes over sites that are served already, after it has shown what it would do; `--undo` takes it back.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::adopt_plan::{AdoptPlan, AdoptVerb};
use crate::cli::args::Args;
use crate::cli::prompt;
use crate::cli::releases::options;
use crate::cli::signals::cancel_on_signals;
use crate::cli::verb::{VerbError, VerbResult};
use crate::event::mask::Mask;
use crate::event::{Event, Hint, Report, Sink, TaskResult};
use crate::fleet::Fleet;
use crate::fleet::dropping::OnHostFailure;
use crate::here::revision::deployer;
use crate::here::{Here, question};
use crate::host::{DeployPath, Inventory, SelectedHosts, rewrite};
use crate::release::Identity;
use crate::release::adoption::{Adoption, AdoptionKind};
use crate::run::{Run, Setup, adoption};
use crate::transport::CancelToken;

pub fn adopt(args: &Args, id: &str, cancel_token: &CancelToken, events: &Arc<dyn Sink>) -> VerbResult {
    let inventory = Inventory::find(args.directory.as_deref())?;
    let selected = inventory.select(&args.selection())?;
    if let Some(to) = &args.adopt.to {
        DeployPath::remote(to).map_err(|problem| Report::new(format!("`--to` {problem}")))?;
    }
    let mut options = options(args, &inventory, &selected, cancel_token, events)?;
    for options in &mut options {
        options.adopts = true;
        options.identity = inventory.identity().map(|name| Identity { application: name.to_owned() });
    }
    cancel_on_signals(cancel_token)?;
    let access = prompt::access(cancel_token, events);
    let verb = AdoptVerb { args, id, inventory, selected, options, access };
    let Some(plan) = verb.plan()? else { return Ok(0) };
    verb.show(&plan);
    if args.plan {
        return Ok(0);
    }
    verb.confirm()?;
    verb.act(plan)
}

impl AdoptVerb<'_> {
    fn show(&self, plan: &AdoptPlan) {
        let events = &self.access.events;
        let task = if self.args.adopt.undo { "adopt --undo" } else { "adopt" };
        let hosts = plan.adoptions.keys().map(|host| self.selected.hosts[*host].name.clone());
        events.event(Event::Started {
            application: self.inventory.application(),
            stage: self.selected.stage.name.clone(),
            flow: task.to_owned(),
            hosts: hosts.collect(),
            revision: None,
            reference: None,
            is_plan: true,
        });
        for (host, text) in plan.lines.iter().cloned() {
            events.event(Event::Planned { host, text });
        }
        for (place, old, new) in &plan.changes {
            let text = format!("`path = \"{old}\"` becomes `path = \"{new}\"`");
            events.event(Event::Planned { host: place.to_string(), text });
        }
        if !plan.shared.is_empty() {
            let text = format!("`settings` get `{}`", rewrite::shared_line(&plan.shared));
            events.event(Event::Planned { host: self.inventory.file.clone(), text });
        }
        events.event(Event::TaskFinished {
            task: task.to_owned(),
            n_hosts: plan.adoptions.len(),
            took: Duration::ZERO,
            ended: TaskResult::Well,
            n_failed: 0,
        });
    }

    /// Asks, unless the command line has said yes.
    fn confirm(&self) -> Result<(), VerbError> {
        if self.args.yes {
            return Ok(());
        }
        if std::io::stdin().is_terminal() {
            let events = &*self.access.events;
            let answer = question::line("do it? [y/N] ", &self.access.cancel_token, events);
            return match answer.as_deref() {
                Ok("y" | "Y" | "yes") => Ok(()),
                Ok(_) => Err(VerbError::failed(vec![Report::new("nothing was changed")])),
                Err(_) => Err(VerbError::interrupted()),
            };
        }
        let undo = if self.args.adopt.undo { "adopt --undo --yes" } else { "adopt --yes" };
        let words: Vec<String> = undo.split(' ').map(str::to_owned).collect();
        let hint = Hint::Runner { before: String::new(), words, after: " does it".to_owned() };
        Err(Report::new("nothing was changed: this is the plan").hint(hint).into())
    }

    fn act(&self, plan: AdoptPlan) -> VerbResult {
        if plan.adoptions.is_empty() {
            rewrite::rewrite(&self.file(), &plan.changes, &plan.shared)?;
            return Ok(0);
        }
        let run = self.run(&plan)?;
        let numbered: BTreeMap<usize, Adoption> = plan.adoptions.values().cloned().enumerate().collect();
        let settle = || match plan.changes.is_empty() && plan.shared.is_empty() {
            true => Ok(()),
            false => rewrite::rewrite(&self.file(), &plan.changes, &plan.shared),
        };
        let done = match self.args.adopt.undo {
            true => adoption::undo(&run, &numbered, settle),
            false => adoption::adopt(&run, &numbered, settle),
        };
        match done {
            Ok(()) => self.tell(&plan),
            Err(_) if self.access.cancel_token.is_cancelled() => return Err(VerbError::interrupted()),
            Err(error) => {
                let code = if run.met_lock() { 3 } else { 1 };
                return Err(VerbError { reports: vec![Report::of(&error)], code });
            }
        }
        Ok(0)
    }

    fn tell(&self, plan: &AdoptPlan) {
        for (host, adoption) in &plan.adoptions {
            if self.args.adopt.undo {
                let host = Some(self.selected.hosts[*host].name.clone());
                self.access.events.event(Event::Note { host, text: taken_back(adoption) });
                continue;
            }
            self.access.events.event(Event::Serving {
                host: self.selected.hosts[*host].name.clone(),
                release: Some(adoption.release.to_string()),
                is_dropped: false,
                problem: None,
                visitors: None,
            });
        }
    }

    /// A run on the hosts that have something to do, at the paths of their sites.
    fn run(&self, plan: &AdoptPlan) -> Result<Arc<Run>, VerbError> {
        let mut selected = SelectedHosts { stage: self.selected.stage.clone(), hosts: Vec::new() };
        let mut options = Vec::new();
        for (host, path) in &plan.paths {
            let mut at = self.selected.hosts[*host].clone();
            at.path = DeployPath::remote(path).map_err(Report::new)?;
            selected.hosts.push(at);
            options.push(self.options[*host].clone());
        }
        let mask = Arc::new(Mask::new(self.access.events.clone()));
        let here = Here::open(self.here(None), mask, &self.access.cancel_token)?;
        let fleet = Fleet::open(&selected, options, OnHostFailure::default(), &self.access)?;
        Ok(Run::new(
            here,
            fleet,
            Setup {
                id: self.id.to_owned(),
                application: self.inventory.application(),
                stage: selected.stage.name,
                by: deployer(),
                flow: "adopt".to_owned(),
                wanted: None,
                waits: self.args.wait,
            },
        ))
    }
}

/// What is served after an adoption was taken back.
fn taken_back(adoption: &Adoption) -> String {
    match &adoption.kind {
        AdoptionKind::Layout => "the records of the other tool's releases are forgotten".to_owned(),
        AdoptionKind::Current => "`current` is the directory again that it was".to_owned(),
        AdoptionKind::Docroot { directory, .. } => {
            format!(
                "`{directory}` is the directory again that it was; the site beside it has only its history, and can be removed"
            )
        }
    }
}
