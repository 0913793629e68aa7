//! A channel of the driver: its state, which calls are due, and how their results change it.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use ssh2::{Error, Session};

use crate::shell::Exit;
use crate::transport::Stream;
use crate::transport::ssh::call::{CallOutcome, is_passed_over, is_refusal, outcome, transferred};
use crate::transport::ssh::exit;
use crate::transport::ssh::pipes::{Pipe, Purpose};
use crate::web::Address;

/// How long output may still arrive after the end of a process if other processes hold its streams open: sshd may
/// report the end before it has read the last output.
const LATE_OUTPUT: Duration = Duration::from_millis(500);
/// A call on one channel may read data for another channel without reporting it. This is how long that may go
/// unnoticed.
const RECHECK_INTERVAL: Duration = Duration::from_millis(100);
/// How often to open a channel again if the host closes it before it is used.
const ATTEMPTS_MAX: u32 = 5;

pub struct Channel {
    /// `None` until it is opened.
    ssh: Option<ssh2::Channel>,
    n_opened: u32,
    purpose: Purpose,
    start: Start,
    /// The input that is being written. The slice from `at` must not change until it is written completely.
    block: Vec<u8>,
    at: usize,
    is_input_over: bool,
    is_eof_sent: bool,
    /// Both streams are at their end, and all output was passed on.
    is_at_end: bool,
    /// The host has closed it.
    is_closed: bool,
    /// When the end of its process was first noticed.
    ended: Option<Instant>,
    is_exit_reported: bool,
    /// When the caller closed it.
    left: Option<Instant>,
}

/// The kind of channel to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelKind {
    /// A channel that can start any command.
    Session,
    Stream(Address),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Pending,
    /// The request was sent. Input can be sent, and output can arrive, before the answer.
    Requested,
    Done,
    Refused,
}

/// A call to libssh2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelCall {
    Start,
    Write,
    EndInput,
    Read(Stream),
    AwaitClose,
    Close,
}

impl Channel {
    pub fn new(purpose: Purpose) -> Self {
        Self {
            ssh: None,
            n_opened: 0,
            purpose,
            start: Start::Pending,
            block: Vec::new(),
            at: 0,
            is_input_over: false,
            is_eof_sent: false,
            is_at_end: false,
            is_closed: false,
            ended: None,
            is_exit_reported: false,
            left: None,
        }
    }

    /// The kind of channel that it waits for.
    pub fn waits_for(&self) -> Option<ChannelKind> {
        let is_waiting = self.ssh.is_none() && self.start == Start::Pending;
        is_waiting.then(|| match &self.purpose {
            Purpose::Command(_) => ChannelKind::Session,
            Purpose::Stream(address) => ChannelKind::Stream(address.clone()),
        })
    }

    pub fn opened(&mut self, ssh: ssh2::Channel) {
        self.ssh = Some(ssh);
        self.n_opened += 1;
        if let Purpose::Stream(_) = self.purpose {
            self.start = Start::Done;
        }
    }

    /// The host refused to open the channel.
    pub fn refused(&mut self) {
        self.start = Start::Refused;
    }

    /// Whether its command was requested.
    pub fn is_under_way(&self) -> bool {
        self.start != Start::Pending
    }

    pub fn leave(&mut self) {
        self.left.get_or_insert_with(Instant::now);
    }

    /// Whether the caller closed it less than `span` ago.
    pub fn left_within(&self, span: Duration) -> bool {
        self.left.is_some_and(|left| left.elapsed() < span)
    }

    /// Whether the caller has closed it and the host has, too.
    pub fn is_over(&self) -> bool {
        self.left.is_some() && self.ssh.is_none()
    }

    pub fn ssh(&mut self) -> Option<&mut ssh2::Channel> {
        self.ssh.as_mut()
    }

    /// Takes the next input of the caller once the previous one is written.
    pub fn take_input(&mut self, pipe: &mut Pipe) -> bool {
        let next = pipe.input.take_if(|_| self.at == self.block.len());
        let has_moved = next.is_some();
        if let Some(block) = next {
            (self.block, self.at) = (block, 0);
        }
        self.is_input_over = pipe.is_input_over && pipe.input.is_none();
        has_moved
    }

    /// The calls that are due.
    pub fn calls(&self, pipe: Option<&Pipe>) -> Vec<ChannelCall> {
        let (Some(_), Some(pipe)) = (&self.ssh, pipe.filter(|_| self.left.is_none())) else {
            return if self.ssh.is_some() { vec![ChannelCall::Close] } else { Vec::new() };
        };
        match self.start {
            Start::Pending => return vec![ChannelCall::Start],
            Start::Refused => return Vec::new(),
            Start::Requested | Start::Done => {}
        }
        let is_writing = !self.is_closed && !self.is_eof_sent;
        let is_written = self.at == self.block.len();
        [
            (ChannelCall::Read(Stream::Stdout), !self.is_at_end && !pipe.stdout.is_full()),
            (ChannelCall::Read(Stream::Stderr), !self.is_at_end && !pipe.stderr.is_full()),
            (ChannelCall::Start, self.start == Start::Requested),
            (ChannelCall::AwaitClose, self.is_at_end && !self.is_closed),
            (ChannelCall::Write, is_writing && !is_written),
            (ChannelCall::EndInput, is_writing && is_written && self.is_input_over),
        ]
        .into_iter()
        .filter_map(|(call, is_due)| is_due.then_some(call))
        .collect()
    }

    /// Requests the command, and then its answer until it arrives.
    pub fn start(&mut self) -> Result<CallOutcome, Error> {
        let (Some(ssh), Purpose::Command(command)) = (&mut self.ssh, &self.purpose) else {
            return Ok(CallOutcome::Nothing);
        };
        if self.start == Start::Pending && ssh.eof() && self.n_opened < ATTEMPTS_MAX {
            // The host closed it before it was used: open another one.
            self.ssh = None;
            return Ok(CallOutcome::Moved);
        }
        let outcome = match outcome(ssh.exec(command)) {
            // Most likely the command was started. If not, the caller that waits for its output will notice.
            Err(error) if is_passed_over(&error) => Ok(CallOutcome::Moved),
            outcome => outcome,
        };
        self.start = match &outcome {
            Ok(CallOutcome::Moved) => Start::Done,
            Err(error) if is_refusal(error) => Start::Refused,
            _ => Start::Requested,
        };
        outcome
    }

    pub fn write(&mut self, session: &Session) -> Result<CallOutcome, Error> {
        let Some(ssh) = &mut self.ssh else {
            return Ok(CallOutcome::Nothing);
        };
        let written = ssh.write(&self.block[self.at..]);
        self.at += *written.as_ref().unwrap_or(&0);
        transferred(session, written)
    }

    /// Reads from `stream`. Also returns the number of bytes.
    pub fn read(
        &mut self,
        session: &Session,
        stream: Stream,
        buffer: &mut [u8],
    ) -> Result<(CallOutcome, usize), Error> {
        let Some(ssh) = &mut self.ssh else {
            return Ok((CallOutcome::Nothing, 0));
        };
        let read = match stream {
            Stream::Stdout => ssh.read(buffer),
            Stream::Stderr => ssh.stderr().read(buffer),
        };
        let n = *read.as_ref().unwrap_or(&0);
        Ok((transferred(session, read)?, n))
    }

    pub fn end_input(&mut self) -> Result<CallOutcome, Error> {
        let outcome = self.on(ssh2::Channel::send_eof)?;
        self.is_eof_sent = outcome == CallOutcome::Moved;
        Ok(outcome)
    }

    pub fn await_close(&mut self) -> Result<CallOutcome, Error> {
        let outcome = self.on(ssh2::Channel::wait_close)?;
        self.is_closed = outcome == CallOutcome::Moved;
        Ok(outcome)
    }

    pub fn close(&mut self) -> Result<CallOutcome, Error> {
        let outcome = self.on(ssh2::Channel::close)?;
        if outcome == CallOutcome::Moved {
            self.ssh = None;
        }
        Ok(outcome)
    }

    fn on(
        &mut self,
        call: impl FnOnce(&mut ssh2::Channel) -> Result<(), Error>,
    ) -> Result<CallOutcome, Error> {
        self.ssh.as_mut().map_or(Ok(CallOutcome::Nothing), |ssh| outcome(call(ssh)))
    }

    /// Notices what needs no call: the end of the streams and of the process.
    pub fn update_end(&mut self, pipe: &mut Pipe) -> bool {
        let Some(ssh) = self.ssh.as_ref().filter(|_| self.is_under_way() && !self.is_exit_reported) else {
            return false;
        };
        let is_new_end = !self.is_at_end && ssh.eof();
        if is_new_end {
            self.is_at_end = true;
            pipe.stdout.is_ended = true;
            pipe.stderr.is_ended = true;
        }
        // If the host closed it without reporting an exit, the code does not matter: without a mark there is no
        // success.
        let Some(exit) = exit::reported(ssh).or(self.is_closed.then_some(Exit::Code(0))) else {
            return is_new_end;
        };
        let ended = *self.ended.get_or_insert_with(Instant::now);
        self.is_exit_reported = self.is_at_end || ended.elapsed() >= LATE_OUTPUT;
        if self.is_exit_reported {
            pipe.exit = Some(exit);
            pipe.is_input_ignored = true;
        }
        self.is_exit_reported || is_new_end
    }

    /// Whether data arrived that no call has returned yet: a call on one channel reads for all.
    pub fn has_more(&self, pipe: &Pipe) -> bool {
        let Some(ssh) = self.ssh.as_ref().filter(|_| matches!(self.start, Start::Requested | Start::Done))
        else {
            return false;
        };
        let is_read = !pipe.stdout.is_full() && !pipe.stderr.is_full();
        let is_writing = self.at < self.block.len() && !self.is_closed;
        is_read && ssh.read_window().available > 0 || is_writing && ssh.write_window().remaining > 0
    }

    /// How long it can wait if nothing arrives.
    pub fn at_most(&self, pipe: Option<&Pipe>) -> Duration {
        let is_half_read = pipe.is_some_and(|pipe| pipe.stdout.is_full() != pipe.stderr.is_full());
        if self.start != Start::Done || self.left.is_some() || is_half_read {
            return RECHECK_INTERVAL;
        }
        match self.ended {
            Some(ended) if !self.is_exit_reported => LATE_OUTPUT.saturating_sub(ended.elapsed()),
            _ => Duration::MAX,
        }
    }
}
