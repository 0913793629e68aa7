//! Passwords and other questions of the host, which only a person can answer.

use std::time::Duration;

use ssh2::KeyboardInteractivePrompt;

use crate::transport::ssh::auth::login::{ANSWER, Login, REFUSED, Step};
use crate::transport::ssh::config::Method;
use crate::transport::ssh::failure::Failure;
use crate::transport::ssh::logins::Prompt;

/// For the host to go on after an answer: it may ask a telephone.
const CONVERSATION: Duration = Duration::from_secs(180);

/// Asks for the password, as often as the configuration allows.
pub fn password(login: &mut Login) -> Result<Step, Failure> {
    let user = login.config.user.clone();
    let question = format!("password of `{user}` on {}", login.config.place());
    let mut wrong = None;
    for _ in 0..login.config.n_prompts {
        let Some(password) = login.target.logins.secret(&question, wrong.as_deref()) else {
            login.tried.unasked("password", login.target.logins.prompt().is_some());
            return Ok(Step::Refused);
        };
        let session = login.talk.session;
        let result = login.call(ANSWER, || session.userauth_password(&user, &password))?;
        match result.as_ref().err().map(|stop| stop.code()) {
            None => return Ok(Step::In),
            Some(Some(REFUSED)) => match login.weigh(Method::Password)? {
                Step::Refused => login.tried.note("password: refused".to_owned()),
                step => return Ok(step),
            },
            Some(_) => {
                let why = result.err().map(|stop| stop.to_string()).unwrap_or_default();
                login.tried.note(format!("password: {why}"));
                return Ok(Step::Refused);
            }
        }
        wrong = Some(password);
    }
    Ok(Step::Refused)
}

/// Passes the host's questions on. The answers are not remembered: many are good only once.
pub fn converse(login: &mut Login) -> Result<Step, Failure> {
    let logins = login.target.logins.clone();
    let Some(prompt) = logins.prompt() else {
        login.tried.unasked("keyboard-interactive", false);
        return Ok(Step::Refused);
    };
    let user = login.config.user.clone();
    let about = format!("`{user}` on {}", login.config.place());
    for _ in 0..login.config.n_prompts {
        let session = login.talk.session;
        let mut relay = Relay { prompt, about: &about, is_declined: false };
        let result = login.call(CONVERSATION, || session.userauth_keyboard_interactive(&user, &mut relay))?;
        if result.is_ok() {
            return Ok(Step::In);
        }
        match login.weigh(Method::KeyboardInteractive)? {
            Step::Refused if relay.is_declined => {
                login.tried.unasked("keyboard-interactive", true);
                return Ok(Step::Refused);
            }
            Step::Refused => login.tried.note("keyboard-interactive: refused".to_owned()),
            step => return Ok(step),
        }
    }
    Ok(Step::Refused)
}

struct Relay<'a> {
    prompt: &'a dyn Prompt,
    /// Who is asked, and by whom.
    about: &'a str,
    is_declined: bool,
}

impl KeyboardInteractivePrompt for Relay<'_> {
    fn prompt<'a>(
        &mut self,
        _username: &str,
        instructions: &str,
        prompts: &[ssh2::Prompt<'a>],
    ) -> Vec<String> {
        let mut answers = Vec::new();
        for question in prompts {
            let text = printable(&format!("{} {}", instructions, question.text));
            let text = format!("{}: {text}", self.about);
            let answer = match question.echo {
                _ if self.is_declined => None,
                true => self.prompt.line(&text),
                false => self.prompt.secret(&text),
            };
            self.is_declined |= answer.is_none();
            answers.push(answer.unwrap_or_default());
        }
        answers
    }
}

/// A host may write what it likes, but not draw on the terminal.
fn printable(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.trim().trim_end_matches(':').to_owned()
}
