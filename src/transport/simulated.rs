//! A remote without a host, for tests of the layers above: answers are made up, acts are kept.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use crate::shell::{Act, Answer, Exit};
use crate::transport::{Listener, Lost, Remote, Reply, Stream};

type Answers = Box<dyn FnMut(&Act) -> Result<Reply, Lost> + Send>;

/// Answers by a function or by the names of ops.
pub struct Simulated {
    answers: Answers,
    performed: Performed,
}

impl Simulated {
    pub fn new(mut answer: impl FnMut(&Act) -> Answer + Send + 'static) -> Self {
        Self::replying(move |act| Ok(Reply::Answered(answer(act))))
    }

    /// For replies other than answers.
    pub fn replying(answers: impl FnMut(&Act) -> Result<Reply, Lost> + Send + 'static) -> Self {
        Self { answers: Box::new(answers), performed: Performed::default() }
    }

    /// Answers each op by its name; the connection for any other is refused.
    pub fn by_name(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
        let answers: HashMap<_, _> = answers.into_iter().collect();
        Self::replying(move |act| match answers.get(act.op.name) {
            Some(answer) => Ok(Reply::Answered(answer.clone())),
            None => Err(Lost::Refused { why: format!("no answer is simulated for `{}`", act.op) }),
        })
    }

    /// What it is asked to perform, from now on and before; the handle outlives it.
    pub fn performed(&self) -> Performed {
        self.performed.clone()
    }

    fn reply(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Reply, Lost> {
        let reply = (self.answers)(act)?;
        if let Reply::Answered(answer) = &reply {
            for (stream, bytes) in [(Stream::Stdout, &answer.stdout), (Stream::Stderr, &answer.stderr)] {
                if !bytes.is_empty() {
                    listener.output(stream, bytes);
                }
            }
        }
        Ok(reply)
    }
}

impl Remote for Simulated {
    fn perform(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Reply, Lost> {
        self.performed.push(act, None);
        self.reply(act, listener)
    }

    fn send(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        listener: &mut dyn Listener,
    ) -> Result<Reply, Lost> {
        let mut bytes = Vec::new();
        payload.read_to_end(&mut bytes).map_err(|error| Lost::Payload { why: error.to_string() })?;
        listener.sent(bytes.len() as u64);
        self.performed.push(act, Some(bytes));
        self.reply(act, listener)
    }
}

/// The acts that were performed, with the payloads of those that had one.
#[derive(Debug, Clone, Default)]
pub struct Performed(Arc<Mutex<Vec<Entry>>>);

type Entry = (Act, Option<Vec<u8>>);

impl Performed {
    pub fn acts(&self) -> Vec<Act> {
        self.each(|(act, _)| act.clone())
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.each(|(act, _)| act.op.name)
    }

    pub fn payloads(&self) -> Vec<Option<Vec<u8>>> {
        self.each(|(_, payload)| payload.clone())
    }

    fn each<T>(&self, get: impl Fn(&Entry) -> T) -> Vec<T> {
        let performed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        performed.iter().map(get).collect()
    }

    fn push(&self, act: &Act, payload: Option<Vec<u8>>) {
        let mut performed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        performed.push((act.clone(), payload));
    }
}

/// An answer of success with `stdout`.
pub fn said(stdout: impl Into<Vec<u8>>) -> Answer {
    Answer { exit: Exit::Code(0), stdout: stdout.into(), stderr: Vec::new() }
}

/// An answer of failure with `stderr`.
pub fn failed(code: i32, stderr: impl Into<Vec<u8>>) -> Answer {
    Answer { exit: Exit::Code(code), stdout: Vec::new(), stderr: stderr.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::{Effect, Script, Step};
    use crate::transport::Silent;

    fn act(name: &'static str) -> Act {
        Step::new(name, Effect::Writes, Script::new(":"), |_| Ok(())).act
    }

    #[test]
    fn ops_are_answered_by_name_and_kept_with_their_payloads() {
        let answers = [("probe", said("linux")), ("fill", failed(2, "disk full"))];
        let mut remote = Simulated::by_name(answers);
        let performed = remote.performed();
        let probe = remote.perform(&act("probe"), &mut Silent);
        assert_eq!(probe, Ok(Reply::Answered(said("linux"))));
        let fill = remote.send(&act("fill"), &mut &b"pack"[..], &mut Silent);
        assert_eq!(fill, Ok(Reply::Answered(failed(2, "disk full"))));
        let other = remote.perform(&act("other"), &mut Silent);
        assert!(matches!(other, Err(Lost::Refused { .. })));
        assert_eq!(performed.names(), ["probe", "fill", "other"]);
        assert_eq!(performed.payloads()[1].as_deref(), Some(&b"pack"[..]));
    }
}
