//! Renderers of events: for a terminal, for a log, for machines. Only these print what happens in a run.

mod json;
mod label;
mod progress;
pub mod size;
mod terminal;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::cli::args::{Args, When};
use crate::cli::out;
use crate::event::{Report, Sink};

pub fn choose_colour(when: When) {
    let is_on = match when {
        When::Always => true,
        When::Never => false,
        // https://no-color.org: any value that is not empty counts.
        When::Auto => {
            std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    };
    colored::control::set_override(is_on);
    out::IS_COLOURED.store(when == When::Always, Ordering::Relaxed);
}

pub fn sink(args: &Args) -> Arc<dyn Sink> {
    match args.json {
        true => Arc::new(json::Json),
        false => Arc::new(terminal::Terminal::new(args.verbose, args.quiet, args.diff)),
    }
}

/// A problem that ends a command before or beside a run.
pub fn problem(args: &Args, report: &Report) {
    match args.json {
        true => json::failed(report),
        false => out::talk(label::error(report)),
    }
}
