//! A named step, and how it is called. What it does is a boxed function handed down.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::run::Run;

/// One call of a task's body.
pub struct Call<'a> {
    pub run: &'a Arc<Run>,
    pub task: &'a str,
    /// The host it is for; `None` for a task that runs once, here.
    pub host: Option<usize>,
    /// When a task with a timeout has to be done.
    pub deadline: Option<Instant>,
}

pub type Function = Arc<dyn Fn(&Call) -> Result<()> + Send + Sync>;

/// What a task does.
#[derive(Clone)]
pub enum Body {
    /// A place in a flow that a recipe may fill.
    Nothing,
    /// Once, on this machine; it may speak to all hosts.
    Here(Function),
    /// On every host.
    EachHost(Function),
}

#[derive(Clone)]
pub struct Task {
    pub name: String,
    pub body: Body,
    /// Only on the first host of the stage that has the role.
    pub is_once: bool,
    pub role: Option<String>,
    /// On so many hosts at a time.
    pub limit: Option<usize>,
    pub timeout: Option<Duration>,
    pub undo: Option<Function>,
    /// It sends the source, which has to be ready by then.
    pub sends: bool,
    /// Run forward again after a swap back: it tells services which release they serve.
    pub is_repeated: bool,
    /// No recipe has replaced what it does.
    pub is_stdlib: bool,
}

impl Task {
    /// Whether it surely leaves the source alone.
    pub fn spares_source(&self) -> bool {
        self.is_stdlib || matches!(self.body, Body::Nothing)
    }

    pub fn new(name: &str, body: Body) -> Self {
        Self {
            name: name.to_owned(),
            body,
            is_once: false,
            role: None,
            limit: None,
            timeout: None,
            undo: None,
            sends: false,
            is_repeated: false,
            is_stdlib: false,
        }
    }
}
