//! An error of a running script as a report: where it arose, and the calls that led there.

use rhai::{Dynamic, Engine, EvalAltResult};

use crate::event::report::{Frame, Provenance};
use crate::event::{Excerpt, Report, Suggestion};
use crate::recipe::draft::Declared;
use crate::recipe::failure::Failure;
use crate::recipe::functions::{FunctionDoc, functions};
use crate::recipe::syntax::fragment;
use crate::recipe::value::plain_type;

/// How many calls are shown; of more the middle is left out.
const LONGEST: usize = 8;

/// What went wrong, told from inside out. `outer` is the file that the outermost position belongs to.
pub fn report(engine: &Engine, declared: &Declared, outer: &str, error: &EvalAltResult) -> Report {
    let mut trail: Vec<Frame> = Vec::new();
    let (source, innermost) = innermost(declared, outer, error, &mut trail);
    let mut report = message(engine, innermost);
    if report.excerpt.is_none() {
        report.excerpt = declared.excerpt(&source, innermost.position());
        if let Some(raised) = raised(declared, innermost)
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

/// What a recipe has looked for and found: it is told without a trail.
pub fn found(error: &EvalAltResult) -> Option<Report> {
    let EvalAltResult::ErrorRuntime(value, _) = error.unwrap_inner() else {
        return None;
    };
    value.read_lock::<Failure>().filter(|failure| failure.is_found).map(|failure| failure.report())
}

/// Walks down to where the error arose. The position of a call belongs to the caller, its source to the callee.
fn innermost<'a>(
    declared: &Declared,
    outer: &str,
    error: &'a EvalAltResult,
    trail: &mut Vec<Frame>,
) -> (String, &'a EvalAltResult) {
    match error {
        EvalAltResult::ErrorInFunctionCall(name, callee, inner, position) => {
            if let Some(excerpt) = declared.excerpt(outer, *position) {
                let who = match name.starts_with("anon$") {
                    true => "a closure".to_owned(),
                    false => format!("`{name}`"),
                };
                let text = format!("{who} called at {}:{}", excerpt.place, excerpt.place.column);
                trail.push(frame(text, &excerpt));
            }
            let source = if callee.is_empty() { outer } else { callee };
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
        EvalAltResult::ErrorVariableNotFound(name, _) if name.starts_with("global::") => {
            Report::new(format!("no constant `{name}` is seen here"))
                .note("a closure that was handed to a function of an import sees the constants of that file")
        }
        EvalAltResult::ErrorVariableNotFound(name, _) if name.contains("::") => {
            Report::new(format!("`{name}` is no value: a function of an import can only be called"))
                .hint(format!("write `|host| {name}(host)`"))
        }
        EvalAltResult::ErrorVariableNotFound(name, _) => Report::new(format!("no variable `{name}`")),
        EvalAltResult::ErrorPropertyNotFound(name, _) => Report::new(format!("no property `{name}`")),
        EvalAltResult::ErrorModuleNotFound(name, _) => Report::new(format!("no import is called `{name}`")),
        EvalAltResult::ErrorTooManyOperations(_) => {
            Report::new("this runs for ever: more than 50 million operations")
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            Report::new("calls are nested more than 64 deep: does a function call itself?")
        }
        EvalAltResult::ErrorMismatchDataType(wanted, got, _) => {
            Report::new(format!("{} is needed here, not {}", plain_type(wanted), plain_type(got)))
        }
        EvalAltResult::ErrorTerminated(..) => Report::new("interrupted"),
        // Rhai lends a variable to the method that is called on it.
        EvalAltResult::ErrorDataRace(what, _) => Report::new(format!(
            "{what}: its function uses what it is called on"
        ))
        .hint(
            "let the function take it as a parameter: `host.wait_until(30, |host| host.exists(\"ready\"))`",
        ),
        error => {
            let text = error.to_string();
            // The place is shown apart.
            Report::new(fragment(text.rsplit_once(" (line ").map_or(text.as_str(), |(text, _)| text)))
        }
    }
}

/// What a script or a primitive threw.
fn thrown(value: &Dynamic) -> Report {
    if let Some(failure) = value.read_lock::<Failure>() {
        return failure.report();
    }
    let message = value.read_lock::<rhai::Map>().and_then(|map| map.get("message").cloned());
    Report::new(message.as_ref().unwrap_or(value).to_string())
}

/// Where a command failed, whatever a script did with the failure since.
fn raised(declared: &Declared, error: &EvalAltResult) -> Option<Excerpt> {
    let EvalAltResult::ErrorRuntime(value, _) = error else {
        return None;
    };
    let (file, position) = value.read_lock::<Failure>()?.raised.clone()?;
    declared.excerpt(&file, position)
}

/// `signature` is `name (Type, Type)`.
fn no_function(engine: &Engine, signature: &str) -> Report {
    let (name, types) = signature.split_once(" (").unwrap_or((signature, ")"));
    let types: Vec<String> = types.trim_end_matches(')').split(", ").map(plain_type).collect();
    let known = functions(engine);
    let same: Vec<&FunctionDoc> = known.iter().filter(|function| function.name == name).collect();
    if same.is_empty() {
        let near = Suggestion::new(name, known.iter().map(|function| function.name.as_str()));
        return Report::new(format!("no function `{name}`{near} takes ({})", types.join(", ")));
    }
    let report = Report::new(format!("`{name}` does not take ({})", types.join(", ")));
    same.iter().fold(report, |report, function| report.note(format!("there is `{}`", function.signature)))
}
