//! What primitives find while a task runs: the run, the task, the host; and the values of scripts that stand for them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Error, bail};
use rhai::{Dynamic, NativeCallContext};

use crate::event::{Event, Report};
use crate::recipe::callback::Callback;
use crate::recipe::failure::{Failure, ScriptResult, Unanswered, mistake};
use crate::recipe::world::World;
use crate::run::Run;
use crate::site::Site;

/// One task at work, on one host or here. The tag of every call below it.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
    /// The settings whose functions are at work, outermost first: of a host, or of the stage.
    settings: Vec<(Option<usize>, String)>,
}

struct Inner {
    world: Arc<World>,
    run: Arc<Run>,
    task: String,
    host: Option<usize>,
    deadline: Option<Instant>,
    /// The last command of a plan whose answer nobody knows.
    unanswered: Mutex<Option<String>>,
}

impl Context {
    pub fn new(
        world: &Arc<World>,
        run: &Arc<Run>,
        task: &str,
        host: Option<usize>,
        deadline: Option<Instant>,
    ) -> Self {
        let inner = Arc::new(Inner {
            world: world.clone(),
            run: run.clone(),
            task: task.to_owned(),
            host,
            deadline,
            unanswered: Mutex::new(None),
        });
        Self { inner, settings: Vec::new() }
    }

    /// A setting as a host has it, or as the stage does. A function is called once, and its value kept.
    pub fn setting(&self, host: Option<usize>, key: &str) -> ScriptResult<Option<Dynamic>> {
        let world = self.world();
        let Some(settings) = world.settings.get() else {
            return Ok(None);
        };
        let resolved = host.map_or(&settings.stage, |host| &settings.hosts[host]);
        let Some(setting) = resolved.get(key) else {
            return Ok(None);
        };
        if key == "source"
            && let Some(export) = world.export().map_err(|error| self.failure("", error))?
        {
            return Ok(Some(export.to_string_lossy().into_owned().into()));
        }
        match &setting.function {
            Some(function) => self.worked_out(function, host, key).map(Some),
            None => Ok(Some(setting.value.clone())),
        }
    }

    fn worked_out(&self, function: &Callback, host: Option<usize>, key: &str) -> ScriptResult<Dynamic> {
        let world = self.world();
        if let Some(value) = world.worked_out(host, key) {
            return Ok(value);
        }
        let context = self.working_out(host, key)?;
        // Whoever works a setting of the stage out already has the turn.
        let turn = (host.is_none() && !self.works_out_stage()).then(|| world.turn());
        // Another host may have been faster.
        if let Some(value) = world.worked_out(host, key) {
            return Ok(value);
        }
        let mut arguments: Vec<Dynamic> = match (function.arity, host) {
            (1, Some(index)) => vec![Dynamic::from(ScriptHost { context: context.clone(), index })],
            (1, None) => {
                return Err(mistake(
                    Report::new(format!("setting `{key}` is worked out for each host"))
                        .hint(format!("write `host.get(\"{key}\")`")),
                ));
            }
            _ => Vec::new(),
        };
        let value = function
            .call(&world.engine, Dynamic::from(context), &mut arguments)
            .map_err(|error| function.named(*error, &format!("get(\"{key}\")")))?;
        world.keep_worked_out(host, key, &value);
        drop(turn);
        Ok(value)
    }

    /// The same task while it works a setting out; refused when that is being worked out already.
    fn working_out(&self, host: Option<usize>, key: &str) -> ScriptResult<Self> {
        let mut inner = self.clone();
        inner.settings.push((host, key.to_owned()));
        if self.settings.contains(&(host, key.to_owned())) {
            let names: Vec<&str> = inner.settings.iter().map(|(_, key)| key.as_str()).collect();
            let message = format!("setting `{key}` is worked out from itself: {}", names.join(" -> "));
            return Err(mistake(Report::new(message)));
        }
        Ok(inner)
    }

    /// Whether a function of the stage's settings is at work.
    fn works_out_stage(&self) -> bool {
        self.settings.iter().any(|(host, _)| host.is_none())
    }

    /// The task that a primitive was called in; at the top level of a file there is none.
    pub fn of(context: &NativeCallContext) -> ScriptResult<Self> {
        let found = context.tag().and_then(|tag| tag.read_lock::<Context>().map(|c| c.clone()));
        found.ok_or_else(|| {
            mistake(
                Report::new(format!(
                    "`{}` acts, and cannot be used at the top level of a file",
                    context.fn_name()
                ))
                .hint("put it into a task: `task(\"name\", || ...);`"),
            )
        })
    }

    pub fn world(&self) -> &Arc<World> {
        &self.inner.world
    }

    pub fn run(&self) -> &Arc<Run> {
        &self.inner.run
    }

    pub fn task(&self) -> &str {
        &self.inner.task
    }

    pub fn host(&self) -> Option<usize> {
        self.inner.host
    }

    /// How long a command may take: its own limit, and what is left of the task's.
    pub fn timeout(&self, own: Option<Duration>) -> Option<Duration> {
        let left = self.inner.deadline.map(|end| end.saturating_duration_since(Instant::now()));
        match (own, left) {
            (Some(own), Some(left)) => Some(own.min(left)),
            (own, left) => own.or(left),
        }
    }

    /// Waits, unless the user or the task's timeout ends it.
    pub fn wait(&self, time: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + self.timeout(Some(time)).unwrap_or(time);
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.run().interrupt.is_raised() {
                bail!("interrupted");
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
        match self.inner.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            true => bail!("the time of the task is over"),
            false => Ok(()),
        }
    }

    pub fn failure(&self, host: &str, error: impl Into<Error>) -> Failure {
        Failure::new(host, &self.inner.task, error)
    }

    /// The answer of a command that a plan did not run.
    pub fn unanswered(&self, command: &str) -> Dynamic {
        let mut last = self.inner.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(command.to_owned());
        Dynamic::from(Unanswered { command: command.to_owned() })
    }

    pub fn last_unanswered(&self) -> Option<String> {
        let last = self.inner.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    pub fn note(&self, text: &str) {
        self.inner.run.events.event(Event::Note { host: None, text: text.to_owned() });
    }
}

/// A server, as scripts see it: `host`.
#[derive(Clone)]
pub struct ScriptHost {
    pub context: Context,
    pub index: usize,
}

impl ScriptHost {
    pub fn name(&self) -> String {
        self.context.run().fleet.name(self.index).to_owned()
    }

    pub fn site(&self) -> MutexGuard<'_, Site> {
        self.context.run().fleet.site(self.index)
    }

    pub fn failed(&self, error: impl Into<Error>) -> Failure {
        self.context.failure(&self.name(), error)
    }

    /// Turns an error of the layers below into one that scripts can catch.
    pub fn outcome<T>(&self, result: anyhow::Result<T>) -> ScriptResult<T> {
        Ok(result.map_err(|error| self.failed(error))?)
    }
}

/// Several servers, as scripts see them: `hosts()`.
#[derive(Clone)]
pub struct ScriptHosts {
    pub context: Context,
    pub indices: Vec<usize>,
}

impl ScriptHosts {
    /// Those that the run still has.
    pub fn left(&self) -> Vec<usize> {
        self.context.run().fleet.left_of(&self.indices)
    }

    pub fn each(&self) -> impl Iterator<Item = ScriptHost> {
        self.left().into_iter().map(|index| ScriptHost { context: self.context.clone(), index })
    }

    /// Acts on several hosts belong to a task that runs once: on every host they would be done over and over.
    pub fn outcome<T>(&self, act: impl FnOnce(&Arc<Run>, &[usize]) -> anyhow::Result<T>) -> ScriptResult<T> {
        if self.context.host().is_some() {
            return Err(mistake(
                Report::new("a set of hosts is acted on in a task without a parameter")
                    .hint("write `task(\"name\", || hosts().swap())`"),
            ));
        }
        if !self.context.settings.is_empty() {
            return Err(mistake(Report::new("the function of a setting asks; it does not act on hosts")));
        }
        let result = act(self.context.run(), &self.left());
        Ok(result.map_err(|error| self.context.failure("", error))?)
    }
}
