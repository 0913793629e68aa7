//! The command line interface: parses the arguments, calls the layers below, and prints the result.

mod adopt;
mod adopt_options;
mod adopt_plan;
mod adopt_shares;
mod args;
mod check;
mod completions;
mod docs;
mod foreign;
mod help;
mod init;
mod man;
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
mod words;

use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::args::{Args, Invocation};
use crate::cli::verb::VerbResult;
use crate::event::{Event, Sink};
use crate::transport::CancelToken;
use crate::transport::mark::Nonce;

pub fn main() -> ExitCode {
    completions::answer_if_asked();
    let args = Arc::new(match Args::read() {
        Ok(args) => args,
        Err(code) => return code,
    });
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
        Invocation::Help(word) => help::help(args, word, &cancel_token, events),
        Invocation::Completions(shell) => completions::completions(shell.as_deref()),
        Invocation::Check(recipe) => check::check(args, recipe, &cancel_token, events),
        Invocation::Tasks(recipe) => tasks::tasks(args, recipe, &cancel_token, events),
        Invocation::Docs(recipe) => docs::docs(args, recipe, &cancel_token, events),
        Invocation::Init => init::init(args, &cancel_token, events),
        Invocation::Releases => releases::releases(args, &cancel_token, events),
        Invocation::Status => status::status(args, &cancel_token, events),
        Invocation::Adopt => adopt::adopt(args, id, &cancel_token, events),
        Invocation::Unlock => unlock::unlock(args, &cancel_token, events),
        Invocation::Run { recipe, words } => run::run(args, recipe, &words, id, &cancel_token, events),
    }
}
