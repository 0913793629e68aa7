//! The handshake, and the error if it fails: how far it got, or which algorithms the two sides support.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use ssh2::{MethodType, Session};

use crate::event::report::Report;
use crate::transport::cancel::POLL_INTERVAL;
use crate::transport::ssh::config::Route;
use crate::transport::ssh::config::allowed::is_announcement;
use crate::transport::ssh::dial::endpoint::Endpoint;
use crate::transport::ssh::dial::proxy::ProxyStderr;
use crate::transport::ssh::failure::LoginFailure;
use crate::transport::ssh::waiter::{CallFailure, Waiter};

/// The time limit for the handshake if `ConnectTimeout` is not set: three round trips, and maybe a login to a jump
/// host.
const HANDSHAKE: Duration = Duration::from_secs(60);

/// Error numbers of libssh2 for a lost connection (BANNER_RECV, BANNER_SEND, SOCKET_SEND, SOCKET_DISCONNECT,
/// SOCKET_RECV).
const CONNECTION_LOST: [i32; 5] = [-2, -3, -7, -13, -43];

/// LIBSSH2_ERROR_KEX_FAILURE: the two sides have no algorithm in common, or the connection ended before that was
/// known.
const NOT_AGREED: i32 = -5;
/// LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE: the key exchange itself failed, because the connection ended or a packet was
/// invalid.
const NOT_EXCHANGED: i32 = -8;

/// Performs the handshake. `preferences` are the host key algorithms to request.
pub fn handshake(
    waiter: &Waiter,
    endpoint: &Endpoint,
    preferences: &str,
    stderr: Option<ProxyStderr>,
) -> Result<(), LoginFailure> {
    let mut session = waiter.session.clone();
    let limit = endpoint.config.connect_timeout.unwrap_or(HANDSHAKE);
    let place = endpoint.config.place();
    let stop = match guarded(waiter, limit, || waiter.until_done(limit, || session.handshake())) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(stop)) => stop,
        Err(stop) => stop,
    };
    let cut = |when: &str| Report::new(format!("{place} hung up {when}, or the network failed"));
    let (is_dropped, report) = match stop.code() {
        _ if matches!(stop, CallFailure::Interrupted) => return Err(LoginFailure::Interrupted),
        Some(NOT_AGREED) => {
            let nothing_shared = nothing_in_common(&session, endpoint, preferences);
            (false, nothing_shared.unwrap_or_else(|| cut("during the key exchange")))
        }
        Some(NOT_EXCHANGED) if waiter.socket.is_at_end() => (false, cut("during the key exchange")),
        Some(code) if CONNECTION_LOST.contains(&code) => match has_greeted(&session) {
            true => (false, cut("after the key exchange")),
            // sshd does this if it has too many connections.
            false => (true, cut("before the handshake")),
        },
        _ => (false, Report::new(format!("the handshake with {place} failed: {stop}"))),
    };
    let report = match stderr.map(|mut stderr| stderr.last()) {
        Some(said) if !said.is_empty() => report.note(format!("the proxy says: {said}")),
        _ => report,
    };
    let report = match &endpoint.config.route {
        Route::Jump(hosts) => report.hint(format!(
            "`ssh {}` must work without questions: add its key to the agent with `ssh-add`, and its host key to known_hosts",
            hosts.rsplit(',').next().unwrap_or_default()
        )),
        _ => report,
    };
    Err(if is_dropped { LoginFailure::Dropped(report) } else { LoginFailure::Final(report) })
}

/// Performs a call that libssh2 itself may never end: it reads as long as bytes arrive, and before its version a host may
/// send whatever it likes (RFC 4253, 4.2). After `limit`, or when the user stops it, the connection is closed; that is the
/// outer error.
fn guarded<T>(waiter: &Waiter, limit: Duration, call: impl FnOnce() -> T) -> Result<T, CallFailure> {
    let end = Instant::now() + limit + POLL_INTERVAL;
    let (is_over, over) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let Waiter { socket, cancel_token, .. } = *waiter;
        let guard = scope.spawn(move || {
            while over.recv_timeout(POLL_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                let is_cancelled = cancel_token.is_cancelled();
                if is_cancelled || Instant::now() >= end {
                    socket.shutdown();
                    return Some(if is_cancelled {
                        CallFailure::Interrupted
                    } else {
                        CallFailure::Silent(limit)
                    });
                }
            }
            None
        });
        let result = call();
        drop(is_over);
        // A guard that panicked has closed nothing.
        match guard.join().ok().flatten() {
            Some(failure) => Err(failure),
            None => Ok(result),
        }
    })
}

/// Whether the host has sent its version. The protocol ignores other lines before it.
fn has_greeted(session: &Session) -> bool {
    session.banner().is_some_and(|banner| banner.starts_with("SSH-"))
}

/// The error if the two sides have no algorithm of some kind in common. `None` if the host does not list its
/// algorithms, or that is not the cause.
fn nothing_in_common(session: &Session, endpoint: &Endpoint, preferences: &str) -> Option<Report> {
    let offer = endpoint.offer().algorithms?;
    let known = |kind| endpoint.config.allowed.offered(session, kind).unwrap_or_default();
    let ciphers = known(MethodType::CryptSc);
    // An authenticated cipher needs no separate message authentication.
    let cipher = ciphers.iter().find(|name| offer.cipher.iter().any(|theirs| theirs == *name));
    let needs_mac =
        !cipher.is_some_and(|name| name.contains("gcm@") || name.starts_with("chacha20-poly1305"));
    let need = |name, method, ours, theirs, remedy| CommonNeed { name, method, ours, theirs, remedy };
    let key_types = preferences.split(',').collect();
    let needs = [
        need("key exchange", MethodType::Kex, known(MethodType::Kex), &offer.key_exchange, KEX_REMEDY),
        need(
            "host key",
            MethodType::HostKey,
            key_types,
            &offer.host_key,
            "a `HostKey` made by `ssh-keygen -A`",
        ),
        need("cipher", MethodType::CryptSc, ciphers, &offer.cipher, "`Ciphers +aes256-gcm@openssh.com`"),
        need(MAC, MethodType::MacSc, known(MethodType::MacSc), &offer.mac, MAC_REMEDY),
    ];
    let mut needed = needs.iter().filter(|need| needs_mac || need.name != MAC);
    needed.find(|need| !need.is_met()).map(|need| need.report(endpoint))
}

const MAC: &str = "message authentication";
const KEX_REMEDY: &str = "`KexAlgorithms +curve25519-sha256`";
const MAC_REMEDY: &str = "`MACs +hmac-sha2-256-etm@openssh.com`";

/// A kind of algorithms of which the two sides must have one in common.
struct CommonNeed<'a> {
    name: &'static str,
    method: MethodType,
    ours: Vec<&'a str>,
    theirs: &'a [String],
    remedy: &'static str,
}

impl CommonNeed<'_> {
    fn is_met(&self) -> bool {
        self.theirs.iter().any(|name| self.ours.contains(&name.as_str()))
    }

    fn report(&self, endpoint: &Endpoint) -> Report {
        let list = |names: &mut dyn Iterator<Item = &str>| {
            names.filter(|name| !is_announcement(name)).collect::<Vec<_>>().join(", ")
        };
        let report =
            Report::new(format!("no {} algorithm in common with {}", self.name, endpoint.config.place()))
                .note(format!("the host offers: {}", list(&mut self.theirs.iter().map(String::as_str))))
                .note(format!("`runner` offers: {}", list(&mut self.ours.iter().copied())));
        match endpoint.config.allowed.restriction(self.method) {
            Some(option) => report
                .note(format!("`{option}` in ssh's configuration limits what `runner` offers"))
                .hint(format!("allow one of the host's algorithms with `{option}` in ~/.ssh/config")),
            None => report
                .note("`transport = \"openssh\"` will support what the system's ssh supports, but is not available yet")
                .hint(format!("add to the host's sshd_config: {}", self.remedy)),
        }
    }
}
