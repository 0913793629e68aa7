//! Why a login failed, and whether to try again.

use crate::event::report::Report;
use crate::transport::ssh::public_key::PublicKey;

pub enum LoginFailure {
    Interrupted,
    /// Nothing listens on the port; sshd may be starting.
    NotListening(Report),
    /// The host hung up before the handshake: it is too busy, or blocks this client.
    Dropped(Report),
    /// The host presents this key, which is not one of those that it may have. It may have others.
    OtherKey(PublicKey),
    /// A person has accepted the host's key. Meanwhile, the host may have stopped waiting for the login.
    Accepted,
    Final(Report),
}

impl LoginFailure {
    /// For errors that need only a message.
    pub fn message(message: impl Into<String>) -> Self {
        LoginFailure::Final(Report::new(message))
    }
}
