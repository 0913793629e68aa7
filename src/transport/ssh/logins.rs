//! What the logins of one run share: how many may knock at one door at once, and what a person was asked.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::transport::interrupt::{Interrupt, POLL_INTERVAL};

/// sshd drops connections at random from the 10th on that has not logged in (`MaxStartups 10:30:100`).
const N_AT_ONCE: usize = 8;

/// Asks the person at the terminal; one question at a time. `None` is an answer that was declined.
pub trait Prompt: Send + Sync {
    /// The answer is not shown while it is typed.
    fn secret(&self, question: &str) -> Option<String>;

    fn line(&self, question: &str) -> Option<String>;
}

/// Shared by the targets of a run. Without a prompt there is no terminal, and nothing is asked.
#[derive(Default)]
pub struct Logins {
    prompt: Option<Box<dyn Prompt>>,
    n_knocking: Mutex<HashMap<String, usize>>,
    has_room: Condvar,
    /// What was answered, `None` if declined. Locked while a question is open, so that hosts ask one by one.
    answers: Mutex<HashMap<String, Option<String>>>,
}

impl Logins {
    pub fn new(prompt: Option<Box<dyn Prompt>>) -> Arc<Self> {
        Arc::new(Self { prompt, ..Self::default() })
    }

    pub fn prompt(&self) -> Option<&dyn Prompt> {
        self.prompt.as_deref()
    }

    /// Asks for a secret, unless this question was answered before by another answer than `wrong`. An answer that
    /// was declined stays so.
    pub fn secret(&self, question: &str, wrong: Option<&str>) -> Option<String> {
        let prompt = self.prompt()?;
        let mut answers = lock(&self.answers);
        match answers.get(question) {
            Some(None) => return None,
            Some(Some(answer)) if Some(answer.as_str()) != wrong => return Some(answer.clone()),
            _ => {}
        }
        let answer = prompt.secret(question);
        answers.insert(question.to_owned(), answer.clone());
        answer
    }

    /// Asks once more, for an answer that is good once. One host asks after the other, or an answer might go to the wrong
    /// one.
    pub fn ask(&self, question: &str, is_shown: bool) -> Option<String> {
        let prompt = self.prompt()?;
        let _one_at_a_time = lock(&self.answers);
        match is_shown {
            true => prompt.line(question),
            false => prompt.secret(question),
        }
    }

    /// Waits until there is room at `door`; `None` if interrupted. The room is given back when the answer is dropped.
    pub fn knock(self: &Arc<Self>, door: &str, interrupt: &Interrupt) -> Option<Knock> {
        let mut doors = lock(&self.n_knocking);
        while doors.get(door).is_some_and(|n| *n >= N_AT_ONCE) {
            if interrupt.is_raised() {
                return None;
            }
            let waited = self.has_room.wait_timeout(doors, POLL_INTERVAL);
            doors = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *doors.entry(door.to_owned()).or_default() += 1;
        Some(Knock { logins: Arc::clone(self), door: door.to_owned() })
    }
}

/// A connection that has not logged in yet.
#[must_use]
pub struct Knock {
    logins: Arc<Logins>,
    door: String,
}

impl Drop for Knock {
    fn drop(&mut self) {
        if let Some(n) = lock(&self.logins.n_knocking).get_mut(&self.door) {
            *n -= 1;
        }
        self.logins.has_room.notify_all();
    }
}

impl fmt::Debug for Logins {
    /// Answers are secrets.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Logins").field("has_prompt", &self.prompt.is_some()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    /// Answers with the number of the question.
    #[derive(Default)]
    struct Counting(Mutex<usize>);

    impl Prompt for Counting {
        fn secret(&self, question: &str) -> Option<String> {
            let mut n = lock(&self.0);
            *n += 1;
            (question != "declined").then(|| format!("answer {n}"))
        }

        fn line(&self, _: &str) -> Option<String> {
            None
        }
    }

    #[test]
    fn a_secret_is_asked_once_and_again_if_it_was_wrong() {
        let logins = Logins::new(Some(Box::new(Counting::default())));
        let secret = |question, wrong| logins.secret(question, wrong);
        assert_eq!(secret("a", None).as_deref(), Some("answer 1"));
        assert_eq!(secret("a", None).as_deref(), Some("answer 1"));
        assert_eq!(secret("a", Some("answer 1")).as_deref(), Some("answer 2"));
        assert_eq!(secret("a", Some("answer 1")).as_deref(), Some("answer 2"));
        assert_eq!(secret("declined", None), None);
        assert_eq!(secret("declined", None), None);
        assert_eq!(secret("b", None).as_deref(), Some("answer 4"));
    }

    /// Finds out whether two are asked at once.
    #[derive(Default)]
    struct Alone(Arc<AtomicUsize>);

    impl Prompt for Alone {
        fn secret(&self, _: &str) -> Option<String> {
            let n_others = self.0.fetch_add(1, Ordering::SeqCst);
            (0..100).for_each(|_| thread::yield_now());
            self.0.fetch_sub(1, Ordering::SeqCst);
            Some(n_others.to_string())
        }

        fn line(&self, question: &str) -> Option<String> {
            self.secret(question)
        }
    }

    #[test]
    fn one_question_is_open_at_a_time() {
        let logins = Logins::new(Some(Box::new(Alone::default())));
        let logins = &logins;
        thread::scope(|scope| {
            for n in 0..8 {
                scope.spawn(move || {
                    for i in 0..50 {
                        let answer = match n % 2 {
                            0 => logins.ask("code", i % 2 == 0),
                            _ => logins.secret(&format!("password {n} {i}"), None),
                        };
                        assert_eq!(answer.as_deref(), Some("0"));
                    }
                });
            }
        });
    }

    #[test]
    fn so_many_knock_at_once_and_no_more() {
        let logins = Logins::new(None);
        let interrupt = Interrupt::default();
        let knock = |door| logins.knock(door, &interrupt);
        let mut inside: Vec<_> = (0..N_AT_ONCE).map(|_| knock("a").unwrap()).collect();
        let other = knock("b").unwrap();
        interrupt.raise();
        assert!(knock("a").is_none());
        drop(inside.pop());
        assert!(knock("a").is_some());
        drop(other);
    }
}
