//! Declares flows.

use rhai::plugin::*;
use rhai::{Array, Map};

use crate::event::{Report, Suggestion};
use crate::recipe::draft::{Content, FlowDraft};
use crate::recipe::failure::ScriptResult;
use crate::recipe::statement::Statement;
use crate::recipe::value::{texts, type_name};

fn declare_flow(statement: &Statement, name: &str, tasks: Array, settles: Option<String>) {
    statement.check_name("flow", name);
    let tasks = match texts(tasks, "a flow") {
        Ok(tasks) => tasks,
        Err(message) => return statement.refuse(Report::new(message)),
    };
    let mut declared = statement.draft.lock();
    let place = statement.place_of(&declared, name);
    declared.declare(statement.declaration("flow", name, &place, Content::Nothing));
    let doc = declared.pending_doc.take();
    let replaced = declared.flows.get(name);
    let doc = doc.or_else(|| replaced.map(|flow| flow.doc.clone())).unwrap_or_default();
    let settles_place = settles.as_ref().map(|task| statement.place_of(&declared, task));
    let settles = settles.or_else(|| replaced.and_then(|flow| flow.settles.clone()));
    let task_places = tasks.iter().map(|task| statement.place_of(&declared, task)).collect();
    let flow = FlowDraft { tasks, task_places, settles, settles_place, place, doc };
    declared.flows.insert(name.to_owned(), flow);
}

/// Reads the option `settles` of a flow. Returns the first mistake in the options.
fn settles(options: Map) -> Result<Option<String>, String> {
    let mut settles = None;
    for (key, value) in options {
        if key != "settles" {
            let near = Suggestion::new(&key, ["settles"]);
            return Err(format!("a flow has no option `{key}`{near}"));
        }
        let kind = type_name(&value);
        let task =
            value.into_string().map_err(|_| format!("`settles` must be the name of a task, not {kind}"))?;
        settles = Some(task);
    }
    Ok(settles)
}

#[export_module]
pub mod api {
    /// Declares a flow: a list of task names, in order. All hosts finish a task before any host starts the next one. A
    /// flow that an imported file declared gets the new tasks and keeps its option `settles`.
    #[rhai_fn(return_raw)]
    pub fn flow(context: NativeCallContext, name: &str, tasks: Array) -> ScriptResult<()> {
        declare_flow(&Statement::of(&context)?, name, tasks, None);
        Ok(())
    }

    /// Declares a flow with the option `settles`: the task after which the run is confirmed. If that task or an earlier
    /// one fails, the flow is undone on all hosts; if a later one fails, nothing is undone. Without the option, a flow
    /// is confirmed after the last of its tasks that settles another flow, or, if there is none, when it ends.
    #[rhai_fn(name = "flow", return_raw)]
    pub fn flow_with(context: NativeCallContext, name: &str, tasks: Array, options: Map) -> ScriptResult<()> {
        let statement = Statement::of(&context)?;
        let settles = settles(options).unwrap_or_else(|message| {
            statement.refuse(Report::new(message));
            None
        });
        declare_flow(&statement, name, tasks, settles);
        Ok(())
    }
}
