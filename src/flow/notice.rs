//! Calls the functions for the end of a flow (`on_success`, `on_failure`) when everything else is done.
//!
//! **Invariant:** such a function cannot change the outcome.

use std::sync::Arc;

use anyhow::Result;

use crate::event::{Event, Report};
use crate::flow::outcome::{Outcome, Verdict};
use crate::run::Run;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    Success,
    Failure,
}

impl Occasion {
    /// What a recipe calls it.
    pub fn name(self) -> &'static str {
        match self {
            Occasion::Success => "on_success",
            Occasion::Failure => "on_failure",
        }
    }
}

pub type NoticeBody = Arc<dyn Fn(&Arc<Run>, &Outcome) -> Result<()> + Send + Sync>;

/// A function of a recipe that is called with the outcome of a flow.
pub struct Notice {
    pub occasion: Occasion,
    pub flow: String,
    pub body: NoticeBody,
}

pub fn call_all(run: &Arc<Run>, notices: &[Notice], flow: &str, outcome: &Outcome) {
    let occasion = match outcome.verdict {
        Verdict::Done => Occasion::Success,
        _ => Occasion::Failure,
    };
    if run.mode.is_plan() {
        return;
    }
    for notice in notices.iter().filter(|n| n.occasion == occasion && n.flow == flow) {
        let name = occasion.name();
        // The user has pressed Ctrl-C twice, and wants the run to end.
        if run.cancel_token.is_cancelled() {
            return run.warn(format!("interrupted: `{name}` of `{flow}` was not called"));
        }
        if let Err(error) = (notice.body)(run, outcome) {
            let report = Report::of(&error).warning().context(format!("`{name}` of `{flow}` failed"));
            run.events.event(Event::Failed { report });
        }
    }
}
