//! State that all logins of a run share: the limit of parallel logins to a server, and the answers of the user.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::transport::cancel::{CancelToken, POLL_INTERVAL};

/// The limit of parallel logins. From the 10th unauthenticated connection on, sshd drops some at random (`MaxStartups
/// 10:30:100`).
const N_AT_ONCE: usize = 8;

/// Asks the user at the terminal, one question at a time. `None` if the user declines to answer.
pub trait Prompt: Send + Sync {
    /// Does not show the answer while it is typed.
    fn secret(&self, question: &str) -> Option<String>;

    fn line(&self, question: &str) -> Option<String>;
}

/// Shared by the targets of a run. Without a prompt, there is no terminal, and no questions are asked.
#[derive(Default)]
pub struct Logins {
    prompt: Option<Box<dyn Prompt>>,
    n_taken: Mutex<HashMap<String, usize>>,
    has_free_slot: Condvar,
    /// The answers by question; `None` if declined. Locked while a question is open, so that hosts ask one after the
    /// other.
    answers: Mutex<HashMap<String, Option<String>>>,
}

impl Logins {
    pub fn new(prompt: Option<Box<dyn Prompt>>) -> Arc<Self> {
        Arc::new(Self { prompt, ..Self::default() })
    }

    pub fn prompt(&self) -> Option<&dyn Prompt> {
        self.prompt.as_deref()
    }

    /// Asks for a secret, unless the question has an answer other than `wrong`. Does not ask again if the user
    /// declined to answer.
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

    /// Asks for an answer that is valid once. Hosts ask one after the other, so that each answer belongs to the right
    /// host.
    pub fn ask(&self, question: &str, is_shown: bool) -> Option<String> {
        let prompt = self.prompt()?;
        let _one_at_a_time = lock(&self.answers);
        match is_shown {
            true => prompt.line(question),
            false => prompt.secret(question),
        }
    }

    /// Asks a question whose answer holds for the whole run, unless it has an answer.
    pub fn ask_once(&self, question: &str) -> Option<String> {
        let prompt = self.prompt()?;
        let mut answers = lock(&self.answers);
        answers.entry(question.to_owned()).or_insert_with(|| prompt.line(question)).clone()
    }

    /// Waits for a login slot of `server`; `None` if interrupted. Dropping the slot frees it.
    pub fn take_slot(self: &Arc<Self>, server: &str, cancel_token: &CancelToken) -> Option<LoginSlot> {
        let mut n_taken = lock(&self.n_taken);
        while n_taken.get(server).is_some_and(|n| *n >= N_AT_ONCE) {
            if cancel_token.is_cancelled() {
                return None;
            }
            let waited = self.has_free_slot.wait_timeout(n_taken, POLL_INTERVAL);
            n_taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *n_taken.entry(server.to_owned()).or_default() += 1;
        Some(LoginSlot { logins: Arc::clone(self), server: server.to_owned() })
    }
}

/// The right to have one unauthenticated connection to a server.
#[must_use]
pub struct LoginSlot {
    logins: Arc<Logins>,
    server: String,
}

impl Drop for LoginSlot {
    fn drop(&mut self) {
        if let Some(n) = lock(&self.logins.n_taken).get_mut(&self.server) {
            *n -= 1;
        }
        self.logins.has_free_slot.notify_all();
    }
}

impl fmt::Debug for Logins {
    /// Does not show answers: they are secret.
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

    /// Detects whether two questions are open at once.
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
    fn a_server_has_so_many_slots_and_no_more() {
        let logins = Logins::new(None);
        let cancel_token = CancelToken::default();
        let take = |server| logins.take_slot(server, &cancel_token);
        let mut inside: Vec<_> = (0..N_AT_ONCE).map(|_| take("a").unwrap()).collect();
        let other = take("b").unwrap();
        cancel_token.cancel();
        assert!(take("a").is_none());
        drop(inside.pop());
        assert!(take("a").is_some());
        drop(other);
    }
}
