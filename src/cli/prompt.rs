//! Asks for passwords and passphrases at the terminal, if there is one.

use std::io::IsTerminal;
use std::sync::Arc;

use crate::event::Sink;
use crate::here::question;
use crate::transport::CancelToken;
use crate::transport::ssh::{Logins, Prompt};

struct TerminalPrompt {
    cancel_token: CancelToken,
    events: Arc<dyn Sink>,
}

impl Prompt for TerminalPrompt {
    fn secret(&self, question: &str) -> Option<String> {
        question::secret(&format!("{question}: "), &self.cancel_token, &*self.events).ok()
    }

    fn line(&self, question: &str) -> Option<String> {
        question::line(&format!("{question}: "), &self.cancel_token, &*self.events).ok()
    }
}

/// The state that all logins of a run share.
pub fn logins(cancel_token: &CancelToken, events: &Arc<dyn Sink>) -> Arc<Logins> {
    let prompt: Option<Box<dyn Prompt>> = match std::io::stdin().is_terminal() {
        true => Some(Box::new(TerminalPrompt { cancel_token: cancel_token.clone(), events: events.clone() })),
        false => None,
    };
    Logins::new(prompt)
}
