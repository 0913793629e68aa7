//! The errors that primitives throw. Scripts can catch them and read their properties; reports use the original error.

use std::sync::Arc;

use anyhow::Error;
use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};

use crate::event::Report;
use crate::recipe::uncaught;
use crate::shell::Exit;

pub type ScriptResult<T> = Result<T, Box<EvalAltResult>>;

/// A command that failed.
#[derive(Debug, Clone)]
pub struct CommandFailed {
    pub command: String,
    pub exit: Exit,
    /// The lines of its standard output and standard error that say why.
    pub output: String,
    /// `PATH`, if the program was not found in it.
    pub path: Option<String>,
}

impl std::fmt::Display for CommandFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "`{}` {}", self.command, self.exit)
    }
}

impl std::error::Error for CommandFailed {}

impl CommandFailed {
    pub fn status(&self) -> i64 {
        match self.exit {
            Exit::Code(code) => i64::from(code),
            Exit::Signal(number) => 128 + i64::from(number),
            Exit::TimedOut(_) | Exit::Interrupted => -1,
        }
    }

    fn report(&self) -> Report {
        let mut report = match self.exit {
            Exit::Interrupted => Report::interrupted(),
            _ => Report::new(self.to_string()),
        };
        report.notes = self.output.lines().map(str::to_owned).collect();
        if let Some(path) = &self.path {
            report = report
                .note(format!("PATH was {path}"))
                .hint("install the program, or set `PATH` in the setting `env`: `#{ PATH: \"...\" }`");
        }
        report
    }
}

/// The unknown answer of a command that a plan does not run. Using it is an error.
#[derive(Debug, Clone)]
pub struct Unanswered {
    pub command: String,
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "depends on the answer of `{}`", self.command)
    }
}

impl std::error::Error for Unanswered {}

/// What scripts catch: `failure`, with `.message .host .task .command .status .output`.
#[derive(Debug, Clone)]
pub struct Failure {
    pub host: String,
    pub task: String,
    pub error: Arc<Error>,
    /// The file and the place of the command that failed.
    pub raised: Option<(String, Position)>,
    /// A problem that the recipe looked for and found. Its place in the recipe does not matter to the user.
    pub is_found: bool,
}

impl Failure {
    pub fn new(host: &str, task: &str, error: impl Into<Error>) -> Self {
        let (host, task) = (host.to_owned(), task.to_owned());
        Self { host, task, error: Arc::new(error.into()), raised: None, is_found: false }
    }

    /// Remembers where it was thrown, in case a script catches it and throws it again.
    pub fn raised_in(self, context: &NativeCallContext) -> Self {
        let file = context.global_runtime_state().source.as_deref().unwrap_or_default().to_owned();
        Self { raised: Some((file, context.call_position())), ..self }
    }

    pub fn ended(&self) -> Option<&CommandFailed> {
        self.error.downcast_ref()
    }

    pub fn message(&self) -> String {
        let Some(report) = self.error.downcast_ref::<Report>() else {
            return format!("{:#}", self.error);
        };
        let causes: Vec<String> = report.causes.iter().map(Report::headline).collect();
        let causes = if causes.is_empty() { String::new() } else { format!(": {}", causes.join("; ")) };
        format!("{}{:#}{causes}", on(&report.hosts), self.error)
    }

    /// The report without a place in the script, which the caller adds.
    pub fn report(&self) -> Report {
        if let Some(ended) = self.ended() {
            return ended.report();
        }
        Report::of(&self.error)
    }
}

/// The hosts of a failure, as a prefix of its message.
fn on(hosts: &[String]) -> String {
    match hosts {
        [] => String::new(),
        hosts => format!("on `{}`: ", hosts.join("`, `")),
    }
}

impl From<Failure> for Box<EvalAltResult> {
    fn from(failure: Failure) -> Self {
        // Scripts cannot catch an `ErrorSystem`.
        EvalAltResult::ErrorRuntime(Dynamic::from(failure), Position::NONE).into()
    }
}

/// A mistake in the recipe, thrown where it is made.
pub fn mistake(report: Report) -> Box<EvalAltResult> {
    Failure::new("", "", report).into()
}

pub fn mistake_text(message: impl Into<String>) -> Box<EvalAltResult> {
    mistake(Report::new(message))
}

/// A mistake in a call: no `try` of the script ends it.
pub fn uncaught(call: &NativeCallContext, error: Box<EvalAltResult>) -> Box<EvalAltResult> {
    let EvalAltResult::ErrorRuntime(value, _) = &*error else { return error };
    let Some(failure) = value.read_lock::<Failure>().map(|failure| failure.clone()) else { return error };
    let failure = failure.raised_in(call);
    uncaught::remember(Dynamic::from(failure.clone()));
    failure.into()
}
