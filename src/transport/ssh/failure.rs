//! Why an attempt to log in came to nothing, and whether another is worth it.

use crate::event::report::Report;

pub enum LoginFailure {
    Interrupted,
    /// Nothing listens there; it may be starting.
    Nobody(Report),
    /// The host hung up before the handshake: it is too busy, or blocks this client.
    Dropped(Report),
    Final(Report),
}

impl LoginFailure {
    /// For what a message alone explains.
    pub fn told(message: impl Into<String>) -> Self {
        LoginFailure::Final(Report::new(message))
    }
}
