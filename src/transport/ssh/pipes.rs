//! The data that the threads of the caller and the driver exchange: the bytes of each channel, and how channels end.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::shell::Exit;
use crate::transport::Stream;
use crate::transport::link::{ChannelId, ReadOutcome};
use crate::web::Address;

/// How many bytes a write accepts at most, and how many bytes of a stream are kept before the host must wait for the
/// reader.
pub const BLOCK: usize = 64 * 1024;

/// The state that the two threads of a connection share.
pub struct Pipes {
    state: Mutex<PipesState>,
    changed: Condvar,
    /// Wakes the driver from its `poll`.
    waker: UnixStream,
}

#[derive(Default)]
pub struct PipesState {
    /// The channels that the caller holds.
    pub channels: BTreeMap<ChannelId, Pipe>,
    /// Why the connection was lost.
    pub gone: Option<String>,
    /// The caller has closed the connection.
    pub is_leaving: bool,
}

/// The purpose of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    Command(String),
    /// A connection to this address.
    Stream(Address),
}

/// A channel, as both threads see it.
pub struct Pipe {
    pub purpose: Purpose,
    /// The command was requested, or the host has connected, so input can be sent.
    pub is_open: bool,
    /// The next piece of input, until the driver takes it.
    pub input: Option<Vec<u8>>,
    /// The input is complete.
    pub is_input_over: bool,
    /// The process no longer reads its input.
    pub is_input_ignored: bool,
    /// The last write was refused.
    was_full: bool,
    pub stdout: Flow,
    pub stderr: Flow,
    pub exit: Option<Exit>,
    /// Why the host did not start the command.
    pub refused: Option<String>,
}

/// A stream to the caller.
#[derive(Default)]
pub struct Flow {
    bytes: Vec<u8>,
    at: usize,
    pub is_ended: bool,
    is_end_reported: bool,
}

impl Pipes {
    /// Returns the pipes, and the socket for the driver to poll.
    pub fn new() -> io::Result<(Self, UnixStream)> {
        let (waker, woken) = UnixStream::pair()?;
        waker.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        Ok((Self { state: Mutex::default(), changed: Condvar::new(), waker }, woken))
    }

    pub fn lock(&self) -> MutexGuard<'_, PipesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the driver.
    pub fn wake(&self) {
        // If the socket is full, a wake-up is pending. If it is closed, the driver is gone.
        let _ = (&self.waker).write(&[0]);
    }

    /// Wakes the caller.
    pub fn notify(&self) {
        self.changed.notify_all();
    }

    /// Waits until one of the channels `ids` has something for the caller.
    pub fn wait(&self, ids: &[ChannelId], at_most: Duration) {
        let until = Instant::now().checked_add(at_most);
        let mut state = self.lock();
        loop {
            let is_ready = |id| state.channels.get(id).is_none_or(Pipe::is_ready);
            if state.gone.is_some() || ids.iter().any(is_ready) {
                return;
            }
            let left = until.map_or(at_most, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl PipesState {
    /// The channel `id`, for the caller. Output that arrived before the connection was lost can still be read.
    pub fn channel(&mut self, id: ChannelId) -> io::Result<&mut Pipe> {
        let closed = || io::Error::new(ErrorKind::NotConnected, "the channel is closed");
        let pipe = self.channels.get_mut(&id).ok_or_else(closed)?;
        match &pipe.refused {
            Some(why) => Err(io::Error::new(ErrorKind::ConnectionRefused, why.clone())),
            None => Ok(pipe),
        }
    }

    /// Fails if the connection is lost.
    pub fn check(&self) -> io::Result<()> {
        self.gone.as_ref().map_or(Ok(()), |why| Err(io::Error::other(why.clone())))
    }
}

impl Pipe {
    pub fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            is_open: false,
            input: None,
            is_input_over: false,
            is_input_ignored: false,
            was_full: false,
            stdout: Flow::default(),
            stderr: Flow::default(),
            exit: None,
            refused: None,
        }
    }

    pub fn flow(&mut self, stream: Stream) -> &mut Flow {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// Accepts as many bytes as there is room for.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_input_ignored || self.is_input_over {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.was_full = !self.is_open || self.input.is_some();
        // An empty piece would have no room behind it until the driver wakes, and nothing would wake the driver for it.
        if self.was_full || bytes.is_empty() {
            return Ok(0);
        }
        let n = bytes.len().min(BLOCK);
        self.input = Some(bytes[..n].to_vec());
        Ok(n)
    }

    /// Whether there is something new for the caller.
    fn is_ready(&self) -> bool {
        let has_room = self.is_input_ignored || self.is_open && self.input.is_none();
        self.refused.is_some()
            || self.stdout.is_ready()
            || self.stderr.is_ready()
            || self.was_full && has_room
    }
}

impl Flow {
    pub fn push(&mut self, bytes: &[u8]) {
        if self.at == self.bytes.len() || self.at > BLOCK {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
        self.bytes.extend(bytes);
    }

    /// Whether no more should be read until the caller reads.
    pub fn is_full(&self) -> bool {
        self.bytes.len() - self.at >= BLOCK
    }

    pub fn read(&mut self, buffer: &mut [u8]) -> ReadOutcome {
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            self.is_end_reported = self.is_ended;
            return if self.is_ended { ReadOutcome::End } else { ReadOutcome::Nothing };
        }
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        ReadOutcome::Bytes(n)
    }

    fn is_ready(&self) -> bool {
        self.at < self.bytes.len() || self.is_ended && !self.is_end_reported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_tells_its_bytes_and_then_its_end_once() {
        let mut flow = Flow::default();
        let mut buffer = [0; 4];
        assert_eq!(flow.read(&mut buffer), ReadOutcome::Nothing);
        flow.push(b"hello");
        assert!(flow.is_ready());
        assert_eq!(flow.read(&mut buffer), ReadOutcome::Bytes(4));
        flow.push(b"!");
        flow.is_ended = true;
        assert_eq!(flow.read(&mut buffer), ReadOutcome::Bytes(2));
        assert_eq!(buffer[..2], *b"o!");
        assert!(flow.is_ready());
        assert_eq!(flow.read(&mut buffer), ReadOutcome::End);
        assert!(!flow.is_ready());
    }

    #[test]
    fn input_is_taken_once_the_command_was_asked_for_and_block_by_block() {
        let mut pipe = Pipe::new(Purpose::Command("sh".to_owned()));
        assert_eq!(pipe.write(b"early").unwrap(), 0);
        assert!(!pipe.is_ready());
        pipe.is_open = true;
        assert!(pipe.is_ready());
        assert_eq!(pipe.write(b"").unwrap(), 0);
        assert_eq!(pipe.write(&[0; BLOCK + 1]).unwrap(), BLOCK);
        assert_eq!(pipe.write(b"next").unwrap(), 0);
        assert!(!pipe.is_ready());
        pipe.is_input_ignored = true;
        assert!(pipe.is_ready());
        assert_eq!(pipe.write(b"next").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
