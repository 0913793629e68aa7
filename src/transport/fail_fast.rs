//! A remote that stops trying to reach a host once that has failed: each attempt can take up to a minute.

use std::io::Read;
use std::time::Duration;

use crate::shell::{Act, Answer};
use crate::transport::{ExtraStreams, Heartbeat, Listener, Remote, RequestResult, TransportError};
use crate::web::Request;

/// Connects again after each failure, as a recipe that restarts a host needs it, until `fail_fast` is called.
pub struct FailFast {
    remote: Box<dyn Remote>,
    fails_fast: bool,
    /// Why the last attempt to reach the host failed.
    refused: Option<TransportError>,
}

impl FailFast {
    pub fn new(remote: Box<dyn Remote>) -> Self {
        Self { remote, fails_fast: false, refused: None }
    }

    /// From now on, does not try again to reach a host after a failure.
    pub fn fail_fast(&mut self) {
        self.fails_fast = true;
    }
}

impl Remote for FailFast {
    fn preopen(&mut self, n_payloads: usize) {
        self.remote.preopen(n_payloads);
    }

    fn begin(&mut self, act: &Act) {
        if self.refused.is_none() {
            self.remote.begin(act);
        }
    }

    fn perform(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Answer, TransportError> {
        if let Some(lost) = &self.refused {
            return Err(lost.clone());
        }
        let reply = self.remote.perform(act, listener);
        if let Err(lost @ TransportError::Refused { .. }) = &reply
            && self.fails_fast
        {
            self.refused = Some(lost.clone());
        }
        reply
    }

    /// Does not remember a refusal: it may concern only the channel.
    fn upload(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        extra: ExtraStreams,
        listener: &mut dyn Listener,
    ) -> Result<Answer, TransportError> {
        match &self.refused {
            Some(lost) => Err(lost.clone()),
            None => self.remote.upload(act, payload, extra, listener),
        }
    }

    fn request(&mut self, request: &Request) -> Result<RequestResult, TransportError> {
        match &self.refused {
            Some(lost) => Err(lost.clone()),
            None => self.remote.request(request),
        }
    }

    fn start_heartbeat(&mut self, heartbeat: Heartbeat) {
        self.remote.start_heartbeat(heartbeat);
    }

    fn send_heartbeat(&mut self) {
        self.remote.send_heartbeat();
    }

    fn limit_silence(&mut self, limit: Option<Duration>) {
        self.remote.limit_silence(limit);
    }

    fn silence(&self) -> Duration {
        self.remote.silence()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::{Effect, Script, Step};
    use crate::transport::Silent;
    use crate::transport::simulated::SimulatedRemote;

    #[test]
    fn a_host_that_is_away_is_tried_once_more_and_then_not_again() {
        let act = Step::new("check", Effect::Reads, Script::new(":"), |_| Ok(())).act;
        let lost = |n| TransportError::refused(format!("try {n}"));
        let mut n_tries = 0;
        let away = SimulatedRemote::replying(move |_| {
            n_tries += 1;
            Err(lost(n_tries))
        });
        let mut remote = FailFast::new(Box::new(away));
        assert_eq!(remote.perform(&act, &mut Silent), Err(lost(1)));
        assert_eq!(remote.perform(&act, &mut Silent), Err(lost(2)));
        remote.fail_fast();
        for _ in 0..2 {
            assert_eq!(remote.perform(&act, &mut Silent), Err(lost(3)));
            assert_eq!(remote.send(&act, &mut std::io::empty(), &mut Silent), Err(lost(3)));
        }
    }
}
