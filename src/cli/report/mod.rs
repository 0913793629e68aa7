//! Renders events for a terminal, a log or a machine. Nothing else prints what happens in a run.

mod command_line;
mod json;
mod progress;
pub mod size;
mod terminal;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::cli::args::{Args, When};
use crate::cli::out;
use crate::cli::report::command_line::CommandLine;
use crate::event::{Event, Sink};

pub fn choose_colour(when: When) {
    let is_on = match when {
        When::Always => true,
        When::Never => false,
        // https://no-color.org: any non-empty value disables colour.
        When::Auto => {
            std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    };
    colored::control::set_override(is_on);
    out::IS_COLOURED.store(when == When::Always, Ordering::Relaxed);
}

/// The sink that shows all events to the user.
pub fn sink(args: &Arc<Args>, run: &str) -> Arc<dyn Sink> {
    let line = CommandLine::of(args);
    match args.json {
        true => Arc::new(HintCompleter { line, inner: json::Json::new(run) }),
        false => {
            let inner = terminal::Terminal::new(args.verbose, args.quiet, args.diff);
            Arc::new(HintCompleter { line, inner })
        }
    }
}

/// Completes the hints of reports, then passes events on.
struct HintCompleter<S> {
    line: CommandLine,
    inner: S,
}

impl<S: Sink> Sink for HintCompleter<S> {
    fn event(&self, event: Event) {
        self.inner.event(match event {
            Event::Failed { report } => Event::Failed { report: self.line.complete(report) },
            Event::Dropped { host, report } => Event::Dropped { host, report: self.line.complete(report) },
            event => event,
        });
    }
}
