//! The interface of a connection to a host: byte channels to processes there. Its calls never block.
//!
//! A link only moves bytes. `FramedRemote` implements frames, marks, timeouts and uploads, once for all links.

use std::io;
use std::time::Duration;

use crate::shell::Exit;
use crate::transport::{Stream, TransportError};
use crate::web::Address;

/// An open channel of a link. Numbers are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChannelId(pub u32);

/// The result of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOutcome {
    /// The number of bytes in the buffer, at least one.
    Bytes(usize),
    Nothing,
    End,
}

/// Channels to one host, used by one thread. An `io::Error` of any call, except `BrokenPipe` of a write, means that
/// the connection is lost. `ConnectionRefused` means that the host did not start the channel's command.
pub trait Link: Send {
    /// Starts `command`, a simple command for the login shell of the host: printable ASCII that csh and fish read in
    /// the same way (so no `!`, and `\` only before a letter or a digit). The link prepends `exec` if the shell
    /// supports it (rbash does not) and the length allows it. May return before the channel is open. Until then,
    /// writes accept nothing, and any later call may report the failure.
    fn open(&mut self, command: &str) -> Result<ChannelId, TransportError>;

    /// Connects from the host to an address, and passes bytes in both directions. What arrives is read as standard
    /// output. May return before it is connected, like `open`.
    fn dial(&mut self, to: &Address) -> Result<ChannelId, TransportError>;

    /// The maximum length of a command that contains the first script, which saves the round trip of sending it to an
    /// open shell. 0 if there is nothing to save. Connects if necessary.
    fn command_max(&mut self) -> Result<usize, TransportError> {
        Ok(0)
    }

    /// Whether channels can be opened before they are needed, and this saves time.
    fn opens_ahead(&self) -> bool {
        false
    }

    /// Accepts some of `bytes`, maybe 0. After 0, the caller must retry with the same bytes at the same place in
    /// memory (a rule of libssh2). `BrokenPipe`: the process no longer reads, but everything else works.
    fn write(&mut self, channel: ChannelId, bytes: &[u8]) -> io::Result<usize>;

    /// Closes the standard input of the process after the accepted bytes, now or as soon as possible.
    fn close_stdin(&mut self, channel: ChannelId) -> io::Result<()>;

    fn read(&mut self, channel: ChannelId, stream: Stream, buffer: &mut [u8]) -> io::Result<ReadOutcome>;

    /// How the process ended, once that is known and all of its own output can be read without waiting (sshd may
    /// report an exit before the last output). The streams may stay open if processes that it left behind hold them.
    fn exit(&mut self, channel: ChannelId) -> io::Result<Option<Exit>>;

    /// Waits until one of `channels` may have something to read or may accept a refused write, or until `at_most` has
    /// passed. May return early, and may not notice an exit.
    fn wait(&mut self, channels: &[ChannelId], at_most: Duration) -> io::Result<()>;

    /// Gives the connection up because of `why`, without waiting: from now on, it is lost. Nothing happens if the link
    /// has none.
    fn abandon(&mut self, why: &str) {
        let _ = why;
    }

    /// Closes the channel. Kills its process if it still runs and the link is able to. Does not wait for the host.
    fn close(&mut self, channel: ChannelId);
}
