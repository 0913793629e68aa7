//! Lays out a report as lines of text: the headline, the place with a caret, notes, the calls that led there, the
//! hint.

use std::fmt::Display;

use crate::event::report::{Label, Provenance};
use crate::event::{Excerpt, Report};

/// A report without its label. The hint starts with `hint`. Lines of shipped scripts are shown only if `is_verbose`:
/// the user cannot change them.
pub fn text(report: &Report, is_verbose: bool, hint: impl Display) -> String {
    let mut lines = vec![report.headline()];
    lines.extend(below(report, is_verbose));
    lines.extend(report.hint.as_ref().map(|text| format!("{hint} {text}")));
    lines.join("\n")
}

/// The text without colours.
pub fn plain(report: &Report) -> String {
    text(report, false, "hint:")
}

/// The lines between the headline and the hint.
fn below(report: &Report, is_verbose: bool) -> Vec<String> {
    // Where the user stopped a task is no place to look for a mistake.
    if report.label == Label::Interrupted && !is_verbose {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut margin = 0;
    let is_shown = |of| is_verbose || of != Provenance::Stdlib;
    if let Some(excerpt) = report.excerpt.as_ref().filter(|excerpt| is_shown(excerpt.provenance)) {
        margin = digits(excerpt).len().max(1);
        lines.extend(pointed_at(excerpt, margin, is_verbose || excerpt.provenance == Provenance::User));
    }
    for cause in &report.causes {
        let inner = std::iter::once(cause.headline()).chain(below(cause, is_verbose));
        lines.extend(inner.map(|line| format!("  {line}")));
    }
    let calls = report.trail.iter().filter(|frame| is_verbose || frame.provenance == Provenance::User);
    for note in report.notes.iter().chain(calls.map(|frame| &frame.text)) {
        let mut texts = note.lines();
        lines.push(format!("{:margin$} = {}", "", texts.next().unwrap_or_default()));
        lines.extend(texts.map(|line| format!("{:margin$}   {line}", "")));
    }
    lines
}

fn digits(excerpt: &Excerpt) -> String {
    match excerpt.place.line {
        0 => String::new(),
        line => line.to_string(),
    }
}

/// The place, and if `is_shown`, its line with a caret below.
fn pointed_at(excerpt: &Excerpt, margin: usize, is_shown: bool) -> Vec<String> {
    let Excerpt { place, text, width, .. } = excerpt;
    let column = if place.line > 0 { format!(":{}", place.column) } else { String::new() };
    let mut lines = vec![format!("{:margin$}--> {place}{column}", "")];
    if is_shown && !text.trim().is_empty() {
        // Repeats tabs before the caret, so that both lines have the same width on any terminal.
        let before = text.chars().take(place.column.saturating_sub(1));
        let indent: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        lines.push(format!("{:margin$} |", ""));
        lines.push(format!("{:margin$} | {text}", digits(excerpt)));
        lines.push(format!("{:margin$} | {indent}{}", "", "^".repeat((*width).max(1))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::event::grouping::combine;
    use crate::event::report::Frame;

    fn excerpt() -> Excerpt {
        Excerpt::at_offset("deploy.rhai", "one\n\tswpa = 1\nthree", 5, 4)
    }

    #[test]
    fn a_report_shows_the_line_with_a_caret_notes_and_a_hint() {
        let report = Report::new("no task named `swpa` (did you mean `swap`?)")
            .at(excerpt())
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
        .assert_eq(&plain(&report));
    }

    #[test]
    fn shipped_lines_are_shown_to_who_asks_for_more() {
        let of = |provenance| {
            let frame = Frame { text: "`x` called at deploy.rhai:1:1".to_owned(), provenance };
            let report = Report::new("no").at(excerpt().of(provenance)).note("why");
            Report { trail: vec![frame], ..report }
        };
        let full = "no\n --> deploy.rhai:2:2\n  |\n2 | \tswpa = 1\n  | \t^^^^\n  = why\n  = `x` called at deploy.rhai:1:1";
        for provenance in [Provenance::User, Provenance::Recipe, Provenance::Stdlib] {
            assert_eq!(text(&of(provenance), true, "hint:"), full);
        }
        assert_eq!(plain(&of(Provenance::User)), full);
        assert_eq!(plain(&of(Provenance::Recipe)), "no\n --> deploy.rhai:2:2\n  = why");
        assert_eq!(plain(&of(Provenance::Stdlib)), "no\n = why");
    }

    #[test]
    fn causes_stand_below_what_they_caused_with_one_hint() {
        let on = |host: &str, report: Report| Report { hosts: vec![host.to_owned()], ..report };
        let reports = [
            on("a", Report::new("full").note("1 kB left").hint("rm")),
            on("b", Report::new("gone").at(excerpt()).hint("look")),
        ];
        let one = Report { task: Some("lock".to_owned()), ..combine(reports).unwrap() };
        expect![[r#"
            task `lock` failed on `a`, `b`: for different reasons
              `a`: full
               = 1 kB left
              `b`: gone
               --> deploy.rhai:2:2
                |
              2 | 	swpa = 1
                | 	^^^^
            hint: rm"#]]
        .assert_eq(&plain(&one));
    }
}
