//! The interface to ways of reaching a host: byte channels to processes started there, none of which ever blocks.
//!
//! A link only moves bytes. Frames, marks, timeouts and uploads are `Framed`'s, once for all links.

use std::io;
use std::time::Duration;

use crate::shell::Exit;
use crate::transport::{Lost, Stream};
use crate::web::Address;

/// One open channel of a link; a number is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChannelId(pub u32);

/// What a read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got {
    /// So many bytes (at least one) are in the buffer.
    Bytes(usize),
    Nothing,
    End,
}

/// Channels to one host, used by one thread. An `io::Error` of any call, but `BrokenPipe` of a write, means that
/// the connection is no more, or, if it is `ConnectionRefused`, that the host did not start the channel's command.
pub trait Link: Send {
    /// Starts `command`, one simple command for the login shell of the host: printable ASCII that reads the same in
    /// csh and fish (so no `!`, and `\` only before a letter or a digit). The link puts `exec` before it where that
    /// shell knows it (rbash refuses) and the length allows. May return before the channel is there; its writes then
    /// accept nothing yet, and its failure is told by any later call.
    fn open(&mut self, command: &str) -> Result<ChannelId, Lost>;

    /// Connects on the host to what listens there, and passes bytes: what it says is read as standard output. May
    /// return before it is connected, as `open`.
    fn dial(&mut self, to: &Address) -> Result<ChannelId, Lost>;

    /// How long a command may be that carries the first script, to save the round trip of telling it to a shell that
    /// stands. 0 where there is nothing to save. Connects if that is not done.
    fn command_max(&mut self) -> Result<usize, Lost> {
        Ok(0)
    }

    /// Whether channels may stand open before they are needed, and time is saved by that.
    fn opens_ahead(&self) -> bool {
        false
    }

    /// Accepts some of `bytes`, maybe 0. After 0 the caller comes back with the same bytes at the same place
    /// (libssh2's rule). `BrokenPipe`: the process does not read any more, which harms nothing else.
    fn write(&mut self, channel: ChannelId, bytes: &[u8]) -> io::Result<usize>;

    /// Ends the process's standard input behind what was accepted, now or as soon as it can be.
    fn close_stdin(&mut self, channel: ChannelId) -> io::Result<()>;

    fn read(&mut self, channel: ChannelId, stream: Stream, buffer: &mut [u8]) -> io::Result<Got>;

    /// How the process ended, once that is known and all that it said itself can be read without waiting (sshd may
    /// tell an exit before the last output). The streams need not end while processes that it left behind hold them.
    fn exit(&mut self, channel: ChannelId) -> io::Result<Option<Exit>>;

    /// Waits until one of `channels` may have something to read, may accept a write that was refused, or `at_most`
    /// has passed. May return early, and need not notice an exit.
    fn wait(&mut self, channels: &[ChannelId], at_most: Duration) -> io::Result<()>;

    /// Closes the channel. Kills its process if that still runs and the link can. Does not wait for the host.
    fn close(&mut self, channel: ChannelId);
}
