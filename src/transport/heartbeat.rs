//! Heartbeats to a host, whether or not an act runs there: on a channel of their own, so that no act delays them.

use std::time::Instant;

use crate::shell::Act;
use crate::transport::encode;
use crate::transport::link::{ChannelId, Got, Link};
use crate::transport::mark::Nonce;
use crate::transport::{Heartbeat, Stream};

/// Sends heartbeats. Opens their channel when the first is due: a short run needs none.
pub struct HeartbeatSender {
    /// `None`: none are sent yet.
    heartbeat: Option<Heartbeat>,
    last: Instant,
    channel: HeartbeatChannel,
    /// When the host last answered one.
    heard: Instant,
}

enum HeartbeatChannel {
    None,
    Open {
        id: ChannelId,
        /// What is still to be written; a host that takes nothing is given no more.
        pending: Vec<u8>,
    },
    /// The host allows no more channels, or will not run it.
    Refused,
}

impl HeartbeatSender {
    pub fn new() -> Self {
        Self { heartbeat: None, last: Instant::now(), channel: HeartbeatChannel::None, heard: Instant::now() }
    }

    /// Sends heartbeats from now on. The first is due after one interval.
    pub fn start(&mut self, link: &mut impl Link, heartbeat: Heartbeat) {
        self.pause(link);
        *self = Self {
            heartbeat: Some(heartbeat),
            last: Instant::now(),
            channel: HeartbeatChannel::None,
            heard: self.heard,
        };
    }

    /// When the host last answered a heartbeat.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// Sends a heartbeat if one is due. Ignores failures: the act that runs reports a lost connection. The host's shell
    /// must be open: a heartbeat never connects.
    pub fn send(&mut self, link: &mut impl Link) {
        let last = self.last;
        let Some(heartbeat) = self.heartbeat.as_ref().filter(|heartbeat| last.elapsed() >= heartbeat.every)
        else {
            return;
        };
        self.last = Instant::now();
        match &mut self.channel {
            HeartbeatChannel::Refused => {}
            HeartbeatChannel::Open { pending, .. } => {
                if pending.is_empty() {
                    pending.push(b'\n');
                }
            }
            HeartbeatChannel::None => self.channel = open(link, &heartbeat.each_line),
        }
        self.flush(link);
    }

    /// The act that stands for a heartbeat that is due where there is no channel for it. It can be performed only while
    /// no other act runs; then call `sent_once`.
    pub fn due_once(&self) -> Option<Act> {
        let is_refused = matches!(self.channel, HeartbeatChannel::Refused);
        let heartbeat = self.heartbeat.as_ref().filter(|_| is_refused)?;
        (self.last.elapsed() >= heartbeat.every).then(|| heartbeat.once.clone())
    }

    pub fn sent_once(&mut self) {
        self.last = Instant::now();
    }

    /// Writes what is still to be written, and hears what was answered.
    pub fn flush(&mut self, link: &mut impl Link) {
        let HeartbeatChannel::Open { id, pending } = &mut self.channel else { return };
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
            self.channel = HeartbeatChannel::Refused;
            link.close(id);
        }
    }

    /// Gives up the channel, as when the connection is lost. The next heartbeat opens another.
    pub fn pause(&mut self, link: &mut impl Link) {
        self.give_up(link, HeartbeatChannel::None);
    }

    /// Gives up the channel since an act needs it more, until `resume`. True if there was one.
    pub fn make_room(&mut self, link: &mut impl Link) -> bool {
        self.give_up(link, HeartbeatChannel::Refused)
    }

    fn give_up(&mut self, link: &mut impl Link, next: HeartbeatChannel) -> bool {
        match std::mem::replace(&mut self.channel, next) {
            HeartbeatChannel::Open { id, .. } => {
                link.close(id);
                true
            }
            HeartbeatChannel::None | HeartbeatChannel::Refused => false,
        }
    }

    /// Whether there is no channel for heartbeats, and none is asked for.
    pub fn is_silent(&self) -> bool {
        self.heartbeat.is_none() || matches!(self.channel, HeartbeatChannel::Refused)
    }

    /// A channel may be asked for again.
    pub fn resume(&mut self) {
        if matches!(self.channel, HeartbeatChannel::Refused) {
            self.channel = HeartbeatChannel::None;
        }
    }
}

/// A channel whose script reads heartbeats, and the first of them.
fn open(link: &mut impl Link, each_line: &Act) -> HeartbeatChannel {
    match link.open(encode::CHANNEL) {
        Ok(id) => {
            let mut pending = encode::first_line(&Nonce::random().mark(0), &each_line.script);
            pending.push(b'\n');
            HeartbeatChannel::Open { id, pending }
        }
        Err(_) => HeartbeatChannel::Refused,
    }
}
