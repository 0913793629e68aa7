//! Finds the loop or the call that never ends: Rhai reports where the function of the task was called.

use std::collections::HashSet;

use rhai::{EvalAltResult, Position};

use crate::event::{Excerpt, Report};
use crate::recipe::callback::Callback;
use crate::recipe::check::bodies::{Bodies, FunctionBody};
use crate::recipe::world::World;

/// The report of a script that ran for too long or called too deep, with its place.
pub fn report(world: &World, kept: &Callback, error: &EvalAltResult) -> Option<Report> {
    let error = error.unwrap_inner();
    let bodies = Bodies::of(&world.trees);
    let own = bodies.named(kept.name()).find(|body| body.source.name == kept.source())?;
    match error {
        EvalAltResult::ErrorTooManyOperations(_) => loops(&bodies, own),
        EvalAltResult::ErrorStackOverflow(_) => {
            let (body, at) = recursion(&bodies, own, &mut vec![kept.name()], &mut HashSet::new())?;
            let report = Report::new("this function calls itself more than 64 levels deep");
            Some(body.problem(at, report.hint("end the recursion with a condition, or use a loop")))
        }
        _ => None,
    }
}

/// The loop that may not have ended. One that has no end by itself comes first.
fn loops(bodies: &Bodies, own: &FunctionBody) -> Option<Report> {
    let mut found = Vec::new();
    collect(bodies, own, &mut HashSet::new(), &mut found);
    found.sort_by_key(|(_, _, has_end)| *has_end);
    let (body, at, _) = found.first()?;
    let others = found[1..].iter().filter_map(|(body, at, _)| place(body, *at)).map(|e| e.place.to_string());
    let others: Vec<String> = others.collect();
    let report = match others.is_empty() {
        true => Report::new("this loop has not ended after 10 million operations"),
        false => {
            Report::new("a loop has not ended after 10 million operations: this one, or another of the task")
                .note(format!("other loops: {}", others.join(", ")))
        }
    };
    Some(body.problem(*at, report.hint("end it with `break`, `return` or `throw`")))
}

fn place(body: &FunctionBody, at: Position) -> Option<Excerpt> {
    Some(body.source.excerpt(at.line()?, at.position().unwrap_or(1)))
}

/// The loops of a function and of those that it calls.
fn collect<'b>(
    bodies: &'b Bodies,
    body: &'b FunctionBody<'b>,
    seen: &mut HashSet<&'b str>,
    found: &mut Vec<(&'b FunctionBody<'b>, Position, bool)>,
) {
    found.extend(body.loops.iter().map(|(at, has_end)| (body, *at, *has_end)));
    for (call, _) in &body.calls {
        if seen.insert(call) {
            bodies.named(call).for_each(|called| collect(bodies, called, seen, found));
        }
    }
}

/// The first call that leads back to a function around it.
fn recursion<'b>(
    bodies: &'b Bodies,
    body: &'b FunctionBody<'b>,
    around: &mut Vec<&'b str>,
    seen: &mut HashSet<&'b str>,
) -> Option<(&'b FunctionBody<'b>, Position)> {
    for (call, at) in &body.calls {
        if around.contains(&call.as_str()) {
            return Some((body, *at));
        }
        if !seen.insert(call) {
            continue;
        }
        around.push(call);
        let found = bodies.named(call).find_map(|called| recursion(bodies, called, around, seen));
        around.pop();
        if found.is_some() {
            return found;
        }
    }
    None
}
