//! Waits for libssh2: repeats a call until it is done, times out or is interrupted.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, ErrorCode, Session};

use crate::event::report::Report;
use crate::transport::cancel::{CancelToken, POLL_INTERVAL};
use crate::transport::ssh::socket::Socket;

/// LIBSSH2_ERROR_EAGAIN, for which ssh2 has no name.
const AGAIN: i32 = -37;

/// Why a call failed.
#[derive(Debug)]
pub enum CallFailure {
    Failed(ssh2::Error),
    /// The host did not answer for this long.
    Silent(Duration),
    /// The agent did not answer.
    NoAgent(Box<Report>),
    Interrupted,
}

impl From<ssh2::Error> for CallFailure {
    fn from(error: ssh2::Error) -> Self {
        CallFailure::Failed(error)
    }
}

impl CallFailure {
    /// The number of libssh2's error, if it is one.
    pub fn code(&self) -> Option<i32> {
        match self {
            CallFailure::Failed(error) => match error.code() {
                ErrorCode::Session(code) => Some(code),
                ErrorCode::SFTP(_) => None,
            },
            CallFailure::Silent(_) | CallFailure::NoAgent(_) | CallFailure::Interrupted => None,
        }
    }
}

impl std::fmt::Display for CallFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            CallFailure::Failed(error) => f.write_str(error.message()),
            CallFailure::Silent(limit) => write!(f, "no answer within {} s", limit.as_secs()),
            CallFailure::NoAgent(report) => f.write_str(&report.message),
            CallFailure::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// Waits for calls to libssh2 on a session that is not logged in yet. Never blocks for longer than `POLL_INTERVAL`.
pub struct Waiter<'a> {
    pub session: &'a Session,
    pub socket: &'a Socket,
    pub cancel_token: &'a CancelToken,
}

impl Waiter<'_> {
    /// Repeats `call` while libssh2 waits for the host, at most for `limit`.
    pub fn until_done<T, E: Into<CallFailure>>(
        &self,
        limit: Duration,
        mut call: impl FnMut() -> Result<T, E>,
    ) -> Result<T, CallFailure> {
        let start = Instant::now();
        loop {
            match call().map_err(Into::into) {
                Err(stop) if stop.code() == Some(AGAIN) => {}
                result => return result,
            }
            if self.cancel_token.is_cancelled() {
                return Err(CallFailure::Interrupted);
            }
            if start.elapsed() >= limit {
                return Err(CallFailure::Silent(limit));
            }
            self.wait();
        }
    }

    fn wait(&self) {
        let direction = match self.session.block_directions() {
            BlockDirections::None | BlockDirections::Inbound => PollFlags::IN,
            BlockDirections::Outbound => PollFlags::OUT,
            BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
        };
        let mut fds = [PollFd::new(self.socket, direction)];
        // Ignores errors of `poll`: the next call reports them.
        let _ = poll(&mut fds, Timespec::try_from(POLL_INTERVAL).ok().as_ref());
    }
}
