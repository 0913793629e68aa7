//! A problem as data: what is wrong, where, notes, and what to do. It stays data until a renderer or `--json` shows
//! it.

use std::fmt;

use serde::Serialize;

use crate::event::hint::Hint;

/// The first five names of a list: "`a`, `b` and 3 more".
pub fn few<T: fmt::Display>(names: &[T]) -> String {
    let shown: Vec<String> = names.iter().take(5).map(|name| format!("`{name}`")).collect();
    let more = names.len() - shown.len();
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// A place in a file of the user. Lines and columns count from 1, columns in characters. An argument of the command
/// line has line 0.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// Where the text of an excerpt comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    #[default]
    User,
    /// A shipped recipe.
    Recipe,
    /// The standard library. Its lines tell a user nothing that the name of the task does not.
    Stdlib,
}

/// A place with the text of its line, for the caret. The caret is `width` characters wide.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Excerpt {
    #[serde(flatten)]
    pub place: Place,
    pub text: String,
    pub width: usize,
    pub provenance: Provenance,
}

impl Excerpt {
    /// Takes the line of `place` from `source`. If there is no such line, the excerpt has no text.
    pub fn new(place: Place, source: &str, width: usize) -> Self {
        let text =
            place.line.checked_sub(1).and_then(|n| source.lines().nth(n)).unwrap_or_default().to_owned();
        Self { place, text, width, provenance: Provenance::User }
    }

    /// The place of the byte `offset` in `source`. The caret is `width` characters wide.
    pub fn at_offset(file: &str, source: &str, offset: usize, width: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let place = Place {
            file: file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        };
        Self::new(place, source, width)
    }

    pub fn of(self, provenance: Provenance) -> Self {
        Self { provenance, ..self }
    }
}

/// A call in a script that led to a problem, as a sentence that ends in a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frame {
    pub text: String,
    pub provenance: Provenance,
}

/// The severity of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    #[default]
    Error,
    /// The run continues.
    Warning,
    /// The user stopped it. It is nobody's mistake.
    Interrupted,
}

/// A problem. `message` is a lowercase fragment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    pub label: Label,
    /// The task that failed.
    pub task: Option<String>,
    /// What failed, if "task `...` failed" would be wrong.
    pub context: Option<String>,
    /// The hosts that have the problem, unless the message names them.
    pub hosts: Vec<String>,
    pub message: String,
    #[serde(rename = "place")]
    pub excerpt: Option<Excerpt>,
    pub notes: Vec<String>,
    /// The calls that led to the problem, innermost first.
    pub trail: Vec<Frame>,
    /// The problem of each host, if hosts failed for different reasons.
    pub causes: Vec<Report>,
    pub hint: Option<Hint>,
}

impl Report {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// The user stopped what was being done.
    pub fn interrupted() -> Self {
        Self { label: Label::Interrupted, ..Self::new("interrupted") }
    }

    /// The report inside an error, with the contexts of the error before its message.
    pub fn of(error: &anyhow::Error) -> Self {
        let mut above = String::new();
        for cause in error.chain() {
            if let Some(report) = cause.downcast_ref::<Self>() {
                let mut report = report.clone();
                report.message.insert_str(0, &above);
                return report;
            }
            above.push_str(&format!("{cause}: "));
        }
        Self::new(format!("{error:#}"))
    }

    /// Whether it is the same problem, apart from the hosts. The hint is ignored: it may name a host.
    pub fn is_like(&self, other: &Self) -> bool {
        let nowhere = |report: &Self| Self { hosts: Vec::new(), hint: None, ..report.clone() };
        nowhere(self) == nowhere(other)
    }

    /// What failed, on which hosts, and the message.
    pub fn headline(&self) -> String {
        let what = self.context.clone();
        let how = if self.label == Label::Interrupted { "was stopped" } else { "failed" };
        let what = what.or_else(|| self.task.as_ref().map(|task| format!("task `{task}` {how}")));
        let hosts: Vec<String> = self.hosts.iter().map(|name| format!("`{name}`")).collect();
        let (hosts, message) = (hosts.join(", "), &self.message);
        match (what, hosts.is_empty()) {
            (Some(what), true) if self.label == Label::Interrupted => what,
            (Some(what), false) if self.label == Label::Interrupted => format!("{what} on {hosts}"),
            (Some(what), true) => format!("{what}: {message}"),
            (Some(what), false) => format!("{what} on {hosts}: {message}"),
            (None, true) => message.clone(),
            (None, false) => format!("{hosts}: {message}"),
        }
    }

    /// Moves the headline into the message, for another headline.
    pub fn nested(self) -> Self {
        Self { message: self.headline(), task: None, context: None, ..self }
    }

    pub fn at(mut self, excerpt: Excerpt) -> Self {
        self.excerpt = Some(excerpt);
        self
    }

    /// Points at `excerpt`, unless the report has a more specific place.
    pub fn or_at(self, excerpt: &Excerpt) -> Self {
        Self { excerpt: self.excerpt.or_else(|| Some(excerpt.clone())), ..self }
    }

    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn warning(self) -> Self {
        Self { label: Label::Warning, ..self }
    }

    /// Sets what failed; see `headline`.
    pub fn context(self, what: impl Into<String>) -> Self {
        Self { context: Some(what.into()), ..self }
    }
}

/// Only the message. Code that needs everything must use the fields, or `layout::text`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report {}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn an_error_is_the_report_in_it_under_its_contexts() {
        let report = Report::new("no").note("why").hint("do");
        let error = anyhow::Error::from(report.clone()).context("inner").context("outer");
        assert_eq!(Report::of(&error), Report { message: "outer: inner: no".to_owned(), ..report });
        let other = Err::<(), _>(std::fmt::Error).context("outer").unwrap_err();
        assert_eq!(Report::of(&other).message, format!("outer: {}", std::fmt::Error));
    }

    #[test]
    fn the_headline_says_what_failed_and_where() {
        let report = Report { hosts: vec!["a".to_owned(), "b".to_owned()], ..Report::new("no") };
        assert_eq!(report.headline(), "`a`, `b`: no");
        let report = Report { task: Some("swap".to_owned()), ..report };
        assert_eq!(report.headline(), "task `swap` failed on `a`, `b`: no");
        assert_eq!(report.clone().context("undo").headline(), "undo on `a`, `b`: no");
        let nested = report.nested();
        assert_eq!(nested.headline(), "`a`, `b`: task `swap` failed on `a`, `b`: no");
        assert_eq!(Report::new("no").headline(), "no");
    }
}
