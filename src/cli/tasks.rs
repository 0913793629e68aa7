//! `runner tasks`: the flows and tasks of the recipe.

use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::check;
use crate::cli::out;
use crate::cli::table::TextTable;
use crate::cli::verb::VerbResult;
use crate::event::Sink;
use crate::transport::CancelToken;

pub fn tasks(
    args: &Args,
    typed: Option<String>,
    cancel_token: &CancelToken,
    events: &Arc<dyn Sink>,
) -> VerbResult {
    let (recipe, _) = check::recipe(args, typed, cancel_token, events)?;
    if args.json {
        for (kind, all) in [("flow", recipe.flows()), ("task", recipe.tasks())] {
            for named in all {
                let line = serde_json::json!({
                    "kind": kind, "name": named.name, "description": named.doc, "detail": named.detail,
                });
                out::data(line);
            }
        }
        return Ok(0);
    }
    out::data("flows");
    for flow in recipe.flows() {
        out::data(format!("  {}: {}", flow.name, flow.doc));
        out::data(format!("      {}", flow.detail));
    }
    out::data("tasks");
    let mut table = TextTable::default();
    for task in recipe.tasks() {
        table.row([format!("  {}", task.name), task.detail, task.doc]);
    }
    out::data(table.to_string().trim_end());
    Ok(0)
}
