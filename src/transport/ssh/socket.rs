//! The socket under a session, and the child process at its other end if there is one.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process::Child;

use ssh2::Session;

/// Shares the socket that a session owns: what one shuts down is shut down for both.
pub enum Socket {
    Tcp(TcpStream),
    /// A child (`ssh -W`, a `ProxyCommand`) carries the bytes.
    Proxy {
        stream: UnixStream,
        child: Child,
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

impl Drop for Socket {
    /// A child that carries nothing any more is of no use; it may still wait for a jump host.
    fn drop(&mut self) {
        if let Socket::Proxy { child, .. } = self {
            // Either fails only if the child is already gone.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
