//! The only thread that uses a session: it transfers the data of all channels and checks timeouts. It waits only for
//! the socket and for wake-ups by its caller.
//!
//! **Invariant:** if a packet was sent only in part, the call that began it finishes it, with the same arguments,
//! before anything else is sent: libssh2 keeps one packet in progress and refuses all others meanwhile.
//!
//! **Invariant:** end of input, close and keepalive are sent only while the socket has room for the whole packet:
//! libssh2 builds these packets on its stack and may forget one that it sent only in part.

mod calls;
mod wait;

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ssh2::Session;

use crate::transport::link::ChannelId;
use crate::transport::ssh::Connection;
use crate::transport::ssh::channel::{Channel, ChannelCall, ChannelKind};
use crate::transport::ssh::keepalive::KeepaliveTimer;
use crate::transport::ssh::pipes::Pipes;
use crate::transport::ssh::socket::Socket;

/// On dropbear, the end of a closed channel's process disturbs channels that are opened meanwhile. This is how long
/// to wait for that before opening one.
const PROCESS_END: Duration = Duration::from_secs(5);
const BUFFER: usize = 64 * 1024;

/// Why the connection was lost.
type Gone = String;

pub struct Driver {
    // Before the session, so that channels are dropped first.
    channels: BTreeMap<ChannelId, Channel>,
    spare: Spare,
    /// The channel that is being opened. libssh2 opens one at a time: repeat the same call until it is open.
    opening: Option<ChannelKind>,
    /// The number of channels that were opened after their callers had closed them.
    n_unwanted: u32,
    /// dropbear closes an idle channel when a process of another channel ends, and breaks the connection if a command
    /// is started in it nevertheless.
    is_dropbear: bool,
    session: Session,
    socket: Socket,
    pipes: Arc<Pipes>,
    waker: UnixStream,
    /// The call whose packet was sent only in part.
    stuck: Option<Job>,
    /// The socket was read until it was empty.
    is_drained: bool,
    keepalive: KeepaliveTimer,
    buffer: Vec<u8>,
}

/// A channel that is opened ahead, so that the next command saves a round trip.
enum Spare {
    None,
    Ready(ssh2::Channel),
    /// The host allowed no more channels, or would close it. No other is opened.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    Open,
    On(ChannelId, ChannelCall),
}

impl Driver {
    pub fn new(connection: Connection, pipes: Arc<Pipes>, waker: UnixStream, silence: Duration) -> Self {
        let Connection { session, socket, .. } = connection;
        session.set_blocking(false);
        // `KeepaliveTimer` decides when to send a request. libssh2's own interval, which is at least 2 s, must not prevent
        // it.
        session.set_keepalive(true, 1);
        let is_dropbear = session.banner().is_some_and(|banner| banner.contains("dropbear"));
        Self {
            channels: BTreeMap::new(),
            spare: if is_dropbear { Spare::Refused } else { Spare::None },
            opening: None,
            n_unwanted: 0,
            is_dropbear,
            session,
            socket,
            pipes,
            waker,
            stuck: None,
            is_drained: false,
            keepalive: KeepaliveTimer::new(silence, Instant::now()),
            buffer: vec![0; BUFFER],
        }
    }

    /// Runs until the connection is lost or its caller closes it.
    pub fn run(mut self) {
        let why = loop {
            match self.turn().and_then(|has_moved| self.wait(has_moved)) {
                Ok(()) if self.pipes.lock().is_leaving => {
                    self.leave();
                    break "closed".to_owned();
                }
                Ok(()) => {}
                Err(why) => break why,
            }
        };
        // The caller may have given it up for another reason.
        self.pipes.lock().gone.get_or_insert(why);
    }

    /// Sends what can be sent without waiting: ends of input, closed channels, the disconnect message.
    fn leave(&mut self) {
        // Fails only if the connection is lost already.
        let _ = self.turn();
        if self.stuck.is_none() && self.has_room() {
            let _ = self.session.disconnect(None, "", None);
        }
    }

    /// Does everything that is possible without waiting, once. Returns false if that was nothing.
    fn turn(&mut self) -> Result<bool, Gone> {
        let mut has_moved = self.sync_channels();
        // Receives data even while nothing can be sent: a server that cannot write may not read either.
        self.is_drained = self.receive()?;
        if let Some(job) = self.stuck {
            has_moved |= self.attempt(job)?;
        }
        for job in self.jobs() {
            if self.stuck.is_some() {
                break;
            }
            has_moved |= self.attempt(job)?;
        }
        // The calls above may have made a channel necessary.
        if self.stuck.is_none() && self.wants_channel() {
            has_moved |= self.attempt(Job::Open)?;
            // The call receives data until its answer arrives or the socket is empty. Before the first channel is
            // open, no other call does.
            self.is_drained = true;
        }
        self.send_keepalive()?;
        has_moved |= self.update_ends();
        if has_moved {
            self.pipes.notify();
        }
        Ok(has_moved || self.has_more())
    }

    /// Updates the list of channels, and takes their input.
    fn sync_channels(&mut self) -> bool {
        let mut state = self.pipes.lock();
        let mut has_moved = false;
        self.channels.retain(|id, channel| {
            if !state.channels.contains_key(id) {
                channel.leave();
            }
            !channel.is_over()
        });
        for (id, pipe) in &mut state.channels {
            let new = || Channel::new(pipe.purpose.clone());
            has_moved |= self.channels.entry(*id).or_insert_with(new).take_input(pipe);
        }
        if matches!(self.spare, Spare::Ready(_))
            && let Some(channel) =
                self.channels.values_mut().find(|channel| channel.waits_for() == Some(ChannelKind::Session))
            && let Spare::Ready(spare) = std::mem::replace(&mut self.spare, Spare::None)
        {
            channel.opened(spare);
        }
        has_moved
    }

    /// The calls that are due on the channels.
    fn jobs(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        let state = self.pipes.lock();
        for (id, channel) in &self.channels {
            jobs.extend(channel.calls(state.channels.get(id)).into_iter().map(|call| Job::On(*id, call)));
        }
        jobs
    }

    /// Whether to open a channel, for a caller that waits or as the spare one.
    fn wants_channel(&self) -> bool {
        let mut channels = self.channels.values();
        let is_wanted = self.opening.is_some()
            || channels.clone().any(|channel| channel.waits_for().is_some())
            || matches!(self.spare, Spare::None) && channels.clone().any(Channel::is_under_way);
        is_wanted && !(self.is_dropbear && channels.any(|channel| channel.left_within(PROCESS_END)))
    }

    fn update_ends(&mut self) -> bool {
        let mut state = self.pipes.lock();
        let mut has_moved = false;
        for (id, channel) in &mut self.channels {
            has_moved |= state.channels.get_mut(id).is_some_and(|pipe| channel.update_end(pipe));
        }
        has_moved
    }

    /// Whether data arrived that no call has returned yet.
    fn has_more(&self) -> bool {
        let state = self.pipes.lock();
        let has_more =
            |(id, channel): (_, &Channel)| state.channels.get(id).is_some_and(|pipe| channel.has_more(pipe));
        self.stuck.is_none() && self.channels.iter().any(has_more)
    }
}

impl Drop for Driver {
    /// Reports the end, also after a panic. Shuts the socket down first: when channels and the session are dropped,
    /// they try to send once more, and must not wait for that.
    fn drop(&mut self) {
        self.socket.shutdown();
        self.pipes.lock().gone.get_or_insert_with(|| "the thread of the connection panicked".to_owned());
        self.pipes.notify();
    }
}
