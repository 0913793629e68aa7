//! Finds functions of a script that hide a primitive: `host.upload(x)` would call a script's `fn upload(x)`, with the host
//! as its `this`.

use rhai::AST;

use crate::event::{Excerpt, Report};
use crate::recipe::check::natives::Natives;
use crate::recipe::sources::RecipeSource;

pub fn check(natives: &Natives, trees: &[(RecipeSource, AST)]) -> Vec<Report> {
    let mut problems = Vec::new();
    for (source, ast) in trees {
        for function in ast.iter_functions() {
            let (name, n) = (function.name, function.params.len());
            let method = natives.has_method(name).filter(|(_, method)| method.counts.contains(&n));
            let hidden = match method {
                Some((kind, _)) => format!("{}.{name}", kind.example()),
                None if natives.globals.get(name).is_some_and(|counts| counts.contains(&n)) => {
                    name.to_owned()
                }
                None => continue,
            };
            let shown = format!("fn {name}({})", function.params.join(", "));
            let mut report = Report::new(format!("`{shown}` hides the primitive `{hidden}`"))
                .hint("rename the function; a task may have this name");
            report.excerpt = place_of(source, name, n);
            problems.push(report);
        }
    }
    problems
}

/// Functions have no position in a syntax tree: the text is searched for one with this many parameters.
fn place_of(source: &RecipeSource, name: &str, n_params: usize) -> Option<Excerpt> {
    let head = format!("fn {name}");
    let places = source.text.match_indices(&head).filter_map(|(at, _)| {
        let (params, _) = source.text[at + head.len()..].trim_start().strip_prefix('(')?.split_once(')')?;
        let n = params.split(',').filter(|param| !param.trim().is_empty()).count();
        (n == n_params).then_some(at + "fn ".len())
    });
    let at = places.last()?;
    Some(Excerpt::at_offset(&source.name, &source.text, at, name.chars().count()))
}
