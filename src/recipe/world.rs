//! A recipe, loaded: its engine, its declarations, its settings. Kept alive by the tasks that were made from it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use rhai::{Dynamic, Engine};

use crate::event::Report;
use crate::flow::Playbook;
use crate::here::project::Project;
use crate::recipe::context::{Context, Host};
use crate::recipe::draft::Declared;
use crate::recipe::failure::{Outcome, mistake};
use crate::recipe::settings::Resolved;

pub struct World {
    pub engine: Engine,
    pub declared: Declared,
    /// The settings of the stage, then of each host of the run; empty until a run begins.
    pub settings: OnceLock<Settings>,
    /// Set once it is made; tasks call other tasks by it.
    pub playbook: OnceLock<Weak<Playbook>>,
    /// Where `runner.toml` is.
    directory: PathBuf,
    /// Set before a run begins.
    pub project: OnceLock<Arc<Project>>,
    pub can_prompt: bool,
    /// Secrets that the user typed. Locked while a question is open: one at a time, and a secret once.
    pub typed: Mutex<HashMap<String, String>>,
    /// Tasks that perform other tasks, outermost first.
    pub performing: Mutex<Vec<String>>,
    worked_out: Mutex<HashMap<(Option<usize>, String), Dynamic>>,
    /// Held while a function of the stage's settings is at work: several hosts may ask for its value at once.
    turn: Mutex<()>,
}

pub struct Settings {
    pub stage: Resolved,
    pub hosts: Vec<Resolved>,
}

impl World {
    pub fn new(engine: Engine, declared: Declared, directory: PathBuf, can_prompt: bool) -> Self {
        Self {
            engine,
            declared,
            settings: OnceLock::new(),
            playbook: OnceLock::new(),
            directory,
            project: OnceLock::new(),
            can_prompt,
            typed: Mutex::default(),
            performing: Mutex::default(),
            worked_out: Mutex::default(),
            turn: Mutex::default(),
        }
    }

    /// Where local paths start: at `runner.toml`, or there in the export.
    pub fn directory(&self) -> anyhow::Result<PathBuf> {
        self.project.get().map_or_else(|| Ok(self.directory.clone()), |project| project.directory())
    }

    /// The source where that is an export: the setting says where it is otherwise.
    pub fn export(&self) -> anyhow::Result<Option<PathBuf>> {
        let project = self.project.get().filter(|project| project.is_export());
        project.map(|project| project.source()).transpose()
    }

    /// A setting as a host has it, or as the stage does. A function is called once, and its value kept.
    pub fn setting(
        self: &Arc<Self>,
        context: &Context,
        host: Option<usize>,
        key: &str,
    ) -> Outcome<Option<Dynamic>> {
        let Some(settings) = self.settings.get() else {
            return Ok(None);
        };
        let resolved = host.map_or(&settings.stage, |host| &settings.hosts[host]);
        let Some(setting) = resolved.get(key) else {
            return Ok(None);
        };
        if key == "source"
            && let Some(export) = self.export().map_err(|error| context.failure("", error))?
        {
            return Ok(Some(export.to_string_lossy().into_owned().into()));
        }
        let Some(function) = &setting.function else {
            return Ok(Some(setting.value.clone()));
        };
        if let Some(value) = self.worked_out(host, key) {
            return Ok(Some(value));
        }
        let is_inner = context.works_out_stage();
        let context = context.working_out(host, key)?;
        let turn = match host.is_none() && !is_inner {
            true => Some(locked(&self.turn)),
            false => None,
        };
        // Another host may have been faster.
        if let Some(value) = self.worked_out(host, key) {
            return Ok(Some(value));
        }
        let subject = host.map(|index| Host { context: context.clone(), index });
        let mut arguments: Vec<Dynamic> = match (function.arity, subject) {
            (1, Some(host)) => vec![Dynamic::from(host)],
            (1, None) => {
                return Err(mistake(
                    Report::new(format!("setting `{key}` is worked out for each host"))
                        .hint(format!("write `host.get(\"{key}\")`")),
                ));
            }
            _ => Vec::new(),
        };
        let value = function
            .call(&self.engine, Dynamic::from(context), &mut arguments)
            .map_err(|error| function.named(*error, &format!("get(\"{key}\")")))?;
        locked(&self.worked_out).insert((host, key.to_owned()), value.clone());
        drop(turn);
        Ok(Some(value))
    }

    fn worked_out(&self, host: Option<usize>, key: &str) -> Option<Dynamic> {
        locked(&self.worked_out).get(&(host, key.to_owned())).cloned()
    }
}

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
