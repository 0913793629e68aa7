//! Signs of life between the acts of a run: they keep its locks, and its swaps until they are confirmed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::run::Run;

/// How long the hosts are left alone.
const TICK: Duration = Duration::from_millis(50);

/// Gives signs of life while no act runs on a host, and notices when there is no answer.
pub struct HeartbeatThread {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl HeartbeatThread {
    pub fn start(run: &Arc<Run>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (run, over) = (run.clone(), is_over.clone());
        // Without it, swaps on hosts that nothing is asked of for a minute are taken back: the safe side.
        let thread = thread::Builder::new()
            .name("heartbeat".to_owned())
            .spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    beat(&run);
                    thread::park_timeout(TICK);
                }
            })
            .ok();
        Self { is_over, thread }
    }
}

/// One on each host, where it is due.
fn beat(run: &Run) {
    for host in run.fleet.including_dropped() {
        // While an act runs there, it gives them itself.
        let Some(mut site) = run.fleet.idle_site(host) else { continue };
        site.session.heartbeat();
        if site.session.is_out_of_touch() {
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
