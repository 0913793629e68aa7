//! A `Remote` over any link: a persistent shell for acts, and a separate channel for each payload.
//!
//! Output of a process that an earlier script left behind is discarded between acts. While another act runs, it
//! counts as output of that act, since the two cannot be told apart.

use std::io::Read;
use std::time::Duration;

use crate::shell::{Act, Answer, Exit};
use crate::transport::cancel::CancelToken;
use crate::transport::ending::end;
use crate::transport::heartbeat::HeartbeatSender;
use crate::transport::link::Link;
use crate::transport::request::RequestExchange;
use crate::transport::shell::{Shell, answer, is_unknown};
use crate::transport::spare::SpareChannels;
use crate::transport::turn::{ExchangeEnd, Turn, TurnLimits};
use crate::transport::upload::Uploader;
use crate::transport::{ExtraStreams, Heartbeat, Listener, Remote, RequestResult, Silent, TransportError};
use crate::web::{Request, WebStream};

/// How long a channel may take to open, and its login shell to read its startup files, some of which use the network.
const START: Duration = Duration::from_secs(120);

pub struct FramedRemote<L: Link> {
    link: L,
    limits: TurnLimits,
    shell: Shell,
    heartbeat: HeartbeatSender,
    spare: SpareChannels,
}

impl<L: Link> FramedRemote<L> {
    pub fn new(link: L, cancel_token: CancelToken) -> Self {
        Self {
            link,
            limits: TurnLimits { cancel_token, start: START },
            shell: Shell::new(),
            heartbeat: HeartbeatSender::new(),
            spare: SpareChannels::default(),
        }
    }

    /// Sets how long a script may take to begin.
    pub fn starting_within(mut self, limit: Duration) -> Self {
        self.limits.start = limit;
        self
    }

    /// Performs an act in the persistent shell; opens the shell if necessary. If this fails, the shell is lost.
    fn perform_in_shell(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Answer, TransportError> {
        if let Some(mut turn) = self.shell.bootstrap(&mut self.link, act)? {
            let end = self.finish(&mut turn, listener);
            if !is_unknown(&turn.exchange, &end) {
                return self.answered(answer(turn.exchange, end?));
            }
            self.close_shell();
        }
        let mut turn = self.shell.start(&mut self.link, act)?;
        let end = self.finish(&mut turn, listener)?;
        self.answered(answer(turn.exchange, end))
    }

    fn answered(&mut self, answer: Result<Answer, TransportError>) -> Result<Answer, TransportError> {
        self.shell.has_answered |= answer.is_ok();
        answer
    }

    /// Waits for an act in the shell, or ends it if it runs too long.
    fn finish(
        &mut self,
        turn: &mut Turn,
        listener: &mut dyn Listener,
    ) -> Result<ExchangeEnd, TransportError> {
        self.spare.open_wanted(&mut self.link);
        let over = turn.finish(&mut self.link, &self.limits, &mut self.heartbeat, listener)?;
        if let ExchangeEnd::Overdue(_) = over {
            end(&mut self.link, &mut turn.exchange, &mut self.shell, listener)?;
        }
        Ok(over)
    }

    fn exchange_request(&mut self, request: &Request) -> Result<RequestResult, TransportError> {
        let wire = match WebStream::new(request) {
            Ok(wire) => wire,
            Err(why) => return Ok(RequestResult::Failed(why)),
        };
        let mut exchange = RequestExchange::open(&mut self.link, request, wire)?;
        let outcome = loop {
            // No act is running now.
            self.send_heartbeat();
            if self.limits.cancel_token.is_cancelled() {
                break Ok(RequestResult::Interrupted);
            }
            match exchange.advance(&mut self.link) {
                Ok(None) => {}
                Ok(Some(outcome)) => break Ok(outcome),
                Err(lost) => break Err(lost),
            }
        };
        exchange.close(&mut self.link);
        outcome
    }

    /// Refuses to start anything while the token is cancelled.
    fn refuse(&self) -> Option<Answer> {
        self.limits.cancel_token.is_cancelled().then(|| Answer {
            exit: Exit::Interrupted,
            stdout: Vec::new(),
            stderr: Vec::new(),
        })
    }

    fn close_shell(&mut self) {
        self.spare.close(&mut self.link);
        self.shell.close(&mut self.link);
        self.heartbeat.pause(&mut self.link);
    }
}

impl<L: Link> Remote for FramedRemote<L> {
    fn perform(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Answer, TransportError> {
        // An act that was sent already must be ended now, not left to the next call.
        if let Some(reply) = self.refuse().filter(|_| !self.shell.has_sent_ahead()) {
            return Ok(reply);
        }
        let answer = self.perform_in_shell(act, listener);
        match answer {
            Ok(_) => self.heartbeat.answered(),
            Err(_) => self.close_shell(),
        }
        answer
    }

    fn preopen(&mut self, n_payloads: usize) {
        self.spare.want(n_payloads);
        if self.shell.is_open() {
            self.spare.open_wanted(&mut self.link);
        }
    }

    fn begin(&mut self, act: &Act) {
        if !self.limits.cancel_token.is_cancelled() {
            self.shell.begin(&mut self.link, act);
        }
    }

    fn upload(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        extra: ExtraStreams,
        listener: &mut dyn Listener,
    ) -> Result<Answer, TransportError> {
        if let Some(reply) = self.refuse() {
            return Ok(reply);
        }
        let Self { link, limits, shell, heartbeat, spare, .. } = self;
        let answer = Uploader { link, limits, shell, heartbeat, spare, listener }.send(act, payload, extra);
        match answer {
            Ok(_) => self.heartbeat.answered(),
            // After a loss, the next act must not continue in the old shell.
            Err(TransportError::Gone { .. }) => self.close_shell(),
            Err(_) => {}
        }
        answer
    }

    fn request(&mut self, request: &Request) -> Result<RequestResult, TransportError> {
        let outcome = self.exchange_request(request);
        match outcome {
            Ok(_) => self.heartbeat.answered(),
            Err(_) => self.close_shell(),
        }
        outcome
    }

    fn start_heartbeat(&mut self, heartbeat: Heartbeat) {
        self.heartbeat.start(&mut self.link, heartbeat);
    }

    fn send_heartbeat(&mut self) {
        if !self.shell.is_open() {
            return;
        }
        match self.heartbeat.due_once() {
            Some(act) if !self.shell.has_sent_ahead() => {
                // If the connection is lost, the next act reports it.
                let _ = self.perform(&act, &mut Silent);
                self.heartbeat.sent_once();
            }
            _ => self.heartbeat.send(&mut self.link),
        }
    }

    fn limit_silence(&mut self, limit: Option<Duration>) {
        self.heartbeat.limit_silence(limit);
    }

    fn silence(&self) -> Duration {
        self.heartbeat.silence()
    }
}

impl<L: Link> Drop for FramedRemote<L> {
    fn drop(&mut self) {
        self.close_shell();
    }
}
