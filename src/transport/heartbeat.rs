//! Sends heartbeats to a host, whether or not an act is running there: on a separate channel, so that no act delays
//! them.

use std::time::{Duration, Instant};

use crate::shell::Act;
use crate::transport::cancel::POLL_INTERVAL;
use crate::transport::encode;
use crate::transport::link::{ChannelId, Link, ReadOutcome};
use crate::transport::mark::Nonce;
use crate::transport::{Heartbeat, Stream};

/// Opens the channel when the first heartbeat is due: a short run needs none.
pub struct HeartbeatSender {
    /// `None`: sends no heartbeats yet.
    heartbeat: Option<Heartbeat>,
    last: Instant,
    channel: HeartbeatChannel,
    /// When the host last answered anything, including heartbeats.
    last_answer: Instant,
    /// When answers were last read.
    last_read: Instant,
    /// How long the host may not answer heartbeats.
    limit: Option<Duration>,
}

enum HeartbeatChannel {
    None,
    Open {
        id: ChannelId,
        /// Bytes that are not written yet. If the host reads nothing, no more are added.
        pending: Vec<u8>,
        since: Instant,
    },
    /// The host does not allow another channel, or does not run the script.
    Refused,
}

impl HeartbeatSender {
    pub fn new() -> Self {
        Self {
            heartbeat: None,
            last: Instant::now(),
            channel: HeartbeatChannel::None,
            last_answer: Instant::now(),
            last_read: Instant::now(),
            limit: None,
        }
    }

    /// Sends heartbeats from now on. The first is due after one interval.
    pub fn start(&mut self, link: &mut impl Link, heartbeat: Heartbeat) {
        self.pause(link);
        *self = Self {
            heartbeat: Some(heartbeat),
            last: Instant::now(),
            channel: HeartbeatChannel::None,
            ..*self
        };
    }

    /// From now on, abandons the link if the host does not answer heartbeats for so long.
    pub fn limit_silence(&mut self, limit: Option<Duration>) {
        self.limit = limit;
    }

    /// Notes that the host answered something else.
    pub fn answered(&mut self) {
        self.last_answer = Instant::now();
    }

    /// How long the host has not answered anything.
    pub fn silence(&self) -> Duration {
        self.last_answer.elapsed()
    }

    /// Sends a heartbeat if one is due, and reads the answers. Ignores errors: the act that runs reports a lost
    /// connection. The host's shell must be open: a heartbeat never connects.
    pub fn send(&mut self, link: &mut impl Link) {
        let is_due = |heartbeat: &&Heartbeat| self.last.elapsed() >= heartbeat.every;
        if let Some(heartbeat) = self.heartbeat.as_ref().filter(is_due) {
            let each_line = heartbeat.each_line.clone();
            self.queue(link, &each_line);
        } else if self.last_read.elapsed() < POLL_INTERVAL {
            return;
        }
        self.flush(link);
        self.abandon_if_silent(link);
    }

    fn queue(&mut self, link: &mut impl Link, each_line: &Act) {
        self.last = Instant::now();
        match &mut self.channel {
            HeartbeatChannel::Refused => {}
            HeartbeatChannel::Open { pending, .. } => {
                if pending.is_empty() {
                    pending.push(b'\n');
                }
            }
            HeartbeatChannel::None => self.channel = open(link, each_line),
        }
    }

    /// The act to perform if a heartbeat is due but has no channel. It can be performed only while no other act runs;
    /// then call `sent_once`.
    pub fn due_once(&self) -> Option<Act> {
        let is_refused = matches!(self.channel, HeartbeatChannel::Refused);
        let heartbeat = self.heartbeat.as_ref().filter(|_| is_refused)?;
        (self.last.elapsed() >= heartbeat.every).then(|| heartbeat.once.clone())
    }

    pub fn sent_once(&mut self) {
        self.last = Instant::now();
    }

    /// If the server hears nothing either, it swaps back by itself: what runs on this host and on others must not go on
    /// until the link notices. Without a channel, an act that runs for long prevents answers.
    fn abandon_if_silent(&mut self, link: &mut impl Link) {
        let (Some(limit), HeartbeatChannel::Open { since, .. }) = (self.limit, &self.channel) else { return };
        let silence = self.last_answer.max(*since).elapsed();
        if silence >= limit {
            link.abandon(&format!("the server answered no heartbeat for {:.0} s", silence.as_secs_f64()));
        }
    }

    /// Writes pending bytes, and reads the answers.
    fn flush(&mut self, link: &mut impl Link) {
        self.last_read = Instant::now();
        let HeartbeatChannel::Open { id, pending, .. } = &mut self.channel else { return };
        let id = *id;
        let is_over = match link.write(id, pending) {
            Ok(n) => {
                pending.drain(..n);
                // Marks, and one line for each heartbeat. The content does not matter.
                let mut buffer = [0; 256];
                let read = [Stream::Stdout, Stream::Stderr].map(|stream| link.read(id, stream, &mut buffer));
                if read.iter().flatten().any(|got| matches!(got, ReadOutcome::Bytes(_))) {
                    self.last_answer = Instant::now();
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

    /// Closes the channel, for example after the connection is lost. The next heartbeat opens another one.
    pub fn pause(&mut self, link: &mut impl Link) {
        self.close_channel(link, HeartbeatChannel::None);
    }

    /// Closes the channel until `resume`, because an act needs it. Returns whether there was one.
    pub fn free_channel(&mut self, link: &mut impl Link) -> bool {
        self.close_channel(link, HeartbeatChannel::Refused)
    }

    fn close_channel(&mut self, link: &mut impl Link, next: HeartbeatChannel) -> bool {
        match std::mem::replace(&mut self.channel, next) {
            HeartbeatChannel::Open { id, .. } => {
                link.close(id);
                true
            }
            HeartbeatChannel::None | HeartbeatChannel::Refused => false,
        }
    }

    /// Whether heartbeats have no channel and will not open one.
    pub fn has_no_channel(&self) -> bool {
        self.heartbeat.is_none() || matches!(self.channel, HeartbeatChannel::Refused)
    }

    /// Allows a channel to be opened again.
    pub fn resume(&mut self) {
        if matches!(self.channel, HeartbeatChannel::Refused) {
            self.channel = HeartbeatChannel::None;
        }
    }
}

/// Opens a channel with a script that reads heartbeats, and queues the first one.
fn open(link: &mut impl Link, each_line: &Act) -> HeartbeatChannel {
    match link.open(encode::CHANNEL) {
        Ok(id) => {
            let mut pending = encode::first_line(&Nonce::random().mark(0), &each_line.script);
            pending.push(b'\n');
            HeartbeatChannel::Open { id, pending, since: Instant::now() }
        }
        Err(_) => HeartbeatChannel::Refused,
    }
}
