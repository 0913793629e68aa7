//! This machine as a host: channels are pipes to child processes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::shell::Exit;
use crate::transport::link::{ChannelId, Got, Link};
use crate::transport::{Lost, Stream};

/// Children of this program, each in a process group of its own so that a Ctrl-C at the terminal is this program's to
/// pass on.
#[derive(Default)]
pub struct Local {
    env: Vec<(OsString, OsString)>,
    n_opened: u32,
    channels: BTreeMap<ChannelId, Channel>,
}

struct Channel {
    /// Its pipes stay in it; one is gone once it is at its end.
    child: Child,
    /// The last write was not accepted whole.
    is_full: bool,
}

impl Local {
    /// Sets an environment variable for all children.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    fn channel(&mut self, id: ChannelId) -> io::Result<&mut Channel> {
        let closed = || io::Error::new(ErrorKind::NotConnected, "the channel is closed");
        self.channels.get_mut(&id).ok_or_else(closed)
    }

    fn spawn(&self, command: &str) -> io::Result<Child> {
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(format!("exec {command}"))
            .envs(self.env.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        unblock(child.stdin.as_ref())
            .and_then(|()| unblock(child.stdout.as_ref()))
            .and_then(|()| unblock(child.stderr.as_ref()))
            .inspect_err(|_| end(&mut child))?;
        Ok(child)
    }
}

impl Link for Local {
    fn open(&mut self, command: &str) -> Result<ChannelId, Lost> {
        let child = self
            .spawn(command)
            .map_err(|error| Lost::Refused { why: format!("failed to start `sh`: {error}") })?;
        self.n_opened += 1;
        let id = ChannelId(self.n_opened);
        let channel = Channel { child, is_full: false };
        self.channels.insert(id, channel);
        Ok(id)
    }

    fn write(&mut self, id: ChannelId, bytes: &[u8]) -> io::Result<usize> {
        let channel = self.channel(id)?;
        let Some(stdin) = &mut channel.child.stdin else {
            return Err(ErrorKind::BrokenPipe.into());
        };
        let n = loop {
            match stdin.write(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break 0,
                result => break result?,
            }
        };
        channel.is_full = n < bytes.len();
        Ok(n)
    }

    fn close_stdin(&mut self, id: ChannelId) -> io::Result<()> {
        let channel = self.channel(id)?;
        channel.child.stdin = None;
        channel.is_full = false;
        Ok(())
    }

    fn read(&mut self, id: ChannelId, stream: Stream, buffer: &mut [u8]) -> io::Result<Got> {
        let child = &mut self.channel(id)?.child;
        let got = match stream {
            Stream::Stdout => read(child.stdout.as_mut(), buffer)?,
            Stream::Stderr => read(child.stderr.as_mut(), buffer)?,
        };
        if got == Got::End {
            match stream {
                Stream::Stdout => child.stdout = None,
                Stream::Stderr => child.stderr = None,
            }
        }
        Ok(got)
    }

    fn exit(&mut self, id: ChannelId) -> io::Result<Option<Exit>> {
        let status = self.channel(id)?.child.try_wait()?;
        Ok(status.map(|status| match (status.code(), status.signal()) {
            (Some(code), _) => Exit::from_shell(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Code(-1),
        }))
    }

    fn wait(&mut self, ids: &[ChannelId], at_most: Duration) -> io::Result<()> {
        let mut fds = Vec::new();
        for id in ids {
            let Some(Channel { child, is_full }) = self.channels.get(id) else {
                continue;
            };
            let outputs = child.stdout.as_ref().map(AsFd::as_fd).into_iter();
            let outputs = outputs.chain(child.stderr.as_ref().map(AsFd::as_fd));
            fds.extend(outputs.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            let input = child.stdin.as_ref().filter(|_| *is_full);
            fds.extend(input.map(|fd| PollFd::new(fd, PollFlags::OUT)));
        }
        let at_most = Timespec::try_from(at_most).ok();
        match poll(&mut fds, at_most.as_ref()) {
            Err(error) if error != rustix::io::Errno::INTR => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn close(&mut self, id: ChannelId) {
        if let Some(mut channel) = self.channels.remove(&id) {
            end(&mut channel.child);
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        for channel in self.channels.values_mut() {
            end(&mut channel.child);
        }
    }
}

/// Kills the one process. What scripts left running on purpose is not in its group, or not ours to end.
fn end(child: &mut Child) {
    // Either fails only if the child is already gone.
    let _ = child.kill();
    let _ = child.wait();
}

fn unblock(pipe: Option<&impl AsFd>) -> io::Result<()> {
    let Some(pipe) = pipe else {
        return Ok(());
    };
    let flags = fcntl_getfl(pipe)?;
    Ok(fcntl_setfl(pipe, flags | OFlags::NONBLOCK)?)
}

fn read(pipe: Option<&mut impl Read>, buffer: &mut [u8]) -> io::Result<Got> {
    let Some(pipe) = pipe else {
        return Ok(Got::End);
    };
    loop {
        match pipe.read(buffer) {
            Ok(0) => return Ok(Got::End),
            Ok(n) => return Ok(Got::Bytes(n)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Got::Nothing),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
