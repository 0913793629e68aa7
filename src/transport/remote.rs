//! The operations of a host, over any transport, and their outcomes.

use std::io::Read;
use std::time::Duration;

use crate::shell::{Act, Answer};
use crate::transport::payload::ExtraStreams;
use crate::transport::{Listener, TransportError};
use crate::web::{Request, Response};

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestResult {
    /// The response, and the time since the request was sent, including one round trip to the host.
    Answered(Response, Duration),
    /// There was no response, or it could not be read.
    Failed(String),
    Interrupted,
}

/// How to tell a host that this run is alive.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// A script that reads lines until the end of its input. It does something for each line, and answers with a
    /// line.
    pub each_line: Act,
    /// Sends a single heartbeat in the shell, if no channel is available and no act is running.
    pub once: Act,
    pub every: Duration,
}

/// A host that performs acts. Only `send` has a default implementation: with other defaults, a wrapper that forgets
/// to forward a call would lose it without an error.
pub trait Remote: Send {
    /// Performs an act in the persistent shell of the host. Its script starts in the working directory of the shell,
    /// with `/dev/null` as standard input and with nothing left from earlier scripts.
    fn perform(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Answer, TransportError>;

    /// Announces that up to `n_payloads` payloads may be sent soon. Channels for them are opened if the host is
    /// connected.
    fn preopen(&mut self, n_payloads: usize);

    /// Sends an act, as far as possible without waiting. The next call of `perform` must be for this act.
    fn begin(&mut self, act: &Act);

    /// Performs an act on a separate channel, with `payload` on its standard input after the script, and sends the
    /// extra streams in parallel if possible. Returns the first answer that is a failure, else the answer of the act.
    /// If the script ends without reading all of `payload`, its exit tells whether that is an error. Nothing else
    /// happens while a payload is read, so reading it must not take long.
    fn upload(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        extra: ExtraStreams,
        listener: &mut dyn Listener,
    ) -> Result<Answer, TransportError>;

    /// Uploads without extra streams.
    fn send(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        listener: &mut dyn Listener,
    ) -> Result<Answer, TransportError> {
        self.upload(act, payload, ExtraStreams::none(act), listener)
    }

    /// Sends a request to an application on the host, and waits for its response until the timeout of the request.
    fn request(&mut self, request: &Request) -> Result<RequestResult, TransportError>;

    /// Sends heartbeats from now on: while acts run, and whenever `send_heartbeat` is called.
    fn start_heartbeat(&mut self, heartbeat: Heartbeat);

    /// Sends a heartbeat if one is due. Never connects.
    fn send_heartbeat(&mut self);

    /// From now on, the connection counts as lost if the host does not answer heartbeats for so long. The default is the
    /// limit of the link.
    fn limit_silence(&mut self, limit: Option<Duration>);

    /// How long the host has not answered anything, including heartbeats.
    fn silence(&self) -> Duration;
}
