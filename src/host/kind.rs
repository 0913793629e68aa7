//! The transports of hosts, with their names in `runner.toml`.

use std::fmt;

/// How to reach a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransportKind {
    /// The built-in ssh client.
    #[default]
    Ssh,
    /// A shell on this machine.
    Local,
    /// The system's `ssh`, as a child process.
    OpenSsh,
}

impl TransportKind {
    pub const ALL: [TransportKind; 3] = [TransportKind::Ssh, TransportKind::Local, TransportKind::OpenSsh];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            TransportKind::Ssh => "ssh",
            TransportKind::Local => "local",
            TransportKind::OpenSsh => "openssh",
        }
    }
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
