//! `runner tasks`: the flows and tasks of the recipe.

use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::table::Table;
use crate::cli::{Ended, check};
use crate::event::Sink;
use crate::transport::Interrupt;

pub fn tasks(args: &Args, typed: Option<String>, interrupt: &Interrupt, events: &Arc<dyn Sink>) -> Ended {
    let (recipe, _) = check::recipe(args, typed, interrupt, events)?;
    if args.json {
        for (kind, all) in [("flow", recipe.flows()), ("task", recipe.tasks())] {
            for named in all {
                let line = serde_json::json!({
                    "kind": kind, "name": named.name, "description": named.doc, "detail": named.detail,
                });
                println!("{line}");
            }
        }
        return Ok(0);
    }
    println!("flows");
    for flow in recipe.flows() {
        println!("  {}: {}", flow.name, flow.doc);
        println!("      {}", flow.detail);
    }
    println!("tasks");
    let mut table = Table::default();
    for task in recipe.tasks() {
        table.row([format!("  {}", task.name), task.detail, task.doc]);
    }
    print!("{table}");
    Ok(0)
}
