//! A `Remote` over any link: one persistent shell for acts, a channel of its own for each payload.
//!
//! Output of a process that an earlier script left behind is dropped between acts; while another act runs it
//! counts as that act's, since nobody can tell them apart.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::shell::{Act, Answer, Exit};
use crate::transport::encode;
use crate::transport::exchange::{Exchange, Input};
use crate::transport::interrupt::Interrupt;
use crate::transport::link::{ChannelId, Link};
use crate::transport::mark::{Mark, Nonce};
use crate::transport::{Listener, Lost, Remote, Reply};

/// How long an interrupt or an exit may go unnoticed.
pub const TICK: Duration = Duration::from_millis(50);

/// How long the output of a process that has ended is read, if others keep writing.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub struct Framed<L: Link> {
    pub(super) link: L,
    interrupt: Interrupt,
    nonce: Nonce,
    n_marks: u64,
    shell: Option<ChannelId>,
}

/// How an exchange came to its end.
enum Outcome {
    Exit(Exit),
    /// The channel's process ended without saying how the script did.
    Closed(Exit),
}

impl<L: Link> Framed<L> {
    pub fn new(link: L, interrupt: Interrupt) -> Self {
        Self { link, interrupt, nonce: Nonce::random(), n_marks: 0, shell: None }
    }

    pub(super) fn next_mark(&mut self) -> Mark {
        self.n_marks += 1;
        self.nonce.mark(self.n_marks)
    }

    /// Performs an act in `shell`, which is lost if this is.
    fn perform_in(
        &mut self,
        shell: ChannelId,
        first_words: Vec<u8>,
        mark: Mark,
        act: &Act,
        listener: &mut dyn Listener,
    ) -> Result<Answer, Lost> {
        let mut text = first_words;
        text.extend(encode::frame(&mark, &act.script));
        let mut exchange = Exchange::new(shell, &mark, Input::text(text));
        let outcome = self.run(&mut exchange, act.timeout, listener)?;
        let why = match outcome {
            Outcome::Exit(exit) if exchange.status().is_some() => {
                return Ok(exchange.into_answer(exit));
            }
            Outcome::Exit(exit) => format!("the script {exit} but the shell did not come back"),
            Outcome::Closed(exit) => format!("the shell {exit}"),
        };
        Err(exchange.lost(&why))
    }

    /// Runs an exchange to its end, or ends it.
    fn run(
        &mut self,
        exchange: &mut Exchange,
        limit: Option<Duration>,
        listener: &mut dyn Listener,
    ) -> Result<Outcome, Lost> {
        let mut looked = Instant::now();
        loop {
            let moved = match exchange.advance(&mut self.link, listener) {
                Err(lost @ Lost::Payload { .. }) => {
                    // Killed before it can see the end of its input. The first error is the one to tell.
                    let _ = self.end(exchange, listener);
                    return Err(lost);
                }
                result => result?,
            };
            if let Some(status) = exchange.status() {
                return Ok(Outcome::Exit(Exit::from_shell(status)));
            }
            if let Some(exit) = self.overdue(exchange, limit) {
                self.end(exchange, listener)?;
                return Ok(Outcome::Exit(exit));
            }
            // Processes that outlive a killed shell may talk for ever, so this does not wait for silence.
            if !moved || looked.elapsed() > TICK {
                looked = Instant::now();
                if let Some(exit) = self.closed(exchange, listener)? {
                    return Ok(Outcome::Closed(exit));
                }
            }
            if !moved {
                let left = left(exchange, limit);
                self.wait(&[exchange.channel], left.min(TICK))?;
            }
        }
    }

    /// How the channel's process ended without marks, if it did and everything it said was read.
    pub(super) fn closed(
        &mut self,
        exchange: &mut Exchange,
        listener: &mut dyn Listener,
    ) -> Result<Option<Exit>, Lost> {
        let exit = self.link.exit(exchange.channel);
        let exit = exit.map_err(|error| Lost::broken(&error, exchange.sent()))?;
        if exit.is_some() {
            // It may have spoken between the last look and its end.
            let start = Instant::now();
            while exchange.advance(&mut self.link, listener)? && start.elapsed() < LAST_WORDS {}
        }
        Ok(exit.filter(|_| exchange.status().is_none()))
    }

    pub(super) fn wait(&mut self, channels: &[ChannelId], at_most: Duration) -> Result<(), Lost> {
        self.link.wait(channels, at_most).map_err(|error| Lost::broken(&error, 0))
    }

    fn overdue(&self, exchange: &Exchange, limit: Option<Duration>) -> Option<Exit> {
        if self.interrupt.is_raised() {
            return Some(Exit::Interrupted);
        }
        let limit = limit.filter(|_| left(exchange, limit).is_zero())?;
        Some(Exit::TimedOut(limit))
    }

    /// Nothing is started while the interrupt is raised.
    fn refuse(&self) -> Option<Reply> {
        self.interrupt.is_raised().then(|| {
            Reply::Answered(Answer { exit: Exit::Interrupted, stdout: Vec::new(), stderr: Vec::new() })
        })
    }
}

impl<L: Link> Remote for Framed<L> {
    fn perform(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Reply, Lost> {
        if let Some(reply) = self.refuse() {
            return Ok(reply);
        }
        let mark = self.next_mark();
        let (shell, first_words) = match self.shell {
            Some(shell) => (shell, Vec::new()),
            None => (self.link.open(encode::SHELL)?, encode::hello(&mark)),
        };
        self.shell = Some(shell);
        let answer = self.perform_in(shell, first_words, mark, act, listener);
        if answer.is_err() {
            self.shell = None;
            self.link.close(shell);
        }
        answer.map(Reply::Answered)
    }

    fn send(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        listener: &mut dyn Listener,
    ) -> Result<Reply, Lost> {
        if let Some(reply) = self.refuse() {
            return Ok(reply);
        }
        let mark = self.next_mark();
        let channel = self.link.open(encode::CHANNEL)?;
        let line = encode::first_line(&mark, &act.script);
        let mut exchange = Exchange::new(channel, &mark, Input::with_payload(line, payload));
        let outcome = self.run(&mut exchange, act.timeout, listener);
        if let Ok(Outcome::Closed(_)) = outcome {
            // Whatever still reads the payload must not take its part for the whole.
            let _ = self.end(&mut exchange, listener);
        }
        self.link.close(channel);
        match outcome? {
            Outcome::Exit(exit) => Ok(Reply::Answered(exchange.into_answer(exit))),
            // Without a mark there is no success, whatever the process says.
            Outcome::Closed(exit) if exit.is_success() => {
                Err(exchange.lost("the channel ended without an answer"))
            }
            Outcome::Closed(exit) => Ok(Reply::Answered(exchange.into_answer(exit))),
        }
    }
}

impl<L: Link> Drop for Framed<L> {
    fn drop(&mut self) {
        if let Some(shell) = self.shell.take() {
            self.link.close(shell);
        }
    }
}

/// How long the exchange may still run.
fn left(exchange: &Exchange, limit: Option<Duration>) -> Duration {
    match (limit, exchange.started()) {
        (Some(limit), Some(started)) => {
            limit.saturating_sub(Instant::now().saturating_duration_since(started))
        }
        _ => Duration::MAX,
    }
}
