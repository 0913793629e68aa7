//! A `Remote` over any link: one persistent shell for acts, a channel of its own for each payload.
//!
//! Output of a process that an earlier script left behind is dropped between acts; while another act runs it
//! counts as that act's, since nobody can tell them apart.

use std::collections::VecDeque;
use std::io::Read;
use std::time::{Duration, Instant};

use crate::shell::{Act, Answer, Exit};
use crate::transport::encode;
use crate::transport::exchange::{Exchange, Input};
use crate::transport::interrupt::{Interrupt, POLL_INTERVAL};
use crate::transport::lanes::Beside;
use crate::transport::link::{ChannelId, Link};
use crate::transport::mark::{Mark, Nonce};
use crate::transport::pulse::{Beating, Pulse};
use crate::transport::{Listener, Lost, Remote, Reply, Told};
use crate::web::Question;

/// For a channel to be opened, and for the login shell there to read its start files, some of which ask the network.
const START: Duration = Duration::from_secs(120);

/// How long the output of a process that has ended is read, if others keep writing.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub struct Framed<L: Link> {
    pub(super) link: L,
    interrupt: Interrupt,
    start: Duration,
    nonce: Nonce,
    n_marks: u64,
    pub(super) shell: Option<Shell>,
    pub(super) beating: Option<Beating>,
    /// An act that is on its way already: its mark, and what is still to be written of it.
    begun: Option<(Mark, Vec<u8>)>,
    /// How many channels for payloads are to be opened with the shell.
    n_foreseen: usize,
    /// Those that wait for one.
    pub(super) ready: VecDeque<ChannelId>,
    /// When it last answered anything.
    pub(super) heard: Instant,
}

/// The persistent shell.
#[derive(Clone, Copy)]
pub(super) struct Shell {
    pub(super) channel: ChannelId,
    /// It was told the first words.
    pub(super) is_greeted: bool,
}

/// How an exchange came to its end.
pub(super) enum Outcome {
    Exit(Exit),
    /// The channel's process ended without saying how the script did.
    Closed(Exit),
}

impl<L: Link> Framed<L> {
    pub fn new(link: L, interrupt: Interrupt) -> Self {
        Self {
            link,
            interrupt,
            start: START,
            nonce: Nonce::random(),
            n_marks: 0,
            shell: None,
            beating: None,
            begun: None,
            n_foreseen: 0,
            ready: VecDeque::new(),
            heard: Instant::now(),
        }
    }

    /// Waits for so long for a script to begin.
    pub fn starting_within(mut self, limit: Duration) -> Self {
        self.start = limit;
        self
    }

    pub(super) fn next_mark(&mut self) -> Mark {
        self.n_marks += 1;
        self.nonce.mark(self.n_marks)
    }

    /// Performs an act in the persistent shell, and opens it if there is none. The shell is lost if this is.
    fn perform_in_shell(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Answer, Lost> {
        if let (Some((mark, rest)), Some(shell)) = (self.begun.take(), self.shell) {
            let mut exchange = Exchange::new(shell.channel, &mark, Input::text(rest));
            let outcome = self.run(&mut exchange, act.timeout, listener)?;
            return answer(exchange, outcome);
        }
        if self.shell.is_none()
            && let Some(answer) = self.perform_on_the_way(act, listener)?
        {
            return Ok(answer);
        }
        let mark = self.next_mark();
        let (channel, mut text) = match self.shell {
            Some(Shell { channel, is_greeted: true }) => (channel, Vec::new()),
            Some(Shell { channel, .. }) => (channel, encode::hello(&mark)),
            None => (self.link.open(encode::SHELL)?, encode::hello(&mark)),
        };
        self.shell = Some(Shell { channel, is_greeted: true });
        self.open_foreseen();
        text.extend(encode::frame(&mark, act));
        let mut exchange = Exchange::new(channel, &mark, Input::text(text));
        let outcome = self.run(&mut exchange, act.timeout, listener)?;
        answer(exchange, outcome)
    }

    /// Opens the persistent shell by a command that performs the act, if anybody may read it and it fits in. `None`: it
    /// was not performed, since it does not fit or the host has no such command.
    fn perform_on_the_way(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Option<Answer>, Lost> {
        let max = if act.is_public { self.link.command_max()? } else { 0 };
        if max == 0 {
            return Ok(None);
        }
        let mark = Nonce::random().mark(0);
        let command = encode::bootstrap(&mark, act);
        if command.len() > max {
            return Ok(None);
        }
        let channel = self.link.open(&command)?;
        self.shell = Some(Shell { channel, is_greeted: false });
        self.open_foreseen();
        let mut exchange = Exchange::new(channel, &mark, Input::text(Vec::new()));
        match self.run(&mut exchange, act.timeout, listener) {
            Err(Lost::Refused { .. }) => {}
            Ok(Outcome::Closed(_)) if exchange.begun().is_none() => {}
            outcome => return answer(exchange, outcome?).map(Some),
        }
        self.close_shell();
        Ok(None)
    }

    /// Performs acts on channels of their own.
    fn send_by_channels(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        beside: &mut Beside,
        listener: &mut dyn Listener,
    ) -> Result<Answer, Lost> {
        match self.send_lanes(act, payload, beside, listener) {
            // A host that allows two channels has one for the payload if there are no signs of life meanwhile.
            Err(Lost::Refused { .. }) if self.stop_beating(true) => {
                self.send_lanes(act, payload, beside, listener)
            }
            answer => answer,
        }
    }

    /// Has channels for payloads started, so that their round trips are over when there are payloads.
    pub(super) fn open_ahead(&mut self, n: usize) {
        if self.link.opens_ahead() {
            self.ready.extend((0..n).map_while(|_| self.link.open(encode::CHANNEL).ok()));
        }
    }

    fn open_foreseen(&mut self) {
        let n = std::mem::take(&mut self.n_foreseen);
        self.open_ahead(n);
    }

    /// A channel for a payload, and whether it was there already.
    pub(super) fn take_channel(&mut self) -> Result<(ChannelId, bool), Lost> {
        while let Some(channel) = self.ready.pop_front() {
            // It may have been refused, or ended by whoever ends what does nothing.
            match self.link.exit(channel) {
                Ok(None) => return Ok((channel, true)),
                _ => self.link.close(channel),
            }
        }
        Ok((self.link.open(encode::CHANNEL)?, false))
    }

    /// Whether an act is on its way whose answer nobody has asked for.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    fn close_shell(&mut self) {
        self.begun = None;
        for channel in std::mem::take(&mut self.ready) {
            self.link.close(channel);
        }
        if let Some(shell) = self.shell.take() {
            self.link.close(shell.channel);
        }
        self.stop_beating(false);
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
            self.beat_beside();
            let moved = match exchange.advance(&mut self.link, listener) {
                Err(lost @ Lost::Payload { .. }) => {
                    // Killed before it can see the end of its input. The first error is the one to tell.
                    let _ = self.end(exchange, listener);
                    return Err(lost);
                }
                result => result?,
            };
            if let Some(outcome) = self.look(exchange, limit, listener, moved, &mut looked)? {
                return Ok(outcome);
            }
            if !moved {
                let left = left(exchange, limit);
                self.wait(&[exchange.channel], left.min(POLL_INTERVAL))?;
            }
        }
    }

    /// Whether an exchange that was advanced is over, or has to be: then it is ended.
    pub(super) fn look(
        &mut self,
        exchange: &mut Exchange,
        limit: Option<Duration>,
        listener: &mut dyn Listener,
        moved: bool,
        looked: &mut Instant,
    ) -> Result<Option<Outcome>, Lost> {
        if let Some(status) = exchange.status() {
            return Ok(Some(Outcome::Exit(Exit::from_shell(status))));
        }
        if let Some(exit) = self.overdue(exchange, limit) {
            self.end(exchange, listener)?;
            return Ok(Some(Outcome::Exit(exit)));
        }
        if exchange.unheeded() >= self.start {
            let why = format!("no script begins there within {} s", self.start.as_secs());
            return Err(
                exchange.lost(&format!("{why}: the login shell or its start files may wait for something"))
            );
        }
        // Processes that outlive a killed shell may talk for ever, so this does not wait for silence.
        if moved && looked.elapsed() <= POLL_INTERVAL {
            return Ok(None);
        }
        *looked = Instant::now();
        Ok(self.closed(exchange, listener)?.map(Outcome::Closed))
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

    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupt.is_raised()
    }

    /// Nothing is started while the interrupt is raised.
    fn refuse(&self) -> Option<Reply> {
        self.interrupt.is_raised().then(|| {
            Reply::Answered(Answer { exit: Exit::Interrupted, stdout: Vec::new(), stderr: Vec::new() })
        })
    }
}

impl<L: Link> Remote for Framed<L> {
    fn foresee(&mut self, n_payloads: usize) {
        self.n_foreseen = n_payloads;
        if self.shell.is_some() {
            self.open_foreseen();
        }
    }

    fn begin(&mut self, act: &Act) {
        let Some(Shell { channel, is_greeted: true }) = self.shell else { return };
        if self.interrupt.is_raised() {
            return;
        }
        let mark = self.next_mark();
        let mut rest = encode::frame(&mark, act);
        // What breaks here is told when its answer is asked for.
        while let Ok(n @ 1..) = self.link.write(channel, &rest) {
            rest.drain(..n);
        }
        self.begun = Some((mark, rest));
    }

    fn perform(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Reply, Lost> {
        // What is on its way is ended, not left to the next one.
        if let Some(reply) = self.refuse().filter(|_| !self.has_begun()) {
            return Ok(reply);
        }
        let answer = self.perform_in_shell(act, listener);
        match answer {
            Ok(_) => self.heard = Instant::now(),
            Err(_) => self.close_shell(),
        }
        answer.map(Reply::Answered)
    }

    fn send(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        listener: &mut dyn Listener,
    ) -> Result<Reply, Lost> {
        let none = Beside { act, payloads: Vec::new(), after: b"", left: &|| 0, relief: None };
        self.send_beside(act, payload, none, listener)
    }

    fn send_beside(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        mut beside: Beside,
        listener: &mut dyn Listener,
    ) -> Result<Reply, Lost> {
        if let Some(reply) = self.refuse() {
            return Ok(reply);
        }
        let answer = self.send_by_channels(act, payload, &mut beside, listener);
        match answer {
            Ok(_) => self.heard = Instant::now(),
            // Whatever broke, the next act must not seem to go on in the shell of before.
            Err(Lost::Gone { .. }) => self.close_shell(),
            Err(_) => {}
        }
        answer.map(Reply::Answered)
    }

    fn ask(&mut self, question: &Question) -> Result<Told, Lost> {
        let told = self.ask_through(question);
        match told {
            Ok(_) => self.heard = Instant::now(),
            Err(_) => self.close_shell(),
        }
        told
    }

    fn pulse(&mut self, pulse: Pulse) {
        self.stop_beating(false);
        self.beating = Some(Beating::new(pulse));
    }

    fn beat(&mut self) {
        self.beat_idle();
    }

    fn silence(&self) -> Duration {
        self.heard.elapsed()
    }
}

impl<L: Link> Drop for Framed<L> {
    fn drop(&mut self) {
        self.close_shell();
    }
}

/// What the persistent shell answered, if it is still there to be asked again.
fn answer(exchange: Exchange, outcome: Outcome) -> Result<Answer, Lost> {
    let why = match outcome {
        Outcome::Exit(exit) if exchange.status().is_some() => return Ok(exchange.into_answer(exit)),
        Outcome::Exit(exit) => format!("the script {exit} but the shell did not come back"),
        Outcome::Closed(exit) => format!("the shell {exit}"),
    };
    Err(exchange.lost(&why))
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
