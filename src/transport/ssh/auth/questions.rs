//! Asks the user for passwords, and for answers to other questions of the host.

use ssh2::KeyboardInteractivePrompt;

use crate::transport::ssh::auth::login::{ANSWER_LIMIT, Login, LoginStep, REFUSED, USER_LIMIT};
use crate::transport::ssh::config::AuthMethod;
use crate::transport::ssh::failure::LoginFailure;
use crate::transport::ssh::logins::Logins;

/// Asks for the password, at most as often as the configuration allows.
pub fn password(login: &mut Login) -> Result<LoginStep, LoginFailure> {
    let user = login.config.user.clone();
    let question = format!("password for `{user}` on {}", login.config.place());
    let mut wrong = None;
    for _ in 0..login.config.n_prompts {
        let Some(password) = login.target.logins.secret(&question, wrong.as_deref()) else {
            login.attempts.unanswered("password", login.target.logins.prompt().is_some());
            return Ok(LoginStep::Refused);
        };
        let session = login.waiter.session;
        let result = login.call(ANSWER_LIMIT, || session.userauth_password(&user, &password))?;
        match result.as_ref().err().map(|stop| stop.code()) {
            None => return Ok(LoginStep::LoggedIn),
            Some(Some(REFUSED)) => match login.after_refusal(AuthMethod::Password)? {
                LoginStep::Refused => login.attempts.note("password: refused".to_owned()),
                step => return Ok(step),
            },
            Some(_) => {
                let why = result.err().map(|stop| stop.to_string()).unwrap_or_default();
                login.attempts.note(format!("password: {why}"));
                return Ok(LoginStep::Refused);
            }
        }
        wrong = Some(password);
    }
    Ok(LoginStep::Refused)
}

/// Passes the host's questions to the user. Does not remember the answers: many are valid only once.
pub fn converse(login: &mut Login) -> Result<LoginStep, LoginFailure> {
    let logins = login.target.logins.clone();
    if logins.prompt().is_none() {
        login.attempts.unanswered("keyboard-interactive", false);
        return Ok(LoginStep::Refused);
    }
    let user = login.config.user.clone();
    let about = format!("`{user}` on {}", login.config.place());
    for _ in 0..login.config.n_prompts {
        let session = login.waiter.session;
        let mut relay = Relay { logins: &logins, about: &about, is_declined: false };
        let result = login.call(USER_LIMIT, || session.userauth_keyboard_interactive(&user, &mut relay))?;
        if result.is_ok() {
            return Ok(LoginStep::LoggedIn);
        }
        match login.after_refusal(AuthMethod::KeyboardInteractive)? {
            LoginStep::Refused if relay.is_declined => {
                login.attempts.unanswered("keyboard-interactive", true);
                return Ok(LoginStep::Refused);
            }
            LoginStep::Refused => login.attempts.note("keyboard-interactive: refused".to_owned()),
            step => return Ok(step),
        }
    }
    Ok(LoginStep::Refused)
}

struct Relay<'a> {
    logins: &'a Logins,
    /// The user and the host, for the question.
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
            let answer = match self.is_declined {
                true => None,
                false => self.logins.ask(&text, question.echo),
            };
            self.is_declined |= answer.is_none();
            answers.push(answer.unwrap_or_default());
        }
        answers
    }
}

/// Replaces control characters: a host must not control the terminal.
fn printable(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.trim().trim_end_matches(':').to_owned()
}
