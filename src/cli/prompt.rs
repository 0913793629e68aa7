//! Questions of a login, asked on the terminal; without one there is nobody to ask.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;

use crate::transport::ssh::{Logins, Prompt};

struct Terminal;

impl Prompt for Terminal {
    fn secret(&self, question: &str) -> Option<String> {
        rpassword::prompt_password(question).ok()
    }

    fn line(&self, question: &str) -> Option<String> {
        write!(std::io::stderr(), "{question}").ok()?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).ok()?;
        Some(line.trim_end_matches('\n').to_owned())
    }
}

/// What the logins of one run share.
pub fn logins() -> Arc<Logins> {
    let prompt: Option<Box<dyn Prompt>> = match std::io::stdin().is_terminal() {
        true => Some(Box::new(Terminal)),
        false => None,
    };
    Logins::new(prompt)
}
