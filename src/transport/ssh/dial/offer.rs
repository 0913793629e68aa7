//! Finds out which algorithms a host offers, or why it hangs up. libssh2 reports neither, so this connects once more.

use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::transport::cancel::{CancelToken, POLL_INTERVAL};
use crate::transport::ssh::socket::Socket;
use crate::transport::ssh::wire::Wire;

const HELLO: &[u8] = b"SSH-2.0-runner\r\n";
/// The time limit, since this only explains another failure.
pub const LIMIT: Duration = Duration::from_secs(5);
/// The maximum number of bytes to read. No offer is that long.
const SIZE_MAX: usize = 64 * 1024;

/// SSH_MSG_KEXINIT (RFC 4253, 7.1).
const KEXINIT: u8 = 20;

/// The host's answer.
#[derive(Debug, Default)]
pub struct Offer {
    /// The text that the host sent instead of its version: why it refuses connections.
    pub refusal: Option<String>,
    pub algorithms: Option<Algorithms>,
}

/// The algorithms that a host offers. The client must support one of each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Algorithms {
    pub key_exchange: Vec<String>,
    pub host_key: Vec<String>,
    pub cipher: Vec<String>,
    pub mac: Vec<String>,
}

impl Offer {
    /// Sends the version on a new connection, and reads until the host has sent its offer.
    pub fn of(socket: &Socket, cancel_token: &CancelToken) -> Self {
        let mut received = Vec::new();
        let start = Instant::now();
        // Ignores errors: this only explains another failure.
        let mut is_open = rustix::io::write(socket, HELLO).is_ok();
        while is_open && start.elapsed() < LIMIT && !cancel_token.is_cancelled() && received.len() < SIZE_MAX
        {
            let mut fds = [PollFd::new(socket, PollFlags::IN)];
            let n_ready = poll(&mut fds, Timespec::try_from(POLL_INTERVAL).ok().as_ref()).unwrap_or_default();
            let mut buffer = [0; 4096];
            match if n_ready == 0 { continue } else { rustix::io::read(socket, &mut buffer) } {
                Ok(0) | Err(_) => is_open = false,
                Ok(n) => received.extend(&buffer[..n]),
            }
            if Algorithms::parse(&received).is_some() {
                break;
            }
        }
        Self::parse(&received)
    }

    fn parse(bytes: &[u8]) -> Self {
        let first = bytes.split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line)).next();
        let first = first.map(|line| line.trim_end().to_owned());
        let is_text =
            |line: &String| !line.is_empty() && !line.starts_with("SSH-") && !line.contains(char::is_control);
        Self { refusal: first.filter(is_text), algorithms: Algorithms::parse(bytes) }
    }
}

impl Algorithms {
    /// Parses the packet after the line `SSH-2.0-...`.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.starts_with(b"SSH-").then(|| bytes.iter().position(|byte| *byte == b'\n'))??;
        let mut wire = Wire(&bytes[end + 1..]);
        let (_length, _padding) = (wire.number()?, wire.byte()?);
        if wire.byte()? != KEXINIT {
            return None;
        }
        let _cookie = wire.bytes(16)?;
        let mut names = || Some(wire.text()?.split(',').map(str::to_owned).collect());
        let (key_exchange, host_key) = (names()?, names()?);
        let (_to_server, cipher) = (names()?, names()?);
        let (_to_server, mac): (Vec<String>, _) = (names()?, names()?);
        Some(Self { key_exchange, host_key, cipher, mac })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::ssh::wire::put_string;

    fn kexinit() -> Vec<u8> {
        let mut packet = vec![0, 0, 1, 0, 4, KEXINIT];
        packet.extend([7; 16]);
        for names in ["kex1,kex2", "ssh-ed25519", "up", "aes,chacha", "up", "mac1", "none", "none"] {
            put_string(&mut packet, names.as_bytes());
        }
        packet
    }

    #[test]
    fn the_offer_is_heard() {
        let names = |text: &str| text.split(',').map(str::to_owned).collect();
        let want = Algorithms {
            key_exchange: names("kex1,kex2"),
            host_key: names("ssh-ed25519"),
            cipher: names("aes,chacha"),
            mac: names("mac1"),
        };
        let hello = b"SSH-2.0-OpenSSH_9.2\r\n";
        let offer = Offer::parse(&[&hello[..], &kexinit()].concat());
        assert_eq!((offer.algorithms, offer.refusal), (Some(want), None));
    }

    #[test]
    fn a_part_of_an_offer_is_none() {
        let whole = [b"SSH-2.0-x\n".to_vec(), kexinit()].concat();
        for n in 0..whole.len() - 16 {
            assert_eq!(Offer::parse(&whole[..n]).algorithms, None, "{n}");
        }
    }

    #[test]
    fn a_refusal_in_plain_text_is_heard() {
        #[track_caller]
        fn case(bytes: &[u8], want: Option<&str>) {
            assert_eq!(Offer::parse(bytes).refusal.as_deref(), want);
        }
        case(b"Not allowed at this time\r\n", Some("Not allowed at this time"));
        case(b"no newline", Some("no newline"));
        case(b"SSH-2.0-x\r\n", None);
        case(b"\x16\x03\x01", None);
        case(b"", None);
    }
}
