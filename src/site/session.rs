//! The session with one host: the only place where a step meets a transport, and where a plan differs from a run. It
//! holds the lock, and does what can wait together with the next step.

use std::io::Read;
use std::sync::Arc;

use anyhow::{Context, Error, Result, bail};

use crate::event::{Event, Report, Sink};
use crate::host::Host;
use crate::release::ReleaseName;
use crate::release::fill::{self, HALF};
use crate::release::history::HistoryEntry;
use crate::release::lock::{Lock, Owner};
use crate::release::probe;
use crate::release::seen::Seen;
use crate::shell::{Act, Answer, Effect, Op, Step};
use crate::site::listener::OutputListener;
use crate::site::options::Options;
use crate::site::plan;
use crate::site::swapping::UnconfirmedSwap;
use crate::site::view::View;
use crate::transport::fail_fast::FailFast;
use crate::transport::{ExtraStreams, Fallback, Remote, RequestResult, Silent, TransportError};
use crate::tree::{CompressionMode, Pack};
use crate::web::Request;

pub struct Session {
    pub(super) host: Host,
    pub(super) options: Options,
    pub(super) remote: FailFast,
    pub(super) events: Arc<dyn Sink>,
    /// Steps that write are only listed, not performed.
    is_planning: bool,
    pub(super) view: View,
    /// In a plan, no server knows of it.
    pub(super) lock: Option<Lock>,
    /// What this run wrote into the lock, to take it again.
    pub(super) owner: Option<Owner>,
    /// The connection was lost, and the lock with it.
    pub(super) is_disconnected: bool,
    /// The swap that the server undoes unless this run confirms it.
    pub(super) unconfirmed: Option<UnconfirmedSwap>,
    pub(super) backlog: Backlog,
    /// How many parts, besides the first, a first deploy would send of its pack, as far as that is known when it is
    /// called.
    pub(super) n_parts: Option<Box<dyn Fn(CompressionMode) -> usize + Send>>,
}

/// What can wait for the next step, because nothing depends on its answer.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pub(super) confirms: bool,
    pub(super) prunes: Option<(Vec<ReleaseName>, Option<HistoryEntry>)>,
}

impl Session {
    pub(super) fn new(
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
            is_planning,
            view: View::new(),
            lock: None,
            owner: None,
            is_disconnected: false,
            unconfirmed: None,
            backlog: Backlog::default(),
            n_parts: None,
        }
    }

    pub(super) fn is_planning(&self) -> bool {
        self.is_planning
    }

    /// What this run knows about the site.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Probes the server and the site, each time it is called.
    pub fn look(&mut self) -> Result<&Seen> {
        let step = probe::probe(self.host.path.as_str(), &self.options.shared);
        let seen = self.query(step).map_err(|error| self.host.at_path(error))?;
        self.learn(seen)
    }

    pub(super) fn learn(&mut self, seen: Seen) -> Result<&Seen> {
        if let Some(report) = self.options.refusal(&seen, &self.host.places) {
            bail!(report);
        }
        if let Some(n_parts) = self.n_parts.take().filter(|_| seen.complete().all(|record| record.adopted)) {
            self.remote.preopen(n_parts(CompressionMode::by(|program| seen.facts.has(program))));
        }
        Ok(self.view.learn(seen))
    }

    /// Opens the channels for a pack in advance: one, and one for each further part if the server turns out to have no
    /// release yet.
    pub fn preopen_pack(&mut self, n_parts: impl Fn(CompressionMode) -> usize + Send + 'static) {
        if !self.is_planning {
            self.remote.preopen(1);
            self.n_parts = Some(Box::new(n_parts));
        }
    }

    /// Prepares to undo the run: from now on, a host that cannot be reached is tried only once, so that the undo does
    /// not wait for it at every step.
    pub fn begin_undo(&mut self) {
        self.remote.fail_fast();
    }

    /// Performs a step that only reads. A plan performs it, too.
    pub(super) fn query<A>(&mut self, step: Step<A>) -> Result<A> {
        match self.act(step)? {
            Some(answer) => Ok(answer),
            None => bail!("a plan recorded a step that only reads"),
        }
    }

    /// Performs a step; `None` when a plan recorded it instead.
    pub(super) fn act<A>(&mut self, step: Step<A>) -> Result<Option<A>> {
        self.perform(step, false)
    }

    /// The same, and emits every line of its output.
    pub(super) fn act_with_output<A>(&mut self, step: Step<A>) -> Result<Option<A>> {
        self.perform(step, true)
    }

    fn perform<A>(&mut self, step: Step<A>, emits_output: bool) -> Result<Option<A>> {
        if self.plans(&step.act.op, step.act.effect) {
            return Ok(None);
        }
        self.prepare(&step.act)?;
        self.limit_silence();
        let mut listener = OutputListener::new(&self.host.name, &self.events, None);
        if emits_output {
            listener = listener.lines();
        }
        let reply = self.remote.perform(&step.act, &mut listener);
        drop(listener);
        self.is_disconnected |= reply.is_err();
        self.read(step, reply).map(Some)
    }

    /// Performs a step with a pack, or its first part, on standard input. The other parts are unpacked into `release`
    /// once `step` has done its half. Also returns how many bytes compression saved.
    pub(super) fn send<A>(
        &mut self,
        step: Step<A>,
        release: &ReleaseName,
        pack: &Pack,
    ) -> Result<(Option<A>, u64)> {
        // The host stores the payload, so this counts as a step that writes, whatever its act declares.
        if self.plans(&step.act.op, Effect::Writes) {
            return Ok((None, 0));
        }
        self.prepare(&step.act)?;
        self.limit_silence();
        let lock = self.locked()?;
        let mut parts = pack.parts();
        let queue = Arc::clone(&parts.queue);
        let mut listener =
            OutputListener::new(&self.host.name, &self.events, Some(pack.n_bytes())).of(&queue);
        let [unpack, expand] = [pack.compression.at_once(), pack.compression.later()]
            .map(|packing| fill::unpack(&lock, release, packing).act);
        let (left, begin) = (|| queue.left(), || queue.compress());
        let fallback = Fallback { act: &expand, payloads: payloads(&mut parts.compressed), begin: &begin };
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
        // If only the payload failed, the connection still works.
        self.is_disconnected |= matches!(reply, Err(TransportError::Gone { .. }));
        let answer = self
            .read(step, reply)
            .with_context(|| format!("{sent} of {} bytes were sent", pack.n_bytes()))?;
        Ok((Some(answer), queue.saved()))
    }

    /// Sends a request, which messages call `title`, to an application on the host; `None` when a plan recorded it
    /// instead.
    pub(super) fn request(
        &mut self,
        request: &Request,
        title: &str,
        effect: Effect,
    ) -> Result<Option<RequestResult>> {
        if self.plans(&Op { name: "request", data: vec![("title", title.to_owned())] }, effect) {
            return Ok(None);
        }
        self.limit_silence();
        self.events.event(Event::Command { host: self.host.name.clone(), text: title.to_owned() });
        let reply = self.remote.request(request);
        self.is_disconnected |= reply.is_err();
        reply.with_context(|| format!("`{title}` on `{}` was cut off", self.host.name)).map(Some)
    }

    /// Whether a plan skips this act because it writes. If so, the plan has listed it.
    pub(super) fn plans(&self, op: &Op, effect: Effect) -> bool {
        let is_planned = self.is_planning && effect == Effect::Writes;
        if is_planned {
            for text in plan::lines(op) {
                self.events.event(Event::Planned { host: self.host.name.clone(), text });
            }
        }
        is_planned
    }

    /// Fails with `report`. A plan only warns.
    pub fn refuse(&self, report: Report) -> Result<()> {
        if !self.is_planning {
            return Err(report.into());
        }
        let message = format!("a deploy would fail: {}", report.message);
        let report = Report { message, hosts: vec![self.host.name.clone()], ..report };
        self.events.event(Event::Failed { report: report.warning() });
        Ok(())
    }

    /// Before a step: does what has waited for it. A step that writes needs the lock, which is lost with a connection.
    fn prepare(&mut self, act: &Act) -> Result<()> {
        let is_due = self.backlog.confirms || self.backlog.prunes.is_some();
        if is_due || act.effect == Effect::Writes {
            self.retake_lock()?;
        }
        if is_due { self.end(false) } else { Ok(()) }
    }

    /// Performs an act of the session itself.
    pub(super) fn perform_silently(&mut self, act: &Act) -> Result<Answer, TransportError> {
        self.limit_silence();
        let reply = self.remote.perform(act, &mut Silent);
        self.is_disconnected |= reply.is_err();
        reply
    }

    pub(super) fn read<A>(&self, step: Step<A>, reply: Result<Answer, TransportError>) -> Result<A> {
        let op = step.act.op.name;
        let name = &self.host.name;
        match reply {
            Ok(answer) => {
                self.view.has_answered.set(true);
                (step.read)(&answer)
            }
            Err(TransportError::Refused { report }) => {
                let report = report.or_at(&self.host.places.host);
                Err(report).with_context(|| format!("no connection to `{name}`"))
            }
            Err(lost) => {
                let error = Error::new(lost).context(format!("step `{op}` on `{name}` was cut off"));
                Err(match self.has_lost_contact() {
                    true => Report { hint: self.lost_contact("").hint, ..Report::of(&error) }.into(),
                    false => error,
                })
            }
        }
    }

    /// Reports an error that does not stop the run.
    pub(super) fn warn_of(&self, error: anyhow::Error) {
        let report = Report { hosts: vec![self.host.name.clone()], ..Report::of(&error) };
        self.events.event(Event::Failed { report: report.warning() });
    }

    pub(super) fn warn(&self, text: String) {
        self.events.event(Event::Warning { host: Some(self.host.name.clone()), text });
    }

    pub fn note(&self, text: String) {
        self.events.event(Event::Note { host: Some(self.host.name.clone()), text });
    }
}

fn payloads<R: Read>(readers: &mut [R]) -> Vec<&mut dyn Read> {
    readers.iter_mut().map(|reader| reader as &mut dyn Read).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::host::{DeployPath, Places, Settings, TransportKind};
    use crate::shell::Script;
    use crate::transport::simulated::{SimulatedRemote, said};

    /// Keeps the lines of a plan.
    #[derive(Default)]
    struct Notes(Mutex<Vec<String>>);

    impl Sink for Notes {
        fn event(&self, event: Event) {
            if let Event::Planned { host, text } = event {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{host}: {text}"));
            }
        }
    }

    fn host() -> Host {
        Host {
            name: "h1".to_owned(),
            address: "h1".to_owned(),
            port: None,
            user: None,
            host_keys: Vec::new(),
            path: DeployPath::remote("/srv/shop").unwrap(),
            roles: None,
            transport: TransportKind::Local,
            settings: Settings::default(),
            places: Places::default(),
        }
    }

    #[test]
    fn a_plan_performs_what_reads_and_tells_what_writes_in_order() {
        let remote = SimulatedRemote::answering(|_| said("yes"));
        let performed = remote.performed();
        let told = Arc::new(Notes::default());
        let mut session = Session::new(host(), Options::default(), Box::new(remote), told.clone(), true);
        let step = |name, effect| Step::new(name, effect, Script::new(":"), |_| Ok(()));
        assert_eq!(session.act(step("probe", Effect::Reads)).unwrap(), Some(()));
        let link = step("link", Effect::Writes).data_each("path", ["a", "b"]);
        assert_eq!(session.act(link).unwrap(), None);
        // Another act's lines describe it.
        assert_eq!(session.act(step("arm", Effect::Writes).data("to", "releases/1")).unwrap(), None);
        let swap = step("swap", Effect::Writes).data("to", "releases/1");
        assert_eq!(session.act(swap).unwrap(), None);
        assert_eq!(performed.names(), ["probe"]);
        let told = told.0.lock().unwrap().clone();
        assert_eq!(told, ["h1: link `a`", "h1: link `b`", "h1: re-point `current` to `releases/1`"]);
    }
}
