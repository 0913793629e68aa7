//! From a target to an authenticated connection: the way there, the handshake, the host's key, the login.
//!
//! **Invariant:** nothing of the user's is shown to a host before its key is believed.

mod offer;
mod proxy;
mod tcp;

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use ssh2::{MethodType, Session};

use crate::event::report::Report;
use crate::transport::ssh::config::{Config, Route};
use crate::transport::ssh::dial::offer::Offer;
use crate::transport::ssh::dial::proxy::Words;
use crate::transport::ssh::dial::tcp::NoConnection;
use crate::transport::ssh::host_key::HostKeys;
use crate::transport::ssh::public_key::PublicKey;
use crate::transport::ssh::socket::Socket;
use crate::transport::ssh::talk::{Stop, TICK, Talk};
use crate::transport::ssh::{Connection, Target, auth};
use crate::transport::{Interrupt, Lost};

/// For one address to answer, where `ConnectTimeout` says nothing.
const CONNECT: Duration = Duration::from_secs(15);

/// For the handshake: three round trips, and maybe a jump host that must be logged in to first.
const HANDSHAKE: Duration = Duration::from_secs(60);

/// libssh2's numbers for a connection that ended before the host said enough (BANNER_RECV, BANNER_SEND, SOCKET_SEND,
/// SOCKET_DISCONNECT, SOCKET_RECV): sshd drops what is too much for it.
const DROPPED: [i32; 5] = [-2, -3, -7, -13, -43];

/// LIBSSH2_ERROR_KEX_FAILURE: nothing in common.
const NO_COMMON_ALGORITHM: i32 = -5;

/// Why an attempt came to nothing.
pub enum Failure {
    Interrupted,
    /// Worth so many attempts in all.
    Passing {
        report: Report,
        n_attempts: u32,
    },
    Final(Report),
}

/// Reaches the target, checks who it is and logs in.
pub fn connect(target: &Target, interrupt: &Interrupt) -> Result<Connection, Lost> {
    let refused = |report: Report| Lost::Refused { why: report.to_string() };
    let interrupted = || Lost::Refused { why: "interrupted".to_owned() };
    let config = Config::of(target).map_err(refused)?;
    let mut n_made = 0;
    loop {
        let Some(knock) = target.logins.knock(&door(&config), interrupt) else {
            return Err(interrupted());
        };
        let failure = match attempt(target, &config, interrupt) {
            Ok(connection) => return Ok(connection),
            Err(failure) => failure,
        };
        drop(knock);
        n_made += 1;
        match failure {
            Failure::Interrupted => return Err(interrupted()),
            Failure::Final(report) => return Err(refused(report)),
            Failure::Passing { report, n_attempts } if n_made >= n_attempts => {
                let times = if n_made == 1 { String::new() } else { format!(" ({n_made} attempts)") };
                return Err(refused(Report { message: format!("{}{times}", report.message), ..report }));
            }
            Failure::Passing { .. } => pause(n_made, interrupt),
        }
    }
}

/// What a login knocks at: the sshd that is met first.
fn door(config: &Config) -> String {
    match &config.route {
        Route::Direct => format!("{}:{}", config.host, config.port),
        Route::Jump(hosts) => hosts.split(',').next().unwrap_or_default().to_owned(),
        Route::Command(command) => command.clone(),
    }
}

/// Waits longer each time, and never as long as others do: between half of it and all of 0.25 s, 0.5 s, 1 s, ...
fn pause(n_made: u32, interrupt: &Interrupt) {
    let longest = Duration::from_millis(250) * 2_u32.pow(n_made.saturating_sub(1).min(4));
    let jitter = RandomState::new().hash_one(n_made) % 1000;
    let chosen = longest / 2 + longest / 2 * u32::try_from(jitter).unwrap_or_default() / 1000;
    let start = Instant::now();
    while start.elapsed() < chosen && !interrupt.is_raised() {
        thread::sleep(TICK.min(chosen));
    }
}

fn attempt(target: &Target, config: &Config, interrupt: &Interrupt) -> Result<Connection, Failure> {
    let host_keys = HostKeys::read(config).map_err(Failure::Final)?;
    let (socket, mut words) = reach(target, config, interrupt)?;
    let mut session = Session::new().map_err(|error| Failure::Final(Report::new(error.message())))?;
    let preferences = host_keys.prefer(&session);
    let preferences = preferences.map_err(|error| Failure::Final(Report::new(error.message())))?;
    socket
        .give_to(&mut session)
        .map_err(|error| Failure::Final(Report::new(format!("failed to share the socket: {error}"))))?;
    session.set_blocking(false);
    let talk = Talk { session: &session, socket: &socket, interrupt };
    handshake(&talk, config, &preferences, words.as_mut())?;
    let key = session.host_key().and_then(|(blob, _)| PublicKey::from_blob(blob));
    let key = key.ok_or_else(|| Failure::Final(Report::new("the host showed no key that could be read")))?;
    host_keys.check(&key).map_err(Failure::Final)?;
    auth::log_in(&talk, target, config)?;
    Ok(Connection { session, socket })
}

/// Opens the way to the host's sshd. A proxy has something to say if that fails later.
fn reach(
    target: &Target,
    config: &Config,
    interrupt: &Interrupt,
) -> Result<(Socket, Option<Words>), Failure> {
    let may_ask = target.logins.prompt().is_some();
    let command = match &config.route {
        Route::Direct => return Ok((reach_directly(config, interrupt)?, None)),
        Route::Jump(hosts) => proxy::jump(hosts, config, target.config.as_deref(), may_ask),
        Route::Command(text) => proxy::command(text),
    };
    let (socket, words) = proxy::start(command).map_err(|error| {
        Failure::Final(Report::new(format!("failed to start the proxy for {}: {error}", config.place())))
    })?;
    Ok((socket, Some(words)))
}

fn reach_directly(config: &Config, interrupt: &Interrupt) -> Result<Socket, Failure> {
    let limit = config.connect_timeout.unwrap_or(CONNECT);
    tcp::reach(&config.host, config.port, config.family, limit, interrupt).map(Socket::Tcp).map_err(|error| {
        match error {
            NoConnection::Interrupted => Failure::Interrupted,
            NoConnection::Unresolved(why) => Failure::Final(Report::new(why)),
            NoConnection::Failed { why, is_passing } => {
                let report = Report::new(format!("nobody answers at {}", config.place()));
                let report = why
                    .iter()
                    .fold(report, |report, (address, why)| report.note(format!("{address}: {why}")));
                match is_passing {
                    true => Failure::Passing { report, n_attempts: 3 },
                    false => Failure::Final(report),
                }
            }
        }
    })
}

fn handshake(
    talk: &Talk,
    config: &Config,
    preferences: &str,
    words: Option<&mut Words>,
) -> Result<(), Failure> {
    let mut offer = Offer::default();
    let mut session = talk.session.clone();
    let result = talk.until_done(HANDSHAKE, || {
        offer.look(talk.socket);
        session.handshake()
    });
    let Err(stop) = result else {
        return Ok(());
    };
    if let Stop::Interrupted = stop {
        return Err(Failure::Interrupted);
    }
    let code = stop.code();
    if code == Some(NO_COMMON_ALGORITHM) {
        return Err(Failure::Final(no_common_algorithm(talk.session, config, preferences, &offer)));
    }
    let mut report = Report::new(format!("the handshake with {} failed: {stop}", config.place()));
    let is_proxied = words.is_some();
    if let Some(refusal) = offer.refusal {
        report = report.note(format!("it says: {refusal}"));
    }
    let said = words.map(Words::last).unwrap_or_default();
    if !said.is_empty() {
        report = report.note(format!("the proxy says: {said}"));
    }
    match code.is_some_and(|code| DROPPED.contains(&code)) {
        // A proxy that cannot log in to the jump host would only be banned there.
        true => Err(Failure::Passing { report, n_attempts: if is_proxied { 2 } else { 6 } }),
        false => Err(Failure::Final(report)),
    }
}

/// Names the group of algorithms in which nothing is common.
fn no_common_algorithm(session: &Session, config: &Config, preferences: &str, offer: &Offer) -> Report {
    let place = config.place();
    let hint = "OpenSSH knows more: `transport = \"openssh\"` will use it (not there yet), or let sshd offer one of ours";
    let known = |kind| session.supported_algs(kind).unwrap_or_default();
    let Some(algorithms) = &offer.algorithms else {
        let report = Report::new(format!("no algorithm in common with {place}"));
        return report.note(format!("we know: {}", known(MethodType::Kex).join(", "))).hint(hint);
    };
    let groups = [
        ("key exchange", known(MethodType::Kex), &algorithms.key_exchange),
        ("host key", preferences.split(',').collect(), &algorithms.host_key),
        ("cipher", known(MethodType::CryptSc), &algorithms.cipher),
        ("message authentication", known(MethodType::MacSc), &algorithms.mac),
    ];
    let apart =
        groups.iter().find(|(_, ours, theirs)| !theirs.iter().any(|name| ours.contains(&name.as_str())));
    match apart {
        None => Report::new(format!("failed to exchange keys with {place}")).hint(hint),
        Some((what, ours, theirs)) => Report::new(format!("no {what} algorithm in common with {place}"))
            .note(format!("it offers: {}", theirs.join(", ")))
            .note(format!("we know: {}", ours.join(", ")))
            .hint(hint),
    }
}
