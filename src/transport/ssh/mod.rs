//! Connects to servers with `sshd`, through libssh2: one connection per host, each with its own thread.

pub mod auth;
mod call;
mod channel;
pub mod config;
mod detached;
pub mod dial;
mod driver;
mod exit;
mod failure;
mod group;
mod host_key;
mod keepalive;
pub mod known_hosts;
pub mod link;
pub mod logins;
mod pipes;
pub mod public_key;
pub mod socket;
mod waiter;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use crate::transport::ssh::logins::{Logins, Prompt};
use crate::transport::ssh::socket::Socket;

/// A host to connect to, and how.
#[derive(Debug, Clone)]
pub struct SshTarget {
    /// The name of the host in messages.
    pub name: String,
    /// As an argument of `ssh`: a host name, an IP address, or an alias in `~/.ssh/config`.
    pub address: String,
    /// `None`: the port in `~/.ssh/config`, else 22.
    pub port: Option<u16>,
    /// `None`: the user in `~/.ssh/config`, else the local user.
    pub user: Option<String>,
    /// Adds an unknown host to `known_hosts` instead of refusing it.
    pub accept_new: bool,
    /// The fingerprints of keys that the host may have, as `ssh-keygen -l` shows them. If there are any, `known_hosts` has no
    /// say.
    pub host_keys: Vec<String>,
    /// Replaces `~/.ssh/config` and the system's file, like `ssh -F`.
    pub config: Option<PathBuf>,
    /// The state that all logins of the run share.
    pub logins: Arc<Logins>,
    /// If the host sends nothing for this long, in spite of keepalive requests, the connection counts as lost.
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
            host_keys: Vec::new(),
            config: None,
            logins: Arc::default(),
            silence: Duration::from_secs(45),
        }
    }
}

/// An authenticated connection, the result of `dial::connect`.
pub struct Connection {
    /// In non-blocking mode.
    pub session: ssh2::Session,
    pub socket: Socket,
    /// The limit according to `ServerAliveInterval` and `ServerAliveCountMax`. It can only be shorter than the
    /// target's.
    pub silence: Option<Duration>,
}
