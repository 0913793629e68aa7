//! A login under way: how libssh2 is called, and what its answers mean.

use std::time::Duration;

use crate::transport::ssh::SshTarget;
use crate::transport::ssh::auth::tried::Tried;
use crate::transport::ssh::config::{AuthMethod, Config};
use crate::transport::ssh::failure::LoginFailure;
use crate::transport::ssh::talk::{CallFailure, Talk};

/// For one answer of the host. PAM delays a refusal by some seconds.
pub const ANSWER: Duration = Duration::from_secs(30);
/// For an answer that a person may have to give, to the host by telephone or to an agent that asks first.
pub const PERSON: Duration = Duration::from_secs(180);

/// libssh2's numbers for "no": to a key before it has signed, or to a password; and to a signature.
pub const REFUSED: i32 = -18;
pub const NOT_VERIFIED: i32 = -19;

/// libssh2's numbers for a connection that is no more (SOCKET_SEND, SOCKET_DISCONNECT, SOCKET_RECV, BAD_SOCKET, and
/// TIMEOUT).
const ENDED: [i32; 5] = [-7, -13, -43, -45, -9];

/// What one attempt came to.
pub enum LoginStep {
    /// We are in.
    In,
    /// That was right, and the host wants these methods besides.
    Further(Vec<String>),
    Refused,
}

pub struct Login<'a> {
    pub talk: &'a Talk<'a>,
    pub target: &'a SshTarget,
    pub config: &'a Config,
    /// The methods that the host accepts now. Asking costs a round trip, so a first key goes without.
    pub accepted: Option<Vec<String>>,
    pub tried: Tried,
}

impl Login<'_> {
    pub fn accepts(&mut self, method: AuthMethod) -> Result<bool, LoginFailure> {
        if self.accepted.is_none() {
            self.accepted = Some(self.ask()?);
        }
        Ok(self.accepted.iter().flatten().any(|name| name == method.as_str()))
    }

    /// Asks the host which methods it accepts now. It may also accept the login at once.
    pub fn ask(&mut self) -> Result<Vec<String>, LoginFailure> {
        let (session, user) = (self.talk.session, &self.config.user);
        let names =
            self.talk.until_done(ANSWER, || session.auth_methods(user)).map_err(|stop| self.lost(&stop))?;
        Ok(names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// Repeats a call of libssh2; a connection that ends meanwhile is the end of the login.
    pub fn call<E: Into<CallFailure>>(
        &mut self,
        limit: Duration,
        call: impl FnMut() -> Result<(), E>,
    ) -> Result<Result<(), CallFailure>, LoginFailure> {
        match self.talk.until_done(limit, call) {
            Ok(()) => Ok(Ok(())),
            Err(stop) => match stop.code() {
                Some(code) if !ENDED.contains(&code) => Ok(Err(stop)),
                _ => Err(self.lost(&stop)),
            },
        }
    }

    /// After a refusal that may mean "right, but more is required": the methods that the host accepts now tell which.
    pub fn weigh(&mut self, method: AuthMethod) -> Result<LoginStep, LoginFailure> {
        let now = self.ask()?;
        if self.talk.session.authenticated() {
            return Ok(LoginStep::In);
        }
        let is_further = match &self.accepted {
            Some(before) => *before != now,
            // Not asked before. Had it been wrong, it would be accepted still.
            None => !now.iter().any(|name| name == method.as_str()),
        };
        if is_further {
            return Ok(LoginStep::Further(now));
        }
        self.accepted = Some(now);
        Ok(LoginStep::Refused)
    }

    fn lost(&self, stop: &CallFailure) -> LoginFailure {
        match stop {
            CallFailure::Interrupted => LoginFailure::Interrupted,
            CallFailure::NoAgent(report) => LoginFailure::Final((**report).clone()),
            _ => LoginFailure::Final(self.tried.hung_up(self.config, self.accepted.as_deref(), stop)),
        }
    }
}
