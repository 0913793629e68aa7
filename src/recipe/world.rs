//! A recipe, loaded: its engine, its declarations, its settings. Kept alive by the tasks that were made from it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use rhai::{Dynamic, Engine};

use crate::flow::Playbook;
use crate::recipe::context::{Context, Host};
use crate::recipe::draft::Declared;
use crate::recipe::failure::Outcome;
use crate::recipe::settings::Resolved;

pub struct World {
    pub engine: Engine,
    pub declared: Declared,
    /// The settings of the stage, then of each host of the run; empty until a run begins.
    pub settings: OnceLock<Settings>,
    /// Set once it is made; tasks call other tasks by it.
    pub playbook: OnceLock<Weak<Playbook>>,
    /// Where `runner.toml` is: local commands and paths start there.
    pub directory: PathBuf,
    pub can_prompt: bool,
    worked_out: Mutex<HashMap<(Option<usize>, String), Dynamic>>,
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
            can_prompt,
            worked_out: Mutex::default(),
        }
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
        let Some(function) = &setting.function else {
            return Ok(Some(setting.value.clone()));
        };
        let at = (host, key.to_owned());
        if let Some(value) = self.lock().get(&at) {
            return Ok(Some(value.clone()));
        }
        let host = host.map(|index| Host { context: context.clone(), index });
        let mut arguments: Vec<Dynamic> = match (function.arity, host) {
            (1, Some(host)) => vec![Dynamic::from(host)],
            _ => Vec::new(),
        };
        let value = function.call(&self.engine, Dynamic::from(context.clone()), &mut arguments)?;
        self.lock().insert(at, value.clone());
        Ok(Some(value))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Option<usize>, String), Dynamic>> {
        self.worked_out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
