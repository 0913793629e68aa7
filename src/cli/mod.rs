//! The command line interface: parses the arguments, calls the layers below, and prints the result.

mod args;
mod check;
mod docs;
mod out;
mod project;
mod prompt;
mod releases;
mod report;
mod run;
mod signals;
mod status;
mod table;
mod tasks;
mod unlock;
mod verb;

use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::args::{Args, Invocation};
use crate::cli::verb::VerbResult;
use crate::event::{Event, Sink};
use crate::transport::CancelToken;
use crate::transport::mark::Nonce;

pub fn main() -> ExitCode {
    let args = Args::read();
    report::choose_colour(args.color);
    // Unique to this run.
    let id = Nonce::random().to_string();
    let events = report::sink(&args, &id);
    let code = perform(&args, &id, &events).unwrap_or_else(|stop| {
        stop.reports.into_iter().for_each(|report| events.event(Event::Failed { report }));
        stop.code
    });
    ExitCode::from(code)
}

fn perform(args: &Args, id: &str, events: &Arc<dyn Sink>) -> VerbResult {
    let cancel_token = CancelToken::default();
    match args.invocation()? {
        Invocation::Check(recipe) => check::check(args, recipe, &cancel_token, events),
        Invocation::Tasks(recipe) => tasks::tasks(args, recipe, &cancel_token, events),
        Invocation::Docs(recipe) => docs::docs(args, recipe, &cancel_token, events),
        Invocation::Releases => releases::releases(args, &cancel_token, events),
        Invocation::Status => status::status(args, &cancel_token, events),
        Invocation::Unlock => unlock::unlock(args, &cancel_token, events),
        Invocation::Run { recipe, what } => run::run(args, recipe, what, id, &cancel_token, events),
    }
}
