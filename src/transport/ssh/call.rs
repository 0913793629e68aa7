//! The outcome of a call to libssh2. libssh2 has more errors than its crate has names for.

use std::io::{self, ErrorKind};

use ssh2::{Error, ErrorCode, Session};

/// LIBSSH2_ERROR_EAGAIN
const EAGAIN: ErrorCode = ErrorCode::Session(-37);

/// The reason for a lost connection if no other is known.
pub const CLOSED: &str = "closed by the host or the network";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    Moved,
    Nothing,
    /// It would have to wait. Call it again.
    Again,
}

pub fn outcome(result: Result<(), Error>) -> Result<CallOutcome, Error> {
    match result {
        Ok(()) => Ok(CallOutcome::Moved),
        Err(error) if is_again(&error) => Ok(CallOutcome::Again),
        Err(error) => Err(error),
    }
}

/// The outcome of a read or a write. The crate returns these errors without a code, but the session knows it.
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

/// LIBSSH2_ERROR_CHANNEL_FAILURE, _CHANNEL_REQUEST_DENIED: the host refused, but the connection works.
pub fn is_refusal(error: &Error) -> bool {
    matches!(error.code(), ErrorCode::Session(-21 | -22))
}

/// LIBSSH2_ERROR_TIMEOUT: no answer for a minute. Afterwards, libssh2 accepts other calls.
pub fn is_late(error: &Error) -> bool {
    error.code() == ErrorCode::Session(-9)
}

/// libssh2 returns this error, which has no number of its own, if the answer to a request on another channel arrives
/// first (`ssh2_packet_requirev`). It does not wait for the right answer again: that will arrive, but its content is
/// lost.
pub fn is_passed_over(error: &Error) -> bool {
    error.code() == ErrorCode::Session(-1)
}

/// The message of an error that ends the connection.
pub fn reason(error: &Error) -> String {
    match error.code() {
        // LIBSSH2_ERROR_SOCKET_SEND, _SOCKET_DISCONNECT, _SOCKET_RECV
        ErrorCode::Session(-7 | -13 | -43) => CLOSED.to_owned(),
        _ => error.to_string(),
    }
}
