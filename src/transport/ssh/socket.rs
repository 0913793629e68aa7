//! The socket of a session, and the child process at its other end, if there is one.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{RecvFlags, recv};
use ssh2::Session;

use crate::transport::ssh::group::Group;

/// Shares the socket of a session: shutting it down affects both.
pub enum Socket {
    Tcp(TcpStream),
    /// A child process (`ssh -W`, a `ProxyCommand`) transfers the bytes.
    Proxy {
        stream: UnixStream,
        /// Killed with the connection: it may still wait for a jump host.
        child: Group,
    },
}

impl Socket {
    /// Makes the session use this socket.
    pub fn give_to(&self, session: &mut Session) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => session.set_tcp_stream(stream.try_clone()?),
            Socket::Proxy { stream, .. } => session.set_tcp_stream(stream.try_clone()?),
        }
        Ok(())
    }

    /// Whether the other side hung up and everything that it sent was read.
    pub fn is_at_end(&self) -> bool {
        match recv(self, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((_, n)) => n == 0,
            Err(error) => error != rustix::io::Errno::AGAIN,
        }
    }

    /// Closes the connection at once, without telling the host. After that, no call waits for it.
    pub fn shutdown(&self) {
        // Fails only if the connection is closed already.
        let _ = match self {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Socket::Proxy { stream, .. } => stream.shutdown(Shutdown::Both),
        };
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(stream) => stream.as_fd(),
            Socket::Proxy { stream, .. } => stream.as_fd(),
        }
    }
}
