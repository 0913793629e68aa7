//! The outcome of a call into libssh2. libssh2 has more errors than its crate has names for.

use std::io::{self, ErrorKind};

use ssh2::{Error, ErrorCode, Session};

/// LIBSSH2_ERROR_EAGAIN
const EAGAIN: ErrorCode = ErrorCode::Session(-37);

/// Why the connection ended, if nothing more is known.
pub const CLOSED: &str = "closed by the host or the network";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    Moved,
    Nothing,
    /// It would have had to wait, and is to be called again.
    Again,
}

pub fn outcome(result: Result<(), Error>) -> Result<CallOutcome, Error> {
    match result {
        Ok(()) => Ok(CallOutcome::Moved),
        Err(error) if is_again(&error) => Ok(CallOutcome::Again),
        Err(error) => Err(error),
    }
}

/// Of a read or a write. The crate tells their failures without a code; the session still knows it.
pub fn transferred(session: &Session, result: io::Result<usize>) -> Result<CallOutcome, Error> {
    match result {
        Ok(0) => Ok(CallOutcome::Nothing),
        Ok(_) => Ok(CallOutcome::Moved),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(CallOutcome::Again),
        Err(_) => Err(Error::last_session_error(session).unwrap_or_else(Error::eof)),
    }
}

pub fn is_again(error: &Error) -> bool {
    error.code() == EAGAIN
}

/// LIBSSH2_ERROR_CHANNEL_FAILURE, _CHANNEL_REQUEST_DENIED: the host said no, and the connection is well.
pub fn is_refusal(error: &Error) -> bool {
    matches!(error.code(), ErrorCode::Session(-21 | -22))
}

/// LIBSSH2_ERROR_TIMEOUT: no answer for a minute. It is ready for something else then.
pub fn is_late(error: &Error) -> bool {
    error.code() == ErrorCode::Session(-9)
}

/// libssh2 returns this error, which has no number of its own, if the answer to another channel's request arrives first
/// (`ssh2_packet_requirev`). It does not wait for the right one again: that will certainly arrive, but what it says is
/// unknown.
pub fn is_passed_over(error: &Error) -> bool {
    error.code() == ErrorCode::Session(-1)
}

/// What an error that ends the connection means to its user.
pub fn reason(error: &Error) -> String {
    match error.code() {
        // LIBSSH2_ERROR_SOCKET_SEND, _SOCKET_DISCONNECT, _SOCKET_RECV
        ErrorCode::Session(-7 | -13 | -43) => CLOSED.to_owned(),
        _ => error.to_string(),
    }
}
