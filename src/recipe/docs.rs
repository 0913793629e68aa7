//! What `runner tasks` and `runner docs` show: the recipe's own documentation.

use crate::recipe::Recipe;
use crate::recipe::functions::{FunctionDoc, functions, plain};
use crate::recipe::value::shown;

/// A task or flow with its description.
pub struct NamedDoc {
    pub name: String,
    pub doc: String,
    /// Where a task runs (`empty`, `here`, `once` or `each host`) and its role; the tasks of a flow.
    pub detail: String,
}

pub struct SettingDoc {
    pub name: String,
    pub default: String,
    pub doc: String,
    pub place: String,
}

impl Recipe {
    pub fn flows(&self) -> Vec<NamedDoc> {
        let flows = self.world.declared.flows.iter();
        flows
            .map(|(name, flow)| NamedDoc {
                name: name.clone(),
                doc: flow.doc.clone(),
                detail: self.playbook.order(name).join(" "),
            })
            .collect()
    }

    pub fn tasks(&self) -> Vec<NamedDoc> {
        let tasks = self.world.declared.tasks.iter();
        tasks
            .map(|(name, task)| {
                let place = match &task.body {
                    None => "empty",
                    Some(kept) if kept.arity == 0 => "here",
                    Some(_) if task.is_once => "once",
                    Some(_) => "each host",
                };
                let role = task.role.as_ref().map_or(String::new(), |role| format!(", role {role}"));
                NamedDoc { name: name.clone(), doc: self.task_doc(name), detail: format!("{place}{role}") }
            })
            .collect()
    }

    /// The text of `desc`; else the comment above the task's function; else the description of the task it replaced.
    fn task_doc(&self, name: &str) -> String {
        let Some(task) = self.world.declared.tasks.get(name) else {
            return String::new();
        };
        if !task.doc.is_empty() {
            return task.doc.clone();
        }
        let comment = task.body.as_ref().and_then(|kept| {
            let (_, ast) = self.world.trees.iter().find(|(source, _)| source.name == kept.source())?;
            let mut functions = ast.iter_functions();
            let function = functions.find(|function| function.name == kept.name())?;
            Some(plain(&function.comments).replace('\n', " "))
        });
        comment.filter(|comment| !comment.is_empty()).unwrap_or_else(|| task.inherited_doc.clone())
    }

    pub fn settings(&self) -> Vec<SettingDoc> {
        let settings = self.world.declared.settings.iter();
        settings
            .map(|(name, setting)| SettingDoc {
                name: name.clone(),
                default: match &setting.function {
                    Some(_) => "(computed by a function)".to_owned(),
                    None => shown(&setting.default),
                },
                doc: setting.doc.clone(),
                place: setting.place.place.to_string(),
            })
            .collect()
    }

    pub fn functions(&self) -> Vec<FunctionDoc> {
        functions(&self.world.engine)
    }
}
