//! The functions that recipes may call, as the engine knows them: by their Rust signatures and comments.

use rhai::{Engine, FuncMetadata};

use crate::recipe::value::plain_type;

/// A function that recipes may call.
pub struct FunctionDoc {
    pub name: String,
    pub signature: String,
    pub doc: String,
    pub is_method_of: Option<String>,
}

/// The primitives, by their Rust signatures and comments.
pub fn functions(engine: &Engine) -> Vec<FunctionDoc> {
    let mut all = engine.collect_fn_metadata(None, |info| documented(info.metadata), false);
    // Overloads can have the same signature. Comparing their text, too, keeps the order stable.
    all.sort_by(|a, b| (&a.is_method_of, &a.signature, &a.doc).cmp(&(&b.is_method_of, &b.signature, &b.doc)));
    all
}

/// The documentation of a function; `None` if it has no comment or sets a property.
fn documented(of: &FuncMetadata) -> Option<FunctionDoc> {
    let name = of.name.as_str();
    if of.comments.is_empty() || name.starts_with("set$") {
        return None;
    }
    let mut params: Vec<(String, String)> = of.params_info.iter().map(|param| parameter(param)).collect();
    let is_ours = |kind: &str| ["Host", "Hosts", "Task", "Failure"].contains(&kind);
    let is_method_of = params.first().map(|(_, kind)| kind.clone()).filter(|kind| is_ours(kind));
    params.drain(..usize::from(is_method_of.is_some()));
    let shown: Vec<String> = params.iter().map(|(name, kind)| format!("{name}: {kind}")).collect();
    let returns = match plain_type(&of.return_type).as_str() {
        "" | "nothing" => String::new(),
        kind => format!(" -> {kind}"),
    };
    let subject = is_method_of.as_ref().map_or(String::new(), |kind| format!("{}.", kind.to_lowercase()));
    let signature = match name.strip_prefix("get$") {
        Some(property) => format!("{subject}{property}{returns}"),
        None => format!("{subject}{name}({}){returns}", shown.join(", ")),
    };
    let comments: Vec<&str> = of.comments.iter().map(|line| line.as_str()).collect();
    let name = name.strip_prefix("get$").unwrap_or(name).to_owned();
    Some(FunctionDoc { name, signature, doc: plain(&comments), is_method_of })
}

/// Name and type, from `name: Type`.
fn parameter(text: &str) -> (String, String) {
    let (name, kind) = text.split_once(':').unwrap_or((text, ""));
    (name.trim().to_owned(), plain_type(kind))
}

/// The text of a comment without its slashes. List items and paragraphs keep their lines; other lines are joined.
pub fn plain(comments: &[&str]) -> String {
    let mut text = String::new();
    for line in comments.iter().flat_map(|comment| comment.lines()) {
        let line = line.trim_start_matches('/').trim();
        text += match line {
            "" => "\n\n",
            _ if text.is_empty() || text.ends_with('\n') => "",
            _ if line.starts_with("- ") => "\n",
            _ => " ",
        };
        text += line;
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_paragraphs_of_a_comment_keep_their_lines() {
        let comments = ["/// One\n/// line:", "/// - a", "///   b", "/// - c", "///", "/// The\n/// end."];
        assert_eq!(plain(&comments), "One line:\n- a b\n- c\n\nThe end.");
        assert_eq!(plain(&[]), "");
    }
}
