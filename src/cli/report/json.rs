//! Events for machines: one JSON object a line on standard output, as docs/json.md has them.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::out;
use crate::event::{Event, Sink};

/// Raised when a line no longer has what it had.
const SCHEMA: u32 = 1;

pub struct Json {
    run: String,
    /// Held for a line: lines are in the order of their times.
    printing: Mutex<()>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    schema: u32,
    at: String,
    run: &'a str,
    #[serde(flatten)]
    event: &'a Event,
}

impl Json {
    pub fn new(run: &str) -> Self {
        Self { run: run.to_owned(), printing: Mutex::default() }
    }
}

impl Sink for Json {
    fn event(&self, event: Event) {
        // What is asked at the terminal is no event of the run.
        if matches!(event, Event::Question { .. }) {
            return;
        }
        let _printing = self.printing.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
        let envelope = Envelope { schema: SCHEMA, at, run: &self.run, event: &event };
        // Strings and numbers only: nothing that could not be written.
        out::data(serde_json::to_string(&envelope).unwrap_or_default());
    }
}
