//! Prints each event as one line of JSON to standard output, as described in docs/json.md.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::out;
use crate::event::{Event, Sink};

/// Increased whenever a field is removed or changes its meaning.
const SCHEMA: u32 = 1;

pub struct Json {
    run: String,
    /// Locked while a line is printed, so that lines are in the order of their times.
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
        // A question at the terminal is not an event of the run.
        if matches!(event, Event::Question { .. }) {
            return;
        }
        let _printing = self.printing.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
        let envelope = Envelope { schema: SCHEMA, at, run: &self.run, event: &event };
        // Cannot fail: events contain only strings and numbers.
        out::data(serde_json::to_string(&envelope).unwrap_or_default());
    }
}
