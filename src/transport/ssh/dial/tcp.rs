//! Makes a TCP connection to the first address of a host that answers.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketType, bind, connect, ipproto, sockopt};

use crate::transport::cancel::{CancelToken, POLL_INTERVAL};
use crate::transport::ssh::config::Family;
use crate::transport::ssh::detached::{WaitError, run_detached};

/// How long to wait for an address before trying the next one as well. A network that drops IPv6 costs no more than
/// this.
const HEAD_START: Duration = Duration::from_secs(1);

#[cfg(target_os = "linux")]
/// If sent data is not acknowledged for this long, the connection is dead.
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

/// Why there is no connection.
#[derive(Debug)]
pub enum NoConnection {
    Interrupted,
    /// The host name has no address.
    Unresolved(String),
    /// There is no way from the local address to the host.
    Unbound(String),
    /// The error of each address. `is_passing` if sshd may only be starting or busy.
    Failed {
        why: Vec<(SocketAddr, String)>,
        is_passing: bool,
    },
}

/// Connects to `host`, from the local address `from` if there is one. Waits at most `limit` for each address.
pub fn reach(
    host: &str,
    port: u16,
    family: Family,
    from: Option<IpAddr>,
    limit: Duration,
    cancel_token: &CancelToken,
) -> Result<TcpStream, NoConnection> {
    let mut addresses = resolve(host, port, limit, cancel_token)?;
    addresses.retain(|address| match family {
        Family::Any => true,
        Family::V4 => address.is_ipv4(),
        Family::V6 => address.is_ipv6(),
    });
    let n_before = addresses.len();
    addresses.retain(|address| from.is_none_or(|from| from.is_ipv4() == address.is_ipv4()));
    if let Some(from) = from.filter(|_| addresses.is_empty() && n_before > 0) {
        let version = if from.is_ipv4() { "IPv4" } else { "IPv6" };
        return Err(NoConnection::Unbound(format!(
            "`{host}` has no {version} address, which `BindAddress {from}` in ssh's configuration requires"
        )));
    }
    if addresses.is_empty() {
        return Err(NoConnection::Unresolved(format!(
            "`{host}` has no address of the family that `AddressFamily` requires"
        )));
    }
    let stream = race(&addresses, from, limit, cancel_token)?;
    // Sends small packets at once (without Nagle's algorithm, which would delay them).
    let configured = stream.set_nodelay(true).and_then(|()| keep_alive(&stream));
    configured.map_err(|error| failed(&addresses, &error.to_string()))?;
    Ok(stream)
}

fn failed(addresses: &[SocketAddr], why: &str) -> NoConnection {
    let why = addresses.iter().map(|address| (*address, why.to_owned())).collect();
    NoConnection::Failed { why, is_passing: false }
}

/// Resolves a host name. The resolver cannot be cancelled.
fn resolve(
    host: &str,
    port: u16,
    limit: Duration,
    cancel_token: &CancelToken,
) -> Result<Vec<SocketAddr>, NoConnection> {
    let unresolved = |why: &str| NoConnection::Unresolved(format!("no address for `{host}`: {why}"));
    let name = host.to_owned();
    let found = run_detached(limit, cancel_token, move || {
        (name.as_str(), port).to_socket_addrs().map(Vec::from_iter)
    });
    match found {
        Ok(Ok(addresses)) if addresses.is_empty() => Err(unresolved("the name is empty")),
        Ok(found) => found.map_err(|error| unresolved(&error.to_string())),
        Err(WaitError::TimedOut) => Err(unresolved("the resolver did not answer")),
        Err(WaitError::Interrupted) => Err(NoConnection::Interrupted),
    }
}

/// A connection attempt in progress.
struct Attempt {
    address: SocketAddr,
    socket: OwnedFd,
    since: Instant,
}

/// Tries the addresses in order. Each has a head start over the next.
fn race(
    addresses: &[SocketAddr],
    from: Option<IpAddr>,
    limit: Duration,
    cancel_token: &CancelToken,
) -> Result<TcpStream, NoConnection> {
    let mut next = addresses.iter();
    let mut running: Vec<Attempt> = Vec::new();
    let mut failures: Vec<(SocketAddr, io::Error)> = Vec::new();
    loop {
        if running.last().is_none_or(|last| last.since.elapsed() >= HEAD_START) {
            match next.next().map(|address| (address, start(*address, from))) {
                Some((_, Ok(attempt))) => running.push(attempt),
                Some((address, Err(error))) => failures.push((*address, error)),
                None if running.is_empty() => break,
                None => {}
            }
        }
        if cancel_token.is_cancelled() {
            return Err(NoConnection::Interrupted);
        }
        let mut fds: Vec<PollFd> =
            running.iter().map(|attempt| PollFd::new(&attempt.socket, PollFlags::OUT)).collect();
        // Ignores errors of `poll`: the attempts time out then.
        let _ = poll(&mut fds, Timespec::try_from(POLL_INTERVAL).ok().as_ref());
        let answered: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let attempts = std::mem::take(&mut running);
        for (attempt, is_answered) in attempts.into_iter().zip(answered) {
            match outcome(&attempt, is_answered, limit) {
                None => running.push(attempt),
                Some(Ok(())) => return Ok(TcpStream::from(attempt.socket)),
                Some(Err(error)) => failures.push((attempt.address, error)),
            }
        }
    }
    let is_passing = failures.iter().any(|(_, error)| is_passing(error));
    let why = failures.into_iter().map(|(address, error)| (address, error.to_string())).collect();
    Err(NoConnection::Failed { why, is_passing })
}

fn start(address: SocketAddr, from: Option<IpAddr>) -> io::Result<Attempt> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = open(family)?;
    if let Some(from) = from {
        bind(&socket, &SocketAddr::new(from, 0)).map_err(|error| {
            io::Error::other(format!(
                "cannot connect from `BindAddress {from}` of ssh's configuration: {error}"
            ))
        })?;
    }
    match connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(Attempt { address, socket, since: Instant::now() }),
        Err(error) => Err(error.into()),
    }
}

/// Opens a non-blocking socket that children do not inherit.
#[cfg(not(target_vendor = "apple"))]
fn open(family: AddressFamily) -> io::Result<OwnedFd> {
    use rustix::net::{SocketFlags, socket_with};
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?)
}

#[cfg(target_vendor = "apple")]
fn open(family: AddressFamily) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket(family, SocketType::STREAM, Some(ipproto::TCP))?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

fn outcome(attempt: &Attempt, is_answered: bool, limit: Duration) -> Option<io::Result<()>> {
    if is_answered {
        let outcome = match sockopt::socket_error(&attempt.socket) {
            Ok(outcome) => outcome.map_err(io::Error::from),
            Err(error) => Err(error.into()),
        };
        return Some(outcome);
    }
    let why = || io::Error::new(ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs()));
    (attempt.since.elapsed() >= limit).then(|| Err(why()))
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}

fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(15))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(10))?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(stream, u32::try_from(UNACKNOWLEDGED.as_millis()).unwrap_or(u32::MAX))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn try_reach(host: &str, port: u16, family: Family) -> Result<TcpStream, NoConnection> {
        reach(host, port, family, None, Duration::from_secs(5), &CancelToken::default())
    }

    #[test]
    fn every_address_of_a_name_is_tried() {
        // `localhost` may be `::1` first, where nothing listens.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let addresses = [SocketAddr::from(([127, 0, 0, 2], port)), SocketAddr::from(([127, 0, 0, 1], port))];
        let stream = race(&addresses, None, Duration::from_secs(5), &CancelToken::default()).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addresses[1]);
        assert!(try_reach("localhost", port, Family::V4).unwrap().nodelay().unwrap());
    }

    #[test]
    fn a_refused_port_may_be_a_passing_trouble() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let refused = try_reach("127.0.0.1", port, Family::Any);
        assert!(matches!(refused, Err(NoConnection::Failed { is_passing: true, .. })), "{refused:?}");
    }

    #[test]
    fn a_name_without_an_address_is_told() {
        let unknown = try_reach("no-such-host.invalid", 22, Family::Any);
        assert!(matches!(unknown, Err(NoConnection::Unresolved(_))), "{unknown:?}");
        let other = try_reach("127.0.0.1", 22, Family::V6);
        assert!(matches!(other, Err(NoConnection::Unresolved(_))), "{other:?}");
    }

    #[test]
    fn an_interrupt_ends_the_waiting() {
        // TEST-NET-1 (RFC 5737) never answers. If there is no route, that is the error instead.
        let cancel_token = CancelToken::default();
        cancel_token.cancel();
        let reached = reach("192.0.2.1", 22, Family::Any, None, Duration::from_secs(60), &cancel_token);
        assert!(
            matches!(reached, Err(NoConnection::Interrupted | NoConnection::Failed { .. })),
            "{reached:?}"
        );
    }
}
