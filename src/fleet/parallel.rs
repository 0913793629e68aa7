//! Work on several hosts in parallel, and one error for all their failures.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::event::Report;
use crate::event::grouping::combine;

/// In bytes. Scripts run on these threads, and nest calls.
const STACK: usize = 8 << 20;

/// Hosts, each with its error.
pub type Failures = Vec<(usize, anyhow::Error)>;

/// Runs `act` on at most `limit` hosts at a time, and returns the answers in the order of the hosts. There is a thread
/// for each host, not for each core: the threads wait for servers.
///
/// They must not be rayon workers: a worker that waits for its part of the walk would take up another host meanwhile,
/// and that host may wait for the same walk.
pub fn in_parallel<A: Send>(
    hosts: &[usize],
    limit: usize,
    act: impl Fn(usize) -> A + Sync,
) -> Vec<(usize, A)> {
    if let [host] = *hosts {
        return vec![(host, act(host))];
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::SeqCst);
            let Some(&host) = hosts.get(n) else { return done };
            done.push((n, host, act(host)));
        }
    };
    let n_threads = hosts.len().min(limit).clamp(1, 256);
    let mut answers = thread::scope(|scope| {
        let start = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).ok();
        let threads: Vec<_> = (0..n_threads).filter_map(start).collect();
        // If no thread could be started, this one does the work.
        let mut answers = if threads.is_empty() { work() } else { Vec::new() };
        for thread in threads {
            answers.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        answers
    });
    answers.sort_by_key(|(n, ..)| *n);
    answers.into_iter().map(|(_, host, answer)| (host, answer)).collect()
}

/// One error for the failures of several hosts.
pub fn combined<'a>(failures: Failures, name: impl Fn(usize) -> &'a str) -> Option<anyhow::Error> {
    let report = |(host, error)| Report { hosts: vec![name(host).to_owned()], ..Report::of(&error) };
    combine(failures.into_iter().map(report)).map(Into::into)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use rayon::prelude::*;

    use super::*;

    #[test]
    fn answers_are_in_order_and_no_more_than_the_limit_work_at_once() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let hosts: Vec<usize> = (0..40).rev().collect();
        let answers = in_parallel(&hosts, 3, |host| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
            host * 2
        });
        let want: Vec<_> = hosts.iter().map(|host| (*host, host * 2)).collect();
        assert_eq!(answers, want);
        assert!(most.into_inner() <= 3);
    }

    #[test]
    fn a_host_that_waits_for_parallel_work_takes_up_no_other_host() {
        thread_local! { static IS_BUSY: Cell<bool> = const { Cell::new(false) } }
        let hosts: Vec<usize> = (0..32).collect();
        in_parallel(&hosts, 8, |_| {
            assert!(!IS_BUSY.replace(true));
            // Long enough for other workers to take a share.
            (0..8).into_par_iter().for_each(|_| thread::sleep(Duration::from_millis(1)));
            IS_BUSY.set(false);
        });
    }
}
