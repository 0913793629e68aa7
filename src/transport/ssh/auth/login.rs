//! A login in progress: calls libssh2 and interprets its results.

use std::time::Duration;

use crate::transport::ssh::SshTarget;
use crate::transport::ssh::auth::attempts::LoginAttempts;
use crate::transport::ssh::config::{AuthMethod, Config};
use crate::transport::ssh::failure::LoginFailure;
use crate::transport::ssh::waiter::{CallFailure, Waiter};

/// The time limit for an answer of the host. PAM delays a refusal by some seconds.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// The time limit for an answer that may need a person, such as a confirmation by telephone or in an agent's dialog.
pub const USER_LIMIT: Duration = Duration::from_secs(180);

/// Error numbers of libssh2: the host refused a key before it was used to sign, or a password; the host refused a
/// signature.
pub const REFUSED: i32 = -18;
pub const NOT_VERIFIED: i32 = -19;

/// Error numbers of libssh2 for a lost connection (SOCKET_SEND, SOCKET_DISCONNECT, SOCKET_RECV, BAD_SOCKET, and
/// TIMEOUT).
const CONNECTION_LOST: [i32; 5] = [-7, -13, -43, -45, -9];

/// The result of one attempt.
pub enum LoginStep {
    /// The login succeeded.
    LoggedIn,
    /// The host accepted this, and requires one of these methods in addition.
    MoreRequired(Vec<String>),
    Refused,
}

pub struct Login<'a> {
    pub waiter: &'a Waiter<'a>,
    pub target: &'a SshTarget,
    pub config: &'a Config,
    /// The methods that the host accepts now. Asking for them costs a round trip, so the first key is offered
    /// without.
    pub accepted: Option<Vec<String>>,
    pub attempts: LoginAttempts,
}

impl Login<'_> {
    pub fn accepts(&mut self, method: AuthMethod) -> Result<bool, LoginFailure> {
        if self.accepted.is_none() {
            self.accepted = Some(self.ask()?);
        }
        Ok(self.accepted.iter().flatten().any(|name| name == method.as_str()))
    }

    /// Asks the host which methods it accepts now. The host may also accept the login at once.
    pub fn ask(&mut self) -> Result<Vec<String>, LoginFailure> {
        let (session, user) = (self.waiter.session, &self.config.user);
        let names = self
            .waiter
            .until_done(ANSWER_LIMIT, || session.auth_methods(user))
            .map_err(|stop| self.lost(&stop))?;
        Ok(names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// Repeats a call of libssh2 until it is done. If the connection is lost meanwhile, the login has failed.
    pub fn call<E: Into<CallFailure>>(
        &mut self,
        limit: Duration,
        call: impl FnMut() -> Result<(), E>,
    ) -> Result<Result<(), CallFailure>, LoginFailure> {
        match self.waiter.until_done(limit, call) {
            Ok(()) => Ok(Ok(())),
            Err(stop) => match stop.code() {
                Some(code) if !CONNECTION_LOST.contains(&code) => Ok(Err(stop)),
                _ => Err(self.lost(&stop)),
            },
        }
    }

    /// Decides whether a refusal means "accepted, but more is required": in that case the host now accepts other
    /// methods.
    pub fn after_refusal(&mut self, method: AuthMethod) -> Result<LoginStep, LoginFailure> {
        let now = self.ask()?;
        if self.waiter.session.authenticated() {
            return Ok(LoginStep::LoggedIn);
        }
        let is_more_required = match &self.accepted {
            Some(before) => *before != now,
            // The accepted methods were not known before. If this method had failed, the host would still accept it.
            None => !now.iter().any(|name| name == method.as_str()),
        };
        if is_more_required {
            return Ok(LoginStep::MoreRequired(now));
        }
        self.accepted = Some(now);
        Ok(LoginStep::Refused)
    }

    fn lost(&self, stop: &CallFailure) -> LoginFailure {
        match stop {
            CallFailure::Interrupted => LoginFailure::Interrupted,
            CallFailure::NoAgent(report) => LoginFailure::Final((**report).clone()),
            _ => LoginFailure::Final(self.attempts.hung_up(self.config, self.accepted.as_deref(), stop)),
        }
    }
}
