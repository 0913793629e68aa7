//! The static check: finds all mistakes in a recipe that can be found before any host is touched.

mod arguments;
pub mod bodies;
mod calls;
pub mod commands;
mod file;
mod hidden;
mod meaning;
mod members;
mod names;
mod natives;
pub mod roles;
pub mod secrets;
pub mod shapes;
mod skipped;
mod unread;
mod unused;

use std::path::Path;

use rhai::{AST, Engine};

use crate::event::Report;
use crate::flow::Goal;
use crate::recipe::check::natives::Natives;
use crate::recipe::check::unread::Reads;
use crate::recipe::draft::Declared;
use crate::recipe::sources::RecipeSource;
use crate::recipe::world::World;

/// Checks a recipe that was evaluated. `goal` is what will be run.
pub fn check(world: &World, trees: &[(RecipeSource, AST)], goal: Option<&Goal>) -> Vec<Report> {
    let natives = Natives::of(&world.engine);
    let mut problems = hidden::check(&natives, trees);
    problems.extend(calls::check(&natives, &world.declared, trees, world.own_directory(), true));
    problems.extend(bodies::check(world, trees, &natives));
    problems.extend(names::check(world, goal));
    problems.extend(unread::check(&world.declared, &Reads::of(trees)));
    in_order(problems)
}

/// What is worth a look in a recipe without mistakes.
pub fn remarks(world: &World, trees: &[(RecipeSource, AST)]) -> Vec<Report> {
    let mut remarks = unread::remarks(&world.declared, &Reads::of(trees));
    remarks.extend(skipped::remarks(world));
    remarks.extend(commands::remarks(trees));
    in_order(remarks)
}

/// Sorts problems by their places.
pub fn in_order(mut problems: Vec<Report>) -> Vec<Report> {
    problems.sort_by_key(|problem| {
        let place = problem.excerpt.as_ref().map(|excerpt| excerpt.place.clone()).unwrap_or_default();
        (place.file, place.line, place.column)
    });
    problems
}

/// Checks what is possible in a recipe whose evaluation stopped, and adds why it stopped.
pub fn of_rest(
    engine: &Engine,
    declared: Declared,
    trees: &[(RecipeSource, AST)],
    directory: &Path,
    stopped: Report,
) -> Vec<Report> {
    let natives = Natives::of(engine);
    let mut problems = hidden::check(&natives, trees);
    problems.extend(calls::check(&natives, &declared, trees, directory, false));
    // For a call that cannot work, the message of the check is better than that of the engine.
    let line = |report: &Report| report.excerpt.as_ref().map(|e| (e.place.file.clone(), e.place.line));
    let is_told = stopped.excerpt.is_some() && problems.iter().any(|p| line(p) == line(&stopped));
    problems.extend(declared.problems);
    let mut problems = in_order(problems);
    problems.extend((!is_told).then_some(stopped));
    problems
}
