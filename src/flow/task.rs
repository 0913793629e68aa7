//! A task and a call of it. What the task does is a boxed function, which the layer above makes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::run::Run;

/// One call of a task's body.
pub struct Call<'a> {
    pub run: &'a Arc<Run>,
    pub task: &'a str,
    /// The host; `None` for a task that runs once, on this machine.
    pub host: Option<usize>,
    /// When the task times out, if it has a timeout.
    pub deadline: Option<Instant>,
}

pub type Function = Arc<dyn Fn(&Call) -> Result<()> + Send + Sync>;

/// Whether a task has something to do on a host.
pub type Applies = Arc<dyn Fn(&Call) -> bool + Send + Sync>;

/// What a task does.
#[derive(Clone)]
pub enum Body {
    /// An empty task, which a recipe can fill.
    Nothing,
    /// Runs once, on this machine. It can act on sets of hosts.
    Here(Function),
    /// Runs on every host.
    EachHost(Function),
}

#[derive(Clone)]
pub struct Task {
    pub name: String,
    pub body: Body,
    /// Runs only on the first host of the stage that has the role.
    pub is_once: bool,
    pub role: Option<String>,
    /// On how many hosts it runs at a time.
    pub limit: Option<usize>,
    pub timeout: Option<Duration>,
    pub undo: Option<Function>,
    /// If given, it runs only on hosts for which this is true.
    pub applies: Option<Applies>,
    /// The task sends the source, which must be ready when it starts.
    pub sends: bool,
    /// It runs again after a swap back, so that services load the previous release.
    pub is_repeated: bool,
    /// The task that it reverts: what runs again after a swap back, and is hooked in after that one, runs after this one.
    pub reverts: Option<String>,
    /// No recipe has replaced what it does.
    pub is_stdlib: bool,
}

impl Task {
    /// Whether the task certainly does not change the source.
    pub fn keeps_source(&self) -> bool {
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
            applies: None,
            sends: false,
            is_repeated: false,
            reverts: None,
            is_stdlib: false,
        }
    }
}
