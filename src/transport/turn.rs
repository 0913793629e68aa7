//! Advances an exchange until it is over or must be ended.

use std::time::{Duration, Instant};

use crate::shell::Exit;
use crate::transport::cancel::{CancelToken, POLL_INTERVAL};
use crate::transport::exchange::Exchange;
use crate::transport::heartbeat::HeartbeatSender;
use crate::transport::link::{ChannelId, Link};
use crate::transport::{Listener, TransportError};

/// How long to read the output of a process that has ended, if other processes keep writing.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long to wait for the second end mark. The shell prints both at once, so only buffered output, a few MiB, can precede
/// the second; but a connection may be silent for 45 s meanwhile.
const SECOND_MARK: Duration = Duration::from_secs(60);

/// Limits that end an exchange, in addition to the timeout of its act.
pub struct TurnLimits {
    pub cancel_token: CancelToken,
    /// How long a script may take to begin.
    pub start: Duration,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeEnd {
    /// The end mark arrived on both streams.
    Exit(Exit),
    /// The process of the channel ended without an end mark.
    Closed(Exit),
    /// The script still runs, and the caller must end it.
    Overdue(Exit),
}

/// The result of advancing an exchange once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnProgress {
    Moved,
    /// Nothing could be read or written.
    Still,
    Over(ExchangeEnd),
}

/// An exchange in progress, with the timeout of its act.
pub struct Turn<'a> {
    pub exchange: Exchange<'a>,
    limit: Option<Duration>,
    /// When it last checked whether the process has ended.
    looked: Instant,
}

impl<'a> Turn<'a> {
    pub fn new(exchange: Exchange<'a>, limit: Option<Duration>) -> Self {
        Self { exchange, limit, looked: Instant::now() }
    }

    /// Waits until it is over. Sends heartbeats meanwhile.
    pub fn finish(
        &mut self,
        link: &mut impl Link,
        limits: &TurnLimits,
        heartbeat: &mut HeartbeatSender,
        listener: &mut dyn Listener,
    ) -> Result<ExchangeEnd, TransportError> {
        loop {
            heartbeat.send(link);
            match self.advance(link, limits, listener)? {
                TurnProgress::Over(end) => return Ok(end),
                TurnProgress::Moved => {}
                TurnProgress::Still => wait(link, &[self.exchange.channel], self.left().min(POLL_INTERVAL))?,
            }
        }
    }

    /// Writes and reads as much as possible without waiting, and checks whether it is over.
    pub fn advance(
        &mut self,
        link: &mut impl Link,
        limits: &TurnLimits,
        listener: &mut dyn Listener,
    ) -> Result<TurnProgress, TransportError> {
        let has_moved = self.exchange.advance(link, listener)?;
        if let Some(status) = self.exchange.status() {
            return Ok(TurnProgress::Over(ExchangeEnd::Exit(Exit::from_shell(status))));
        }
        if let Some(exit) = self.overdue(&limits.cancel_token) {
            return Ok(TurnProgress::Over(ExchangeEnd::Overdue(exit)));
        }
        if self.exchange.stalled() >= limits.start {
            return Err(self.never_began(limits.start));
        }
        if self.exchange.half_ended() >= SECOND_MARK {
            let why = "the shell marked the end of the script on only one of stdout and stderr";
            return Err(self.exchange.lost(why));
        }
        // Processes that outlive a killed shell may keep printing, so this does not wait for them to be silent.
        if !has_moved || self.looked.elapsed() > POLL_INTERVAL {
            self.looked = Instant::now();
            if let Some(exit) = closed(link, &mut self.exchange, listener)? {
                return Ok(TurnProgress::Over(ExchangeEnd::Closed(exit)));
            }
        }
        Ok(if has_moved { TurnProgress::Moved } else { TurnProgress::Still })
    }

    fn overdue(&self, cancel_token: &CancelToken) -> Option<Exit> {
        if cancel_token.is_cancelled() {
            return Some(Exit::Interrupted);
        }
        let limit = self.limit.filter(|_| self.left().is_zero())?;
        Some(Exit::TimedOut(limit))
    }

    /// The remaining time.
    fn left(&self) -> Duration {
        match (self.limit, self.exchange.started()) {
            (Some(limit), Some(started)) => {
                limit.saturating_sub(Instant::now().saturating_duration_since(started))
            }
            _ => Duration::MAX,
        }
    }

    fn never_began(&self, start: Duration) -> TransportError {
        let why = format!("no script started within {} s", start.as_secs());
        self.exchange
            .lost(&format!("{why}: the login shell or its startup files may be waiting for something"))
    }
}

/// How the process of the channel ended, if it ended without an end mark and all of its output was read.
pub fn closed(
    link: &mut impl Link,
    exchange: &mut Exchange,
    listener: &mut dyn Listener,
) -> Result<Option<Exit>, TransportError> {
    let exit = link.exit(exchange.channel);
    let exit = exit.map_err(|error| TransportError::broken(&error, exchange.sent()))?;
    if exit.is_some() {
        // It may have printed something between the last read and its end.
        let start = Instant::now();
        while exchange.advance(link, listener)? && start.elapsed() < LAST_WORDS {}
    }
    Ok(exit.filter(|_| exchange.status().is_none()))
}

pub fn wait(link: &mut impl Link, channels: &[ChannelId], at_most: Duration) -> Result<(), TransportError> {
    link.wait(channels, at_most).map_err(|error| TransportError::broken(&error, 0))
}
