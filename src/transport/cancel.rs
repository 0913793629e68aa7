//! The token that cancels running acts, as Ctrl-C does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often code that waits for something else checks the flag.
pub const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// All who may cancel and all remotes that obey share it. While it is cancelled, a running act is ended and no act is
/// started; both are answered with `Exit::Interrupted`.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Lets acts run again, as an undo must.
    pub fn clear(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// The flag itself, for a signal handler to set.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}
