//! Logs in to a host: with keys, then with answers of the user, in as many factors as the host requires.
//!
//! **Invariant:** no message contains a secret.

mod agent;
mod attempts;
mod key_file;
mod keys;
mod login;
mod order;
mod questions;

use crate::transport::ssh::SshTarget;
use crate::transport::ssh::auth::attempts::LoginAttempts;
use crate::transport::ssh::auth::keys::Keys;
use crate::transport::ssh::auth::login::{Login, LoginStep};
use crate::transport::ssh::config::{AuthMethod, Config};
use crate::transport::ssh::failure::LoginFailure;
use crate::transport::ssh::waiter::Waiter;

/// More factors than any known server requires.
const N_FACTORS: usize = 5;

/// Logs in. The error lists what was tried and what the host would accept.
pub fn log_in(waiter: &Waiter, target: &SshTarget, config: &Config) -> Result<(), LoginFailure> {
    let mut login = Login { waiter, target, config, accepted: None, attempts: LoginAttempts::default() };
    let mut keys = None;
    for _ in 0..N_FACTORS {
        match factor(&mut login, &mut keys)? {
            LoginStep::LoggedIn => return Ok(()),
            LoginStep::MoreRequired(methods) => login.accepted = Some(methods),
            LoginStep::Refused => break,
        }
    }
    if waiter.cancel_token.is_cancelled() {
        // The interrupt left a question unanswered.
        return Err(LoginFailure::Interrupted);
    }
    Err(LoginFailure::Final(login.attempts.report(
        target,
        config,
        login.accepted.as_deref().unwrap_or_default(),
    )))
}

/// Tries every method until the host accepts one.
fn factor(login: &mut Login, keys: &mut Option<Keys>) -> Result<LoginStep, LoginFailure> {
    for method in &login.config.methods {
        let is_blind = *method == AuthMethod::PublicKey && login.accepted.is_none();
        if !is_blind && !login.accepts(*method)? {
            match login.waiter.session.authenticated() {
                true => return Ok(LoginStep::LoggedIn),
                false => continue,
            }
        }
        let step = match method {
            AuthMethod::PublicKey => {
                let keys = match keys {
                    Some(keys) => keys,
                    None => keys.insert(Keys::collect(login)?),
                };
                keys.offer(login)?
            }
            AuthMethod::KeyboardInteractive => questions::converse(login)?,
            AuthMethod::Password => questions::password(login)?,
        };
        if !matches!(step, LoginStep::Refused) {
            return Ok(step);
        }
    }
    if login.accepted.is_none() {
        login.accepted = Some(login.ask()?);
    }
    Ok(LoginStep::Refused)
}
