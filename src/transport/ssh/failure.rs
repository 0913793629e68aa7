//! Why a login failed, and whether to try again.

use crate::event::report::Report;

pub enum LoginFailure {
    Interrupted,
    /// Nothing listens on the port; sshd may be starting.
    NotListening(Report),
    /// The host hung up before the handshake: it is too busy, or blocks this client.
    Dropped(Report),
    Final(Report),
}

impl LoginFailure {
    /// For errors that need only a message.
    pub fn message(message: impl Into<String>) -> Self {
        LoginFailure::Final(Report::new(message))
    }
}
