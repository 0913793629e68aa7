//! Sends heartbeats between the acts of a run. They keep its locks, and its swaps until they are confirmed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::run::Run;

/// How often the thread looks for heartbeats that are due.
const TICK: Duration = Duration::from_millis(50);

/// Sends heartbeats to hosts on which no act runs, and notices when no answers come.
pub struct HeartbeatThread {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl HeartbeatThread {
    pub fn start(run: &Arc<Run>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (run, over) = (run.clone(), is_over.clone());
        // If the thread cannot start, a host on which no act runs for long swaps back by itself. That is safe.
        let thread = thread::Builder::new()
            .name("heartbeat".to_owned())
            .spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    send_heartbeats(&run);
                    thread::park_timeout(TICK);
                }
            })
            .ok();
        Self { is_over, thread }
    }
}

/// Sends one to each host for which it is due.
fn send_heartbeats(run: &Run) {
    for host in run.fleet.including_dropped() {
        // While an act runs there, the act sends them itself.
        let Some(mut site) = run.fleet.idle_site(host) else { continue };
        site.session.heartbeat();
        if site.session.has_lost_contact() {
            run.rollouts.lose_contact(host, &run.cancel_token);
        }
    }
}

impl Drop for HeartbeatThread {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
