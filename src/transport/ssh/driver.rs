//! The one thread that touches a session: it moves the bytes of all channels, keeps the clock and never waits for
//! anything but the socket and its caller's bell.
//!
//! **Invariant:** a packet that went out in part is finished by the call that began it, with the same arguments, before
//! anything else is sent: libssh2 keeps one packet under way and refuses all others meanwhile.
//!
//! **Invariant:** end of input, close and keepalive, which libssh2 builds on its stack and may forget half sent, are
//! begun only while the socket has room for all of them.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, ErrorCode, Session};

use crate::shell::Exit;
use crate::transport::Stream;
use crate::transport::link::ChannelId;
use crate::transport::ssh::pipes::{Pipe, Pipes};
use crate::transport::ssh::silence::{Silence, Verdict};
use crate::transport::ssh::socket::Socket;
use crate::transport::ssh::{Connection, exit};

/// How long after a process's end more of its output may come while others hold its streams open: sshd may tell the
/// end before it has read the last of it.
const LATE: Duration = Duration::from_millis(500);
/// For what a call on one channel may have read for another without either being told.
const GLANCE: Duration = Duration::from_millis(100);
/// For the process of a channel that was let go to end, where that disturbs what is opened meanwhile.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How often a channel is opened that the host closes before anything was asked of it.
const TRIES: u32 = 5;
const BUFFER: usize = 64 * 1024;

const EAGAIN: ErrorCode = ErrorCode::Session(-37);

const CLOSED: &str = "it was closed by the host or the network";

/// Why the connection is no more.
type Gone = String;

pub struct Driver {
    // Channels before their session, for the drop.
    channels: BTreeMap<ChannelId, Channel>,
    spare: Spare,
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

/// One channel as the session knows it.
#[derive(Default)]
struct Channel {
    /// `None` until it is opened.
    ssh: Option<ssh2::Channel>,
    command: String,
    start: Start,
    /// The input being written: the slice from `at` stays as it is until all of it is taken.
    block: Vec<u8>,
    at: usize,
    is_input_over: bool,
    is_eof_sent: bool,
    /// Both streams are at their end and everything was passed on.
    is_at_end: bool,
    /// The host closed it.
    is_closed: bool,
    /// When its process was first known to have ended.
    ended: Option<Instant>,
    is_exit_told: bool,
    /// When the caller let go of it.
    left: Option<Instant>,
    n_opened: u32,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Start {
    #[default]
    Wanted,
    /// The request is out. Its input may follow, and its output may come, before the answer does.
    Asked,
    Done,
    Refused,
}

/// A channel that is opened while nobody waits for it, so that the next command is one round trip nearer.
enum Spare {
    None,
    Ready(ssh2::Channel),
    /// The host allows no more or would not keep it; it is not asked again.
    Refused,
}

/// One call into libssh2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    Open,
    Start(ChannelId),
    Write(ChannelId),
    EndInput(ChannelId),
    Read(ChannelId, Stream),
    AwaitClose(ChannelId),
    Close(ChannelId),
}

/// What a call came to.
enum Outcome {
    Moved,
    Nothing,
    /// It would have had to wait.
    Again,
}

impl Driver {
    pub fn new(connection: Connection, pipes: Arc<Pipes>, bell: UnixStream, silence: Duration) -> Self {
        let Connection { session, socket, .. } = connection;
        session.set_blocking(false);
        // `Silence` asks when it is due; libssh2's own interval, of which 2 s is the least, only must not forbid it.
        session.set_keepalive(true, 1);
        let is_dropbear = session.banner().is_some_and(|banner| banner.contains("dropbear"));
        Self {
            channels: BTreeMap::new(),
            spare: if is_dropbear { Spare::Refused } else { Spare::None },
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
                    break "it was closed".to_owned();
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
        for (id, channel) in &mut self.channels {
            if !state.channels.contains_key(id) {
                channel.left.get_or_insert_with(Instant::now);
            }
        }
        self.channels.retain(|_, channel| channel.left.is_none() || channel.ssh.is_some());
        for (id, pipe) in &mut state.channels {
            let channel = self
                .channels
                .entry(*id)
                .or_insert_with(|| Channel { command: pipe.command.clone(), ..Channel::default() });
            if channel.at == channel.block.len()
                && let Some(block) = pipe.input.take()
            {
                (channel.block, channel.at) = (block, 0);
                has_moved = true;
            }
            channel.is_input_over = pipe.is_input_over && pipe.input.is_none();
        }
        if matches!(self.spare, Spare::Ready(_))
            && let Some(channel) = self.channels.values_mut().find(|channel| channel.is_waiting())
            && let Spare::Ready(spare) = std::mem::replace(&mut self.spare, Spare::None)
        {
            channel.ssh = Some(spare);
        }
        has_moved
    }

    /// What there is to do now, in an order in which waiting commands come before those that only may come.
    fn jobs(&self) -> Vec<Job> {
        let mut jobs = Vec::new();
        let state = self.pipes.lock();
        for (&id, channel) in &self.channels {
            match (channel.ssh.is_some(), channel.start) {
                (false, _) => {}
                _ if channel.left.is_some() => jobs.push(Job::Close(id)),
                (true, Start::Wanted) => jobs.push(Job::Start(id)),
                (true, Start::Refused) => {}
                (true, Start::Asked | Start::Done) => {
                    let pipe = state.channels.get(&id);
                    for stream in [Stream::Stdout, Stream::Stderr] {
                        let is_wanted = |pipe: &Pipe| match stream {
                            Stream::Stdout => !pipe.stdout.is_full(),
                            Stream::Stderr => !pipe.stderr.is_full(),
                        };
                        if !channel.is_at_end && pipe.is_some_and(is_wanted) {
                            jobs.push(Job::Read(id, stream));
                        }
                    }
                    if channel.start == Start::Asked {
                        jobs.push(Job::Start(id));
                    }
                    if channel.is_at_end && !channel.is_closed {
                        jobs.push(Job::AwaitClose(id));
                    }
                    if channel.is_closed || channel.is_eof_sent {
                    } else if channel.at < channel.block.len() {
                        jobs.push(Job::Write(id));
                    } else if channel.is_input_over {
                        jobs.push(Job::EndInput(id));
                    }
                }
            }
        }
        let mut channels = self.channels.values();
        let is_wanted = channels.clone().any(Channel::is_waiting)
            || matches!(self.spare, Spare::None) && channels.clone().any(|c| c.start != Start::Wanted);
        let is_disturbed = |left: Instant| left.elapsed() < AFTERMATH;
        if is_wanted && !(self.is_dropbear && channels.any(|c| c.left.is_some_and(is_disturbed))) {
            jobs.push(Job::Open);
        }
        jobs
    }

    /// Asks a silent host for a sign of life. While something is stuck, that is the question.
    fn ask(&mut self) -> Result<(), Gone> {
        let now = Instant::now();
        if self.silence.is_due(now) {
            self.silence.asked(now);
            if self.stuck.is_none() && self.has_room() {
                self.session.keepalive_send().map_err(|error| self.reason(&error))?;
            }
        }
        Ok(())
    }

    /// Makes one call, and remembers it if its packet is out in part.
    fn attempt(&mut self, job: Job) -> Result<bool, Gone> {
        let may_speak = self.stuck.take().is_some() || self.has_room();
        match self.call(job, may_speak) {
            Ok(Outcome::Again) => {
                let blocked = self.session.block_directions();
                if matches!(blocked, BlockDirections::Outbound | BlockDirections::Both) {
                    self.stuck = Some(job);
                }
                Ok(false)
            }
            Ok(outcome) => Ok(matches!(outcome, Outcome::Moved)),
            Err(error) => Err(self.reason(&error)),
        }
    }

    fn call(&mut self, job: Job, may_speak: bool) -> Result<Outcome, ssh2::Error> {
        match job {
            Job::Open => self.open(),
            Job::Start(id) => self.start(id),
            Job::Write(id) => self.write(id),
            Job::Read(id, stream) => self.read(id, stream),
            Job::AwaitClose(id) => self.on(id, |channel, ssh| {
                let outcome = again(ssh.wait_close())?;
                channel.is_closed = matches!(outcome, Outcome::Moved);
                Ok(outcome)
            }),
            Job::EndInput(_) | Job::Close(_) if !may_speak => Ok(Outcome::Nothing),
            Job::EndInput(id) => self.on(id, |channel, ssh| {
                let outcome = again(ssh.send_eof())?;
                channel.is_eof_sent = matches!(outcome, Outcome::Moved);
                Ok(outcome)
            }),
            Job::Close(id) => {
                let outcome = self.on(id, |_, ssh| again(ssh.close()))?;
                if matches!(outcome, Outcome::Moved) {
                    self.channels.remove(&id);
                }
                Ok(outcome)
            }
        }
    }

    /// Calls on a channel that is open.
    fn on(
        &mut self,
        id: ChannelId,
        call: impl FnOnce(&mut Channel, &mut ssh2::Channel) -> Result<Outcome, ssh2::Error>,
    ) -> Result<Outcome, ssh2::Error> {
        let Some(channel) = self.channels.get_mut(&id) else {
            return Ok(Outcome::Nothing);
        };
        let Some(mut ssh) = channel.ssh.take() else {
            return Ok(Outcome::Nothing);
        };
        let outcome = call(channel, &mut ssh);
        channel.ssh = Some(ssh);
        outcome
    }

    /// Opens a channel for whoever has waited longest, else as the spare. libssh2 opens one at a time.
    fn open(&mut self) -> Result<Outcome, ssh2::Error> {
        let opened = self.session.channel_session();
        let waiting = self.channels.iter_mut().find(|(_, channel)| channel.is_waiting());
        match (opened, waiting) {
            (Err(error), _) if error.code() == EAGAIN => return Ok(Outcome::Again),
            (Err(error), _) if !is_refusal(&error) => return Err(error),
            (Ok(ssh), Some((_, channel))) => {
                channel.ssh = Some(ssh);
                channel.n_opened += 1;
            }
            (Ok(ssh), None) => self.spare = Spare::Ready(ssh),
            (Err(_), None) => self.spare = Spare::Refused,
            (Err(error), Some((&id, channel))) => {
                channel.start = Start::Refused;
                self.refuse(id, &format!("the host allows no further channel: {}", error.message()));
            }
        }
        Ok(Outcome::Moved)
    }

    fn start(&mut self, id: ChannelId) -> Result<Outcome, ssh2::Error> {
        if let Some(channel) = self.channels.get_mut(&id)
            && channel.start == Start::Wanted
            && channel.n_opened < TRIES
            && channel.ssh.as_ref().is_some_and(ssh2::Channel::eof)
        {
            // Closed before anything was asked of it: another one will do.
            channel.ssh = None;
            return Ok(Outcome::Moved);
        }
        let outcome = self.on(id, |channel, ssh| {
            let outcome = again(ssh.exec(&channel.command));
            match &outcome {
                Ok(Outcome::Moved) => channel.start = Start::Done,
                Err(error) if is_refusal(error) => channel.start = Start::Refused,
                _ => channel.start = Start::Asked,
            }
            outcome
        });
        match outcome {
            Err(error) if is_refusal(&error) => {
                self.refuse(id, &format!("the host does not start a shell: {}", error.message()));
                return Ok(Outcome::Moved);
            }
            _ => {}
        }
        if let Some(pipe) = self.pipes.lock().channels.get_mut(&id) {
            pipe.is_open = true;
        }
        self.pipes.notify();
        outcome
    }

    fn refuse(&mut self, id: ChannelId, why: &str) {
        if let Some(pipe) = self.pipes.lock().channels.get_mut(&id) {
            pipe.refused = Some(why.to_owned());
        }
    }

    fn write(&mut self, id: ChannelId) -> Result<Outcome, ssh2::Error> {
        let session = self.session.clone();
        self.on(id, |channel, ssh| {
            let written = ssh.write(&channel.block[channel.at..]);
            if let Ok(n) = written {
                channel.at += n;
            }
            transferred(&session, written)
        })
    }

    fn read(&mut self, id: ChannelId, stream: Stream) -> Result<Outcome, ssh2::Error> {
        let session = self.session.clone();
        let pipes = Arc::clone(&self.pipes);
        let mut buffer = std::mem::take(&mut self.buffer);
        let outcome = self.on(id, |_, ssh| {
            let read = match stream {
                Stream::Stdout => ssh.read(&mut buffer),
                Stream::Stderr => ssh.stderr().read(&mut buffer),
            };
            if let Ok(n) = read
                && let Some(pipe) = pipes.lock().channels.get_mut(&id)
            {
                pipe.flow(stream).push(&buffer[..n]);
            }
            transferred(&session, read)
        });
        self.buffer = buffer;
        outcome
    }

    /// Takes what came from the host, so that the socket is read even while no stream may be.
    fn pump(&mut self) -> Result<bool, Gone> {
        let spare = match &mut self.spare {
            Spare::Ready(spare) => Some(spare),
            _ => None,
        };
        let open = self.channels.values_mut().filter_map(|channel| channel.ssh.as_mut());
        for ssh in open.chain(spare) {
            // Reads until there is nothing, or until this one is at its end.
            match again(ssh.wait_eof()) {
                Ok(Outcome::Again) => return Ok(true),
                Ok(_) => {}
                Err(error) => return Err(self.reason(&error)),
            }
        }
        Ok(false)
    }

    /// Learns what needs no call: streams that ended, processes that are no more.
    fn settle(&mut self) -> bool {
        let mut has_moved = false;
        let mut state = self.pipes.lock();
        for (id, channel) in &mut self.channels {
            let (Some(ssh), Some(pipe)) = (&channel.ssh, state.channels.get_mut(id)) else {
                continue;
            };
            if channel.start == Start::Wanted || channel.is_exit_told {
                continue;
            }
            if !channel.is_at_end && ssh.eof() {
                channel.is_at_end = true;
                pipe.stdout.is_ended = true;
                pipe.stderr.is_ended = true;
                has_moved = true;
            }
            // A channel that was closed without a word about its process: no mark, no success.
            let exit = exit::told(ssh).or(channel.is_closed.then_some(Exit::Code(0)));
            let Some(exit) = exit else {
                continue;
            };
            let ended = *channel.ended.get_or_insert_with(Instant::now);
            if channel.is_at_end || ended.elapsed() >= LATE {
                channel.is_exit_told = true;
                pipe.exit = Some(exit);
                pipe.is_deaf = true;
                has_moved = true;
            }
        }
        has_moved
    }

    /// Whether something came meanwhile that no call has been told of: a call for one channel reads for all.
    fn has_more(&self) -> bool {
        if self.stuck.is_some() {
            return false;
        }
        let state = self.pipes.lock();
        self.channels.iter().any(|(id, channel)| {
            let (Some(ssh), Some(pipe)) = (&channel.ssh, state.channels.get(id)) else {
                return false;
            };
            let is_read = !pipe.stdout.is_full() && !pipe.stderr.is_full();
            let is_writing = channel.at < channel.block.len() && !channel.is_closed;
            channel.left.is_none()
                && matches!(channel.start, Start::Asked | Start::Done)
                && (is_read && ssh.read_window().available > 0
                    || is_writing && ssh.write_window().remaining > 0)
        })
    }

    /// Waits for the socket, the bell or the clock; looks at them only if there is more to do.
    fn wait(&mut self, has_moved: bool) -> Result<(), Gone> {
        let at_most = match has_moved {
            true => Duration::ZERO,
            false => self.at_most(),
        };
        // What no channel reads would only wake this up again and again.
        let mut wanted = PollFlags::empty();
        if self.is_pumped {
            wanted |= PollFlags::IN;
        }
        if self.stuck.is_some() {
            wanted |= PollFlags::OUT;
        }
        let mut fds = [PollFd::new(&self.socket, wanted), PollFd::new(&self.bell, PollFlags::IN)];
        match poll(&mut fds, Timespec::try_from(at_most).ok().as_ref()) {
            Err(error) if error != rustix::io::Errno::INTR => return Err(io::Error::from(error).to_string()),
            _ => {}
        }
        let (heard, is_rung) = (fds[0].revents(), !fds[1].revents().is_empty());
        if is_rung {
            // Rung again while it is read, it is looked at again.
            let _ = (&self.bell).read(&mut [0; 64]);
        }
        let now = Instant::now();
        if heard.contains(PollFlags::IN) {
            self.silence.heard(now);
        } else if heard.intersects(PollFlags::HUP | PollFlags::ERR) {
            return Err(CLOSED.to_owned());
        }
        match self.silence.verdict(now) {
            Verdict::Alive => Ok(()),
            Verdict::Dead(after) => {
                Err(format!("nothing came from the host for {} s", after.as_secs_f64().round()))
            }
        }
    }

    /// How long nothing of its own may have to be done.
    fn at_most(&self) -> Duration {
        let now = Instant::now();
        let mut at_most = self.silence.next(now);
        let state = self.pipes.lock();
        for (id, channel) in &self.channels {
            if let Some(ended) = channel.ended.filter(|_| !channel.is_exit_told) {
                at_most = at_most.min((ended + LATE).saturating_duration_since(now));
            }
            let is_half_read =
                state.channels.get(id).is_some_and(|pipe| pipe.stdout.is_full() != pipe.stderr.is_full());
            if channel.start != Start::Done || channel.left.is_some() || is_half_read {
                at_most = at_most.min(GLANCE);
            }
        }
        at_most
    }

    /// Whether a small packet would go out whole.
    fn has_room(&self) -> bool {
        let mut fds = [PollFd::new(&self.socket, PollFlags::OUT)];
        poll(&mut fds, Some(&Timespec::default())).is_ok() && fds[0].revents().contains(PollFlags::OUT)
    }

    /// What an error that ends the connection means to its user.
    fn reason(&self, error: &ssh2::Error) -> Gone {
        match error.code() {
            // LIBSSH2_ERROR_SOCKET_SEND, _SOCKET_DISCONNECT, _SOCKET_RECV
            ErrorCode::Session(-7 | -13 | -43) => CLOSED.to_owned(),
            _ => error.to_string(),
        }
    }
}

impl Drop for Driver {
    /// The end, a panic's too, is told; and since channels and the session try to speak once more when they are dropped,
    /// the socket is shut down first, so that nothing waits for that.
    fn drop(&mut self) {
        self.socket.shutdown();
        self.pipes.lock().gone.get_or_insert_with(|| "its thread panicked".to_owned());
        self.pipes.notify();
    }
}

impl Channel {
    /// Whether it is yet to be opened.
    fn is_waiting(&self) -> bool {
        self.ssh.is_none() && self.start == Start::Wanted
    }
}

fn again(result: Result<(), ssh2::Error>) -> Result<Outcome, ssh2::Error> {
    match result {
        Ok(()) => Ok(Outcome::Moved),
        Err(error) if error.code() == EAGAIN => Ok(Outcome::Again),
        Err(error) => Err(error),
    }
}

/// The crate tells failures of reading and writing without their code; the session still knows it.
fn transferred(session: &Session, result: io::Result<usize>) -> Result<Outcome, ssh2::Error> {
    match result {
        Ok(0) => Ok(Outcome::Nothing),
        Ok(_) => Ok(Outcome::Moved),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Outcome::Again),
        Err(_) => Err(ssh2::Error::last_session_error(session).unwrap_or_else(ssh2::Error::eof)),
    }
}

/// LIBSSH2_ERROR_CHANNEL_FAILURE, _CHANNEL_REQUEST_DENIED: the host said no, and the connection is well.
fn is_refusal(error: &ssh2::Error) -> bool {
    matches!(error.code(), ErrorCode::Session(-21 | -22))
}
