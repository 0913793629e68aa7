//! Asks questions at the terminal. Waits until the user answers, declines or interrupts.

use std::io::{self, ErrorKind, Write};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::event::{Event, Sink};
use crate::transport::CancelToken;
use crate::transport::cancel::POLL_INTERVAL;

/// Returns the answer without its newline. An interrupt or the end of the input (Ctrl-D) is an error.
pub fn line(question: &str, cancel_token: &CancelToken, events: &dyn Sink) -> io::Result<String> {
    if cancel_token.is_cancelled() {
        return Err(io::Error::other("interrupted"));
    }
    let _open = OpenQuestion::new(events);
    write!(io::stderr(), "{question}")?;
    read(cancel_token).inspect_err(|_| eprintln!())
}

/// Tells renderers to draw nothing for as long as it exists.
struct OpenQuestion<'e>(&'e dyn Sink);

impl<'e> OpenQuestion<'e> {
    fn new(events: &'e dyn Sink) -> Self {
        events.event(Event::Question { is_open: true });
        Self(events)
    }
}

impl Drop for OpenQuestion<'_> {
    fn drop(&mut self) {
        self.0.event(Event::Question { is_open: false });
    }
}

/// Asks for a secret: does not show the answer while it is typed.
pub fn secret(question: &str, cancel_token: &CancelToken, events: &dyn Sink) -> io::Result<String> {
    let hidden = EchoOff::new()?;
    let answer = line(question, cancel_token, events);
    drop(hidden);
    answer
}

/// Turns the terminal's echo off for as long as it exists, except for the final newline.
struct EchoOff(Termios);

impl EchoOff {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // Fails only if the terminal is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Reads one line. Does not use the buffer of `stdin`: `poll` does not know what it contains.
fn read(cancel_token: &CancelToken) -> io::Result<String> {
    let stdin = io::stdin();
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        if cancel_token.is_cancelled() {
            return Err(io::Error::other("interrupted"));
        }
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut fds, Timespec::try_from(POLL_INTERVAL).ok().as_ref()) {
            // A signal arrived, maybe Ctrl-C.
            Ok(0) | Err(Errno::INTR) => continue,
            polled => polled?,
        };
        let mut byte = [0];
        match rustix::io::read(&stdin, &mut byte)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            _ => line.push(byte[0]),
        }
    }
    line.pop();
    String::from_utf8(line).map_err(|_| io::Error::new(ErrorKind::InvalidData, "the answer is not UTF-8"))
}
