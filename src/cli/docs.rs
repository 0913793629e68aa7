//! `runner docs`: the settings of the recipe and the functions that recipes are made of.

use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::check;
use crate::cli::out;
use crate::cli::verb::VerbResult;
use crate::event::Sink;
use crate::transport::CancelToken;

pub fn docs(
    args: &Args,
    typed: Option<String>,
    cancel_token: &CancelToken,
    events: &Arc<dyn Sink>,
) -> VerbResult {
    let (recipe, name) = check::recipe(args, typed, cancel_token, events)?;
    if args.json {
        for setting in recipe.settings() {
            let line = serde_json::json!({
                "kind": "setting", "name": setting.name, "default": setting.default, "description": setting.doc,
            });
            out::data(line);
        }
        for function in recipe.functions() {
            let line = serde_json::json!({
                "kind": "function", "signature": function.signature, "description": function.doc,
            });
            out::data(line);
        }
        return Ok(0);
    }
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
                Some(kind) => format!("Of a `{}`", kind.to_lowercase()),
            };
            out::data(format!("\n# {title}\n"));
        }
        out::data(format!("- `{}`", function.signature));
        for line in function.doc.lines() {
            out::data(format!("  {line}").trim_end());
        }
    }
    Ok(0)
}
