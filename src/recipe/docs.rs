//! What `runner tasks` and `runner docs` show: the recipe's own words.

use rhai::Engine;

use crate::recipe::Recipe;
use crate::recipe::value::{plain_type, shown};

/// A task or flow with its description.
pub struct Named {
    pub name: String,
    pub doc: String,
    /// Where a task runs: "here", "each host", "once", with its role; the tasks of a flow.
    pub detail: String,
}

/// A function that recipes may call.
pub struct Function {
    pub name: String,
    pub signature: String,
    pub doc: String,
    pub is_method_of: Option<String>,
}

pub struct SettingDoc {
    pub name: String,
    pub default: String,
    pub doc: String,
    pub place: String,
}

impl Recipe {
    pub fn flows(&self) -> Vec<Named> {
        let flows = self.world.declared.flows.iter();
        flows
            .map(|(name, flow)| Named {
                name: name.clone(),
                doc: flow.doc.clone(),
                detail: self.playbook.order(name).join(" "),
            })
            .collect()
    }

    pub fn tasks(&self) -> Vec<Named> {
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
                Named { name: name.clone(), doc: self.task_doc(name), detail: format!("{place}{role}") }
            })
            .collect()
    }

    /// Said by `desc`, else the comment above the task's function.
    fn task_doc(&self, name: &str) -> String {
        let Some(task) = self.world.declared.tasks.get(name) else {
            return String::new();
        };
        if !task.doc.is_empty() {
            return task.doc.clone();
        }
        let comment = task.body.as_ref().and_then(|kept| {
            let (_, ast) = self.trees.iter().find(|(source, _)| source.name == kept.source())?;
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
                    Some(_) => "(worked out by a function)".to_owned(),
                    None => shown(&setting.default),
                },
                doc: setting.doc.clone(),
                place: setting.place.place.to_string(),
            })
            .collect()
    }

    pub fn functions(&self) -> Vec<Function> {
        functions(&self.world.engine)
    }
}

/// The primitives, by their Rust signatures and comments.
pub fn functions(engine: &Engine) -> Vec<Function> {
    let mut all = engine.collect_fn_metadata(
        None,
        |info| {
            let of = info.metadata;
            let name = of.name.as_str();
            if of.comments.is_empty() || name.starts_with("set$") {
                return None;
            }
            let params: Vec<(String, String)> = of
                .params_info
                .iter()
                .map(|param| {
                    let (name, kind) = param.split_once(':').unwrap_or((param, ""));
                    (name.trim().to_owned(), plain_type(kind))
                })
                .collect();
            let is_method_of = params
                .first()
                .filter(|(_, kind)| ["Host", "Hosts", "Task", "Failure"].contains(&kind.as_str()))
                .map(|(_, kind)| kind.clone());
            let shown: Vec<String> = params
                .iter()
                .skip(usize::from(is_method_of.is_some()))
                .map(|(name, kind)| format!("{name}: {kind}"))
                .collect();
            let returns = match plain_type(&of.return_type).as_str() {
                "" | "nothing" => String::new(),
                kind => format!(" -> {kind}"),
            };
            let subject =
                is_method_of.as_ref().map_or(String::new(), |kind| format!("{}.", kind.to_lowercase()));
            let signature = match name.strip_prefix("get$") {
                Some(property) => format!("{subject}{property}{returns}"),
                None => format!("{subject}{name}({}){returns}", shown.join(", ")),
            };
            let comments: Vec<&str> = of.comments.iter().map(|line| line.as_str()).collect();
            let name = name.strip_prefix("get$").unwrap_or(name).to_owned();
            Some(Function { name, signature, doc: plain(&comments), is_method_of })
        },
        false,
    );
    // Overloads may look alike: their words keep the order the same.
    all.sort_by(|a, b| (&a.is_method_of, &a.signature, &a.doc).cmp(&(&b.is_method_of, &b.signature, &b.doc)));
    all
}

/// The text of a comment without its slashes. Items of a list and paragraphs keep their lines, others are joined.
fn plain(comments: &[&str]) -> String {
    let mut text = String::new();
    for line in comments.iter().flat_map(|comment| comment.lines()) {
        let line = line.trim_start_matches('/').trim();
        text += match line {
            "" => "\n\n",
            _ if text.is_empty() || text.ends_with('\n') => "",
            _ if line.starts_with("- ") => "\n",
            _ => " ",
        };
        text += line;
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_paragraphs_of_a_comment_keep_their_lines() {
        let comments = ["/// One\n/// line:", "/// - a", "///   b", "/// - c", "///", "/// The\n/// end."];
        assert_eq!(plain(&comments), "One line:\n- a b\n- c\n\nThe end.");
        assert_eq!(plain(&[]), "");
    }
}
