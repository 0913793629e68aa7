//! Any server with `sshd`, through libssh2: one connection a host, driven by a thread of its own.

mod apart;
pub mod auth;
mod call;
mod channel;
pub mod config;
pub mod dial;
mod driver;
mod exit;
mod failure;
mod group;
mod host_key;
pub mod known_hosts;
pub mod link;
pub mod logins;
mod pipes;
pub mod public_key;
mod silence;
pub mod socket;
mod talk;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use crate::transport::ssh::logins::{Logins, Prompt};
use crate::transport::ssh::socket::Socket;

/// A host to be reached, and what is known of the way.
#[derive(Debug, Clone)]
pub struct SshTarget {
    /// What the host is called in messages.
    pub name: String,
    /// As `ssh` would be given it: a host name, an address, or an alias of `~/.ssh/config`.
    pub address: String,
    /// `None`: what `~/.ssh/config` says, else 22.
    pub port: Option<u16>,
    /// `None`: what `~/.ssh/config` says, else the local user.
    pub user: Option<String>,
    /// A host that `known_hosts` does not name is added to it instead of refused.
    pub accept_new: bool,
    /// Read instead of `~/.ssh/config` and the system's file, as by `ssh -F`.
    pub config: Option<PathBuf>,
    /// What this login shares with the others of the run.
    pub logins: Arc<Logins>,
    /// If the host sends nothing at all for this long, in spite of keepalive requests, the connection is given up.
    pub silence: Duration,
}

impl SshTarget {
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            address: address.into(),
            port: None,
            user: None,
            accept_new: false,
            config: None,
            logins: Arc::default(),
            silence: Duration::from_secs(45),
        }
    }
}

/// An authenticated connection, as `dial::connect` hands it over.
pub struct Connection {
    /// Not blocking any more.
    pub session: ssh2::Session,
    pub socket: Socket,
    /// What `ServerAliveInterval` and `ServerAliveCountMax` say: it can only shorten the target's.
    pub silence: Option<Duration>,
}
