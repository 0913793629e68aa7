//! Proves to a host who we are: by keys, then by what a person can answer, in as many factors as the host wants.
//!
//! **Invariant:** no secret is part of any message.

mod key_file;
mod keys;
mod order;
mod questions;
mod tried;

use std::time::Duration;

use crate::transport::ssh::Target;
use crate::transport::ssh::auth::keys::Keys;
use crate::transport::ssh::auth::tried::Tried;
use crate::transport::ssh::config::{Config, Method};
use crate::transport::ssh::dial::Failure;
use crate::transport::ssh::talk::{Stop, Talk};

/// For one answer of the host. PAM delays a refusal by some seconds.
const ANSWER: Duration = Duration::from_secs(30);

/// No known server asks for so many.
const N_FACTORS: usize = 5;

/// libssh2's numbers for "no": to a key before it has signed, or to a password; and to a signature.
const REFUSED: i32 = -18;
const NOT_VERIFIED: i32 = -19;

/// libssh2's numbers for a connection that is no more (SOCKET_SEND, SOCKET_DISCONNECT, SOCKET_RECV, BAD_SOCKET, and
/// TIMEOUT).
const ENDED: [i32; 5] = [-7, -13, -43, -45, -9];

/// What one attempt came to.
enum Step {
    /// We are in.
    In,
    /// That was right, and the host wants these methods besides.
    Further(Vec<String>),
    Refused,
}

/// Logs in, or says what was tried and what the host would accept.
pub fn log_in(talk: &Talk, target: &Target, config: &Config) -> Result<(), Failure> {
    let mut login = Login { talk, target, config, accepted: None, tried: Tried::default() };
    let mut keys = None;
    for _ in 0..N_FACTORS {
        match login.factor(&mut keys)? {
            Step::In => return Ok(()),
            Step::Further(methods) => login.accepted = Some(methods),
            Step::Refused => break,
        }
    }
    Err(Failure::Final(login.tried.report(config, login.accepted.as_deref())))
}

struct Login<'a> {
    talk: &'a Talk<'a>,
    target: &'a Target,
    config: &'a Config,
    /// The methods that the host accepts now. Asking costs a round trip, so a first key goes without.
    accepted: Option<Vec<String>>,
    tried: Tried,
}

impl Login<'_> {
    /// Tries every method until one is right.
    fn factor(&mut self, keys: &mut Option<Keys>) -> Result<Step, Failure> {
        for method in &self.config.methods {
            let is_blind = *method == Method::PublicKey && self.accepted.is_none();
            if !is_blind && !self.accepts(*method)? {
                match self.talk.session.authenticated() {
                    true => return Ok(Step::In),
                    false => continue,
                }
            }
            let step = match method {
                Method::PublicKey => {
                    let keys = match keys {
                        Some(keys) => keys,
                        None => keys.insert(Keys::gather(self.talk.session, self.config, &mut self.tried)),
                    };
                    keys.show(self)?
                }
                Method::KeyboardInteractive => questions::converse(self)?,
                Method::Password => questions::password(self)?,
            };
            if !matches!(step, Step::Refused) {
                return Ok(step);
            }
        }
        if self.accepted.is_none() {
            self.accepted = Some(self.ask()?);
        }
        Ok(Step::Refused)
    }

    fn accepts(&mut self, method: Method) -> Result<bool, Failure> {
        if self.accepted.is_none() {
            self.accepted = Some(self.ask()?);
        }
        Ok(self.accepted.iter().flatten().any(|name| name == method.as_str()))
    }

    /// Asks the host what it accepts now. It may also let us in without more ado.
    fn ask(&mut self) -> Result<Vec<String>, Failure> {
        let (session, user) = (self.talk.session, &self.config.user);
        let names =
            self.talk.until_done(ANSWER, || session.auth_methods(user)).map_err(|stop| self.lost(&stop))?;
        Ok(names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// Repeats a call of libssh2; a connection that ends meanwhile is the end of the login.
    fn call(
        &mut self,
        limit: Duration,
        call: impl FnMut() -> Result<(), ssh2::Error>,
    ) -> Result<Result<(), Stop>, Failure> {
        match self.talk.until_done(limit, call) {
            Ok(()) => Ok(Ok(())),
            Err(stop) => match stop.code() {
                Some(code) if !ENDED.contains(&code) => Ok(Err(stop)),
                _ => Err(self.lost(&stop)),
            },
        }
    }

    /// After a "no" that may have been "yes, and further": the methods now show which.
    fn weigh(&mut self, method: Method) -> Result<Step, Failure> {
        let now = self.ask()?;
        if self.talk.session.authenticated() {
            return Ok(Step::In);
        }
        let is_further = match &self.accepted {
            Some(before) => *before != now,
            // Not asked before. Had it been wrong, it would be accepted still.
            None => !now.iter().any(|name| name == method.as_str()),
        };
        if is_further {
            return Ok(Step::Further(now));
        }
        self.accepted = Some(now);
        Ok(Step::Refused)
    }

    fn lost(&self, stop: &Stop) -> Failure {
        match stop {
            Stop::Interrupted => Failure::Interrupted,
            _ => Failure::Final(self.tried.hung_up(self.config, stop)),
        }
    }
}
