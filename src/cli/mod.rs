//! Words in, exit code out: what the user typed is understood, done by the layers below, and told.

mod args;
mod check;
mod docs;
mod out;
mod project;
mod prompt;
mod releases;
mod report;
mod run;
mod status;
mod table;
mod tasks;
mod unlock;

use std::process::ExitCode;
use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::cli::args::{Args, Asked};
use crate::event::{Report, Sink};
use crate::transport::Interrupt;

/// The exit code of a usage, configuration or recipe error: no host was touched (DESIGN §4).
const MISTAKE: u8 = 2;
/// The exit code of what the user has ended.
const INTERRUPTED: u8 = 130;

/// How a verb ends early: what is wrong, and the exit code for it.
pub struct Stop {
    reports: Vec<Report>,
    code: u8,
}

impl Stop {
    fn interrupted() -> Self {
        Self { reports: vec![Report::new("interrupted")], code: INTERRUPTED }
    }

    fn failed(reports: Vec<Report>) -> Self {
        Self { reports, code: 1 }
    }
}

/// Whatever is found before a host is touched is a mistake of the user's.
impl From<Vec<Report>> for Stop {
    fn from(reports: Vec<Report>) -> Self {
        Self { reports, code: MISTAKE }
    }
}

impl From<Report> for Stop {
    fn from(report: Report) -> Self {
        vec![report].into()
    }
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Report::of(&error).into()
    }
}

type Ended = Result<u8, Stop>;

pub fn main() -> ExitCode {
    let args = Args::read();
    report::choose_colour(args.color);
    let events = report::sink(&args);
    let code = perform(&args, &events).unwrap_or_else(|stop| {
        for report in &stop.reports {
            report::problem(&args, report);
        }
        stop.code
    });
    ExitCode::from(code)
}

/// From here on, a Ctrl-C raises the interrupt instead of ending the program.
fn hear_signals(interrupt: &Interrupt) -> anyhow::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, interrupt.flag())?;
    }
    Ok(())
}

fn perform(args: &Args, events: &Arc<dyn Sink>) -> Ended {
    let interrupt = Interrupt::default();
    match args.asked()? {
        Asked::Check(recipe) => check::check(args, recipe, &interrupt, events),
        Asked::Tasks(recipe) => tasks::tasks(args, recipe, &interrupt, events),
        Asked::Docs(recipe) => docs::docs(args, recipe, &interrupt, events),
        Asked::Releases => releases::releases(args, &interrupt, events),
        Asked::Status => status::status(args, &interrupt, events),
        Asked::Unlock => unlock::unlock(args, &interrupt, events),
        Asked::Run { recipe, what } => run::run(args, recipe, what, &interrupt, events),
    }
}
