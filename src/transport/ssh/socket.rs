//! The socket under a session, and the child process at its other end if there is one.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{RecvFlags, recv};
use ssh2::Session;

use crate::transport::ssh::group::Group;

/// Shares the socket that a session owns: what one shuts down is shut down for both.
pub enum Socket {
    Tcp(TcpStream),
    /// A child (`ssh -W`, a `ProxyCommand`) carries the bytes.
    Proxy {
        stream: UnixStream,
        /// One that carries nothing any more is of no use; it may still wait for a jump host.
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

    /// The other side hung up, and all that it said was read.
    pub fn is_at_end(&self) -> bool {
        match recv(self, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((_, n)) => n == 0,
            Err(error) => error != rustix::io::Errno::AGAIN,
        }
    }

    /// Ends the connection now, without a word to the host; nothing waits on it after that.
    pub fn shutdown(&self) {
        // Fails only if the connection has ended already.
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
