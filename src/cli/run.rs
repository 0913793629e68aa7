//! A flow or a task is run, or planned.

use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::{Ended, Stop, hear_signals, project, prompt};
use crate::event::mask::Mask;
use crate::event::{Event, Report, Sink};
use crate::flow::{Doing, execute};
use crate::host::Inventory;
use crate::recipe::Settled;
use crate::release::ReleaseName;
use crate::run::here::Here;
use crate::run::project::Project;
use crate::run::revision::{Revision, deployer};
use crate::run::source::Source;
use crate::run::{Mode, Named, Run, Setup};
use crate::site::Site;
use crate::transport::planning::Planning;
use crate::transport::{Interrupt, Remote};
use crate::tree::Store;

/// The flow that is run when none is named.
const DEFAULT: &str = "deploy";

pub fn run(
    args: &Args,
    recipe: Option<String>,
    what: Option<String>,
    interrupt: &Interrupt,
    events: &Arc<dyn Sink>,
) -> Ended {
    let inventory = Inventory::find(args.directory.as_deref())?;
    let selected = inventory.select(&args.selection())?;
    let cli = args.settings()?;
    let wanted = args.release.as_deref().map(ReleaseName::new).transpose()?;
    let mask = Arc::new(Mask::new(events.clone()));
    let heard: Arc<dyn Sink> = mask.clone();

    let source = project::source(Some(&inventory), recipe.as_deref())?;
    let recipe = project::load(source, &inventory.dir, interrupt, &heard)?;
    let doing = recipe.doing(what.as_deref().unwrap_or(DEFAULT))?;
    let mut problems = recipe.check(Some(&doing));
    if wanted.is_some()
        && matches!(&doing, Doing::Flow(name) if recipe.playbook.order(name).iter().any(|task| task == "upload"))
    {
        let report = Report::new("`--release` names a release to go back to, and this would make a new one");
        problems.push(report.hint("`runner rollback --release NAME`"));
    }
    let hosts = &selected.hosts;
    let settled = recipe.settle(&inventory.settings, &selected.stage.settings, hosts, &cli);
    let settled = match settled {
        Ok(settled) if problems.is_empty() => settled,
        settled => {
            problems.extend(settled.err().into_iter().flatten());
            return Err(problems.into());
        }
    };

    hear_signals(interrupt)?;
    let mode = match args.is_plan() {
        true => Mode::Plan { with_diff: args.diff },
        false => Mode::Act,
    };
    let Settled { source, sites, here, on_host_failure } = settled;
    let sends = matches!(&doing, Doing::Flow(name) if recipe.playbook.order(name).iter().any(|task| task == "upload"));
    let store = Store::from_env();
    let project =
        Arc::new(Project::new(inventory.dir.clone(), &source.directory, source.reference, store.clone()));
    recipe.work_in(&project);
    let ready = if sends { project.export().map(drop) } else { Ok(()) };
    let revision = match ready.and_then(|()| project.revision()) {
        Ok(revision) => revision,
        Err(_) if interrupt.is_raised() => return Err(Stop::interrupted()),
        Err(error) if sends => return Err(error.into()),
        // A rollback is as good without it. What needs it all the same fails for the same reason.
        Err(_) => Revision::default(),
    };
    let mut open = Vec::new();
    let logins = prompt::logins(interrupt, events);
    let known = about(&selected.stage.name, &revision);
    for (host, mut options) in hosts.iter().zip(sites) {
        options.env.splice(..0, known.clone());
        let mut remote: Box<dyn Remote> =
            project::remote(host, options.accepts_new_keys, &logins, interrupt)?;
        if mode.is_plan() {
            remote = Box::new(Planning::new(remote, Arc::default()));
        }
        open.push(Site::new(host.clone(), options, remote, heard.clone(), mode.is_plan()));
    }
    heard.event(Event::Started {
        application: inventory.application(),
        stage: selected.stage.name.clone(),
        flow: match &doing {
            Doing::Flow(name) | Doing::Task(name) => name.clone(),
        },
        hosts: hosts.iter().map(|host| host.name.clone()).collect(),
        revision: revision.commit.clone().filter(|_| sends),
        reference: project.reference().map(str::to_owned).filter(|_| sends),
        is_plan: mode.is_plan(),
    });
    if sends && revision.is_dirty {
        heard.event(Event::Warning {
            host: None,
            text: "the work tree has changes that are not committed; they are deployed too".to_owned(),
        });
    }
    if sends && source.is_emptied {
        let text = "`ref` is empty: the work tree is deployed".to_owned();
        heard.event(Event::Warning { host: None, text });
    }
    if sends && let Some(commit) = project.commit()? {
        let outside = project.export()?.filter(|export| !export.has_project).map(|_| {
            "`runner.toml` is not in the repository: `get(\"source\")` leads to the export, commands start beside `runner.toml`".to_owned()
        });
        for text in commit.warnings.iter().cloned().chain(outside) {
            heard.event(Event::Warning { host: None, text });
        }
    }
    let source =
        Source::new(project.clone(), source.exclude, project::local_sites(&inventory), store.clone());
    let run = Run::new(Setup {
        application: inventory.application(),
        stage: selected.stage.name.clone(),
        by: deployer(),
        flow: match &doing {
            Doing::Flow(name) | Doing::Task(name) => name.clone(),
        },
        mode,
        waits: args.wait,
        revision,
        wanted,
        mask,
        interrupt: interrupt.clone(),
        here: Here {
            remote: crate::transport::local(interrupt.clone()),
            env: known.into_iter().chain(here.env).collect(),
        },
        project: project.clone(),
        source: Arc::new(source),
        store,
        sites: open,
        fleet: selected.all().iter().map(Named::of).collect(),
        on_host_failure,
    });
    let outcome = execute(&run, &recipe.playbook, &doing);
    if matches!(doing, Doing::Task(_)) && project.has_export() {
        let text = "what was made here, in the export, is gone with it; `--set ref=` works in the work tree"
            .to_owned();
        run.events.event(Event::Note { host: None, text });
    }
    Ok(outcome.verdict.exit_code())
}

/// What every command finds in its environment; the setting `env` may say otherwise.
fn about(stage: &str, revision: &Revision) -> Vec<(String, String)> {
    let mut env = vec![("STAGE".to_owned(), stage.to_owned())];
    env.extend(revision.commit.clone().map(|commit| ("REVISION".to_owned(), commit)));
    env
}
