//! What scripts declare while they are evaluated: settings, tasks, flows, hooks, each with its place.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use rhai::{Array, Dynamic, Position};

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
    pub role_place: Option<Excerpt>,
    pub limit: Option<usize>,
    pub timeout: Option<Duration>,
    pub undo: Option<Callback>,
    /// The setting without which it does nothing.
    pub needs: Option<String>,
    pub sends: bool,
    pub is_repeated: bool,
    pub reverts: Option<String>,
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

/// A declaration of a setting, a task or a flow in one file.
#[derive(Clone)]
pub struct Declaration {
    pub kind: &'static str,
    pub name: String,
    pub file: String,
    pub place: Excerpt,
    pub content: Content,
}

/// What a declaration gives, for the lines that combine it with another.
#[derive(Clone)]
pub enum Content {
    /// The name and the number of parameters of a function.
    Function(String, usize),
    Value(Dynamic),
    /// An empty task.
    Nothing,
}

#[derive(Default)]
pub struct Declared {
    pub sources: Vec<RecipeSource>,
    /// The file of each closure, by the name that Rhai gives it.
    pub closures: HashMap<String, String>,
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
    /// Every declaration of a setting, a task or a flow, in order.
    pub declarations: Vec<Declaration>,
    /// What files have added to settings that are lists: the setting, the file and the items.
    pub additions: Vec<(String, String, Array)>,
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

    /// Keeps a declaration, and reports one that is made twice in one file. Made again in a file that imports this one, it
    /// is an override.
    pub fn declare(&mut self, declaration: Declaration) {
        let Declaration { kind, name, file, place, .. } = &declaration;
        let is_same = |other: &&Declaration| (other.kind, &other.name, &other.file) == (*kind, name, file);
        if let Some(before) = self.declarations.iter().find(is_same) {
            let said = if *kind == "setting" { "set" } else { "declared" };
            let note = match before.place == *place {
                true => "this statement ran twice".to_owned(),
                false => format!("first {said} at {}", before.place.place),
            };
            let report = Report::new(format!("{kind} `{name}` is {said} twice in this file"));
            self.problems.push(report.at(place.clone()).note(note));
        }
        self.declarations.push(declaration);
    }

    /// Whether `file` overrides the declarations of `other`: it imports it, directly or through others.
    pub fn overrides(&self, file: &str, other: &str) -> bool {
        let is_stdlib = |name: &str| self.source(name).is_some_and(RecipeSource::is_stdlib);
        if is_stdlib(other) {
            return !is_stdlib(file);
        }
        let (mut open, mut seen) = (vec![file], HashSet::new());
        while let Some(importer) = open.pop() {
            for (_, _, target) in self.imports.iter().filter(|(name, ..)| name == importer) {
                if target == other {
                    return true;
                }
                if seen.insert(target) {
                    open.push(target);
                }
            }
        }
        false
    }

    /// The items that other files have added to a setting, and that a new value in `file` does not override.
    pub fn kept_additions(&self, key: &str, file: &str) -> Array {
        let is_kept = |(added, by, _): &&(String, String, Array)| {
            added == key && by != file && !self.overrides(file, by)
        };
        self.additions.iter().filter(is_kept).flat_map(|(.., items)| items.clone()).collect()
    }
}
