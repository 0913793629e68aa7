//! One host of a run: its remote, what was seen there, and how far its release has come. The only place where a step
//! meets a transport.
//!
//! **Invariant:** `current` is re-pointed only to a release whose record was seen complete.

mod base;
mod build;
mod command;
mod lock;
mod serve;
pub mod told;
mod web;

use std::io::Read;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::event::{Event, Report, Sink};
use crate::host::Host;
use crate::release::current::Target;
use crate::release::fill::{self, Begun, Duplicate, HALF};
use crate::release::lock::Owner;
use crate::release::plan::PathRules;
use crate::release::probe;
use crate::release::seen::Seen;
use crate::release::{Lock, Record, ReleaseName, SharedPath};
use crate::shell::{Answer, Step};
use crate::transport::fail_fast::FailFast;
use crate::transport::{ExtraStreams, Fallback, Lost, Remote, Reply};
use crate::tree::{Manifest, Pack, Squeezed};

pub use base::{Drift, Standing};
pub use build::Fill;
pub use command::{Asked, Ran};
use lock::Due;
pub use serve::Occasion;
use serve::Swapping;
use told::Told;
pub use web::Heard;

/// What the settings say of one host, read and checked before the run.
#[derive(Debug, Clone)]
pub struct Options {
    pub shared: Vec<SharedPath>,
    pub rules: PathRules,
    pub env: Vec<(String, String)>,
    pub duplicate: Duplicate,
    pub drift: Drift,
    pub is_durable: bool,
    /// How many seconds a swap may go unconfirmed without a sign of life.
    pub confirm_within: u64,
    /// What the server runs after it took a swap back by itself.
    pub revert_command: String,
    /// Whether a host that nobody knows yet is believed to be who it says.
    pub accepts_new_keys: bool,
}

/// For one who only looks.
impl Default for Options {
    fn default() -> Self {
        Self {
            shared: Vec::new(),
            rules: PathRules::default(),
            env: Vec::new(),
            duplicate: Duplicate::Link,
            drift: Drift::Report,
            is_durable: false,
            confirm_within: 60,
            revert_command: String::new(),
            accepts_new_keys: false,
        }
    }
}

/// How far this run's release has come on this host.
enum Work {
    None,
    /// A directory that does not count; with the manifest once it is filled.
    Building {
        record: Record,
        begun: Begun,
        manifest: Option<Manifest>,
        shared: Vec<SharedPath>,
    },
    /// It waits to be served; its manifest as before.
    Complete {
        record: Record,
        manifest: Option<Manifest>,
        shared: Vec<SharedPath>,
    },
    /// It was swapped to and taken back: it stays as failed until the next prune, since processes may still be in it.
    TakenBack {
        record: Record,
    },
    /// `current` leads to it: the release of this run, or the one that was rolled back to.
    Swapped {
        record: Record,
    },
}

pub struct Site {
    pub host: Host,
    pub options: Options,
    remote: FailFast,
    events: Arc<dyn Sink>,
    seen: Option<Seen>,
    lock: Option<Lock>,
    /// Who this run says that it is, for the lock to be taken again.
    owner: Option<Owner>,
    /// The connection was lost, and the lock with it.
    is_cut: bool,
    work: Work,
    /// Something of the recipe may have replaced files of the release.
    is_worked_in: bool,
    /// The swap that is armed, or was made.
    swapping: Option<Swapping>,
    is_confirmed: bool,
    due: Due,
    /// Where `current` led when this run first saw it.
    before: Target,
    /// `current` was to be re-pointed, and nobody has looked since.
    is_in_doubt: bool,
    /// In how many parts a first deploy would send its pack beside the first, as far as that is known by then.
    n_parts: Option<Box<dyn Fn(Squeezed) -> usize + Send>>,
    /// Commands work in `current` whatever the release is at: after a swap back, services take up what is served.
    pub is_in_current: bool,
    /// A plan: what writes is recorded, and what would then be there is only imagined.
    is_planning: bool,
}

impl Site {
    pub fn new(
        host: Host,
        options: Options,
        remote: Box<dyn Remote>,
        events: Arc<dyn Sink>,
        is_planning: bool,
    ) -> Self {
        Self {
            host,
            options,
            remote: FailFast::new(remote),
            events,
            is_in_current: false,
            is_planning,
            seen: None,
            lock: None,
            owner: None,
            is_cut: false,
            work: Work::None,
            is_worked_in: false,
            swapping: None,
            is_confirmed: false,
            due: Due::default(),
            before: Target::Nothing,
            is_in_doubt: false,
            n_parts: None,
        }
    }

    /// A pack will be sent to it, and beside it so many parts if the server turns out to have nothing of it.
    pub fn foresee_pack(&mut self, n_parts: impl Fn(Squeezed) -> usize + Send + 'static) {
        if !self.is_planning {
            self.remote.preopen(1);
            self.n_parts = Some(Box::new(n_parts));
        }
    }

    /// Asks the server what it is and what stands in the site. Asked again, it looks again.
    pub fn look(&mut self) -> Result<&Seen> {
        let step = probe::probe(self.host.path.as_str(), &self.options.shared);
        let seen = self.ask(step)?;
        self.learn(seen)
    }

    /// Takes what a server said of the site for given.
    fn learn(&mut self, seen: Seen) -> Result<&Seen> {
        if !seen.facts.has("tar") {
            bail!(
                Report::new("the server has no `tar`")
                    .note(format!("it was looked for in {}", seen.facts.path))
                    .hint("install it, or set `env` so that `PATH` leads to it")
            );
        }
        if self.seen.is_none() {
            self.before = Target::of(&seen.current);
        }
        self.is_in_doubt = false;
        if let Some(n_parts) = self.n_parts.take().filter(|_| seen.complete().all(|record| record.adopted)) {
            self.remote.preopen(n_parts(Squeezed::by(|program| seen.facts.has(program))));
        }
        Ok(self.seen.insert(seen))
    }

    pub fn seen(&self) -> Result<&Seen> {
        self.seen.as_ref().context("the host was not asked yet: task `lock` must come first")
    }

    /// Whether what `seen` says of `current` may be wrong by now.
    pub fn is_in_doubt(&self) -> bool {
        self.is_in_doubt
    }

    /// What follows undoes the run: a host that is lost is not waited for at each step of that.
    pub fn begin_undo(&mut self) {
        self.remote.fail_fast();
    }

    fn seen_mut(&mut self) -> Result<&mut Seen> {
        self.seen.as_mut().context("the host was not asked yet: task `lock` must come first")
    }

    fn root(&self) -> Result<String> {
        Ok(self.seen()?.root.clone())
    }

    fn locked(&self) -> Result<Lock> {
        self.lock.clone().context("the site is not locked: task `lock` must come first")
    }

    /// The release of this run, while it is being built or after.
    pub fn release(&self) -> Option<&ReleaseName> {
        match &self.work {
            Work::None => None,
            Work::Building { record, .. }
            | Work::Complete { record, .. }
            | Work::TakenBack { record }
            | Work::Swapped { record } => Some(&record.name),
        }
    }

    /// What was served when this run began.
    pub fn previous(&self) -> Option<ReleaseName> {
        self.before.release_name()
    }

    /// Performs what reads. A plan performs it as well.
    fn ask<A>(&mut self, step: Step<A>) -> Result<A> {
        match self.act(step)? {
            Some(answer) => Ok(answer),
            None => bail!("a plan recorded a step that only reads"),
        }
    }

    /// Performs a step; `None` when a plan recorded it instead.
    fn act<A>(&mut self, step: Step<A>) -> Result<Option<A>> {
        self.prepare(&step.act)?;
        let mut listener = Told::new(&self.host.name, &self.events, None);
        let reply = self.remote.perform(&step.act, &mut listener);
        drop(listener);
        self.is_cut |= reply.is_err();
        self.read(step, reply)
    }

    /// The same with a pack on its standard input, or with the first part of it: the others are unpacked into `release` once
    /// `step` has done its half. Answers as well how many bytes needed not be sent.
    fn send<A>(&mut self, step: Step<A>, release: &ReleaseName, pack: &Pack) -> Result<(Option<A>, u64)> {
        self.prepare(&step.act)?;
        let lock = self.locked()?;
        let mut parts = pack.parts();
        let queue = Arc::clone(&parts.queue);
        let mut listener = Told::new(&self.host.name, &self.events, Some(pack.n_bytes())).of(&queue);
        let [unpack, expand] = [pack.squeezed.at_once(), pack.squeezed.later()]
            .map(|packing| fill::unpack(&lock, release, packing).act);
        let (left, begin) = (|| queue.left(), || queue.squeeze());
        let fallback = Fallback { act: &expand, payloads: payloads(&mut parts.squeezed), begin: &begin };
        let extra = ExtraStreams {
            act: &unpack,
            payloads: payloads(&mut parts.beside),
            after: HALF,
            left: &left,
            fallback: Some(fallback).filter(|fallback| !fallback.payloads.is_empty()),
        };
        let reply = self.remote.upload(&step.act, &mut parts.first, extra, &mut listener);
        let sent = listener.n_sent();
        drop(listener);
        if let Some(failure) = parts.take_failure() {
            return Err(failure);
        }
        // What only the payload failed by leaves the connection as it was.
        self.is_cut |= matches!(reply, Err(Lost::Gone { .. }));
        let answer = self
            .read(step, reply)
            .with_context(|| format!("{sent} of {} bytes were sent", pack.n_bytes()))?;
        Ok((answer, queue.saved()))
    }

    fn read<A>(&self, step: Step<A>, reply: Result<Reply, Lost>) -> Result<Option<A>> {
        let op = step.act.op.name;
        let name = &self.host.name;
        match reply {
            Ok(Reply::Answered(answer)) => (step.read)(&answer).map(Some),
            Ok(Reply::Recorded) => Ok(None),
            Err(lost @ Lost::Refused { .. }) => {
                Err(lost).with_context(|| format!("no connection to `{name}`"))
            }
            Err(lost) => Err(lost).with_context(|| format!("step `{op}` on `{name}` was cut off")),
        }
    }

    fn warn(&self, text: String) {
        self.events.event(Event::Warning { host: Some(self.host.name.clone()), text });
    }

    fn note(&self, text: String) {
        self.events.event(Event::Note { host: Some(self.host.name.clone()), text });
    }

    fn planned(&self, text: String) {
        self.events.event(Event::Planned { host: self.host.name.clone(), text });
    }
}

fn payloads<R: Read>(readers: &mut [R]) -> Vec<&mut dyn Read> {
    readers.iter_mut().map(|reader| reader as &mut dyn Read).collect()
}

/// Reads what a command said as text, without the newline at its end.
pub fn text_of(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.stdout);
    text.strip_suffix('\n').unwrap_or(&text).to_owned()
}
