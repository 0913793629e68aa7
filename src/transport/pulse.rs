//! Signs of life to a host, while an act runs there and while none does: on a channel of their own, so that no act keeps
//! them.

use std::time::Instant;

use crate::shell::Act;
use crate::transport::encode;
use crate::transport::link::{ChannelId, Got, Link};
use crate::transport::mark::Nonce;
use crate::transport::{Pulse, Stream};

/// The signs that are given. Their channel is opened when the first is due: a short run needs none.
pub struct Beating {
    /// `None`: the host is to hear nothing yet.
    pulse: Option<Pulse>,
    last: Instant,
    channel: SignChannel,
    /// When the host answered one.
    heard: Instant,
}

enum SignChannel {
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
    pub fn new() -> Self {
        Self { pulse: None, last: Instant::now(), channel: SignChannel::None, heard: Instant::now() }
    }

    /// Gives signs as `pulse` says from now on. The first is due after a while.
    pub fn start(&mut self, link: &mut impl Link, pulse: Pulse) {
        self.pause(link);
        *self =
            Self { pulse: Some(pulse), last: Instant::now(), channel: SignChannel::None, heard: self.heard };
    }

    /// When the host answered a sign.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// Gives a sign if one is due. Whatever becomes of it, the act that runs tells of the connection. Only for a host whose
    /// shell stands: a sign must not be what connects.
    pub fn beat(&mut self, link: &mut impl Link) {
        let Some(pulse) = self.pulse.as_ref().filter(|pulse| self.last.elapsed() >= pulse.every) else {
            return;
        };
        self.last = Instant::now();
        match &mut self.channel {
            SignChannel::Refused => {}
            SignChannel::Open { pending, .. } => {
                if pending.is_empty() {
                    pending.push(b'\n');
                }
            }
            SignChannel::None => self.channel = open(link, &pulse.each_line),
        }
        self.flush(link);
    }

    /// What gives a sign that is due where there is no channel to be had: an act, to be performed while no other runs.
    /// Once it was, the sign is given.
    pub fn due_once(&self) -> Option<Act> {
        let is_refused = matches!(self.channel, SignChannel::Refused);
        let pulse = self.pulse.as_ref().filter(|pulse| is_refused && self.last.elapsed() >= pulse.every)?;
        Some(pulse.once.clone())
    }

    pub fn gave_once(&mut self) {
        self.last = Instant::now();
    }

    /// Writes what is still to be written, and hears what was answered.
    pub fn flush(&mut self, link: &mut impl Link) {
        let SignChannel::Open { id, pending } = &mut self.channel else { return };
        let id = *id;
        let is_over = match link.write(id, pending) {
            Ok(n) => {
                pending.drain(..n);
                // Marks, and a line for each that it read: what it says does not matter.
                let mut buffer = [0; 256];
                let read = [Stream::Stdout, Stream::Stderr].map(|stream| link.read(id, stream, &mut buffer));
                if read.iter().flatten().any(|got| matches!(got, Got::Bytes(_))) {
                    self.heard = Instant::now();
                }
                read.iter().any(Result::is_err) || !matches!(link.exit(id), Ok(None))
            }
            Err(_) => true,
        };
        if is_over {
            self.channel = SignChannel::Refused;
            link.close(id);
        }
    }

    /// Gives up the channel, as when the connection is lost; the next sign opens another.
    pub fn pause(&mut self, link: &mut impl Link) {
        self.give_up(link, SignChannel::None);
    }

    /// Gives up the channel since an act needs it more, until `resume`. True if there was one.
    pub fn make_room(&mut self, link: &mut impl Link) -> bool {
        self.give_up(link, SignChannel::Refused)
    }

    fn give_up(&mut self, link: &mut impl Link, next: SignChannel) -> bool {
        match std::mem::replace(&mut self.channel, next) {
            SignChannel::Open { id, .. } => {
                link.close(id);
                true
            }
            SignChannel::None | SignChannel::Refused => false,
        }
    }

    /// Whether there is no channel for signs of life, and none is asked for.
    pub fn is_silent(&self) -> bool {
        self.pulse.is_none() || matches!(self.channel, SignChannel::Refused)
    }

    /// A channel may be asked for again.
    pub fn resume(&mut self) {
        if matches!(self.channel, SignChannel::Refused) {
            self.channel = SignChannel::None;
        }
    }
}

/// A channel whose script reads signs, and the first of them.
fn open(link: &mut impl Link, each_line: &Act) -> SignChannel {
    match link.open(encode::CHANNEL) {
        Ok(id) => {
            let mut pending = encode::first_line(&Nonce::random().mark(0), &each_line.script);
            pending.push(b'\n');
            SignChannel::Open { id, pending }
        }
        Err(_) => SignChannel::Refused,
    }
}
