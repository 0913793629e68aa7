//! A remote without a host, to test wrappers of remotes: a function makes the answers, and it records the names of
//! acts.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::shell::{Act, Answer, Exit};
use crate::transport::{ExtraStreams, Heartbeat, Listener, Remote, RequestResult, TransportError};
use crate::web::Request;

type MakeReply = Box<dyn FnMut(&Act) -> Result<Answer, TransportError> + Send>;

/// Answers with a function.
pub struct SimulatedRemote {
    reply: MakeReply,
    performed: PerformedActs,
}

impl SimulatedRemote {
    pub fn answering(mut answer: impl FnMut(&Act) -> Answer + Send + 'static) -> Self {
        Self::replying(move |act| Ok(answer(act)))
    }

    /// Also returns errors.
    pub fn replying(reply: impl FnMut(&Act) -> Result<Answer, TransportError> + Send + 'static) -> Self {
        Self { reply: Box::new(reply), performed: PerformedActs::default() }
    }

    /// The acts that it performs, from now on and before. The handle outlives it.
    pub fn performed(&self) -> PerformedActs {
        self.performed.clone()
    }
}

impl Remote for SimulatedRemote {
    fn perform(&mut self, act: &Act, _: &mut dyn Listener) -> Result<Answer, TransportError> {
        self.performed.0.lock().unwrap_or_else(PoisonError::into_inner).push(act.op.name);
        (self.reply)(act)
    }

    fn preopen(&mut self, _: usize) {}

    fn begin(&mut self, _: &Act) {}

    fn upload(
        &mut self,
        act: &Act,
        _: &mut dyn Read,
        _: ExtraStreams,
        listener: &mut dyn Listener,
    ) -> Result<Answer, TransportError> {
        self.perform(act, listener)
    }

    fn request(&mut self, request: &Request) -> Result<RequestResult, TransportError> {
        Ok(RequestResult::Failed(format!("nothing listens at `{}`", request.to)))
    }

    fn start_heartbeat(&mut self, _: Heartbeat) {}

    fn send_heartbeat(&mut self) {}

    fn limit_silence(&mut self, _: Option<Duration>) {}

    fn silence(&self) -> Duration {
        Duration::ZERO
    }
}

/// The names of performed acts.
#[derive(Clone, Default)]
pub struct PerformedActs(Arc<Mutex<Vec<&'static str>>>);

impl PerformedActs {
    pub fn names(&self) -> Vec<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A successful answer with `stdout`.
pub fn said(stdout: impl Into<Vec<u8>>) -> Answer {
    Answer { exit: Exit::Code(0), stdout: stdout.into(), stderr: Vec::new() }
}
