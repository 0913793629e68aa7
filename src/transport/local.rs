//! This machine as a host: channels are child processes and sockets.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType, shutdown, socket_with};

use crate::shell::Exit;
use crate::transport::child::ChildProcess;
use crate::transport::link::{ChannelId, Link, ReadOutcome};
use crate::transport::nonblocking::{read, unblock, write};
use crate::transport::{Stream, TransportError};
use crate::web::Address;

/// How long to wait for each address of a host name.
const CONNECT: Duration = Duration::from_secs(3);

/// The child processes and sockets of this program.
#[derive(Default)]
pub struct Local {
    env: Vec<(OsString, OsString)>,
    n_opened: u32,
    channels: BTreeMap<ChannelId, LocalChannel>,
}

struct LocalChannel {
    end: FarEnd,
    /// The last write was not accepted completely.
    is_full: bool,
}

/// The other end of a channel.
enum FarEnd {
    Child(ChildProcess),
    /// A connected socket, or `None` after the other side has closed it.
    Socket(Option<File>),
    /// The reason why it could not connect.
    Refused(String),
}

impl Local {
    /// Sets an environment variable for all children.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    fn opened(&mut self, end: FarEnd) -> ChannelId {
        self.n_opened += 1;
        let id = ChannelId(self.n_opened);
        self.channels.insert(id, LocalChannel { end, is_full: false });
        id
    }

    fn channel(&mut self, id: ChannelId) -> io::Result<&mut LocalChannel> {
        let closed = || io::Error::new(ErrorKind::NotConnected, "the channel is closed");
        self.channels.get_mut(&id).ok_or_else(closed)
    }

    fn spawn(&self, command: &str) -> io::Result<ChildProcess> {
        let env = self.env.iter().cloned();
        ChildProcess::spawn(Command::new("sh").arg("-c").arg(format!("exec {command}")).envs(env))
    }
}

impl LocalChannel {
    /// Adds descriptors to poll. Returns false if the channel has something to report already.
    fn poll_for<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) -> bool {
        match &self.end {
            FarEnd::Child(child) => {
                fds.extend(child.outputs().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
                let input = child.stdin().filter(|_| self.is_full);
                fds.extend(input.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
            }
            FarEnd::Socket(socket) => {
                let wanted = if self.is_full { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
                fds.extend(socket.as_ref().map(|socket| PollFd::new(socket, wanted)));
            }
            FarEnd::Refused(_) => return false,
        }
        true
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(ErrorKind::ConnectionRefused, why)
}

/// A socket that does not block.
fn connect(to: &Address) -> io::Result<File> {
    let socket: OwnedFd = match to {
        Address::Unix(path) => {
            // If the queue of the socket is full, the application is busy: does not wait for it (unix(7): EAGAIN).
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
    unblock(&socket)?;
    Ok(File::from(socket))
}

impl Link for Local {
    fn open(&mut self, command: &str) -> Result<ChannelId, TransportError> {
        let child = self
            .spawn(command)
            .map_err(|error| TransportError::refused(format!("failed to start `sh`: {error}")))?;
        Ok(self.opened(FarEnd::Child(child)))
    }

    fn dial(&mut self, to: &Address) -> Result<ChannelId, TransportError> {
        let end = match connect(to) {
            Ok(socket) => FarEnd::Socket(Some(socket)),
            Err(error) => FarEnd::Refused(format!("failed to connect to `{to}`: {error}")),
        };
        Ok(self.opened(end))
    }

    fn write(&mut self, id: ChannelId, bytes: &[u8]) -> io::Result<usize> {
        let LocalChannel { end, is_full } = self.channel(id)?;
        let n = match end {
            FarEnd::Child(child) => child.write(bytes)?,
            FarEnd::Socket(socket) => write(socket.as_mut(), bytes).map_err(|_| ErrorKind::BrokenPipe)?,
            FarEnd::Refused(why) => return Err(refused(why)),
        };
        *is_full = n < bytes.len();
        Ok(n)
    }

    fn close_stdin(&mut self, id: ChannelId) -> io::Result<()> {
        let channel = self.channel(id)?;
        match &mut channel.end {
            FarEnd::Child(child) => child.close_stdin(),
            // If the socket is closed already, there is nothing to end.
            FarEnd::Socket(socket) => {
                let _ = socket.as_ref().map(|socket| shutdown(socket, Shutdown::Write));
            }
            FarEnd::Refused(_) => {}
        }
        channel.is_full = false;
        Ok(())
    }

    fn read(&mut self, id: ChannelId, stream: Stream, buffer: &mut [u8]) -> io::Result<ReadOutcome> {
        match (&mut self.channel(id)?.end, stream) {
            (FarEnd::Child(child), stream) => child.read(stream, buffer),
            // Reset or closed: the reader decides whether the response was complete.
            (FarEnd::Socket(socket), Stream::Stdout) => Ok(read(socket, buffer).unwrap_or(ReadOutcome::End)),
            (FarEnd::Socket(_), Stream::Stderr) => Ok(ReadOutcome::End),
            (FarEnd::Refused(why), _) => Err(refused(why)),
        }
    }

    fn exit(&mut self, id: ChannelId) -> io::Result<Option<Exit>> {
        match &mut self.channel(id)?.end {
            FarEnd::Child(child) => child.exit(),
            FarEnd::Socket(_) | FarEnd::Refused(_) => Ok(None),
        }
    }

    fn wait(&mut self, ids: &[ChannelId], at_most: Duration) -> io::Result<()> {
        let mut fds = Vec::new();
        let mut channels = ids.iter().filter_map(|id| self.channels.get(id));
        if !channels.all(|channel| channel.poll_for(&mut fds)) {
            return Ok(());
        }
        let at_most = Timespec::try_from(at_most).ok();
        match poll(&mut fds, at_most.as_ref()) {
            Err(error) if error != rustix::io::Errno::INTR => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn close(&mut self, id: ChannelId) {
        self.channels.remove(&id);
    }
}
