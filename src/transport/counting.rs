//! Counts what goes through a remote, and breaks it at a chosen act: for tests of cost and of failure.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use crate::shell::Act;
use crate::transport::{Listener, Lost, Remote, Reply, Stream};

/// What happens at the chosen act.
pub enum Fault {
    /// The connection breaks and the act is not done.
    LostBefore,
    /// The act is done and the connection breaks before its answer.
    LostAfter,
    /// Something is done before the act.
    Hook(Box<dyn FnMut(&Act) + Send>),
}

/// Wraps a remote. Acts and payloads are counted alike, from 1.
pub struct Counting<R> {
    inner: R,
    counts: Counts,
    n_acts: usize,
    faults: BTreeMap<usize, Fault>,
}

impl<R: Remote> Counting<R> {
    /// Counts into `counts`, which several remotes may share.
    pub fn new(inner: R, counts: Counts) -> Self {
        Self { inner, counts, n_acts: 0, faults: BTreeMap::new() }
    }

    /// Sets what happens at the `n`-th act of this remote.
    pub fn at(mut self, n: usize, fault: Fault) -> Self {
        self.faults.insert(n, fault);
        self
    }

    fn count(&mut self, act: &Act, go: impl FnOnce(&mut R) -> Result<Reply, Lost>) -> Result<Reply, Lost> {
        self.n_acts += 1;
        match self.faults.get_mut(&self.n_acts) {
            Some(Fault::LostBefore) => return Err(lost(self.n_acts, act)),
            Some(Fault::Hook(hook)) => hook(act),
            Some(Fault::LostAfter) | None => {}
        }
        self.counts.change(|totals| {
            *totals.acts.entry(act.op.name).or_default() += 1;
        });
        let reply = go(&mut self.inner)?;
        match self.faults.get(&self.n_acts) {
            Some(Fault::LostAfter) => Err(lost(self.n_acts, act)),
            _ => Ok(reply),
        }
    }
}

fn lost(n: usize, act: &Act) -> Lost {
    Lost::Gone { why: format!("broken at act {n}, `{}`, by the test", act.op), sent: 0 }
}

impl<R: Remote> Remote for Counting<R> {
    fn perform(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Reply, Lost> {
        self.count(act, |inner| inner.perform(act, listener))
    }

    fn send(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        listener: &mut dyn Listener,
    ) -> Result<Reply, Lost> {
        let counts = self.counts.clone();
        let mut tally = Tally { listener, counts };
        self.count(act, |inner| inner.send(act, payload, &mut tally))
    }
}

/// Passes everything on and counts the payload.
struct Tally<'a> {
    listener: &'a mut dyn Listener,
    counts: Counts,
}

impl Listener for Tally<'_> {
    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        self.listener.output(stream, bytes);
    }

    fn sent(&mut self, bytes: u64) {
        self.counts.change(|totals| totals.payload += bytes);
        self.listener.sent(bytes);
    }
}

/// The counts of one or several remotes: a shared handle.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<Mutex<Totals>>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many acts of each name were passed on.
    pub acts: BTreeMap<&'static str, usize>,
    /// How many bytes of payloads were taken.
    pub payload: u64,
}

impl Totals {
    pub fn n_acts(&self) -> usize {
        self.acts.values().sum()
    }
}

impl Counts {
    pub fn totals(&self) -> Totals {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, how: impl FnOnce(&mut Totals)) {
        how(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::{Effect, Script, Step};
    use crate::transport::Silent;
    use crate::transport::simulated::{Simulated, said};

    fn act(name: &'static str) -> Act {
        Step::new(name, Effect::Writes, Script::new(":"), |_| Ok(())).act
    }

    #[test]
    fn acts_and_payload_bytes_are_counted() {
        let counts = Counts::default();
        let mut remote = Counting::new(Simulated::new(|_| said("")), counts.clone());
        for name in ["probe", "swap", "probe"] {
            remote.perform(&act(name), &mut Silent).unwrap();
        }
        remote.send(&act("fill"), &mut &b"pack"[..], &mut Silent).unwrap();
        let totals = counts.totals();
        assert_eq!(totals.acts["probe"], 2);
        assert_eq!(totals.n_acts(), 4);
        assert_eq!(totals.payload, 4);
    }

    #[test]
    fn faults_strike_before_or_after_the_chosen_act() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let hook = {
            let seen = Arc::clone(&seen);
            Box::new(move |act: &Act| seen.lock().unwrap().push(act.op.name))
        };
        let inner = Simulated::new(|_| said(""));
        let performed = inner.performed();
        let mut remote = Counting::new(inner, Counts::default())
            .at(1, Fault::LostBefore)
            .at(2, Fault::LostAfter)
            .at(3, Fault::Hook(hook));
        let mut perform = |name| remote.perform(&act(name), &mut Silent);
        assert!(perform("first").is_err());
        assert!(perform("second").is_err());
        assert!(perform("third").is_ok());
        assert!(perform("fourth").is_ok());
        assert_eq!(performed.names(), ["second", "third", "fourth"]);
        assert_eq!(*seen.lock().unwrap(), ["third"]);
    }
}
