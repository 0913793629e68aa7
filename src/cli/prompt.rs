//! How hosts are reached, and who is asked for passwords and passphrases: the terminal, if there is one.

use std::io::IsTerminal;
use std::sync::Arc;

use crate::event::Sink;
use crate::fleet::access::Access;
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

/// How a verb without a run reaches the hosts.
pub fn access(cancel_token: &CancelToken, events: &Arc<dyn Sink>) -> Access {
    Access {
        logins: logins(cancel_token, events),
        cancel_token: cancel_token.clone(),
        events: events.clone(),
        is_plan: false,
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
