//! The least that it takes to get into a server of `sshd.rs`: no configuration, no host key, one key.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use runner::transport::framed::Framed;
use runner::transport::ssh::Connection;
use runner::transport::ssh::link::Ssh;
use runner::transport::ssh::socket::Socket;
use runner::transport::{Interrupt, Lost, Remote};

use crate::sshd::Sshd;

pub fn refused(why: impl ToString) -> Lost {
    Lost::Refused { why: why.to_string() }
}

fn dial(port: u16, user: &str, key: &PathBuf) -> Result<Connection, Lost> {
    let stream = TcpStream::connect(("127.0.0.1", port)).map_err(refused)?;
    stream.set_nodelay(true).map_err(refused)?;
    let mut session = ssh2::Session::new().map_err(refused)?;
    session.set_tcp_stream(stream.try_clone().map_err(refused)?);
    session.set_timeout(30_000);
    session.handshake().map_err(refused)?;
    session.userauth_pubkey_file(user, None, key, None).map_err(refused)?;
    session.set_blocking(false);
    Ok(Connection { session, socket: Socket::Tcp(stream) })
}

/// The server behind `port`, which may be another than its own: a proxy's.
pub fn remote(sshd: &Sshd, port: u16, silence: Duration, interrupt: Interrupt) -> Framed<Ssh> {
    let (user, key) = (sshd.user.clone(), sshd.key());
    Framed::new(Ssh::new(silence, move || dial(port, &user, &key)), interrupt)
}

pub fn open(sshd: &Sshd) -> impl Fn(Interrupt) -> Box<dyn Remote> {
    move |interrupt| Box::new(remote(sshd, sshd.port, Duration::from_secs(45), interrupt))
}
