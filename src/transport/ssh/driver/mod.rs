//! The one thread that touches a session: it moves the bytes of all channels, keeps the clock and never waits for
//! anything but the socket and its caller's bell.
//!
//! **Invariant:** a packet that went out in part is finished by the call that began it, with the same arguments, before
//! anything else is sent: libssh2 keeps one packet under way and refuses all others meanwhile.
//!
//! **Invariant:** end of input, close and keepalive, which libssh2 builds on its stack and may forget half sent, are
//! begun only while the socket has room for all of them.

mod calls;
mod wait;

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ssh2::Session;

use crate::transport::link::ChannelId;
use crate::transport::ssh::Connection;
use crate::transport::ssh::channel::{Channel, ChannelCall, Wanted};
use crate::transport::ssh::pipes::Pipes;
use crate::transport::ssh::silence::Silence;
use crate::transport::ssh::socket::Socket;

/// How long to wait for the process of a closed channel to end, if its end disturbs channels that are opened meanwhile.
/// If it lives longer, this no longer waits.
const AFTERMATH: Duration = Duration::from_secs(5);
const BUFFER: usize = 64 * 1024;

/// Why the connection is no more.
type Gone = String;

pub struct Driver {
    // Channels before their session, for the drop.
    channels: BTreeMap<ChannelId, Channel>,
    spare: Spare,
    /// The channel that is being opened. libssh2 opens one at a time; repeat the same call until it is open.
    opening: Option<Wanted>,
    /// How many were opened for nobody.
    n_unwanted: u32,
    /// dropbear closes a channel that runs nothing yet when a process of another ends, and breaks the connection if
    /// something is started in it all the same.
    is_dropbear: bool,
    session: Session,
    socket: Socket,
    pipes: Arc<Pipes>,
    bell: UnixStream,
    /// The call whose packet is out in part.
    stuck: Option<Job>,
    /// The socket was read until it had nothing more.
    is_pumped: bool,
    silence: Silence,
    buffer: Vec<u8>,
}

/// A channel that is opened while nobody waits for it, so that the next command is one round trip nearer.
enum Spare {
    None,
    Ready(ssh2::Channel),
    /// The host allows no more or would not keep it; it is not asked again.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    Open,
    On(ChannelId, ChannelCall),
}

impl Driver {
    pub fn new(connection: Connection, pipes: Arc<Pipes>, bell: UnixStream, silence: Duration) -> Self {
        let Connection { session, socket, .. } = connection;
        session.set_blocking(false);
        // `Silence` asks when it is due; libssh2's own interval, of which 2 s is the least, must not forbid it.
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
            bell,
            stuck: None,
            is_pumped: false,
            silence: Silence::new(silence, Instant::now()),
            buffer: vec![0; BUFFER],
        }
    }

    /// Drives the connection until it is gone or its caller leaves.
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
        self.pipes.lock().gone = Some(why);
    }

    /// Says what can be said without waiting: input that ends, channels that close, a farewell.
    fn leave(&mut self) {
        // Whatever fails here fails because the connection is gone already.
        let _ = self.turn();
        if self.stuck.is_none() && self.has_room() {
            let _ = self.session.disconnect(None, "", None);
        }
    }

    /// Does all that can be done without waiting, once. False when there was nothing.
    fn turn(&mut self) -> Result<bool, Gone> {
        let mut has_moved = self.meet();
        // Even while nothing can be sent: a server that cannot write may not read either.
        self.is_pumped = self.pump()?;
        if let Some(job) = self.stuck {
            has_moved |= self.attempt(job)?;
        }
        for job in self.jobs() {
            if self.stuck.is_some() {
                break;
            }
            has_moved |= self.attempt(job)?;
        }
        // What was asked for just now may be a reason.
        if self.stuck.is_none() && self.wants_channel() {
            has_moved |= self.attempt(Job::Open)?;
            // It reads until its answer is there or nothing more is; before the first channel nobody else does.
            self.is_pumped = true;
        }
        self.ask()?;
        has_moved |= self.settle();
        if has_moved {
            self.pipes.notify();
        }
        Ok(has_moved || self.has_more())
    }

    /// Learns which channels came and went, and takes their input.
    fn meet(&mut self) -> bool {
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
                self.channels.values_mut().find(|channel| channel.waits_for() == Some(Wanted::Session))
            && let Spare::Ready(spare) = std::mem::replace(&mut self.spare, Spare::None)
        {
            channel.opened(spare);
        }
        has_moved
    }

    /// What there is to do now on the channels.
    fn jobs(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        let state = self.pipes.lock();
        for (id, channel) in &self.channels {
            jobs.extend(channel.calls(state.channels.get(id)).into_iter().map(|call| Job::On(*id, call)));
        }
        jobs
    }

    /// Whether a channel is to be opened, for one that waits or as the spare.
    fn wants_channel(&self) -> bool {
        let mut channels = self.channels.values();
        let is_wanted = self.opening.is_some()
            || channels.clone().any(|channel| channel.waits_for().is_some())
            || matches!(self.spare, Spare::None) && channels.clone().any(Channel::is_under_way);
        is_wanted && !(self.is_dropbear && channels.any(|channel| channel.left_within(AFTERMATH)))
    }

    fn settle(&mut self) -> bool {
        let mut state = self.pipes.lock();
        let mut has_moved = false;
        for (id, channel) in &mut self.channels {
            has_moved |= state.channels.get_mut(id).is_some_and(|pipe| channel.settle(pipe));
        }
        has_moved
    }

    /// Whether something came meanwhile that no call has been told of.
    fn has_more(&self) -> bool {
        let state = self.pipes.lock();
        let has_more =
            |(id, channel): (_, &Channel)| state.channels.get(id).is_some_and(|pipe| channel.has_more(pipe));
        self.stuck.is_none() && self.channels.iter().any(has_more)
    }
}

impl Drop for Driver {
    /// Reports the end, also after a panic. Shuts the socket down first: channels and the session try to send once more
    /// when they are dropped, and must not wait for that.
    fn drop(&mut self) {
        self.socket.shutdown();
        self.pipes.lock().gone.get_or_insert_with(|| "the thread of the connection panicked".to_owned());
        self.pipes.notify();
    }
}
