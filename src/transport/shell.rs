//! The persistent shell of a host: opens it, then sends it one act after the other.

use crate::shell::{Act, Answer};
use crate::transport::TransportError;
use crate::transport::encode;
use crate::transport::exchange::{Exchange, Input};
use crate::transport::link::{ChannelId, Link};
use crate::transport::mark::{Mark, Nonce};
use crate::transport::turn::{ExchangeEnd, Turn};

pub struct Shell {
    nonce: Nonce,
    n_marks: u64,
    open: Option<OpenShell>,
    /// An act that was sent ahead: its mark, and the part that is not written yet.
    sent_ahead: Option<(Mark, Vec<u8>)>,
    /// Whether the host has completed an act.
    pub has_answered: bool,
}

#[derive(Clone, Copy)]
struct OpenShell {
    channel: ChannelId,
    /// It has received `HELLO`.
    is_greeted: bool,
}

impl Shell {
    /// A shell that the first act opens.
    pub fn new() -> Self {
        Self { nonce: Nonce::random(), n_marks: 0, open: None, sent_ahead: None, has_answered: false }
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether an act was sent ahead and its answer was not requested yet.
    pub fn has_sent_ahead(&self) -> bool {
        self.sent_ahead.is_some()
    }

    /// Sends an act ahead, as far as possible without waiting, if the shell is open.
    pub fn begin(&mut self, link: &mut impl Link, act: &Act) {
        let Some(OpenShell { channel, is_greeted: true }) = self.open else { return };
        let mark = self.next_mark();
        let mut rest = encode::frame(&mark, act);
        // If this fails, the call for the answer reports it.
        while let Ok(n @ 1..) = link.write(channel, &rest) {
            rest.drain(..n);
        }
        self.sent_ahead = Some((mark, rest));
    }

    /// Opens the shell with a command that performs the act, if other users may read the act and it is short enough.
    /// `None`: the shell is open already, or the act must be sent to it.
    pub fn bootstrap(
        &mut self,
        link: &mut impl Link,
        act: &Act,
    ) -> Result<Option<Turn<'static>>, TransportError> {
        if self.is_open() || !act.is_public {
            return Ok(None);
        }
        let max = link.command_max()?;
        if max == 0 {
            return Ok(None);
        }
        let mark = Nonce::random().mark(0);
        let command = encode::bootstrap(&mark, act);
        if command.len() > max {
            return Ok(None);
        }
        let channel = link.open(&command)?;
        self.open = Some(OpenShell { channel, is_greeted: false });
        let exchange = Exchange::new(channel, &mark, Input::text(Vec::new()));
        Ok(Some(Turn::new(exchange, act.timeout)))
    }

    /// Sends an act to the shell, unless it was sent ahead. Opens the shell if necessary.
    pub fn start(&mut self, link: &mut impl Link, act: &Act) -> Result<Turn<'static>, TransportError> {
        let (channel, mark, text) = match (self.sent_ahead.take(), self.open) {
            (Some((mark, rest)), Some(OpenShell { channel, .. })) => (channel, mark, rest),
            _ => self.prepare(link, act)?,
        };
        Ok(Turn::new(Exchange::new(channel, &mark, Input::text(text)), act.timeout))
    }

    /// The channel, mark and text of an act for the shell.
    fn prepare(
        &mut self,
        link: &mut impl Link,
        act: &Act,
    ) -> Result<(ChannelId, Mark, Vec<u8>), TransportError> {
        let mark = self.next_mark();
        let (channel, mut text) = match self.open {
            Some(OpenShell { channel, is_greeted: true }) => (channel, Vec::new()),
            Some(OpenShell { channel, .. }) => (channel, encode::hello(&mark)),
            None => (link.open(encode::SHELL)?, encode::hello(&mark)),
        };
        self.open = Some(OpenShell { channel, is_greeted: true });
        text.extend(encode::frame(&mark, act));
        Ok((channel, mark, text))
    }

    /// Performs an act while the exchange on channel `busy` continues. `None` if `busy` is the channel of the shell
    /// itself, or the shell is not able to.
    pub fn start_concurrent(
        &mut self,
        link: &mut impl Link,
        act: &Act,
        busy: ChannelId,
    ) -> Option<Exchange<'static>> {
        let OpenShell { channel, .. } = self.open.filter(|open| open.is_greeted && open.channel != busy)?;
        matches!(link.exit(channel), Ok(None)).then(|| {
            let mark = self.next_mark();
            Exchange::new(channel, &mark, Input::text(encode::frame(&mark, act)))
        })
    }

    pub fn close(&mut self, link: &mut impl Link) {
        self.sent_ahead = None;
        if let Some(open) = self.open.take() {
            link.close(open.channel);
        }
    }

    fn next_mark(&mut self) -> Mark {
        self.n_marks += 1;
        self.nonce.mark(self.n_marks)
    }
}

/// Whether the host does not support the command of `bootstrap`, so that the act was not performed.
pub fn is_unknown(bootstrap: &Exchange, end: &Result<ExchangeEnd, TransportError>) -> bool {
    match end {
        Err(TransportError::Refused { .. }) => true,
        Ok(ExchangeEnd::Closed(_)) => bootstrap.process().is_none(),
        _ => false,
    }
}

/// The answer of the shell, if the shell is still usable.
pub fn answer(exchange: Exchange, end: ExchangeEnd) -> Result<Answer, TransportError> {
    let why = match end {
        ExchangeEnd::Exit(exit) | ExchangeEnd::Overdue(exit) if exchange.status().is_some() => {
            return Ok(exchange.into_answer(exit));
        }
        ExchangeEnd::Exit(exit) | ExchangeEnd::Overdue(exit) => {
            format!("the script {exit}, but the shell did not respond afterwards")
        }
        ExchangeEnd::Closed(exit) => format!("the shell {exit}"),
    };
    Err(exchange.lost(&why))
}
