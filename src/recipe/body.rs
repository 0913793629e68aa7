//! Makes the functions of a recipe the bodies of tasks, so that `flow` knows nothing about Rhai.

use std::sync::Arc;

use anyhow::Error;
use rhai::{Dynamic, EvalAltResult};

use crate::event::{Excerpt, Report};
use crate::flow::notice::Notice;
use crate::flow::playbook::{Hook, TaskSequence};
use crate::flow::task::{Applies, Function};
use crate::flow::{Body, Call, Playbook, Task};
use crate::recipe::callback::Callback;
use crate::recipe::context::{Context, ScriptHost};
use crate::recipe::draft::{NoticeDraft, TaskDraft};
use crate::recipe::outcome;
use crate::recipe::runaway;
use crate::recipe::trail;
use crate::recipe::world::World;

fn function(world: &Arc<World>, kept: &Callback) -> Function {
    let (world, kept) = (world.clone(), kept.clone());
    Arc::new(move |call: &Call| {
        let context = Context::new(&world, call.run, call.task, call.host, call.deadline);
        let mut arguments: Vec<Dynamic> = match call.host {
            Some(index) if kept.arity == 1 => {
                vec![Dynamic::from(ScriptHost { context: context.clone(), index })]
            }
            _ => Vec::new(),
        };
        let result = kept.call(&world.engine, Dynamic::from(context.clone()), &mut arguments);
        match result {
            Ok(_) => Ok(()),
            Err(error) => settle(&world, &kept, &context, &error),
        }
    })
}

/// Turns an error of a script into a report. The flow made the outermost call, which has no place in a file.
fn report(world: &World, kept: &Callback, task: &str, error: &EvalAltResult) -> Report {
    if let Some(found) = trail::found(error) {
        return found;
    }
    let (source, inner) = kept.inner(error);
    let mut report = trail::report(&world.engine, &world.declared, source, inner);
    if let Some(runaway) = runaway::report(world, kept, error) {
        report = Report { trail: report.trail, ..runaway };
    }
    let Some(declared) = world.declared.excerpt(&kept.caller, kept.position) else {
        return report;
    };
    let line = |excerpt: &Excerpt| (excerpt.place.file.clone(), excerpt.place.line);
    if report.excerpt.as_ref().map(line) != Some(line(&declared)) {
        let text = format!("`{task}` is declared at {}", declared.place);
        report.trail.push(trail::frame(text, &declared));
    }
    report
}

/// Handles an error of a script. In a plan, an error caused by an unknown answer only ends the plan of the task.
fn settle(world: &World, kept: &Callback, context: &Context, error: &EvalAltResult) -> Result<(), Error> {
    let report = report(world, kept, context.task(), error);
    if context.run().mode.is_plan()
        && let Some(command) = context.last_unanswered()
    {
        let at = report.excerpt.as_ref().map(|e| format!(" ({})", e.place)).unwrap_or_default();
        let host = context.host().map(|index| context.run().fleet.name(index).to_owned());
        context.run().events.event(crate::event::Event::Planned {
            host: host.unwrap_or_default(),
            text: format!("the rest of `{}` depends on the answer of `{command}`{at}", context.task()),
        });
        return Ok(());
    }
    Err(report.into())
}

/// Whether a setting of the host is not empty. If that is not known, the task runs and says why.
fn has_setting(world: &Arc<World>, key: &str) -> Applies {
    let (world, key) = (world.clone(), key.to_owned());
    Arc::new(move |call| {
        let context = Context::new(&world, call.run, call.task, call.host, None);
        let value = context.setting(call.host, &key);
        !value.is_ok_and(|value| {
            value.is_none_or(|value| value.into_string().is_ok_and(|text| text.is_empty()))
        })
    })
}

fn task(world: &Arc<World>, name: &str, draft: &TaskDraft) -> Task {
    let body = match &draft.body {
        None => Body::Nothing,
        Some(kept) if kept.arity == 0 => Body::Here(function(world, kept)),
        Some(kept) => Body::EachHost(function(world, kept)),
    };
    Task {
        is_once: draft.is_once,
        role: draft.role.clone(),
        limit: draft.limit,
        timeout: draft.timeout,
        undo: draft.undo.as_ref().map(|kept| function(world, kept)),
        applies: draft.needs.as_ref().map(|key| has_setting(world, key)),
        sends: draft.sends,
        is_repeated: draft.is_repeated,
        reverts: draft.reverts.clone(),
        is_stdlib: draft.is_stdlib,
        ..Task::new(name, body)
    }
}

fn notice(world: &Arc<World>, draft: &NoticeDraft) -> Notice {
    let (world, kept, flow) = (world.clone(), draft.function.clone(), draft.flow.clone());
    let occasion = draft.occasion;
    Notice {
        occasion,
        flow: draft.flow.clone(),
        body: Arc::new(move |run, ended| {
            let context = Context::new(&world, run, occasion.name(), None, None);
            let mut arguments = [Dynamic::from_map(outcome::map(run, &flow, ended))];
            match kept.call(&world.engine, Dynamic::from(context), &mut arguments) {
                Ok(_) => Ok(()),
                Err(error) => Err(report(&world, &kept, occasion.name(), &error).into()),
            }
        }),
    }
}

/// The playbook of a recipe.
pub fn playbook(world: &Arc<World>) -> Arc<Playbook> {
    let declared = &world.declared;
    let is_removed = |name: &str| declared.removed.iter().any(|removal| removal.task == name);
    let tasks = declared.tasks.iter().map(|(name, draft)| (name.clone(), task(world, name, draft))).collect();
    let flows = declared
        .flows
        .iter()
        .map(|(name, flow)| {
            let tasks = flow.tasks.iter().filter(|task| !is_removed(task)).cloned().collect();
            (name.clone(), TaskSequence { tasks, settles: flow.settles.clone() })
        })
        .collect();
    let hooks = declared
        .hooks
        .iter()
        .filter(|hook| !is_removed(&hook.task) && !is_removed(&hook.anchor))
        .map(|hook| Hook { side: hook.side, anchor: hook.anchor.clone(), task: hook.task.clone() })
        .collect();
    let notices = declared.notices.iter().map(|draft| notice(world, draft)).collect();
    let playbook = Arc::new(Playbook { tasks, flows, hooks, notices });
    // A world has one recipe, so this is called once.
    let _ = world.playbook.set(Arc::downgrade(&playbook));
    playbook
}
