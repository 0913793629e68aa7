//! What a file declares at its top level: settings, tasks, flows, hooks.

use std::time::Duration;

use rhai::plugin::*;
use rhai::{Array, Dynamic, FnPtr};

use crate::event::Report;
use crate::flow::playbook::Side;
use crate::recipe::draft::{Declared, Draft, FlowDraft, HookDraft, TaskDraft};
use crate::recipe::failure::{Outcome, mistake, mistake_text};
use crate::recipe::kept::Kept;

/// A declared task, so that more can be said of it: `task("x", f).once()`.
#[derive(Clone)]
pub struct Task {
    pub name: String,
    pub draft: Draft,
}

impl Task {
    fn change(&mut self, change: impl FnOnce(&mut TaskDraft)) -> Task {
        if let Some(task) = self.draft.lock().tasks.get_mut(&self.name) {
            change(task);
        }
        self.clone()
    }
}

/// The function a declaration is given, which must take one of so many arguments.
pub fn kept(context: &NativeCallContext, function: FnPtr, arities: &[usize], what: &str) -> Outcome<Kept> {
    let kept = Kept::new(context, function)?;
    if !arities.contains(&kept.arity) {
        let allowed: Vec<String> = arities.iter().map(usize::to_string).collect();
        return Err(mistake(
            Report::new(format!(
                "{what} takes {} parameters, and this function has {}",
                allowed.join(" or "),
                kept.arity
            ))
            .hint("`|host| ...` runs on every host, `|| ...` once, on this machine"),
        ));
    }
    Ok(kept)
}

/// The texts of a list.
pub fn texts(list: Array, what: &str) -> Outcome<Vec<String>> {
    list.into_iter()
        .map(|item| {
            let kind = crate::recipe::value::type_name(&item);
            item.into_string()
                .map_err(|_| mistake_text(format!("{what} is a list of texts, and this holds {kind}")))
        })
        .collect()
}

fn declare_task(context: &NativeCallContext, name: &str, body: Option<Kept>) -> Outcome<Task> {
    let draft = Draft::of(context)?;
    Declared::check_name("task", name)?;
    let mut declared = draft.lock();
    let (place, file, is_shipped) = declared.here(context);
    declared.once_per_file("task", name, &file)?;
    let doc = declared.pending_doc.take();
    // An override keeps what was said of the task it replaces.
    let mut task = declared.tasks.get(name).cloned().unwrap_or_default();
    task.body = body;
    task.place = Some(place);
    task.is_shipped = is_shipped;
    task.file = file;
    if let Some(doc) = doc {
        task.doc = doc;
    }
    declared.tasks.insert(name.to_owned(), task);
    drop(declared);
    Ok(Task { name: name.to_owned(), draft })
}

fn hook(context: &NativeCallContext, side: Side, anchor: &str, task: &str) -> Outcome<()> {
    let draft = Draft::of(context)?;
    let mut declared = draft.lock();
    let (place, _, is_shipped) = declared.here(context);
    declared.hooks.push(HookDraft {
        side,
        anchor: anchor.to_owned(),
        task: task.to_owned(),
        place,
        is_shipped,
    });
    Ok(())
}

#[export_module]
pub mod api {
    /// Sets a setting, or makes it. A function as value is called once a host. `()`: the project must give it.
    #[rhai_fn(return_raw)]
    pub fn set(context: NativeCallContext, key: &str, value: Dynamic) -> Outcome<()> {
        let draft = Draft::of(&context)?;
        match value.try_cast_result::<FnPtr>() {
            Ok(function) => {
                let function = kept(&context, function, &[0, 1], "a setting's function")?;
                draft.lock().set(&context, key, Dynamic::UNIT, Some(function))
            }
            Err(value) => draft.lock().set(&context, key, value, None),
        }
    }

    /// Adds to a setting that is a list.
    #[rhai_fn(return_raw)]
    pub fn add(context: NativeCallContext, key: &str, items: Array) -> Outcome<()> {
        Draft::of(&context)?.lock().add(&context, key, items)
    }

    /// Declares a task. A function of one parameter runs on every host, of none once, on this machine.
    #[rhai_fn(return_raw)]
    pub fn task(context: NativeCallContext, name: &str, body: FnPtr) -> Outcome<Task> {
        Draft::of(&context)?;
        let body = kept(&context, body, &[0, 1], "a task")?;
        declare_task(&context, name, Some(body))
    }

    /// Declares a task that does nothing yet: a place for others to fill.
    #[rhai_fn(name = "task", return_raw)]
    pub fn task_to_fill(context: NativeCallContext, name: &str) -> Outcome<Task> {
        declare_task(&context, name, None)
    }

    /// Runs the task only on the first host of the stage that has its role.
    pub fn once(task: &mut Task) -> Task {
        task.change(|task| task.is_once = true)
    }

    /// Runs the task only on hosts with a role.
    pub fn on(task: &mut Task, role: &str) -> Task {
        task.change(|task| task.role = Some(role.to_owned()))
    }

    /// Runs the task on so many hosts at a time.
    #[rhai_fn(return_raw)]
    pub fn limit(task: &mut Task, hosts: i64) -> Outcome<Task> {
        match usize::try_from(hosts) {
            Ok(hosts) if hosts > 0 => Ok(task.change(|task| task.limit = Some(hosts))),
            _ => Err(mistake_text(format!("`limit` is 1 or more hosts, not {hosts}"))),
        }
    }

    /// Ends the task's commands, and fails it, after so many seconds.
    #[rhai_fn(return_raw)]
    pub fn timeout(task: &mut Task, seconds: i64) -> Outcome<Task> {
        match u64::try_from(seconds) {
            Ok(seconds) if seconds > 0 => {
                Ok(task.change(|task| task.timeout = Some(Duration::from_secs(seconds))))
            }
            _ => Err(mistake_text(format!("`timeout` is 1 or more seconds, not {seconds}"))),
        }
    }

    /// What takes the task back on a host, when it or a later step fails.
    #[rhai_fn(return_raw)]
    pub fn undo(context: NativeCallContext, task: &mut Task, body: FnPtr) -> Outcome<Task> {
        let body = kept(&context, body, &[1], "an undo")?;
        Ok(task.change(|task| task.undo = Some(body)))
    }

    /// Runs the task again after a swap back, so that services take up the old release.
    pub fn repeat_on_swap_back(task: &mut Task) -> Task {
        task.change(|task| task.is_repeated = true)
    }

    /// Says that no flow runs the task: it is run by its name.
    pub fn alone(task: &mut Task) -> Task {
        task.change(|task| task.is_alone = true)
    }

    /// Describes the next task, flow or setting of the file, for `runner tasks` and `runner docs`.
    #[rhai_fn(return_raw)]
    pub fn desc(context: NativeCallContext, text: &str) -> Outcome<()> {
        Draft::of(&context)?.lock().pending_doc = Some(text.to_owned());
        Ok(())
    }

    /// Declares a flow: tasks, in order, each finished on all hosts before the next begins.
    #[rhai_fn(return_raw)]
    pub fn flow(context: NativeCallContext, name: &str, tasks: Array) -> Outcome<()> {
        let draft = Draft::of(&context)?;
        Declared::check_name("flow", name)?;
        let tasks = texts(tasks, "a flow")?;
        let mut declared = draft.lock();
        let (place, file, _) = declared.here(&context);
        declared.once_per_file("flow", name, &file)?;
        let doc = declared.pending_doc.take();
        let doc = doc.or_else(|| declared.flows.get(name).map(|flow| flow.doc.clone()));
        let flow = FlowDraft { tasks, place, file, doc: doc.unwrap_or_default() };
        declared.flows.insert(name.to_owned(), flow);
        Ok(())
    }

    /// Runs a task before another one, in every flow that has that one.
    #[rhai_fn(return_raw)]
    pub fn before(context: NativeCallContext, anchor: &str, task: &str) -> Outcome<()> {
        hook(&context, Side::Before, anchor, task)
    }

    /// Runs a task after another one, in every flow that has that one.
    #[rhai_fn(return_raw)]
    pub fn after(context: NativeCallContext, anchor: &str, task: &str) -> Outcome<()> {
        hook(&context, Side::After, anchor, task)
    }

    /// Takes a task out of every flow.
    #[rhai_fn(return_raw)]
    pub fn remove(context: NativeCallContext, task: &str) -> Outcome<()> {
        let draft = Draft::of(&context)?;
        let mut declared = draft.lock();
        let (place, ..) = declared.here(&context);
        declared.removed.push((task.to_owned(), place));
        Ok(())
    }
}
