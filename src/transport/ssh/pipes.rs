//! What the caller's thread and the driver's thread exchange: the bytes of every channel, and how the channels end.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::shell::Exit;
use crate::transport::Stream;
use crate::transport::link::{ChannelId, Got};
use crate::web::Address;

/// How much is taken of one write, and how much of a stream is kept before the host has to wait for its reader.
pub const BLOCK: usize = 64 * 1024;

/// The meeting place of the two threads of a connection.
pub struct Pipes {
    state: Mutex<PipesState>,
    changed: Condvar,
    /// Wakes the driver from its poll.
    bell: UnixStream,
}

#[derive(Default)]
pub struct PipesState {
    /// The channels that the caller holds.
    pub channels: BTreeMap<ChannelId, Pipe>,
    /// Why the connection is no more.
    pub gone: Option<String>,
    /// The caller wants nothing more.
    pub is_leaving: bool,
}

/// What a channel is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    Command(String),
    /// Bytes to and from what listens there.
    Stream(Address),
}

/// One channel as both threads see it.
pub struct Pipe {
    pub purpose: Purpose,
    /// The host was asked to start the command, or is connected, so input is welcome.
    pub is_open: bool,
    /// The next piece of input, until the driver takes it.
    pub input: Option<Vec<u8>>,
    /// Nothing follows on the input.
    pub is_input_over: bool,
    /// Nobody reads the input any more.
    pub is_deaf: bool,
    /// A write found no room since the last one that did.
    was_full: bool,
    pub stdout: Flow,
    pub stderr: Flow,
    pub exit: Option<Exit>,
    /// Why the host did not start the command.
    pub refused: Option<String>,
}

/// One stream on its way to the caller.
#[derive(Default)]
pub struct Flow {
    bytes: Vec<u8>,
    at: usize,
    pub is_ended: bool,
    is_end_told: bool,
}

impl Pipes {
    /// The other half of the bell is for the driver to poll.
    pub fn new() -> io::Result<(Self, UnixStream)> {
        let (bell, heard) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        heard.set_nonblocking(true)?;
        Ok((Self { state: Mutex::default(), changed: Condvar::new(), bell }, heard))
    }

    pub fn lock(&self) -> MutexGuard<'_, PipesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the driver.
    pub fn ring(&self) {
        // A bell that is full has been rung, and one that is gone has nobody to hear it.
        let _ = (&self.bell).write(&[0]);
    }

    /// Wakes the caller.
    pub fn notify(&self) {
        self.changed.notify_all();
    }

    /// Waits until there is something for the caller in one of `ids`.
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
    /// The channel `id`, for the caller. What came before the end of the connection can still be read.
    pub fn channel(&mut self, id: ChannelId) -> io::Result<&mut Pipe> {
        let closed = || io::Error::new(ErrorKind::NotConnected, "the channel is closed");
        let pipe = self.channels.get_mut(&id).ok_or_else(closed)?;
        match &pipe.refused {
            Some(why) => Err(io::Error::new(ErrorKind::ConnectionRefused, why.clone())),
            None => Ok(pipe),
        }
    }

    /// The error that is all there is to say once the connection is gone.
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
            is_deaf: false,
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

    /// Takes what there is room for.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_deaf || self.is_input_over {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.was_full = !self.is_open || self.input.is_some();
        if self.was_full {
            return Ok(0);
        }
        let n = bytes.len().min(BLOCK);
        self.input = Some(bytes[..n].to_vec());
        Ok(n)
    }

    /// Whether the caller would find something new.
    fn is_ready(&self) -> bool {
        let has_room = self.is_deaf || self.is_open && self.input.is_none();
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

    /// More would be kept for nobody.
    pub fn is_full(&self) -> bool {
        self.bytes.len() - self.at >= BLOCK
    }

    pub fn read(&mut self, buffer: &mut [u8]) -> Got {
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            self.is_end_told = self.is_ended;
            return if self.is_ended { Got::End } else { Got::Nothing };
        }
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Got::Bytes(n)
    }

    fn is_ready(&self) -> bool {
        self.at < self.bytes.len() || self.is_ended && !self.is_end_told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_tells_its_bytes_and_then_its_end_once() {
        let mut flow = Flow::default();
        let mut buffer = [0; 4];
        assert_eq!(flow.read(&mut buffer), Got::Nothing);
        flow.push(b"hello");
        assert!(flow.is_ready());
        assert_eq!(flow.read(&mut buffer), Got::Bytes(4));
        flow.push(b"!");
        flow.is_ended = true;
        assert_eq!(flow.read(&mut buffer), Got::Bytes(2));
        assert_eq!(buffer[..2], *b"o!");
        assert!(flow.is_ready());
        assert_eq!(flow.read(&mut buffer), Got::End);
        assert!(!flow.is_ready());
    }

    #[test]
    fn input_is_taken_once_the_command_was_asked_for_and_block_by_block() {
        let mut pipe = Pipe::new(Purpose::Command("sh".to_owned()));
        assert_eq!(pipe.write(b"early").unwrap(), 0);
        assert!(!pipe.is_ready());
        pipe.is_open = true;
        assert!(pipe.is_ready());
        assert_eq!(pipe.write(&[0; BLOCK + 1]).unwrap(), BLOCK);
        assert_eq!(pipe.write(b"next").unwrap(), 0);
        assert!(!pipe.is_ready());
        pipe.is_deaf = true;
        assert!(pipe.is_ready());
        assert_eq!(pipe.write(b"next").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
