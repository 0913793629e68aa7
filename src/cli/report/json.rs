//! Events for machines: one JSON object a line on standard output.

use crate::cli::out;
use crate::event::{Event, Report, Sink};

pub struct Json;

impl Sink for Json {
    fn event(&self, event: Event) {
        // What is asked at the terminal is no event of the run.
        if !matches!(event, Event::Question { .. }) {
            print(&event);
        }
    }
}

/// A problem outside of a run has the form of one within.
pub fn failed(report: &Report) {
    print(&Event::Failed { report: report.clone() });
}

fn print(event: &Event) {
    // Strings and numbers only: nothing that could not be written.
    let line = serde_json::to_string(event).unwrap_or_default();
    out::data(line);
}
