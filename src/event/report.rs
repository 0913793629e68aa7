//! A problem as the user reads it: what, where (with the source line and a caret), and what to do.

use std::fmt;

use serde::Serialize;

/// `a`, `b` and 3 more: the first five of some names.
pub fn few<T: fmt::Display>(names: &[T]) -> String {
    let shown: Vec<String> = names.iter().take(5).map(|name| format!("`{name}`")).collect();
    let more = names.len() - shown.len();
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// Where something stands in a file of the user's. Lines and columns count from 1, columns in characters; what was
/// typed on the command line has line 0.
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

/// A place together with the text of its line, for the caret. `width` counts the characters it points at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Excerpt {
    pub place: Place,
    pub text: String,
    pub width: usize,
}

impl Excerpt {
    /// Cuts the line of `place` out of `source`; a line that is not there leaves the excerpt without text.
    pub fn new(place: Place, source: &str, width: usize) -> Self {
        let text =
            place.line.checked_sub(1).and_then(|n| source.lines().nth(n)).unwrap_or_default().to_owned();
        Self { place, text, width }
    }

    /// The place of the byte `offset` of `source`, pointing at `width` characters.
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
}

/// One problem. Printed after `error:` or `warning:`, so `message` is a lowercase fragment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Report {
    pub message: String,
    /// The hosts it is about, where the message does not say so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    pub excerpt: Option<Excerpt>,
    pub notes: Vec<String>,
    pub hint: Option<String>,
}

impl Report {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// What an error says: the report in it, under the contexts above it.
    pub fn of(error: &anyhow::Error) -> Self {
        let Some(report) = error.downcast_ref::<Self>() else {
            return Self::new(format!("{error:#}"));
        };
        let above = error.chain().take_while(|cause| !cause.is::<Self>());
        let mut report = report.clone();
        let contexts: String = above.map(|cause| format!("{cause}: ")).collect();
        report.message.insert_str(0, &contexts);
        report
    }

    /// Whether it says the same as another, of whatever hosts; what to do may name one of them.
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.message, &self.excerpt, &self.notes) == (&other.message, &other.excerpt, &other.notes)
    }

    pub fn at(mut self, excerpt: Excerpt) -> Self {
        self.excerpt = Some(excerpt);
        self
    }

    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)?;
        let margin = match &self.excerpt {
            None => 0,
            Some(excerpt) => {
                let Excerpt { place, text, width } = excerpt;
                let line = if place.line == 0 { String::new() } else { place.line.to_string() };
                let margin = line.len().max(1);
                write!(f, "\n{:margin$}--> {place}", "")?;
                if place.line > 0 {
                    write!(f, ":{}", place.column)?;
                }
                if !text.trim().is_empty() {
                    // A tab before the caret is repeated, so that both lines are as wide on any terminal.
                    let indent: String = text
                        .chars()
                        .take(place.column.saturating_sub(1))
                        .map(|c| if c == '\t' { '\t' } else { ' ' })
                        .collect();
                    write!(f, "\n{:margin$} |", "")?;
                    write!(f, "\n{line:margin$} | {text}")?;
                    write!(f, "\n{:margin$} | {indent}{}", "", "^".repeat((*width).max(1)))?;
                }
                margin
            }
        };
        for note in &self.notes {
            let mut lines = note.lines();
            write!(f, "\n{:margin$} = {}", "", lines.next().unwrap_or_default())?;
            for line in lines {
                write!(f, "\n{:margin$}   {line}", "")?;
            }
        }
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Report {}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_report_shows_the_line_with_a_caret_notes_and_a_hint() {
        let source = "one\n\tswpa = 1\nthree";
        let report = Report::new("no task named `swpa` (did you mean `swap`?)")
            .at(Excerpt::at_offset("deploy.rhai", source, 5, 4))
            .note("first\nsecond")
            .hint("type `runner tasks`");
        expect![[r#"
            no task named `swpa` (did you mean `swap`?)
             --> deploy.rhai:2:2
              |
            2 | 	swpa = 1
              | 	^^^^
              = first
                second
            hint: type `runner tasks`"#]]
        .assert_eq(&report.to_string());
    }
}
