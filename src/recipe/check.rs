//! The static check: finds all mistakes in a recipe that can be found before any host is touched.

mod arguments;
mod bodies;
mod calls;
mod hidden;
mod meaning;
mod members;
mod names;
mod natives;

mod unused;

use std::collections::HashSet;
use std::path::Path;

use rhai::{AST, ASTNode, Engine, Expr, Stmt};

use crate::event::Report;
use crate::flow::Goal;

use crate::recipe::check::natives::Natives;
use crate::recipe::draft::Declared;
use crate::recipe::sources::RecipeSource;
use crate::recipe::world::World;

/// Checks a recipe that was evaluated. `goal` is what will be run.
pub fn check(world: &World, trees: &[(RecipeSource, AST)], goal: Option<&Goal>) -> Vec<Report> {
    let natives = Natives::of(&world.engine);
    let mut problems = hidden::check(&natives, trees);
    problems.extend(calls::check(&natives, &world.declared, trees, world.own_directory(), true));
    problems.extend(bodies::check(world, trees, &natives));
    problems.extend(names::check(world, goal, &settings_read(trees)));
    in_order(problems)
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

/// The settings that the scripts read by a literal name.
fn settings_read(trees: &[(RecipeSource, AST)]) -> HashSet<String> {
    let mut read = HashSet::new();
    for (_, ast) in trees {
        ast.walk(&mut |path: &[ASTNode]| {
            let call = match path.last() {
                Some(ASTNode::Expr(Expr::MethodCall(call, _) | Expr::FnCall(call, _))) => call,
                Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => call,
                _ => return true,
            };
            if call.name == "get"
                && let Some(Expr::StringConstant(key, _)) = call.args.first()
            {
                read.insert(key.to_string());
            }
            true
        });
    }
    read
}
