//! What scripts declare while they are evaluated: settings, tasks, flows, hooks, each with where it was said.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use rhai::{Dynamic, NativeCallContext, Position};

use crate::event::{Excerpt, Report, Suggestion};
use crate::flow::playbook::Side;
use crate::recipe::failure::{Outcome, mistake};
use crate::recipe::kept::Kept;
use crate::recipe::sources::{Origin, Source};
use crate::recipe::value;

/// Words that the command line takes for itself.
pub const VERBS: [&str; 6] = ["check", "unlock", "releases", "status", "tasks", "docs"];

#[derive(Clone)]
pub struct Setting {
    pub default: Dynamic,
    /// The function of a setting whose value is worked out, once a host.
    pub function: Option<Kept>,
    pub place: Excerpt,
    /// The file that made it, and whether that is a shipped one.
    pub file: String,
    pub is_shipped: bool,
    pub doc: String,
}

#[derive(Clone, Default)]
pub struct TaskDraft {
    /// `None` for a place that a recipe may fill.
    pub body: Option<Kept>,
    pub place: Option<Excerpt>,
    pub file: String,
    pub is_shipped: bool,
    pub doc: String,
    pub is_once: bool,
    pub role: Option<String>,
    pub limit: Option<usize>,
    pub timeout: Option<Duration>,
    pub undo: Option<Kept>,
    pub is_repeated: bool,
    /// To be run by name: no flow needs to run it.
    pub is_alone: bool,
}

pub struct FlowDraft {
    pub tasks: Vec<String>,
    pub place: Excerpt,
    pub file: String,
    pub doc: String,
}

pub struct HookDraft {
    pub side: Side,
    pub anchor: String,
    pub task: String,
    pub place: Excerpt,
    pub is_shipped: bool,
}

#[derive(Default)]
pub struct Declared {
    pub sources: Vec<Source>,
    /// Importer, what it wrote, and the file that this meant.
    pub imports: Vec<(String, String, String)>,
    pub settings: IndexMap<String, Setting>,
    pub tasks: IndexMap<String, TaskDraft>,
    pub flows: IndexMap<String, FlowDraft>,
    pub hooks: Vec<HookDraft>,
    pub removed: Vec<(String, Excerpt)>,
    /// Files that have declared something: too late to import.
    pub has_declared: Vec<String>,
    /// Said by `desc` for the next task or flow.
    pub pending_doc: Option<String>,
    /// Which file gave a setting or a task its present value.
    set_in: IndexMap<(&'static str, String), String>,
}

/// Shared by the engine's tag; locked for one declaration at a time.
#[derive(Clone, Default)]
pub struct Draft(Arc<Mutex<Declared>>);

impl Draft {
    pub fn lock(&self) -> MutexGuard<'_, Declared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The draft that a declaring function was called for; a task that runs has none.
    pub fn of(context: &NativeCallContext) -> Outcome<Self> {
        let draft = context.tag().and_then(|tag| tag.read_lock::<Draft>().map(|d| d.clone()));
        draft.ok_or_else(|| {
            mistake(
                Report::new(format!("`{}` declares, and cannot be used in a task", context.fn_name()))
                    .hint("write it at the top level of the file"),
            )
        })
    }
}

impl Declared {
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.name == name)
    }

    pub fn excerpt(&self, source: &str, position: Position) -> Option<Excerpt> {
        let line = position.line()?;
        let column = position.position().unwrap_or(1);
        Some(self.source(source)?.excerpt(line, column))
    }

    /// Where a declaring function was called, and in which file. Marks the file as one that declares.
    pub fn here(&mut self, context: &NativeCallContext) -> (Excerpt, String, bool) {
        let file = context.global_runtime_state().source.as_deref().unwrap_or_default().to_owned();
        if !self.has_declared.contains(&file) {
            self.has_declared.push(file.clone());
        }
        let position = context.call_position();
        let place = self.excerpt(&file, position).unwrap_or(Excerpt {
            place: Default::default(),
            text: String::new(),
            width: 1,
        });
        let is_shipped = self.source(&file).is_some_and(|source| matches!(source.origin, Origin::Shipped(_)));
        (place, file, is_shipped)
    }

    /// The same thing said twice in one file is a mistake; said again in a later file it is an override.
    pub fn once_per_file(&mut self, kind: &'static str, name: &str, file: &str) -> Outcome<()> {
        let key = (kind, name.to_owned());
        let before = self.set_in.insert(key, file.to_owned());
        if before.as_deref() == Some(file) {
            return Err(mistake(Report::new(format!("{kind} `{name}` is declared twice in this file"))));
        }
        Ok(())
    }

    pub fn check_name(kind: &str, name: &str) -> Outcome<()> {
        if VERBS.contains(&name) {
            return Err(mistake(
                Report::new(format!("no {kind} can be named `{name}`: it is a verb of the command line"))
                    .hint("choose another name"),
            ));
        }
        let is_plain = |c: char| c.is_alphanumeric() || "_-:.".contains(c);
        if name.is_empty() || name.starts_with('-') || !name.chars().all(is_plain) || name.ends_with(".rhai")
        {
            return Err(mistake(Report::new(format!(
                "`{name}` cannot be the name of a {kind}: letters, digits, `_`, `-`, `:` and `.` only"
            ))));
        }
        Ok(())
    }

    pub fn set(
        &mut self,
        context: &NativeCallContext,
        key: &str,
        default: Dynamic,
        function: Option<Kept>,
    ) -> Outcome<()> {
        let (place, file, is_shipped) = self.here(context);
        self.once_per_file("setting", key, &file)?;
        let doc = self.pending_doc.take();
        match self.settings.get_mut(key) {
            Some(setting) => {
                if function.is_none() && !value::fits(&setting.default, &default) {
                    return Err(mistake(
                        Report::new(format!(
                            "setting `{key}` is {}, not {}",
                            value::type_name(&setting.default),
                            value::type_name(&default)
                        ))
                        .note(format!("its default is set at {}", setting.place.place)),
                    ));
                }
                setting.default = default;
                setting.function = function;
                setting.place = place;
                if let Some(doc) = doc {
                    setting.doc = doc;
                }
            }
            None => {
                let setting =
                    Setting { default, function, place, file, is_shipped, doc: doc.unwrap_or_default() };
                self.settings.insert(key.to_owned(), setting);
            }
        }
        Ok(())
    }

    pub fn add(&mut self, context: &NativeCallContext, key: &str, items: rhai::Array) -> Outcome<()> {
        self.here(context);
        let known: Vec<String> = self.settings.keys().cloned().collect();
        let Some(setting) = self.settings.get_mut(key) else {
            let near = Suggestion::new(key, known.iter().map(String::as_str));
            return Err(mistake(Report::new(format!("no setting `{key}` to add to{near}"))));
        };
        let Some(mut list) = setting.default.clone().try_cast::<rhai::Array>() else {
            return Err(mistake(Report::new(format!(
                "setting `{key}` is {}: only a list can be added to",
                value::type_name(&setting.default)
            ))));
        };
        list.extend(items);
        setting.default = list.into();
        Ok(())
    }
}
