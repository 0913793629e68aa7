//! Checks names: tasks of flows and hooks must exist, and a flow must run each task.

use std::collections::HashSet;

use crate::event::{Report, Suggestion};
use crate::flow::Goal;
use crate::recipe::draft::Declared;
use crate::recipe::world::World;

pub fn check(world: &World, goal: Option<&Goal>) -> Vec<Report> {
    let declared = &world.declared;
    let mut problems = Vec::new();
    unknown_tasks(declared, &mut problems);
    removed_anchors(declared, &mut problems);
    unknown_flows(declared, &mut problems);
    tasks_and_flows(declared, &mut problems);
    settling_tasks(world, &mut problems);
    idle_tasks(world, goal, &mut problems);
    problems
}

fn unknown(declared: &Declared, name: &str) -> Option<Report> {
    if declared.tasks.contains_key(name) {
        return None;
    }
    if let Some(flow) = declared.flows.get(name) {
        let report = Report::new(format!("`{name}` is a flow, but hooks belong to tasks"));
        return Some(match flow.tasks.last() {
            Some(last) => report.hint(format!(
                "name a task of the flow, such as `{last}`; or use `on_success(\"{name}\", |outcome| ...)`"
            )),
            None => report,
        });
    }
    let near = Suggestion::new(name, declared.tasks.keys().map(String::as_str));
    Some(Report::new(format!("no task named `{name}`{near}")))
}

fn unknown_tasks(declared: &Declared, problems: &mut Vec<Report>) {
    let in_flows = declared.flows.values().flat_map(|flow| flow.tasks.iter().zip(&flow.task_places));
    let in_hooks = declared
        .hooks
        .iter()
        .flat_map(|hook| [(&hook.anchor, &hook.anchor_place), (&hook.task, &hook.task_place)]);
    let removed = declared.removed.iter().map(|removal| (&removal.task, &removal.place));
    for (name, place) in in_flows.chain(in_hooks).chain(removed) {
        problems.extend(unknown(declared, name).map(|report| report.at(place.clone())));
    }
}

/// A function for the end of an unknown flow would never be called.
fn unknown_flows(declared: &Declared, problems: &mut Vec<Report>) {
    for notice in declared.notices.iter().filter(|notice| !declared.flows.contains_key(&notice.flow)) {
        let flow = &notice.flow;
        let report = match declared.tasks.contains_key(flow) {
            true => Report::new(format!("`{}` needs a flow, but `{flow}` is a task", notice.occasion.name())),
            false => {
                let near = Suggestion::new(flow, declared.flows.keys().map(String::as_str));
                Report::new(format!("no flow named `{flow}`{near}"))
            }
        };
        problems.push(report.at(notice.place.clone()));
    }
}

/// A hook on a removed task would never run. One of an imported recipe is removed with the task.
fn removed_anchors(declared: &Declared, problems: &mut Vec<Report>) {
    for (n, hook) in declared.hooks.iter().enumerate() {
        for (name, at) in [(&hook.anchor, &hook.anchor_place), (&hook.task, &hook.task_place)] {
            let Some(removal) = declared.removed.iter().find(|removal| removal.task == *name) else {
                continue;
            };
            if n >= removal.n_hooks || at.place.file == removal.place.place.file {
                problems.push(
                    Report::new(format!("task `{name}` is removed, so this hook would never run"))
                        .at(at.clone())
                        .note(format!("it is removed at {}", removal.place.place)),
                );
            }
        }
    }
}

/// The command line could not tell them apart.
fn tasks_and_flows(declared: &Declared, problems: &mut Vec<Report>) {
    for (name, flow) in &declared.flows {
        if declared.tasks.contains_key(name) {
            problems.push(
                Report::new(format!("a task and a flow have the same name `{name}`")).at(flow.place.clone()),
            );
        }
        if flow.tasks.is_empty() {
            problems.push(Report::new(format!("flow `{name}` has no tasks")).at(flow.place.clone()));
        }
        let mut seen = HashSet::new();
        for (task, place) in flow.tasks.iter().zip(&flow.task_places) {
            if !seen.insert(task) {
                problems
                    .push(Report::new(format!("flow `{name}` runs task `{task}` twice")).at(place.clone()));
            }
        }
    }
}

/// A flow would be confirmed when it ends, and not where its author meant it.
fn settling_tasks(world: &World, problems: &mut Vec<Report>) {
    let playbook = world.playbook.get().and_then(|playbook| playbook.upgrade());
    for (name, flow) in &world.declared.flows {
        let (Some(task), Some(place)) = (&flow.settles, &flow.settles_place) else { continue };
        let is_removed = world.declared.removed.iter().any(|removal| removal.task == *task);
        let order = playbook.as_ref().map(|playbook| playbook.order(name)).unwrap_or_default();
        if !is_removed && !order.contains(task) {
            let near = Suggestion::new(task, order.iter().map(String::as_str));
            let message = format!("flow `{name}` does not run task `{task}`, which must settle it{near}");
            problems.push(Report::new(message).at(place.clone()));
        }
    }
}

/// A user's task that nothing runs is usually a misspelt override.
fn idle_tasks(world: &World, goal: Option<&Goal>, problems: &mut Vec<Report>) {
    let declared = &world.declared;
    let playbook = world.playbook.get().and_then(|playbook| playbook.upgrade());
    let run: HashSet<String> = playbook
        .iter()
        .flat_map(|playbook| playbook.flows.keys().flat_map(|flow| playbook.order(flow)))
        .collect();
    for (name, task) in declared.tasks.iter().filter(|(_, task)| !task.is_shipped) {
        let is_asked_for = matches!(goal, Some(Goal::Task(asked)) if asked == name);
        let is_removed = declared.removed.iter().any(|removal| removal.task == *name);
        // A hook that cannot work has been reported already.
        let is_hooked = declared.hooks.iter().any(|hook| hook.task == *name);
        if run.contains(name) || task.is_alone || is_asked_for || is_removed || is_hooked {
            continue;
        }
        let near = Suggestion::new(name, run.iter().map(String::as_str)).to_string();
        let mut report = Report::new(format!("no flow runs task `{name}`{near}"));
        if near.is_empty() {
            report = report.hint(format!(
                "add `after(\"swap\", \"{name}\");` to run it in flows, or `.alone()` to run it by name"
            ));
        }
        report.excerpt = task.place.clone();
        problems.push(report);
    }
}
