//! A loaded recipe: its engine, declarations and settings. The tasks made from it keep it alive.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use rhai::{AST, Dynamic, Engine};

use crate::flow::Playbook;
use crate::here::project::Project;
use crate::recipe::draft::Declared;
use crate::recipe::settings::Resolved;
use crate::recipe::sources::RecipeSource;

pub struct World {
    pub engine: Engine,
    pub declared: Declared,
    /// The text of each file, and what Rhai read in it.
    pub trees: Vec<(RecipeSource, AST)>,
    /// The settings of the stage, then of each host of the run; empty until a run begins.
    pub settings: OnceLock<RunSettings>,
    /// Set when it is made. `perform` finds tasks in it.
    pub playbook: OnceLock<Weak<Playbook>>,
    /// Where `runner.toml` is.
    directory: PathBuf,
    /// Set before a run begins.
    pub project: OnceLock<Arc<Project>>,
    pub can_prompt: bool,
    /// Secrets that the user typed. Locked while a question is open, so that there is only one at a time, and each secret
    /// is asked for once.
    pub typed: Mutex<HashMap<String, String>>,
    /// Tasks that perform other tasks, outermost first.
    pub performing: Mutex<Vec<String>>,
    computed: Mutex<HashMap<(Option<usize>, String), Dynamic>>,
    turn: Mutex<()>,
}

pub struct RunSettings {
    pub stage: Resolved,
    pub hosts: Vec<Resolved>,
}

impl World {
    pub fn new(
        engine: Engine,
        declared: Declared,
        trees: Vec<(RecipeSource, AST)>,
        directory: PathBuf,
        can_prompt: bool,
    ) -> Self {
        Self {
            engine,
            declared,
            trees,
            settings: OnceLock::new(),
            playbook: OnceLock::new(),
            directory,
            project: OnceLock::new(),
            can_prompt,
            typed: Mutex::default(),
            performing: Mutex::default(),
            computed: Mutex::default(),
            turn: Mutex::default(),
        }
    }

    /// The directory that local paths are relative to: that of `runner.toml`, or its copy in the export.
    pub fn directory(&self) -> anyhow::Result<PathBuf> {
        self.project.get().map_or_else(|| Ok(self.directory.clone()), |project| project.directory())
    }

    /// The directory of `runner.toml` itself.
    pub fn own_directory(&self) -> &Path {
        &self.directory
    }

    /// The directory of the source if it is an export. Otherwise, the setting `source` names it.
    pub fn export(&self) -> anyhow::Result<Option<PathBuf>> {
        let project = self.project.get().filter(|project| project.is_export());
        project.map(|project| project.source()).transpose()
    }

    /// The value that a setting's function returned earlier.
    pub fn computed(&self, host: Option<usize>, key: &str) -> Option<Dynamic> {
        locked(&self.computed).get(&(host, key.to_owned())).cloned()
    }

    pub fn keep_computed(&self, host: Option<usize>, key: &str, value: &Dynamic) {
        locked(&self.computed).insert((host, key.to_owned()), value.clone());
    }

    /// Held while a setting of the stage is computed, because several hosts may need it at the same time.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        locked(&self.turn)
    }
}

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
