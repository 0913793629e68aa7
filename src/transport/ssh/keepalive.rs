//! Decides when to send a keepalive request to a silent host, and when the connection counts as lost. No I/O.

use std::time::{Duration, Instant};

/// The minimum limit: libssh2 sends keepalive requests at most every two seconds.
const LIMIT_MIN: Duration = Duration::from_secs(6);

/// Sends a request after a third of the limit. The host has the other two thirds to answer.
#[derive(Debug)]
pub struct KeepaliveTimer {
    limit: Duration,
    last_received: Instant,
    /// When a request was sent, unless something arrived since then.
    requested: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    Alive,
    /// How long it was silent.
    Dead(Duration),
}

impl KeepaliveTimer {
    pub fn new(limit: Duration, now: Instant) -> Self {
        Self { limit: limit.max(LIMIT_MIN), last_received: now, requested: None }
    }

    pub fn received(&mut self, now: Instant) {
        self.last_received = now;
        self.requested = None;
    }

    pub fn requested(&mut self, now: Instant) {
        self.requested.get_or_insert(now);
    }

    /// Whether a request is due now.
    pub fn is_due(&self, now: Instant) -> bool {
        self.requested.is_none() && now.saturating_duration_since(self.last_received) >= self.request_after()
    }

    /// Counts from the request, not from the last data of the host: it may have been this program that slept.
    pub fn verdict(&self, now: Instant) -> Liveness {
        match self.requested {
            Some(requested)
                if now.saturating_duration_since(requested) >= self.limit - self.request_after() =>
            {
                Liveness::Dead(now.saturating_duration_since(self.last_received))
            }
            _ => Liveness::Alive,
        }
    }

    /// How long nothing changes if no data arrives.
    pub fn next(&self, now: Instant) -> Duration {
        let at = match self.requested {
            Some(requested) => requested + (self.limit - self.request_after()),
            None => self.last_received + self.request_after(),
        };
        at.saturating_duration_since(now)
    }

    fn request_after(&self) -> Duration {
        self.limit / 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_silent_host_is_asked_and_then_given_up() {
        let start = Instant::now();
        let mut silence = KeepaliveTimer::new(Duration::from_secs(45), start);
        assert!(!silence.is_due(at(start, 14)));
        assert!(silence.is_due(at(start, 15)));
        silence.requested(at(start, 15));
        assert!(!silence.is_due(at(start, 30)));
        assert_eq!(silence.verdict(at(start, 44)), Liveness::Alive);
        assert_eq!(silence.next(at(start, 44)), Duration::from_secs(1));
        assert_eq!(silence.verdict(at(start, 45)), Liveness::Dead(Duration::from_secs(45)));
    }

    #[test]
    fn an_answer_begins_it_anew() {
        let start = Instant::now();
        let mut silence = KeepaliveTimer::new(Duration::from_secs(45), start);
        silence.requested(at(start, 15));
        silence.received(at(start, 16));
        assert_eq!(silence.verdict(at(start, 60)), Liveness::Alive);
        assert!(silence.is_due(at(start, 31)));
    }

    #[test]
    fn a_program_that_slept_asks_first() {
        let start = Instant::now();
        let mut silence = KeepaliveTimer::new(Duration::from_secs(45), start);
        assert_eq!(silence.verdict(at(start, 3600)), Liveness::Alive);
        silence.requested(at(start, 3600));
        assert_eq!(silence.verdict(at(start, 3629)), Liveness::Alive);
    }
}
