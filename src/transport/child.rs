//! A child process as a channel: pipes that never block, and its exit.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};

use crate::shell::Exit;
use crate::transport::Stream;
use crate::transport::link::ReadOutcome;
use crate::transport::nonblocking::{read, unblock, write};

/// A process in its own process group, so that Ctrl-C at the terminal does not reach it directly. It is killed when
/// this is dropped.
pub struct ChildProcess {
    /// Contains its pipes. A pipe is closed once it has reached its end.
    child: Child,
}

impl ChildProcess {
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        // From here on, an error kills the child.
        let process = Self { child };
        process.pipes().try_for_each(|pipe| unblock(&pipe))?;
        Ok(process)
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write(self.child.stdin.as_mut(), bytes)
    }

    pub fn close_stdin(&mut self) {
        self.child.stdin = None;
    }

    pub fn read(&mut self, stream: Stream, buffer: &mut [u8]) -> io::Result<ReadOutcome> {
        match stream {
            Stream::Stdout => read(&mut self.child.stdout, buffer),
            Stream::Stderr => read(&mut self.child.stderr, buffer),
        }
    }

    /// How it ended; `None` while it runs.
    pub fn exit(&mut self) -> io::Result<Option<Exit>> {
        let status = self.child.try_wait()?;
        Ok(status.map(|status| match (status.code(), status.signal()) {
            (Some(code), _) => Exit::from_shell(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Code(-1),
        }))
    }

    pub fn stdin(&self) -> Option<BorrowedFd<'_>> {
        self.child.stdin.as_ref().map(AsFd::as_fd)
    }

    /// Its output streams that have not reached their end.
    pub fn outputs(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let stdout = self.child.stdout.as_ref().map(AsFd::as_fd);
        stdout.into_iter().chain(self.child.stderr.as_ref().map(AsFd::as_fd))
    }

    fn pipes(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.stdin().into_iter().chain(self.outputs())
    }
}

impl Drop for ChildProcess {
    /// Kills only the child. Processes that scripts left running on purpose are not in its group, or must not be
    /// ended.
    fn drop(&mut self) {
        // Both fail only if the child has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
