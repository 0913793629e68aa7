//! What scripts declare while they are evaluated: settings, tasks, flows, hooks, each with its place.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use rhai::{Dynamic, Position};

use crate::event::{Excerpt, Report};
use crate::flow::notice::Occasion;
use crate::flow::playbook::Side;
use crate::recipe::callback::Callback;
use crate::recipe::sources::RecipeSource;

#[derive(Clone)]
pub struct SettingDraft {
    pub default: Dynamic,
    /// The function that computes the value, if there is one.
    pub function: Option<Callback>,
    pub place: Excerpt,
    /// Whether a shipped file declared it.
    pub is_shipped: bool,
    pub doc: String,
}

#[derive(Clone, Default)]
pub struct TaskDraft {
    /// `None` for an empty task, which a recipe can fill.
    pub body: Option<Callback>,
    pub place: Option<Excerpt>,
    pub is_shipped: bool,
    pub is_stdlib: bool,
    pub doc: String,
    /// The description of the task that it replaced.
    pub inherited_doc: String,
    pub is_once: bool,
    pub role: Option<String>,
    pub limit: Option<usize>,
    pub timeout: Option<Duration>,
    pub undo: Option<Callback>,
    /// The setting without which it does nothing.
    pub needs: Option<String>,
    pub sends: bool,
    pub is_repeated: bool,
    /// It is run by name, so no flow needs to contain it.
    pub is_alone: bool,
}

pub struct FlowDraft {
    pub tasks: Vec<String>,
    /// For each task, the place where the flow names it.
    pub task_places: Vec<Excerpt>,
    /// The option `settles`. A flow that is declared again without it keeps it.
    pub settles: Option<String>,
    /// The place of the option in this declaration.
    pub settles_place: Option<Excerpt>,
    pub place: Excerpt,
    pub doc: String,
}

pub struct HookDraft {
    pub side: Side,
    pub anchor: String,
    pub anchor_place: Excerpt,
    pub task: String,
    pub task_place: Excerpt,
}

pub struct NoticeDraft {
    pub occasion: Occasion,
    pub flow: String,
    pub function: Callback,
    pub place: Excerpt,
}

pub struct Removal {
    pub task: String,
    pub place: Excerpt,
    /// How many hooks were declared before it. Those in other files are removed with the task.
    pub n_hooks: usize,
}

#[derive(Default)]
pub struct Declared {
    pub sources: Vec<RecipeSource>,
    /// The importing file, the path that it wrote, and the file that was found.
    pub imports: Vec<(String, String, String)>,
    pub settings: IndexMap<String, SettingDraft>,
    pub tasks: IndexMap<String, TaskDraft>,
    pub flows: IndexMap<String, FlowDraft>,
    pub hooks: Vec<HookDraft>,
    pub notices: Vec<NoticeDraft>,
    pub removed: Vec<Removal>,
    /// Files that have declared something: they can no longer import.
    pub has_declared: Vec<String>,
    /// The text of `desc`, for the next task, flow or setting.
    pub pending_doc: Option<String>,
    /// Mistakes in declarations. All of them are reported, not only the first.
    pub problems: Vec<Report>,
    /// The file and the place that last declared a setting, a task or a flow.
    said_in: IndexMap<(&'static str, String), (String, Excerpt)>,
}

/// Shared through the engine's tag, and locked for one declaration at a time.
#[derive(Clone, Default)]
pub struct Draft(Arc<Mutex<Declared>>);

impl Draft {
    pub fn lock(&self) -> MutexGuard<'_, Declared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Declared {
    pub fn source(&self, name: &str) -> Option<&RecipeSource> {
        self.sources.iter().find(|source| source.name == name)
    }

    pub fn excerpt(&self, source: &str, position: Position) -> Option<Excerpt> {
        let line = position.line()?;
        let column = position.position().unwrap_or(1);
        Some(self.source(source)?.excerpt(line, column))
    }

    /// Reports a declaration that is made twice in one file. Made again in a later file, it is an override.
    pub fn once_per_file(&mut self, kind: &'static str, name: &str, file: &str, place: &Excerpt) {
        let said = (file.to_owned(), place.clone());
        let Some((_, before)) =
            self.said_in.insert((kind, name.to_owned()), said).filter(|(before, _)| before == file)
        else {
            return;
        };
        let said = if kind == "setting" { "set" } else { "declared" };
        let note = match before == *place {
            true => "this statement ran twice".to_owned(),
            false => format!("first {said} at {}", before.place),
        };
        self.problems.push(
            Report::new(format!("{kind} `{name}` is {said} twice in this file")).at(place.clone()).note(note),
        );
    }
}
