//! The transports a host can ask for, by the names `runner.toml` uses.

use std::fmt;

/// How a host is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransportKind {
    /// Our own connection.
    #[default]
    Ssh,
    /// A shell on this machine.
    Local,
    /// The system's `ssh` as a child.
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
