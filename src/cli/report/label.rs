//! A report behind its label, as a terminal shows it.

use colored::Colorize;

use crate::event::Report;

pub fn error(report: &Report) -> String {
    labelled(&"error:".red().bold().to_string(), report)
}

pub fn warning(report: &Report) -> String {
    labelled(&"warning:".yellow().bold().to_string(), report)
}

/// The report behind its label, and the hint's label in its colour.
fn labelled(label: &str, report: &Report) -> String {
    let text = report.to_string();
    match text.rsplit_once("\nhint: ") {
        Some((text, hint)) if report.hint.is_some() => {
            format!("{label} {text}\n{} {hint}", "hint:".cyan().bold())
        }
        _ => format!("{label} {text}"),
    }
}
