//! This machine as a host: channels are pipes to child processes, and sockets.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::{AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, shutdown, socket_with};

use crate::shell::Exit;
use crate::transport::link::{ChannelId, Got, Link};
use crate::transport::{Lost, Stream};
use crate::web::Address;

/// For each address of a name that is connected to.
const CONNECT: Duration = Duration::from_secs(3);

/// Children of this program, each in a process group of its own so that a Ctrl-C at the terminal is this program's to
/// pass on.
#[derive(Default)]
pub struct Local {
    env: Vec<(OsString, OsString)>,
    n_opened: u32,
    channels: BTreeMap<ChannelId, Channel>,
}

struct Channel {
    end: End,
    /// The last write was not accepted whole.
    is_full: bool,
}

/// What the channel leads to.
enum End {
    /// Its pipes stay in it; one is gone once it is at its end.
    Child(Child),
    /// A connected socket, until the other side has ended.
    Socket(Option<File>),
    /// Why there is none.
    Refused(String),
}

impl Local {
    /// Sets an environment variable for all children.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    fn opened(&mut self, end: End) -> ChannelId {
        self.n_opened += 1;
        let id = ChannelId(self.n_opened);
        self.channels.insert(id, Channel { end, is_full: false });
        id
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

fn refused(why: &str) -> io::Error {
    io::Error::new(ErrorKind::ConnectionRefused, why)
}

/// A socket that does not block.
fn connect(to: &Address) -> io::Result<File> {
    let socket: OwnedFd = match to {
        Address::Unix(path) => {
            // One whose queue is full is busy, and not waited for (unix(7): EAGAIN).
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
            rustix::net::connect(&socket, &SocketAddrUnix::new(path.as_str())?)?;
            socket
        }
        Address::Tcp { host, port } => {
            let mut last = Err(io::Error::from(ErrorKind::NotFound));
            for address in (host.as_str(), *port).to_socket_addrs()? {
                last = TcpStream::connect_timeout(&address, CONNECT);
                if last.is_ok() {
                    break;
                }
            }
            last?.into()
        }
    };
    unblock(Some(&socket))?;
    Ok(File::from(socket))
}

impl Link for Local {
    fn open(&mut self, command: &str) -> Result<ChannelId, Lost> {
        let child = self
            .spawn(command)
            .map_err(|error| Lost::Refused { why: format!("failed to start `sh`: {error}") })?;
        Ok(self.opened(End::Child(child)))
    }

    fn dial(&mut self, to: &Address) -> Result<ChannelId, Lost> {
        let end = match connect(to) {
            Ok(socket) => End::Socket(Some(socket)),
            Err(error) => End::Refused(format!("failed to connect to `{to}`: {error}")),
        };
        Ok(self.opened(end))
    }

    fn write(&mut self, id: ChannelId, bytes: &[u8]) -> io::Result<usize> {
        let Channel { end, is_full } = self.channel(id)?;
        let n = match end {
            End::Child(child) => write(child.stdin.as_mut(), bytes)?,
            End::Socket(socket) => write(socket.as_mut(), bytes).map_err(|_| ErrorKind::BrokenPipe)?,
            End::Refused(why) => return Err(refused(why)),
        };
        *is_full = n < bytes.len();
        Ok(n)
    }

    fn close_stdin(&mut self, id: ChannelId) -> io::Result<()> {
        let channel = self.channel(id)?;
        match &mut channel.end {
            End::Child(child) => child.stdin = None,
            // Of a socket that is gone there is nothing left to end.
            End::Socket(socket) => {
                let _ = socket.as_ref().map(|socket| shutdown(socket, Shutdown::Write));
            }
            End::Refused(_) => {}
        }
        channel.is_full = false;
        Ok(())
    }

    fn read(&mut self, id: ChannelId, stream: Stream, buffer: &mut [u8]) -> io::Result<Got> {
        match (&mut self.channel(id)?.end, stream) {
            (End::Child(child), Stream::Stdout) => read(&mut child.stdout, buffer),
            (End::Child(child), Stream::Stderr) => read(&mut child.stderr, buffer),
            // Reset or closed: whether that was the end is for whoever reads to tell.
            (End::Socket(socket), Stream::Stdout) => Ok(read(socket, buffer).unwrap_or(Got::End)),
            (End::Socket(_), Stream::Stderr) => Ok(Got::End),
            (End::Refused(why), _) => Err(refused(why)),
        }
    }

    fn exit(&mut self, id: ChannelId) -> io::Result<Option<Exit>> {
        let End::Child(child) = &mut self.channel(id)?.end else {
            return Ok(None);
        };
        let status = child.try_wait()?;
        Ok(status.map(|status| match (status.code(), status.signal()) {
            (Some(code), _) => Exit::from_shell(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Code(-1),
        }))
    }

    fn wait(&mut self, ids: &[ChannelId], at_most: Duration) -> io::Result<()> {
        let mut fds = Vec::new();
        for id in ids {
            let Some(Channel { end, is_full }) = self.channels.get(id) else {
                continue;
            };
            let child = match end {
                End::Child(child) => child,
                // There is something to hear at once.
                End::Refused(_) => return Ok(()),
                End::Socket(socket) => {
                    let wanted = if *is_full { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
                    fds.extend(socket.as_ref().map(|socket| PollFd::new(socket, wanted)));
                    continue;
                }
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
        if let Some(Channel { end: End::Child(mut child), .. }) = self.channels.remove(&id) {
            end(&mut child);
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        for channel in self.channels.values_mut() {
            if let End::Child(child) = &mut channel.end {
                end(child);
            }
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

/// One that is gone has nobody to read it.
fn write(pipe: Option<&mut impl Write>, bytes: &[u8]) -> io::Result<usize> {
    let Some(pipe) = pipe else {
        return Err(ErrorKind::BrokenPipe.into());
    };
    loop {
        match pipe.write(bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            result => return result,
        }
    }
}

/// One that is at its end is dropped.
fn read(from: &mut Option<impl Read>, buffer: &mut [u8]) -> io::Result<Got> {
    let Some(pipe) = from else {
        return Ok(Got::End);
    };
    loop {
        match pipe.read(buffer) {
            Ok(0) => {
                *from = None;
                return Ok(Got::End);
            }
            Ok(n) => return Ok(Got::Bytes(n)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Got::Nothing),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
