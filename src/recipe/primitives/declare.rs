//! What a file declares at its top level besides settings and flows: tasks and hooks.

use std::time::Duration;

use rhai::FnPtr;
use rhai::plugin::*;

use crate::event::Report;
use crate::flow::notice::Occasion;
use crate::flow::playbook::Side;
use crate::recipe::callback::Callback;
use crate::recipe::draft::{Content, HookDraft, NoticeDraft, Removal, TaskDraft};
use crate::recipe::failure::ScriptResult;
use crate::recipe::primitives::arity::{Arity, kept};
use crate::recipe::statement::Statement;

/// A declared task, whose methods set its options: `task("x", f).once()`.
#[derive(Clone)]
pub struct ScriptTask {
    name: String,
}

impl ScriptTask {
    fn change(&self, statement: &Statement, change: impl FnOnce(&mut TaskDraft)) -> Self {
        if let Some(task) = statement.draft.lock().tasks.get_mut(&self.name) {
            change(task);
        }
        self.clone()
    }

    /// Reports an option that only a task on hosts can have.
    fn refuse_without_host(&self, statement: &Statement, what: &str) {
        let is_here = statement
            .draft
            .lock()
            .tasks
            .get(&self.name)
            .is_some_and(|task| task.body.as_ref().is_some_and(|body| body.arity == 0));
        if is_here {
            let message =
                format!("`{what}` needs a task that runs on hosts, but `{}` runs on this machine", self.name);
            statement.refuse(Report::new(message).hint("write `|host| ...` to run the task on hosts"));
        }
    }
}

/// A number of an option, which is reported if it is too small.
fn at_least_one(statement: &Statement, option: &str, unit: &str, number: i64) -> Option<u64> {
    let found = u64::try_from(number).ok().filter(|number| *number > 0);
    if found.is_none() {
        statement.refuse(Report::new(format!("`{option}` must be at least 1 {unit}, not {number}")));
    }
    found
}

fn declare_task(statement: &Statement, name: &str, body: Option<Callback>) -> ScriptTask {
    statement.check_name("task", name);
    let mut declared = statement.draft.lock();
    let place = statement.place_of(&declared, name);
    let content =
        body.as_ref().map_or(Content::Nothing, |body| Content::Function(body.name().to_owned(), body.arity));
    declared.declare(statement.declaration("task", name, &place, content));
    let doc = declared.pending_doc.take();
    // An override keeps the options of the task that it replaces.
    let mut task = declared.tasks.get(name).cloned().unwrap_or_default();
    task.body = body;
    task.place = Some(place);
    task.is_shipped = statement.is_shipped;
    task.is_stdlib = statement.is_stdlib;
    // The description of the replaced task is used only if the new one has none.
    let before = std::mem::take(&mut task.doc);
    if !before.is_empty() {
        task.inherited_doc = before;
    }
    if let Some(doc) = doc {
        task.doc = doc;
    }
    declared.tasks.insert(name.to_owned(), task);
    ScriptTask { name: name.to_owned() }
}

fn hook(context: &NativeCallContext, side: Side, anchor: &str, task: &str) -> ScriptResult<()> {
    let statement = Statement::of(context)?;
    let mut declared = statement.draft.lock();
    let hook = HookDraft {
        side,
        anchor: anchor.to_owned(),
        anchor_place: statement.place_of(&declared, anchor),
        task: task.to_owned(),
        task_place: statement.place_of(&declared, task),
    };
    declared.hooks.push(hook);
    Ok(())
}

fn notice(context: &NativeCallContext, occasion: Occasion, flow: &str, function: FnPtr) -> ScriptResult<()> {
    let statement = Statement::of(context)?;
    let what = format!("`{}`", occasion.name());
    if let Some(function) = kept(&statement, context, function, Arity::Outcome, &what) {
        let mut declared = statement.draft.lock();
        let place = statement.place_of(&declared, flow);
        declared.notices.push(NoticeDraft { occasion, flow: flow.to_owned(), function, place });
    }
    Ok(())
}

#[export_module]
pub mod api {
    /// Declares a task. A function with one parameter, the host, runs on every host; a function without parameters
    /// runs once, on this machine. A task that an imported file declared gets the new function and keeps its options,
    /// such as `.once()`.
    #[rhai_fn(return_raw)]
    pub fn task(context: NativeCallContext, name: &str, body: FnPtr) -> ScriptResult<ScriptTask> {
        let statement = Statement::of(&context)?;
        let body = kept(&statement, &context, body, Arity::NoneOrHost, "a task");
        Ok(declare_task(&statement, name, body))
    }

    /// Declares an empty task, which other recipes can fill.
    #[rhai_fn(name = "task", return_raw)]
    pub fn task_to_fill(context: NativeCallContext, name: &str) -> ScriptResult<ScriptTask> {
        Ok(declare_task(&Statement::of(&context)?, name, None))
    }

    /// Runs the task on one host only: the first one of the stage that has the task's role.
    #[rhai_fn(return_raw)]
    pub fn once(context: NativeCallContext, task: &mut ScriptTask) -> ScriptResult<ScriptTask> {
        Ok(task.change(&Statement::of(&context)?, |task| task.is_once = true))
    }

    /// Runs the task only on hosts with this role. A host without `roles` has every role.
    #[rhai_fn(return_raw)]
    pub fn on(context: NativeCallContext, task: &mut ScriptTask, role: &str) -> ScriptResult<ScriptTask> {
        let statement = Statement::of(&context)?;
        task.refuse_without_host(&statement, "on");
        let place = statement.place_of(&statement.draft.lock(), role);
        Ok(task.change(&statement, |task| {
            task.role = Some(role.to_owned());
            task.role_place = Some(place);
        }))
    }

    /// Runs the task on at most this many hosts at a time.
    #[rhai_fn(return_raw)]
    pub fn limit(context: NativeCallContext, task: &mut ScriptTask, hosts: i64) -> ScriptResult<ScriptTask> {
        let statement = Statement::of(&context)?;
        task.refuse_without_host(&statement, "limit");
        let n_hosts = at_least_one(&statement, "limit", "host", hosts);
        Ok(task.change(&statement, |task| task.limit = n_hosts.map(|n| n as usize)))
    }

    /// Limits the time of the task. After this many seconds, its running command is ended and the task fails.
    #[rhai_fn(return_raw)]
    pub fn timeout(
        context: NativeCallContext,
        task: &mut ScriptTask,
        seconds: i64,
    ) -> ScriptResult<ScriptTask> {
        let statement = Statement::of(&context)?;
        let limit = at_least_one(&statement, "timeout", "second", seconds).map(Duration::from_secs);
        Ok(task.change(&statement, |task| task.timeout = limit))
    }

    /// Sets a function that undoes the task on a host. It runs if the task itself or a later task fails.
    #[rhai_fn(return_raw)]
    pub fn undo(context: NativeCallContext, task: &mut ScriptTask, body: FnPtr) -> ScriptResult<ScriptTask> {
        let statement = Statement::of(&context)?;
        task.refuse_without_host(&statement, "undo");
        let body = kept(&statement, &context, body, Arity::Host, "`undo`");
        Ok(task.change(&statement, |task| task.undo = body))
    }

    /// Runs the task only on hosts where this setting is not empty.
    #[rhai_fn(return_raw)]
    pub fn needs(context: NativeCallContext, task: &mut ScriptTask, key: &str) -> ScriptResult<ScriptTask> {
        let statement = Statement::of(&context)?;
        task.refuse_without_host(&statement, "needs");
        Ok(task.change(&statement, |task| task.needs = Some(key.to_owned())))
    }

    /// Declares that the task sends the source. The source is read when the first such task of a flow starts, so tasks
    /// before it may still change the source.
    #[rhai_fn(return_raw)]
    pub fn sends(context: NativeCallContext, task: &mut ScriptTask) -> ScriptResult<ScriptTask> {
        Ok(task.change(&Statement::of(&context)?, |task| task.sends = true))
    }

    /// Declares that the task reverts another one, as `revert` does with `swap`. Tasks with `.repeat_on_swap_back()` that
    /// are hooked in after the reverted task also run after this one; its other hooks do not.
    #[rhai_fn(return_raw)]
    pub fn reverts(
        context: NativeCallContext,
        task: &mut ScriptTask,
        reverted: &str,
    ) -> ScriptResult<ScriptTask> {
        Ok(task.change(&Statement::of(&context)?, |task| task.reverts = Some(reverted.to_owned())))
    }

    /// Runs the task again after a swap back, so that services load the previous release. If the task is hooked in after
    /// `swap`, it also runs after `revert`.
    #[rhai_fn(return_raw)]
    pub fn repeat_on_swap_back(
        context: NativeCallContext,
        task: &mut ScriptTask,
    ) -> ScriptResult<ScriptTask> {
        Ok(task.change(&Statement::of(&context)?, |task| task.is_repeated = true))
    }

    /// Declares that no flow contains the task. It is run by name: `runner NAME`.
    #[rhai_fn(return_raw)]
    pub fn alone(context: NativeCallContext, task: &mut ScriptTask) -> ScriptResult<ScriptTask> {
        Ok(task.change(&Statement::of(&context)?, |task| task.is_alone = true))
    }

    /// Describes the task, flow or setting that this file declares next. `runner tasks` and `runner docs` show the
    /// text.
    #[rhai_fn(return_raw)]
    pub fn desc(context: NativeCallContext, text: &str) -> ScriptResult<()> {
        let statement = Statement::of(&context)?;
        statement.draft.lock().pending_doc = Some(text.to_owned());
        Ok(())
    }

    /// Runs `task` before `anchor`, in every flow that contains `anchor`.
    #[rhai_fn(return_raw)]
    pub fn before(context: NativeCallContext, anchor: &str, task: &str) -> ScriptResult<()> {
        hook(&context, Side::Before, anchor, task)
    }

    /// Runs `task` after `anchor`, in every flow that contains `anchor`.
    #[rhai_fn(return_raw)]
    pub fn after(context: NativeCallContext, anchor: &str, task: &str) -> ScriptResult<()> {
        hook(&context, Side::After, anchor, task)
    }

    /// Calls a function on this machine when the flow has succeeded. Its parameter is the outcome, a table. If the
    /// function fails, that is only a warning. A plan does not call it.
    #[rhai_fn(return_raw)]
    pub fn on_success(context: NativeCallContext, flow: &str, body: FnPtr) -> ScriptResult<()> {
        notice(&context, Occasion::Success, flow, body)
    }

    /// Calls a function on this machine when the flow has failed and was undone. Its parameter is the outcome, a
    /// table. If the function fails, that is only a warning. A plan does not call it.
    #[rhai_fn(return_raw)]
    pub fn on_failure(context: NativeCallContext, flow: &str, body: FnPtr) -> ScriptResult<()> {
        notice(&context, Occasion::Failure, flow, body)
    }

    /// Removes a task from every flow.
    #[rhai_fn(return_raw)]
    pub fn remove(context: NativeCallContext, task: &str) -> ScriptResult<()> {
        let statement = Statement::of(&context)?;
        let mut declared = statement.draft.lock();
        let place = statement.place_of(&declared, task);
        let n_hooks = declared.hooks.len();
        declared.removed.push(Removal { task: task.to_owned(), place, n_hooks });
        Ok(())
    }
}
