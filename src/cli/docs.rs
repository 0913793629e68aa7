//! `runner docs`: the settings of the recipe, and all functions for recipes.

use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::check;
use crate::cli::out;
use crate::cli::verb::VerbResult;
use crate::event::Sink;
use crate::recipe::Recipe;
use crate::transport::CancelToken;

pub fn docs(
    args: &Args,
    typed: Option<String>,
    cancel_token: &CancelToken,
    events: &Arc<dyn Sink>,
) -> VerbResult {
    let (recipe, name) = check::recipe(args, typed, cancel_token, events)?;
    match args.json {
        true => print_json(&recipe),
        false => print_text(&recipe, &name),
    }
    Ok(0)
}

fn print_json(recipe: &Recipe) {
    for setting in recipe.settings() {
        out::data(serde_json::json!({
            "kind": "setting", "name": setting.name, "default": setting.default, "description": setting.doc,
        }));
    }
    for function in recipe.functions() {
        out::data(serde_json::json!({
            "kind": "function", "signature": function.signature, "description": function.doc,
        }));
    }
}

fn print_text(recipe: &Recipe, name: &str) {
    out::data(format!("# Settings of {name}\n"));
    for setting in recipe.settings() {
        out::data(format!("- `{}` = `{}` ({})", setting.name, setting.default, setting.place));
        if !setting.doc.is_empty() {
            out::data(format!("  {}", setting.doc));
        }
    }
    let mut subject = Some(String::new());
    for function in recipe.functions() {
        if function.is_method_of != subject {
            subject = function.is_method_of.clone();
            let title = match subject.as_deref() {
                None => "Functions".to_owned(),
                Some(kind) => format!("Methods of `{}`", kind.to_lowercase()),
            };
            out::data(format!("\n# {title}\n"));
        }
        out::data(format!("- `{}`", function.signature));
        for line in function.doc.lines() {
            out::data(format!("  {line}").trim_end());
        }
    }
}
