//! What a host can be asked to do, over any transport, and the outcomes.

use std::io::Read;
use std::time::Duration;

use crate::shell::{Act, Answer};
use crate::transport::payload::ExtraStreams;
use crate::transport::{Listener, Lost};
use crate::web::{Question, Response};

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuestionOutcome {
    /// And how long after the question was under way: once to the host and back is in it.
    Answered(Response, Duration),
    /// There was no answer, or none that can be read.
    Failed(String),
    Interrupted,
}

/// How to tell a host that this run is alive.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// Its script reads lines as long as they come, does something for each, and answers it with a line.
    pub each_line: Act,
    /// The same once, in the shell, where there is no channel to be had and no act runs.
    pub once: Act,
    pub every: Duration,
}

/// A host as acts meet it. Nothing but `send` has a default: a wrapper that did not pass something on would lose it
/// without an error.
pub trait Remote: Send {
    /// Performs an act in the host's persistent shell. Its script starts in the shell's working directory, with
    /// `/dev/null` as standard input and nothing left over from earlier scripts.
    fn perform(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Answer, Lost>;

    /// So many payloads may soon be sent: channels for them may be opened, if that needs no other connection.
    fn preopen(&mut self, n_payloads: usize);

    /// Has an act on its way, as far as that can be without waiting. The next one that is performed must be this one.
    fn begin(&mut self, act: &Act);

    /// Performs an act on a channel of its own, `payload` on its standard input behind the script, and sends the extra
    /// streams, at the same time where that can be. Answers the first that failed, or else the act. A script that ends
    /// without reading all of `payload` is not an error of its own: its exit tells. Nothing else is looked at while a
    /// payload is being read, so it should not wait for long.
    fn upload(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        extra: ExtraStreams,
        listener: &mut dyn Listener,
    ) -> Result<Answer, Lost>;

    /// The same without extra streams.
    fn send(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        listener: &mut dyn Listener,
    ) -> Result<Answer, Lost> {
        self.upload(act, payload, ExtraStreams::none(act), listener)
    }

    /// Asks what listens on the host. Its answer is read as it comes, and waited for as long as the question says.
    fn ask(&mut self, question: &Question) -> Result<QuestionOutcome, Lost>;

    /// Sends heartbeats from now on: while acts run, and when `send_heartbeat` is called while none does.
    fn start_heartbeat(&mut self, heartbeat: Heartbeat);

    /// Sends a heartbeat if one is due. Never connects.
    fn send_heartbeat(&mut self);

    /// For how long the host has answered nothing, heartbeats included.
    fn silence(&self) -> Duration;
}
