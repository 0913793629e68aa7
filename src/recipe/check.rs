//! The static check: what is wrong with a recipe, found before any host is touched.

mod calls;
mod names;

use rhai::AST;

use crate::event::Report;
use crate::flow::Doing;
use crate::recipe::sources::Source;
use crate::recipe::world::World;

pub fn check(world: &World, trees: &[(Source, AST)], doing: Option<&Doing>) -> Vec<Report> {
    let mut problems = calls::check(world, trees);
    problems.extend(names::check(world, doing, &calls::settings_read(trees)));
    problems
}
