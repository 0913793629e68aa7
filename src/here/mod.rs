//! This machine: the work tree or commit that is deployed, and the commands, requests and questions of a run.

pub mod build_cache;
pub mod command;
pub mod export;
pub mod fetch;
pub mod former;
pub mod git;
pub mod glance;
pub mod ignored;
pub mod mode;
pub mod new_files;
pub mod once;
pub mod options;
pub mod project;
pub mod project_file;
pub mod proposal;
pub mod proposed;
pub mod question;
pub mod recognise;
mod redirect;
mod remarks;
pub mod revision;
pub mod serving;
pub mod source;

use std::sync::{Arc, Mutex};

use anyhow::Result;

use crate::event::mask::Mask;
use crate::event::{Event, Sink};
use crate::here::ignored::check_repository;
use crate::here::mode::Mode;
use crate::here::options::{HereOptions, SourceOptions};
use crate::here::project::Project;
use crate::here::revision::Revision;
use crate::here::source::{Patterns, Source};
use crate::transport::{CancelToken, Remote};
use crate::tree::Store;
use crate::tree::include::is_everything;

/// The name of this machine in events.
const NAME: &str = "here";

/// This machine, as one run uses it.
pub struct Here {
    pub mode: Mode,
    /// Hides secrets in events: `events` is the same sink.
    pub mask: Arc<Mask>,
    pub events: Arc<dyn Sink>,
    pub cancel_token: CancelToken,
    pub project: Arc<Project>,
    pub source: Arc<Source>,
    /// Whether the run sends the source to hosts.
    pub sends: bool,
    pub revision: Revision,
    /// What the user should know about the source before it is sent.
    pub warnings: Vec<String>,
    pub store: Store,
    /// The environment variables of every command here.
    env: Vec<(String, String)>,
    /// Runs commands, one at a time.
    remote: Mutex<Box<dyn Remote>>,
}

impl Here {
    /// Finds the revision. Makes the export if the run sends one.
    pub fn open(options: HereOptions, mask: Arc<Mask>, cancel_token: &CancelToken) -> Result<Self> {
        let HereOptions { mode, directory, stage, source, env, skip, sends } = options;
        let SourceOptions { directory: below, reference, is_emptied, exclude, include } = source;
        let store = Store::from_env()?;
        let project = Arc::new(Project::new(directory, &below, reference, store.clone()));
        let ready = if sends { project.export().map(drop) } else { Ok(()) };
        let revision = match ready.and_then(|()| project.revision()) {
            Ok(revision) => revision,
            Err(error) if sends || cancel_token.is_cancelled() => return Err(error),
            // A rollback does not need the revision. If anything else does, it fails for the same reason.
            Err(_) => Revision::default(),
        };
        if sends && !project.is_export() && !is_everything(&include) {
            check_repository(&project.source()?)?;
        }
        let warnings = if sends { warnings(&project, &revision, is_emptied)? } else { Vec::new() };
        Ok(Self {
            mode,
            events: mask.clone(),
            mask,
            cancel_token: cancel_token.clone(),
            source: Arc::new(Source::new(
                project.clone(),
                Patterns { exclude, include },
                skip,
                store.clone(),
            )),
            project,
            sends,
            env: revision.env(&stage).into_iter().chain(env).collect(),
            revision,
            warnings,
            store,
            remote: Mutex::new(crate::transport::local(cancel_token.clone())),
        })
    }

    /// Whether a plan skips something that would change this machine or another. If so, the plan has listed it.
    fn plans(&self, text: impl FnOnce() -> String) -> bool {
        let is_plan = self.mode.is_plan();
        if is_plan {
            self.events.event(Event::Planned { host: NAME.to_owned(), text: text() });
        }
        is_plan
    }
}

fn warnings(project: &Project, revision: &Revision, is_emptied: bool) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    if revision.is_dirty {
        warnings.push("the work tree has uncommitted changes; the record of the release says so".to_owned());
    }
    if is_emptied {
        warnings.push("`ref` is empty; deploying the work tree".to_owned());
    }
    if let Some(commit) = project.commit()? {
        warnings.extend(commit.warnings.iter().cloned());
    }
    if project.export()?.is_some_and(|export| !export.has_project) {
        warnings.push(
            "`runner.toml` is not in the repository: commands start in its directory, and `get(\"source\")` is the exported commit"
                .to_owned(),
        );
    }
    Ok(warnings)
}
