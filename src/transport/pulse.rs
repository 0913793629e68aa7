//! Signs of life to a host, while an act runs there and while none does: on a channel of their own, so that no act keeps
//! them.

use std::time::{Duration, Instant};

use crate::shell::Act;
use crate::transport::encode;
use crate::transport::framed::Framed;
use crate::transport::link::{ChannelId, Got, Link};
use crate::transport::{Remote, Silent, Stream};

/// How a host hears that this side is alive.
#[derive(Debug, Clone)]
pub struct Pulse {
    /// Its script reads lines as long as they come, does something for each, and answers it with a line.
    pub each_line: Act,
    /// The same once, in the shell, where there is no channel to be had and no act runs.
    pub once: Act,
    pub every: Duration,
}

/// A pulse at work. Its channel is opened when the first sign is due: a short run needs none.
pub(super) struct Beating {
    pulse: Pulse,
    last: Instant,
    channel: Channel,
}

enum Channel {
    None,
    Open {
        id: ChannelId,
        /// What is still to be written; a host that takes nothing is given no more.
        pending: Vec<u8>,
    },
    /// The host allows no more channels, or will not run it.
    Refused,
}

impl Beating {
    pub(super) fn new(pulse: Pulse) -> Self {
        Self { pulse, last: Instant::now(), channel: Channel::None }
    }
}

impl<L: Link> Framed<L> {
    /// Gives a sign if one is due. Whatever becomes of it, the act that runs tells of the connection.
    pub(super) fn beat_beside(&mut self) {
        let is_open = self.shell.is_some();
        let Some(beating) = self.beating.as_mut().filter(|beating| is_open && beating.is_due()) else {
            return;
        };
        beating.last = Instant::now();
        match &mut beating.channel {
            Channel::Refused => {}
            Channel::Open { pending, .. } => {
                if pending.is_empty() {
                    pending.push(b'\n');
                }
            }
            Channel::None => {
                let script = beating.pulse.each_line.script.clone();
                let mark = self.next_mark();
                let opened = self.link.open(encode::CHANNEL);
                let channel = match opened {
                    Ok(id) => {
                        let mut pending = encode::first_line(&mark, &script);
                        pending.push(b'\n');
                        Channel::Open { id, pending }
                    }
                    Err(_) => Channel::Refused,
                };
                if let Some(beating) = &mut self.beating {
                    beating.channel = channel;
                }
            }
        }
        self.write_beat();
    }

    fn write_beat(&mut self) {
        let Some(Beating { channel, .. }) = &mut self.beating else { return };
        let Channel::Open { id, pending } = channel else { return };
        let id = *id;
        let written = self.link.write(id, pending);
        let is_over = match written {
            Ok(n) => {
                pending.drain(..n);
                // Marks, and a line for each that it read: what it says does not matter.
                let mut buffer = [0; 256];
                let read =
                    [Stream::Stdout, Stream::Stderr].map(|stream| self.link.read(id, stream, &mut buffer));
                if read.iter().flatten().any(|got| matches!(got, Got::Bytes(_))) {
                    self.heard = Instant::now();
                }
                read.iter().any(Result::is_err) || !matches!(self.link.exit(id), Ok(None))
            }
            Err(_) => true,
        };
        if is_over {
            *channel = Channel::Refused;
            self.link.close(id);
        }
    }

    /// Gives up the channel, as when the connection is lost or another act needs it more. True if there was one.
    pub(super) fn stop_beating(&mut self, is_for_good: bool) -> bool {
        let Some(beating) = &mut self.beating else { return false };
        let next = if is_for_good { Channel::Refused } else { Channel::None };
        match std::mem::replace(&mut beating.channel, next) {
            Channel::Open { id, .. } => {
                self.link.close(id);
                true
            }
            _ => false,
        }
    }

    /// Whether there is no channel for signs of life, and none is asked for.
    pub(super) fn is_silent(&self) -> bool {
        self.beating.as_ref().is_none_or(|beating| matches!(beating.channel, Channel::Refused))
    }

    /// One may be asked for again.
    pub(super) fn beat_again(&mut self) {
        if let Some(beating) = &mut self.beating
            && matches!(beating.channel, Channel::Refused)
        {
            beating.channel = Channel::None;
        }
    }

    /// Gives a sign, if one is due, while no act runs.
    pub(super) fn beat_idle(&mut self) {
        let Some(beating) = &self.beating else { return };
        if beating.is_due()
            && matches!(beating.channel, Channel::Refused)
            && self.shell.is_some()
            && !self.has_begun()
        {
            let once = beating.pulse.once.clone();
            // A loss is told to the next act.
            let _ = self.perform(&once, &mut Silent);
            if let Some(beating) = &mut self.beating {
                beating.last = Instant::now();
            }
        } else {
            self.beat_beside();
            self.write_beat();
        }
    }
}

impl Beating {
    fn is_due(&self) -> bool {
        self.last.elapsed() >= self.pulse.every
    }
}
