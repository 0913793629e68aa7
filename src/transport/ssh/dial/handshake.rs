//! The handshake, and what the two sides have to offer if they do not come together.

use std::time::Duration;

use ssh2::{MethodType, Session};

use crate::event::report::Report;
use crate::transport::ssh::dial::proxy::Words;
use crate::transport::ssh::dial::way::Way;
use crate::transport::ssh::failure::Failure;
use crate::transport::ssh::talk::{Stop, Talk};

/// For the handshake, where `ConnectTimeout` says nothing: three round trips, and maybe a jump host that must be logged in
/// to first.
const HANDSHAKE: Duration = Duration::from_secs(60);

/// libssh2's numbers for a connection that ended before the host said enough (BANNER_RECV, BANNER_SEND, SOCKET_SEND,
/// SOCKET_DISCONNECT, SOCKET_RECV): sshd drops what is too much for it.
const DROPPED: [i32; 5] = [-2, -3, -7, -13, -43];

/// LIBSSH2_ERROR_KEX_FAILURE: nothing in common.
const NO_COMMON_ALGORITHM: i32 = -5;

/// Agrees with the host on keys. `preferences` are the host key algorithms to be asked for.
pub fn handshake(talk: &Talk, way: &Way, preferences: &str, words: Option<Words>) -> Result<(), Failure> {
    let mut session = talk.session.clone();
    let limit = way.config.connect_timeout.unwrap_or(HANDSHAKE);
    let Err(stop) = talk.until_done(limit, || session.handshake()) else {
        return Ok(());
    };
    let code = match &stop {
        Stop::Interrupted => return Err(Failure::Interrupted),
        stop => stop.code(),
    };
    if code == Some(NO_COMMON_ALGORITHM) {
        return Err(Failure::Final(no_common_algorithm(&session, way, preferences)));
    }
    let report = Report::new(format!("the handshake with {} failed: {stop}", way.config.place()));
    let report = match words.map(|mut words| words.last()) {
        Some(said) if !said.is_empty() => report.note(format!("the proxy says: {said}")),
        _ => report,
    };
    match code.is_some_and(|code| DROPPED.contains(&code)) {
        true => Err(Failure::Dropped(report)),
        false => Err(Failure::Final(report)),
    }
}

/// Names the group of algorithms in which nothing is common.
fn no_common_algorithm(session: &Session, way: &Way, preferences: &str) -> Report {
    let place = way.config.place();
    let hint = "OpenSSH knows more: `transport = \"openssh\"` will use it (not there yet), or let sshd offer one of ours";
    let known = |kind| session.supported_algs(kind).unwrap_or_default();
    let Some(algorithms) = &way.offer().algorithms else {
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
