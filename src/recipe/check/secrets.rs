//! Finds secrets that are not set and cannot be asked for, because there is no terminal.

use std::collections::BTreeSet;

use crate::event::Report;
use crate::flow::Goal;
use crate::recipe::callback::Callback;
use crate::recipe::check::bodies::{Bodies, FunctionBody, SecretRead};
use crate::recipe::world::World;

#[derive(Default)]
pub struct MissingSecrets {
    /// Of secrets that a task reads whenever it runs.
    pub mistakes: Vec<Report>,
    /// Of secrets that may be read.
    pub warnings: Vec<Report>,
}

/// What `goal` will lack; without one, what any run may lack.
pub fn check(world: &World, goal: Option<&Goal>) -> MissingSecrets {
    let mut missing = MissingSecrets::default();
    if world.can_prompt {
        return missing;
    }
    let bodies = Bodies::of(&world.trees);
    let tasks = goal.map(|goal| tasks_of(world, goal));
    let mut certain = BTreeSet::new();
    for kept in tasks.iter().flatten().filter_map(|name| always_run(world, name)) {
        let own = bodies.named(kept.name()).filter(|body| body.source.name == kept.source());
        for (body, read) in own.flat_map(unset).filter(|(_, read)| read.is_certain) {
            if certain.insert(read.name.clone()) {
                missing.mistakes.push(body.problem(read.at, report(&read.name)));
            }
        }
    }
    let reached = tasks.map(|tasks| reached(world, &bodies, goal, &tasks));
    let mut told = BTreeSet::new();
    for (name, body) in bodies.all().filter(|(_, body)| !body.source.is_shipped()) {
        if reached.as_ref().is_some_and(|reached| !reached.contains(name)) {
            continue;
        }
        for (body, read) in unset(body) {
            if !certain.contains(&read.name) && told.insert(read.name.clone()) {
                missing.warnings.push(body.problem(read.at, report(&read.name)));
            }
        }
    }
    missing
}

fn report(name: &str) -> Report {
    Report::new(format!("cannot ask without a terminal: secret `{name}` is not set in the environment"))
        .hint(format!("run it in a terminal, or set the variable: `{name}=... runner ...`"))
}

fn unset<'b>(body: &'b FunctionBody<'b>) -> impl Iterator<Item = (&'b FunctionBody<'b>, &'b SecretRead)> {
    let is_unset = |read: &&SecretRead| std::env::var(&read.name).is_err();
    body.secrets.iter().filter(is_unset).map(move |read| (body, read))
}

fn tasks_of(world: &World, goal: &Goal) -> Vec<String> {
    let playbook = world.playbook.get().and_then(|playbook| playbook.upgrade());
    match (goal, playbook) {
        (Goal::Flow(name), Some(playbook)) => playbook.order(name),
        _ => vec![goal.name().to_owned()],
    }
}

/// The function of a task that no role and no setting can leave out.
fn always_run<'w>(world: &'w World, task: &str) -> Option<&'w Callback> {
    let draft = world.declared.tasks.get(task)?;
    draft.body.as_ref().filter(|_| draft.role.is_none() && draft.needs.is_none())
}

/// The functions that a run may call.
fn reached(world: &World, bodies: &Bodies, goal: Option<&Goal>, tasks: &[String]) -> BTreeSet<String> {
    let declared = &world.declared;
    let drafts = tasks.iter().filter_map(|task| declared.tasks.get(task));
    let of_tasks = drafts.flat_map(|draft| [draft.body.as_ref(), draft.undo.as_ref()]).flatten();
    let ended = declared.notices.iter().filter(|notice| goal.is_some_and(|goal| goal.name() == notice.flow));
    let mut open: Vec<&str> =
        of_tasks.chain(ended.map(|notice| &notice.function)).map(Callback::name).collect();
    let mut reached = BTreeSet::new();
    while let Some(name) = open.pop() {
        if !reached.insert(name.to_owned()) {
            continue;
        }
        for body in bodies.named(name) {
            open.extend(body.calls.iter().map(|(call, _)| call.as_str()));
            let settings = body.settings.iter().filter_map(|key| declared.settings.get(key));
            open.extend(settings.filter_map(|setting| Some(setting.function.as_ref()?.name())));
        }
    }
    reached
}
