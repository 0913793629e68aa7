//! Questions of a login, asked on the terminal; without one there is nobody to ask.

use std::io::IsTerminal;
use std::sync::Arc;

use crate::run::question;
use crate::transport::Interrupt;
use crate::transport::ssh::{Logins, Prompt};

struct Terminal(Interrupt);

impl Prompt for Terminal {
    fn secret(&self, question: &str) -> Option<String> {
        question::secret(&format!("{question}: "), &self.0).ok()
    }

    fn line(&self, question: &str) -> Option<String> {
        question::line(&format!("{question}: "), &self.0).ok()
    }
}

/// What the logins of one run share.
pub fn logins(interrupt: &Interrupt) -> Arc<Logins> {
    let prompt: Option<Box<dyn Prompt>> = match std::io::stdin().is_terminal() {
        true => Some(Box::new(Terminal(interrupt.clone()))),
        false => None,
    };
    Logins::new(prompt)
}
