//! The persistent shell of a host: opens it, sends the first words, then one act after the other.

use crate::shell::{Act, Answer};
use crate::transport::Lost;
use crate::transport::encode;
use crate::transport::exchange::{Exchange, Input};
use crate::transport::link::{ChannelId, Link};
use crate::transport::mark::{Mark, Nonce};
use crate::transport::turn::{ExchangeEnd, Turn};

pub struct Shell {
    nonce: Nonce,
    n_marks: u64,
    open: Option<OpenShell>,
    /// An act that is on its way already: its mark, and what is still to be written of it.
    begun: Option<(Mark, Vec<u8>)>,
}

#[derive(Clone, Copy)]
struct OpenShell {
    channel: ChannelId,
    /// It was told the first words.
    is_greeted: bool,
}

impl Shell {
    /// It is opened by its first act.
    pub fn new() -> Self {
        Self { nonce: Nonce::random(), n_marks: 0, open: None, begun: None }
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether an act is on its way whose answer nobody has asked for.
    pub fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// Has an act on its way, as far as that can be without waiting, if the shell stands.
    pub fn begin(&mut self, link: &mut impl Link, act: &Act) {
        let Some(OpenShell { channel, is_greeted: true }) = self.open else { return };
        let mark = self.next_mark();
        let mut rest = encode::frame(&mark, act);
        // What breaks here is told when its answer is asked for.
        while let Ok(n @ 1..) = link.write(channel, &rest) {
            rest.drain(..n);
        }
        self.begun = Some((mark, rest));
    }

    /// Opens the shell by a command that performs the act, if anybody may read it and it fits in. `None`: the shell is
    /// open already, or the act is to be told to one.
    pub fn bootstrap(&mut self, link: &mut impl Link, act: &Act) -> Result<Option<Turn<'static>>, Lost> {
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

    /// Tells the shell an act, unless that is on its way already; opens it before if it is not.
    pub fn start(&mut self, link: &mut impl Link, act: &Act) -> Result<Turn<'static>, Lost> {
        let (channel, mark, text) = match (self.begun.take(), self.open) {
            (Some((mark, rest)), Some(OpenShell { channel, .. })) => (channel, mark, rest),
            _ => self.tell(link, act)?,
        };
        Ok(Turn::new(Exchange::new(channel, &mark, Input::text(text)), act.timeout))
    }

    /// What is to be written where for it to perform an act.
    fn tell(&mut self, link: &mut impl Link, act: &Act) -> Result<(ChannelId, Mark, Vec<u8>), Lost> {
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

    /// An exchange that performs an act while the one on channel `busy` goes on. `None` if `busy` is the shell's own
    /// channel, or the shell cannot.
    pub fn meanwhile(
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
        self.begun = None;
        if let Some(open) = self.open.take() {
            link.close(open.channel);
        }
    }

    fn next_mark(&mut self) -> Mark {
        self.n_marks += 1;
        self.nonce.mark(self.n_marks)
    }
}

/// Whether the host has no such command as `bootstrap` runs, so that the act was not performed.
pub fn is_unknown(bootstrap: &Exchange, end: &Result<ExchangeEnd, Lost>) -> bool {
    match end {
        Err(Lost::Refused { .. }) => true,
        Ok(ExchangeEnd::Closed(_)) => bootstrap.begun().is_none(),
        _ => false,
    }
}

/// What the shell answered, if it is still there to be asked again.
pub fn answer(exchange: Exchange, end: ExchangeEnd) -> Result<Answer, Lost> {
    let why = match end {
        ExchangeEnd::Exit(exit) | ExchangeEnd::Overdue(exit) if exchange.status().is_some() => {
            return Ok(exchange.into_answer(exit));
        }
        ExchangeEnd::Exit(exit) | ExchangeEnd::Overdue(exit) => {
            format!("the script {exit}, but the shell did not answer after it")
        }
        ExchangeEnd::Closed(exit) => format!("the shell {exit}"),
    };
    Err(exchange.lost(&why))
}
