//! Runs calls that cannot be cancelled in separate threads. If a call takes too long, its thread is abandoned.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::transport::cancel::{CancelToken, POLL_INTERVAL};

/// Why a call was abandoned. When it ends after all, its thread releases what it holds.
#[derive(Debug, PartialEq, Eq)]
pub enum WaitError {
    Interrupted,
    TimedOut,
}

/// Runs `call` in a thread, and waits for it, at most for `limit`.
pub fn run_detached<T: Send + 'static>(
    limit: Duration,
    cancel_token: &CancelToken,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, WaitError> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        // Fails only if the call was abandoned.
        let _ = sender.send(call());
    });
    let start = Instant::now();
    loop {
        match receiver.recv_timeout(POLL_INTERVAL) {
            Ok(answer) => return Ok(answer),
            // It panicked, and printed the message to standard error.
            Err(RecvTimeoutError::Disconnected) => return Err(WaitError::TimedOut),
            Err(RecvTimeoutError::Timeout) if cancel_token.is_cancelled() => {
                return Err(WaitError::Interrupted);
            }
            Err(RecvTimeoutError::Timeout) if start.elapsed() >= limit => return Err(WaitError::TimedOut),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn an_answer_is_waited_for_and_silence_is_not() {
        let cancel_token = CancelToken::default();
        assert_eq!(run_detached(LONG, &cancel_token, || 7), Ok(7));
        // Never returns while the test holds the other end.
        let (held, silent) = channel::<()>();
        assert_eq!(
            run_detached(Duration::ZERO, &cancel_token, move || silent.recv().is_ok()),
            Err(WaitError::TimedOut)
        );
        drop(held);
        let (held, silent) = channel::<()>();
        cancel_token.cancel();
        assert_eq!(
            run_detached(LONG, &cancel_token, move || silent.recv().is_ok()),
            Err(WaitError::Interrupted)
        );
        drop(held);
    }
}
