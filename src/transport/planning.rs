//! A remote for `--plan`: what only reads is performed, what writes is noted.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::shell::{Act, Effect, Op};
use crate::transport::{ExtraStreams, Heartbeat, Listener, Lost, QuestionOutcome, Remote, Reply};
use crate::web::Question;

/// Changes nothing on the host.
pub struct Planning {
    remote: Box<dyn Remote>,
    plan: Arc<Mutex<Vec<Op>>>,
}

impl Planning {
    /// Writes are added to `plan` in the order in which they would happen.
    pub fn new(remote: Box<dyn Remote>, plan: Arc<Mutex<Vec<Op>>>) -> Self {
        Self { remote, plan }
    }

    fn record(&self, act: &Act) -> Reply {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.push(act.op.clone());
        Reply::Recorded
    }
}

impl Remote for Planning {
    fn perform(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Reply, Lost> {
        match act.effect {
            Effect::Reads => self.remote.perform(act, listener),
            Effect::Writes => Ok(self.record(act)),
        }
    }

    /// No payload is sent.
    fn preopen(&mut self, _n_payloads: usize) {}

    fn begin(&mut self, act: &Act) {
        match act.effect {
            Effect::Reads => self.remote.begin(act),
            Effect::Writes => {}
        }
    }

    /// A payload is sent to be kept, so this writes whatever the act says.
    fn upload(
        &mut self,
        act: &Act,
        _payload: &mut dyn Read,
        _extra: ExtraStreams,
        _listener: &mut dyn Listener,
    ) -> Result<Reply, Lost> {
        Ok(self.record(act))
    }

    /// Whoever plans asks only what changes nothing.
    fn ask(&mut self, question: &Question) -> Result<QuestionOutcome, Lost> {
        self.remote.ask(question)
    }

    /// A heartbeat keeps a lock, and a plan takes none.
    fn start_heartbeat(&mut self, _heartbeat: Heartbeat) {}

    fn send_heartbeat(&mut self) {}

    fn silence(&self) -> Duration {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::{Script, Step};
    use crate::transport::Silent;
    use crate::transport::simulated::{Simulated, said};

    fn act(name: &'static str, effect: Effect) -> Act {
        Step::new(name, effect, Script::new(":"), |_| Ok(())).act
    }

    #[test]
    fn reads_are_performed_and_writes_noted_in_order() {
        let plan = Arc::default();
        let inner = Simulated::answering(|_| said("yes"));
        let performed = inner.performed();
        let mut remote = Planning::new(Box::new(inner), Arc::clone(&plan));
        let mut perform = |name, effect| remote.perform(&act(name, effect), &mut Silent).unwrap();
        assert_eq!(perform("probe", Effect::Reads), Reply::Answered(said("yes")));
        assert_eq!(perform("swap", Effect::Writes), Reply::Recorded);
        let fill = act("fill", Effect::Writes);
        let sent = remote.send(&fill, &mut &b"pack"[..], &mut Silent);
        assert_eq!(sent, Ok(Reply::Recorded));
        assert_eq!(performed.names(), ["probe"]);
        let names: Vec<_> = plan.lock().unwrap().iter().map(|op: &Op| op.name).collect();
        assert_eq!(names, ["swap", "fill"]);
    }
}
