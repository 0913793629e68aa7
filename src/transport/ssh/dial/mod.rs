//! Makes an authenticated connection to a target: connects, performs the handshake, checks the host key, logs in.
//!
//! **Invariant:** the user's keys and passwords are not used before the host key is trusted.

mod endpoint;
mod handshake;
mod offer;
mod proxy;
mod tcp;

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use ssh2::Session;

use crate::event::report::Report;
use crate::transport::TransportError;
use crate::transport::cancel::{CancelToken, POLL_INTERVAL};
use crate::transport::ssh::config::{Config, Route};
use crate::transport::ssh::dial::endpoint::Endpoint;
use crate::transport::ssh::dial::handshake::handshake;
use crate::transport::ssh::failure::LoginFailure;
use crate::transport::ssh::host_key::HostKeys;
use crate::transport::ssh::public_key::PublicKey;
use crate::transport::ssh::waiter::Waiter;
use crate::transport::ssh::{Connection, SshTarget, auth};

/// How often to try a port on which nothing listens: sshd may be starting.
const N_NOT_LISTENING: u32 = 3;

/// How often to try a host that hangs up at once. Behind a proxy, it may be the jump host that hangs up because it
/// refuses our key: with more attempts, it might ban us.
const N_DROPPED: u32 = 6;
const N_DROPPED_BEHIND_PROXY: u32 = 2;

/// Logs in to a target, once for each connection.
pub struct Dial {
    target: SshTarget,
    cancel_token: CancelToken,
    /// Read once: that starts at least one process, and the configuration must not change within a run.
    config: Option<Config>,
}

/// Logs in to a target once.
pub fn connect(target: &SshTarget, cancel_token: &CancelToken) -> Result<Connection, TransportError> {
    Dial::new(target.clone(), cancel_token.clone()).connect()
}

impl Dial {
    pub fn new(target: SshTarget, cancel_token: CancelToken) -> Self {
        Self { target, cancel_token, config: None }
    }

    /// Connects to the target, checks its host key and logs in.
    pub fn connect(&mut self) -> Result<Connection, TransportError> {
        self.try_to_connect().map_err(|failure| match failure {
            LoginFailure::Interrupted | LoginFailure::Accepted | LoginFailure::OtherKey(_) => {
                TransportError::Refused { report: Report::interrupted().into() }
            }
            LoginFailure::NotListening(report)
            | LoginFailure::Dropped(report)
            | LoginFailure::Final(report) => TransportError::Refused { report: report.into() },
        })
    }

    fn try_to_connect(&mut self) -> Result<Connection, LoginFailure> {
        let Self { target, cancel_token, config } = self;
        let config = match config {
            Some(config) => config,
            none => none.insert(Config::of(target, cancel_token)?),
        };
        let endpoint = Endpoint { target, config, cancel_token };
        let mut n_made = 0;
        // Keys that the host presented and that it must not have.
        let mut presented: Vec<PublicKey> = Vec::new();
        loop {
            let slot = target
                .logins
                .take_slot(&first_server(config), cancel_token)
                .ok_or(LoginFailure::Interrupted)?;
            let failure = match attempt(&endpoint, &presented) {
                Ok(connection) => return Ok(connection),
                Err(LoginFailure::Accepted) => continue,
                // The host is asked for a key of another type. There are few, and each is asked for once.
                Err(LoginFailure::OtherKey(key)) => {
                    presented.push(key);
                    continue;
                }
                Err(failure) => failure,
            };
            drop(slot);
            n_made += 1;
            let (report, n_attempts) = passing(failure, config)?;
            if n_made >= n_attempts {
                let message = format!("{} (tried {n_made} times)", report.message);
                let report = Report { message, ..report };
                let is_dropped = n_made == N_DROPPED;
                return Err(LoginFailure::Final(if is_dropped { endpoint.explain(report) } else { report }));
            }
            pause(n_made, cancel_token)?;
        }
    }
}

/// How often to try if the host fails like this. Another failure stays one.
fn passing(failure: LoginFailure, config: &Config) -> Result<(Report, u32), LoginFailure> {
    match failure {
        LoginFailure::NotListening(report) => Ok((report, N_NOT_LISTENING)),
        LoginFailure::Dropped(report) if config.route != Route::Direct => {
            Ok((report, N_DROPPED_BEHIND_PROXY))
        }
        LoginFailure::Dropped(report) => Ok((report, N_DROPPED)),
        failure => Err(failure),
    }
}

/// The first sshd on the route. The login takes one of its slots.
fn first_server(config: &Config) -> String {
    match &config.route {
        Route::Direct => format!("{}:{}", config.host, config.port),
        Route::Jump(hosts) => hosts.split(',').next().unwrap_or_default().to_owned(),
        Route::Command(command) => command.clone(),
    }
}

/// An exponential backoff with jitter: between half of it and all of 0.25 s, 0.5 s, 1 s, ...
fn span(n_made: u32) -> Duration {
    let longest = Duration::from_millis(250) * 2_u32.pow(n_made.saturating_sub(1).min(4));
    let jitter = RandomState::new().hash_one(n_made) % 1000;
    longest / 2 + longest / 2 * u32::try_from(jitter).unwrap_or_default() / 1000
}

fn pause(n_made: u32, cancel_token: &CancelToken) -> Result<(), LoginFailure> {
    let chosen = span(n_made);
    let start = Instant::now();
    while start.elapsed() < chosen {
        if cancel_token.is_cancelled() {
            return Err(LoginFailure::Interrupted);
        }
        thread::sleep(POLL_INTERVAL.min(chosen));
    }
    Ok(())
}

fn attempt(endpoint: &Endpoint, presented: &[PublicKey]) -> Result<Connection, LoginFailure> {
    let Endpoint { target, config, cancel_token } = *endpoint;
    let host_keys = HostKeys::read(config, target, presented).map_err(LoginFailure::Final)?;
    let (socket, stderr) = endpoint.open()?;
    let mut session = Session::new().map_err(|error| LoginFailure::message(error.message()))?;
    let preferences = host_keys.prefer(&session).map_err(LoginFailure::Final)?;
    config.allowed.limit(&session).map_err(LoginFailure::Final)?;
    socket
        .give_to(&mut session)
        .map_err(|error| LoginFailure::message(format!("failed to share the socket: {error}")))?;
    session.set_blocking(false);
    let waiter = Waiter { session: &session, socket: &socket, cancel_token };
    handshake(&waiter, endpoint, &preferences, stderr).map_err(|failure| host_keys.explain(failure))?;
    let key = session.host_key().and_then(|(blob, _)| PublicKey::from_blob(blob));
    let key =
        key.ok_or_else(|| LoginFailure::message("the host did not send a host key in a known format"))?;
    host_keys.check(&key)?;
    auth::log_in(&waiter, target, config)?;
    Ok(Connection { session, socket, silence: config.silence })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        #[track_caller]
        fn case(n_made: u32, longest: u64) {
            let spans: Vec<u128> = (0..100).map(|_| span(n_made).as_millis()).collect();
            let longest = u128::from(longest);
            assert!(spans.iter().all(|span| (longest / 2..=longest).contains(span)), "{spans:?}");
            assert!(spans.iter().any(|span| *span != spans[0]), "{spans:?}");
        }
        case(1, 250);
        case(2, 500);
        case(5, 4000);
        case(100, 4000);
    }

    #[test]
    fn an_interrupt_ends_a_pause() {
        let cancel_token = CancelToken::default();
        cancel_token.cancel();
        assert!(matches!(pause(100, &cancel_token), Err(LoginFailure::Interrupted)));
    }
}
