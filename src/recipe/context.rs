//! What primitives know while a task runs: the run, the task, the host; and the values for hosts in scripts.

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
use crate::transport::cancel::POLL_INTERVAL;

/// A running task, on one host or on this machine. It is the tag of every call that the task makes.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
    /// The settings that are being computed, outermost first: of a host, or of the stage.
    settings: Vec<(Option<usize>, String)>,
}

struct Inner {
    world: Arc<World>,
    run: Arc<Run>,
    task: String,
    host: Option<usize>,
    deadline: Option<Instant>,
    /// The last command that the plan did not run, so that its answer is unknown.
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

    /// The value of a setting for a host, or for the stage. A function is called once for each host, or once in all if
    /// it has no parameter, and its value is kept.
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
            Some(function) => {
                let host = host.filter(|_| function.arity > 0);
                self.computed(function, host, key).map(Some)
            }
            None => Ok(Some(setting.value.clone())),
        }
    }

    fn computed(&self, function: &Callback, host: Option<usize>, key: &str) -> ScriptResult<Dynamic> {
        let world = self.world();
        if let Some(value) = world.computed(host, key) {
            return Ok(value);
        }
        let context = self.computing(host, key)?;
        // While a setting of the stage is being computed, this thread has the turn already.
        let turn = (host.is_none() && !self.computes_stage()).then(|| world.turn());
        // Another host may have computed it in the meantime.
        if let Some(value) = world.computed(host, key) {
            return Ok(value);
        }
        let mut arguments: Vec<Dynamic> = match (function.arity, host) {
            (1, Some(index)) => vec![Dynamic::from(ScriptHost { context: context.clone(), index })],
            (1, None) => {
                return Err(mistake(
                    Report::new(format!(
                        "setting `{key}` has no value for the stage: it is computed for each host"
                    ))
                    .hint(format!("use `host.get(\"{key}\")`")),
                ));
            }
            _ => Vec::new(),
        };
        let value = function
            .call(&world.engine, Dynamic::from(context), &mut arguments)
            .map_err(|error| function.named(*error, &format!("get(\"{key}\")")))?;
        world.keep_computed(host, key, &value);
        drop(turn);
        Ok(value)
    }

    /// The context in which a setting is computed. Fails if the setting is already being computed.
    fn computing(&self, host: Option<usize>, key: &str) -> ScriptResult<Self> {
        let mut inner = self.clone();
        inner.settings.push((host, key.to_owned()));
        if self.settings.contains(&(host, key.to_owned())) {
            let names: Vec<&str> = inner.settings.iter().map(|(_, key)| key.as_str()).collect();
            let message = format!("setting `{key}` depends on itself: {}", names.join(" -> "));
            return Err(mistake(Report::new(message)));
        }
        Ok(inner)
    }

    /// Whether a setting of the stage is being computed.
    fn computes_stage(&self) -> bool {
        self.settings.iter().any(|(host, _)| host.is_none())
    }

    /// The context of the task that called a primitive. Fails at the top level of a file, where no task runs.
    pub fn of(context: &NativeCallContext) -> ScriptResult<Self> {
        let found = context.tag().and_then(|tag| tag.read_lock::<Context>().map(|c| c.clone()));
        found.ok_or_else(|| {
            mistake(
                Report::new(format!("`{}` cannot be called at the top level of a file", context.fn_name()))
                    .hint("call it in a task: `task(\"name\", || ...);`"),
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

    /// The time limit of a command: its own, or what is left of the task's if that is less.
    pub fn timeout(&self, own: Option<Duration>) -> Option<Duration> {
        let left = self.inner.deadline.map(|end| end.saturating_duration_since(Instant::now()));
        match (own, left) {
            (Some(own), Some(left)) => Some(own.min(left)),
            (own, left) => own.or(left),
        }
    }

    /// Waits. Fails when the user interrupts the run or the task times out.
    pub fn wait(&self, time: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + self.timeout(Some(time)).unwrap_or(time);
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.run().cancel_token.is_cancelled() {
                bail!(Report::interrupted());
            }
            std::thread::sleep(left.min(POLL_INTERVAL));
        }
        match self.inner.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            true => bail!("the task timed out"),
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

/// A host, as scripts see it: `host`.
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

/// Several hosts, as scripts see them: `hosts()`.
#[derive(Clone)]
pub struct ScriptHosts {
    pub context: Context,
    pub indices: Vec<usize>,
}

impl ScriptHosts {
    /// The hosts of the set that the run has not dropped.
    pub fn left(&self) -> Vec<usize> {
        self.context.run().fleet.left_of(&self.indices)
    }

    pub fn each(&self) -> impl Iterator<Item = ScriptHost> {
        self.left().into_iter().map(|index| ScriptHost { context: self.context.clone(), index })
    }

    /// Acts on the hosts of the set. Only a task that runs once can do this: one that runs on every host would repeat it
    /// for each of them.
    pub fn outcome<T>(&self, act: impl FnOnce(&Arc<Run>, &[usize]) -> anyhow::Result<T>) -> ScriptResult<T> {
        if self.context.host().is_some() {
            return Err(mistake(
                Report::new("a task that runs on every host cannot act on a set of hosts")
                    .hint("use a task without a parameter: `task(\"name\", || hosts().swap())`"),
            ));
        }
        if !self.context.settings.is_empty() {
            return Err(mistake(Report::new("the function of a setting must not act on hosts")));
        }
        let result = act(self.context.run(), &self.left());
        Ok(result.map_err(|error| self.context.failure("", error))?)
    }
}
