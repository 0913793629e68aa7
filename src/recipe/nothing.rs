//! Refuses `()` as a part of a text: in `${...}`, `+`, `+=`, `to_string` and `print`. Otherwise `rm -rf ${x}/cache` would
//! become `rm -rf /cache`.
//!
//! **Invariant:** the script stops at its next operation (`uncaught`). A call of a primitive is an operation: none gets the
//! text.

use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map, NativeCallContext, Position};

use crate::event::{Excerpt, Report};
use crate::recipe::sources::RecipeSource;
use crate::recipe::uncaught;

/// What became part of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A value that was made into text as a whole.
    Whole,
    /// An item of a list, or a value of a table.
    Inner,
    /// The operand before or after a `+` or `+=`.
    Left,
    Right,
}

/// A `()` that became part of a text, and where.
#[derive(Clone)]
pub struct NothingInText {
    file: String,
    position: Position,
    part: Part,
}

impl From<NothingInText> for Box<EvalAltResult> {
    /// A script must not catch it: the text would be used as if it were whole.
    fn from(found: NothingInText) -> Self {
        let position = found.position;
        EvalAltResult::ErrorTerminated(Dynamic::from(found), position).into()
    }
}

fn in_text(call: &NativeCallContext, part: Part) -> NothingInText {
    let file = call.global_runtime_state().source.as_deref().unwrap_or_default().to_owned();
    NothingInText { file, position: call.call_position(), part }
}

fn remember(call: &NativeCallContext, part: Part) {
    uncaught::remember(Dynamic::from(in_text(call, part)));
}

/// Whether a value is `()` or contains one.
pub fn has_nothing(value: &Dynamic) -> bool {
    if let Some(list) = value.read_lock::<Array>() {
        return list.iter().any(has_nothing);
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map.values().any(has_nothing);
    }
    value.is_unit()
}

/// A list or a table as text.
fn shown(call: &NativeCallContext, value: &mut Dynamic) -> Result<ImmutableString, Box<EvalAltResult>> {
    if has_nothing(value) {
        remember(call, Part::Inner);
    }
    let shown = call.call_native_fn_raw("to_debug", true, &mut [value])?;
    Ok(shown.into_immutable_string().unwrap_or_default())
}

pub fn register(engine: &mut Engine) {
    // Otherwise Rhai adds a `()` to a text without asking the functions below.
    engine.set_fast_operators(false);
    for name in ["to_string", "print"] {
        engine
            .register_fn(name, |call: NativeCallContext, (): ()| {
                remember(&call, Part::Whole);
                ImmutableString::new()
            })
            .register_fn(name, |call: NativeCallContext, list: Array| shown(&call, &mut list.into()))
            .register_fn(name, |call: NativeCallContext, map: Map| shown(&call, &mut map.into()));
    }
    engine
        .register_fn("+", |call: NativeCallContext, _: ImmutableString, (): ()| refused(&call, Part::Right))
        .register_fn("+", |call: NativeCallContext, (): (), _: ImmutableString| refused(&call, Part::Left))
        .register_fn("+=", |call: NativeCallContext, _: &mut ImmutableString, (): ()| {
            refused(&call, Part::Right)
        })
        .register_fn("+=", |call: NativeCallContext, _: &mut Dynamic, (): ()| refused(&call, Part::Right));
}

fn refused(call: &NativeCallContext, part: Part) -> Result<ImmutableString, Box<EvalAltResult>> {
    Err(in_text(call, part).into())
}

impl NothingInText {
    /// The report of an error that this module raised.
    pub fn report_of(sources: &[RecipeSource], error: &EvalAltResult) -> Option<Report> {
        match error {
            EvalAltResult::ErrorTerminated(value, _) => Some(value.read_lock::<Self>()?.report(sources)),
            _ => None,
        }
    }

    fn report(&self, sources: &[RecipeSource]) -> Report {
        let source = sources.iter().find(|source| source.name == self.file);
        let offset = source
            .and_then(|source| source.offset(self.position.line()?, self.position.position().unwrap_or(1)));
        let part = source.zip(offset).and_then(|(source, at)| {
            let (start, end) = self.expression(&source.text, at)?;
            Some((
                Excerpt::at_offset(
                    &source.name,
                    &source.text,
                    start,
                    source.text[start..end].chars().count(),
                ),
                &source.text[start..end],
            ))
        });
        let (report, excerpt) = match part {
            Some((excerpt, expression)) => {
                let hint = match self.part {
                    Part::Left | Part::Right => {
                        format!("say what to use instead: `({expression} ?? \"none\")`")
                    }
                    _ => format!("say what to use instead: `${{{expression} ?? \"none\"}}`"),
                };
                let message = match self.part {
                    Part::Inner => format!("`{expression}` contains `()`, which cannot be part of a text"),
                    _ => format!("`{expression}` is `()`, which cannot be part of a text"),
                };
                let report = Report::new(message);
                (if self.part == Part::Inner { report } else { report.hint(hint) }, Some(excerpt))
            }
            None => (
                Report::new("`()` cannot be part of a text")
                    .hint("say what to use instead: `${host.previous ?? \"none\"}`"),
                source.and_then(|source| {
                    Some(source.excerpt(self.position.line()?, self.position.position().unwrap_or(1)))
                }),
            ),
        };
        Report { excerpt, ..report }
    }

    /// Where the expression is in the text, if it is short enough to be named.
    fn expression(&self, text: &str, at: usize) -> Option<(usize, usize)> {
        let (start, end) = match self.part {
            Part::Left => left(text, at)?,
            Part::Right => right(text, at),
            // `+` of a text and a list asks `to_string` for the list.
            Part::Whole | Part::Inner if text[at..].starts_with('+') => match right(text, at) {
                (start, _) if text[start..].trim_start().starts_with(['"', '`']) => left(text, at)?,
                operand => operand,
            },
            Part::Whole | Part::Inner => interpolated(text, at).or_else(|| argument(text, at))?,
        };
        let inner = text.get(start..end)?;
        let start = start + (inner.len() - inner.trim_start().len());
        let inner = inner.trim();
        let is_short = !inner.is_empty() && inner.len() <= 60 && !inner.contains(['\n', '`']);
        is_short.then_some((start, start + inner.len()))
    }
}

fn left(text: &str, operator: usize) -> Option<(usize, usize)> {
    Some((before(&text[..operator])?, operator))
}

fn right(text: &str, operator: usize) -> (usize, usize) {
    let start = operator + text[operator..].len() - text[operator..].trim_start_matches(['+', '=']).len();
    (start, start + after(&text[start..]))
}

/// The inside of the `${...}` that has this place in it.
fn interpolated(text: &str, at: usize) -> Option<(usize, usize)> {
    let behind = at + text[at..].chars().next()?.len_utf8();
    let start = text[..behind].rfind("${")? + 2;
    let end = start + closing(&text[start..])?;
    (end >= at).then_some((start, end))
}

/// What the function at this place makes into text: its argument, or else the value that it is a method of.
fn argument(text: &str, at: usize) -> Option<(usize, usize)> {
    let name = text[at..].find(|c: char| !c.is_alphanumeric() && c != '_')?;
    let start = at + name + text[at + name..].strip_prefix('(').map(|_| 1)?;
    match after(&text[start..]) {
        0 => left(text, text[..at].strip_suffix('.')?.len()),
        n => Some((start, start + n)),
    }
}

/// Where the `}` is that ends a `${`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
        None
    })
}

/// How long the operand at the beginning of a text is.
fn after(text: &str) -> usize {
    let (mut depth, mut quote) = (0, None);
    let end = text.char_indices().find(|(_, c)| match (quote, *c) {
        (Some(open), c) => {
            quote = Some(open).filter(|open| *open != c);
            false
        }
        (None, '"' | '`') => {
            quote = Some(*c);
            false
        }
        (None, '(' | '[' | '{') => {
            depth += 1;
            false
        }
        (None, ')' | ']' | '}') => {
            depth -= 1;
            depth < 0
        }
        (None, c) => depth == 0 && matches!(c, '+' | ';' | ','),
    });
    end.map_or(text.len(), |(at, _)| at)
}

/// Where the operand at the end of a text begins.
fn before(text: &str) -> Option<usize> {
    let mut depth = 0;
    let start = text.char_indices().rev().find(|(_, c)| match c {
        ')' | ']' => {
            depth += 1;
            false
        }
        '(' | '[' if depth > 0 => {
            depth -= 1;
            false
        }
        c => depth == 0 && matches!(c, '(' | '[' | '{' | '}' | '+' | '=' | ';' | ',' | '|' | '\n'),
    });
    start.map(|(at, c)| at + c.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_found_beside_their_operator() {
        assert_eq!(after(" host.get(\"a\") + \"/x\");"), " host.get(\"a\") ".len());
        assert_eq!(after("env(\"A;B\"));"), 10);
        let text = "host.run(host.get(\"a\") ";
        assert_eq!(before(text).map(|at| &text[at..]), Some("host.get(\"a\") "));
    }
}
