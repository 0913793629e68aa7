//! An error of a running script as a report: where it arose, and the calls that led there.

use rhai::{Dynamic, Engine, EvalAltResult};

use crate::event::report::{Frame, Provenance};
use crate::event::{Excerpt, Report, Suggestion};
use crate::recipe::check::shapes::no_property;
use crate::recipe::closure::{foreign_closure, is_closure};
use crate::recipe::draft::Declared;
use crate::recipe::failure::Failure;
use crate::recipe::functions::{FunctionDoc, functions};
use crate::recipe::nothing::NothingInText;
use crate::recipe::syntax::fragment;
use crate::recipe::value::plain_type;

/// At most this many calls are shown. Of a longer trail, the middle is left out.
const LONGEST: usize = 8;

/// The error, then its calls, innermost first. `outer` is the file that the outermost position belongs to.
pub fn report(engine: &Engine, declared: &Declared, outer: &str, error: &EvalAltResult) -> Report {
    let mut trail: Vec<Frame> = Vec::new();
    let (source, innermost) = innermost(declared, outer, error, &mut trail);
    let nothing = NothingInText::report_of(&declared.sources, innermost);
    let mut report = nothing.unwrap_or_else(|| message(engine, innermost));
    if report.excerpt.is_none() {
        report.excerpt = declared.excerpt(&source, innermost.position());
        if let Some(place) = place_of_mistake(declared, innermost) {
            report.excerpt = Some(place);
        } else if let Some(raised) = raised(declared, &source, innermost)
            && let Some(thrown) = report.excerpt.replace(raised)
            && report.excerpt.as_ref() != Some(&thrown)
        {
            report.trail.push(frame(format!("thrown again at {}", thrown.place), &thrown));
        }
    }
    trail.reverse();
    if trail.len() > LONGEST {
        let n = trail.len() - LONGEST;
        let text = format!("... {n} more calls ...");
        trail.splice(LONGEST / 2..LONGEST / 2 + n, [Frame { text, provenance: Provenance::User }]);
    }
    report.trail.extend(trail);
    report
}

/// `text` ends in the place of `excerpt`.
pub fn frame(text: String, excerpt: &Excerpt) -> Frame {
    Frame { text, provenance: excerpt.provenance }
}

/// A problem that the recipe looked for and found. It is reported without a trail.
pub fn found(error: &EvalAltResult) -> Option<Report> {
    let EvalAltResult::ErrorRuntime(value, _) = error.unwrap_inner() else {
        return None;
    };
    value.read_lock::<Failure>().filter(|failure| failure.is_found).map(|failure| failure.report())
}

/// Walks down to where the error arose. The position of a call is in the caller's file, its source is the callee's file.
fn innermost<'a>(
    declared: &Declared,
    outer: &str,
    error: &'a EvalAltResult,
    trail: &mut Vec<Frame>,
) -> (String, &'a EvalAltResult) {
    match error {
        EvalAltResult::ErrorInFunctionCall(name, callee, inner, position) => {
            if let Some(excerpt) = declared.excerpt(outer, *position) {
                let who = match is_closure(name) {
                    true => "a closure".to_owned(),
                    false => format!("`{name}`"),
                };
                let text = format!("{who} called at {}:{}", excerpt.place, excerpt.place.column);
                trail.push(frame(text, &excerpt));
            }
            // Rhai attributes a closure to the file that calls it.
            let own = declared.closures.get(name).map(String::as_str);
            let source = own.unwrap_or(if callee.is_empty() { outer } else { callee });
            innermost(declared, source, inner, trail)
        }
        EvalAltResult::ErrorInModule(file, inner, position) => {
            if let Some(excerpt) = declared.excerpt(outer, *position) {
                trail.push(frame(format!("`{file}` is imported at {}", excerpt.place), &excerpt));
            }
            innermost(declared, file, inner, trail)
        }
        error => (outer.to_owned(), error),
    }
}

fn message(engine: &Engine, error: &EvalAltResult) -> Report {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => thrown(value),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => no_function(engine, signature),
        EvalAltResult::ErrorVariableNotFound(name, _) if name.starts_with("global::") => Report::new(
            format!("constant `{name}` not found"),
        )
        .note("a closure that is passed to an imported function can only use constants of the imported file"),
        EvalAltResult::ErrorVariableNotFound(name, _) if name.contains("::") => {
            Report::new(format!("`{name}` cannot be used as a value: imported functions can only be called"))
                .hint(format!("wrap it in a closure: `|host| {name}(host)`"))
        }
        EvalAltResult::ErrorVariableNotFound(name, _) => Report::new(format!("no variable `{name}`")),
        EvalAltResult::ErrorPropertyNotFound(name, _) => Report::new(format!("no property `{name}`")),
        EvalAltResult::ErrorModuleNotFound(name, _) => Report::new(format!("no import named `{name}`")),
        EvalAltResult::ErrorTooManyOperations(_) => {
            Report::new("the script exceeded the limit of 10 million operations: does a loop never end?")
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            Report::new("calls are nested more than 64 deep: does a function call itself?")
        }
        EvalAltResult::ErrorMismatchDataType(wanted, got, _) => {
            Report::new(format!("expected {}, not {}", plain_type(wanted), plain_type(got)))
        }
        EvalAltResult::ErrorTerminated(value, _) => match value.read_lock::<Failure>() {
            Some(mistake) => {
                mistake.report().note("a mistake of the recipe itself cannot be caught by `try`")
            }
            None => Report::interrupted(),
        },
        EvalAltResult::ErrorDotExpr(text, _) => match unknown_property(text) {
            Some((kind, name)) => no_property(&kind, name),
            None => Report::new(fragment(text)),
        },
        // While a method runs, Rhai lends it the variable that it was called on.
        EvalAltResult::ErrorDataRace(..) => {
            Report::new("a closure cannot use the variable whose method it is passed to")
                .hint("use a parameter instead: `host.wait_until(30, |host| host.exists(\"ready\"))`")
        }
        error => {
            let text = error.to_string();
            // The excerpt shows the place.
            Report::new(fragment(text.rsplit_once(" (line ").map_or(text.as_str(), |(text, _)| text)))
        }
    }
}

/// The type and the name in `Unknown property 'x' - a getter is not registered for type 'array'`.
fn unknown_property(text: &str) -> Option<(String, &str)> {
    let (name, rest) = text.strip_prefix("Unknown property '")?.split_once('\'')?;
    let kind = rest.strip_suffix('\'')?.rsplit('\'').next()?;
    let kind = match plain_type(kind).as_str() {
        "text" => "text".to_owned(),
        kind => format!("a {}", kind.to_lowercase()),
    };
    Some((kind, name))
}

/// What a script or a primitive threw.
fn thrown(value: &Dynamic) -> Report {
    if let Some(failure) = value.read_lock::<Failure>() {
        return failure.report();
    }
    let message = value.read_lock::<rhai::Map>().and_then(|map| map.get("message").cloned());
    Report::new(message.as_ref().unwrap_or(value).to_string())
}

/// Where a script made a mistake that it tried to catch. The place of the error is where the script was stopped.
fn place_of_mistake(declared: &Declared, error: &EvalAltResult) -> Option<Excerpt> {
    let EvalAltResult::ErrorTerminated(value, _) = error else {
        return None;
    };
    let (file, position) = value.read_lock::<Failure>()?.raised.clone()?;
    declared.excerpt(&file, position)
}

/// Where a command failed, even if a script caught the failure and threw it again. At the place of the error itself,
/// `source` is right, and the recorded file may be the one of the caller.
fn raised(declared: &Declared, source: &str, error: &EvalAltResult) -> Option<Excerpt> {
    let EvalAltResult::ErrorRuntime(value, at) = error else {
        return None;
    };
    let (file, position) = value.read_lock::<Failure>()?.raised.clone()?;
    declared.excerpt(if position == *at { source } else { &file }, position)
}

/// `signature` is `name (Type, Type)`.
fn no_function(engine: &Engine, signature: &str) -> Report {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ")"));
    let types: Vec<String> = types.trim_end_matches(')').split(", ").map(plain_type).collect();
    if is_closure(name) {
        return foreign_closure();
    }
    let known = functions(engine);
    let same: Vec<&FunctionDoc> = known.iter().filter(|function| function.name == name).collect();
    if same.is_empty() {
        let near = Suggestion::new(name, known.iter().map(|function| function.name.as_str()));
        return Report::new(format!("no function `{name}({})`{near}", types.join(", ")));
    }
    let report = Report::new(format!("`{name}` cannot be called with ({})", types.join(", ")));
    same.iter().fold(report, |report, function| report.note(format!("usage: `{}`", function.signature)))
}
