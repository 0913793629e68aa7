//! Errors of Rhai as reports: the place, the line, the calls that led there, and what a newcomer may have meant.

use rhai::{Dynamic, EvalAltResult, ParseError, Position};

use crate::event::Report;
use crate::recipe::draft::Declared;
use crate::recipe::failure::Failure;
use crate::recipe::sources::Source;

/// A script that cannot be parsed.
pub fn report(source: &Source, error: &ParseError) -> Report {
    let position = error.position();
    let message = lowercase(&error.err_type().to_string());
    let mut report = Report::new(message.clone());
    if let Some(line) = position.line() {
        report = report.at(source.excerpt(line, position.position().unwrap_or(1)));
    }
    match hint(&message) {
        Some(hint) => report.hint(hint),
        None => report,
    }
}

/// An error while a script ran. `outer` is the file that the outermost position belongs to.
pub fn error_report(declared: &Declared, outer: &str, error: &EvalAltResult) -> Report {
    let mut trail: Vec<String> = Vec::new();
    let (source, innermost) = innermost(declared, outer, error, &mut trail);
    let position = innermost.position();
    let mut report = match thrown(innermost) {
        Some(report) => report,
        None => {
            let message = message(innermost);
            let report = Report::new(message.clone());
            match hint(&message) {
                Some(hint) => report.hint(hint),
                None => report,
            }
        }
    };
    if report.excerpt.is_none() {
        report.excerpt = declared.excerpt(&source, position);
    }
    trail.reverse();
    report.notes.extend(trail);
    report
}

/// Walks down to where the error arose. The position of a call belongs to the caller, its source to the callee.
fn innermost<'a>(
    declared: &Declared,
    outer: &str,
    error: &'a EvalAltResult,
    trail: &mut Vec<String>,
) -> (String, &'a EvalAltResult) {
    match error {
        EvalAltResult::ErrorInFunctionCall(name, callee, inner, position) => {
            if let Some(place) = declared.excerpt(outer, *position) {
                let who = match name.starts_with("anon$") {
                    true => "a closure".to_owned(),
                    false => format!("`{name}`"),
                };
                let at = &place.place;
                trail.push(format!("{who} called at {at}:{}", at.column));
            }
            let source = if callee.is_empty() { outer } else { callee };
            innermost(declared, source, inner, trail)
        }
        EvalAltResult::ErrorInModule(name, inner, position) => {
            // A mistake in how the import is written stands at the import; one in the imported file stands there.
            let file = declared.sources.iter().rev().find(|s| s.name == *name);
            match (inner.position().is_none(), file) {
                (true, _) => (outer.to_owned(), with_position(inner, *position)),
                (false, _) => innermost(declared, if name.is_empty() { outer } else { name }, inner, trail),
            }
        }
        error => (outer.to_owned(), error),
    }
}

/// Errors raised without a position get that of the module they left.
fn with_position(error: &EvalAltResult, _: Position) -> &EvalAltResult {
    error
}

/// What a script or a primitive threw.
fn thrown(error: &EvalAltResult) -> Option<Report> {
    let EvalAltResult::ErrorRuntime(value, _) = error else {
        return None;
    };
    if let Some(failure) = value.read_lock::<Failure>() {
        return Some(failure.report());
    }
    Some(Report::new(text_of(value)))
}

fn text_of(value: &Dynamic) -> String {
    match value.read_lock::<rhai::Map>() {
        Some(map) => map.get("message").map_or_else(|| format!("{map:?}"), Dynamic::to_string),
        None => value.to_string(),
    }
}

fn message(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorVariableNotFound(name, _) => format!("no variable `{name}`"),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            format!("no function takes these arguments: `{}`", plain_types(signature))
        }
        EvalAltResult::ErrorPropertyNotFound(name, _) => format!("no property `{name}`"),
        EvalAltResult::ErrorModuleNotFound(name, _) => format!("no import `{name}`"),
        EvalAltResult::ErrorTooManyOperations(_) => {
            "this runs for ever: more than 50 million operations".to_owned()
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            "calls are nested too deeply: a function calls itself?".to_owned()
        }
        EvalAltResult::ErrorMismatchDataType(wanted, got, _) => {
            format!("{} is needed here, not {}", plain_types(wanted), plain_types(got))
        }
        EvalAltResult::ErrorTerminated(..) => "interrupted".to_owned(),
        error => {
            let text = error.to_string();
            // The place is shown apart.
            lowercase(text.rsplit_once(" (line ").map_or(text.as_str(), |(text, _)| text))
        }
    }
}

/// Rust's names of types as scripts know them.
fn plain_types(text: &str) -> String {
    let mut text = text.to_owned();
    for (rust, plain) in [
        ("&str | ImmutableString | String", "text"),
        ("ImmutableString", "text"),
        ("String", "text"),
        ("&str", "text"),
        ("i64", "number"),
        ("f64", "number"),
        ("FnPtr", "function"),
    ] {
        text = text.replace(rust, plain);
    }
    text
}

fn lowercase(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// What people who come from other languages stumble over.
fn hint(message: &str) -> Option<&'static str> {
    let message = message.to_lowercase();
    if message.contains("no variable") || message.contains("undefined variable") {
        Some(
            "functions do not see the `let` variables of their file: pass it, or use `const` and `global::NAME`",
        )
    } else if message.contains("character") && message.contains('\'')
        || message.contains("char literal")
        || message.contains("malformed in char")
    {
        Some("text is written in \"double quotes\" or `backticks`")
    } else if message.contains("doc-comment") {
        Some("`///` comes before `fn` only; say `desc(\"...\")` before a closure's task")
    } else if message.contains("';'") {
        Some("statements end with `;`")
    } else {
        None
    }
}
