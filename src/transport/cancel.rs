//! The token that cancels running acts, as Ctrl-C does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often waiting code checks the flag, so Ctrl-C takes effect within it. Each host has a thread that does so: with
/// many hosts, a shorter interval costs processor time.
pub const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Shared by everything that can cancel acts and everything that performs them. While it is cancelled, running acts
/// are ended and no act starts; both answer `Exit::Interrupted`.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Lets acts run again, for an undo.
    pub fn clear(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// The flag that a signal handler sets.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}
