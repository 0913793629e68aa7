//! Listens in on a handshake: what a host says before libssh2 judges it, since libssh2 keeps that to itself.

use rustix::net::{RecvFlags, recv};

use crate::transport::ssh::socket::Socket;
use crate::transport::ssh::wire::Wire;

/// SSH_MSG_KEXINIT (RFC 4253, 7.1).
const KEXINIT: u8 = 20;

/// What was heard.
#[derive(Debug, Default)]
pub struct Offer {
    /// The first line that is not SSH's: why the host does not want to talk.
    pub refusal: Option<String>,
    pub algorithms: Option<Algorithms>,
}

/// The names that a host offers, of each group the client must know one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Algorithms {
    pub key_exchange: Vec<String>,
    pub host_key: Vec<String>,
    pub cipher: Vec<String>,
    pub mac: Vec<String>,
}

impl Offer {
    /// Looks at what waits to be read, and leaves it there.
    pub fn look(&mut self, socket: &Socket) {
        let mut buffer = [0; 8192];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        // An error is met again by who reads.
        let Ok((_, n)) = recv(socket, &mut buffer[..], flags) else {
            return;
        };
        self.hear(&buffer[..n]);
    }

    fn hear(&mut self, bytes: &[u8]) {
        if let Some(algorithms) = Algorithms::parse(bytes) {
            self.algorithms = Some(algorithms);
        }
        let is_text = |line: &str| !line.is_empty() && line.chars().all(|c| !c.is_control());
        let lines = bytes.split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line));
        for line in lines.take(5) {
            let line = line.trim_end();
            if line.starts_with("SSH-") || !is_text(line) {
                break;
            }
            self.refusal.get_or_insert_with(|| line.to_owned());
        }
    }
}

impl Algorithms {
    /// Reads a KEXINIT that stands at the front, or behind the line `SSH-2.0-...`.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let packet = match bytes.strip_prefix(b"SSH-") {
            None => bytes,
            Some(rest) => &rest[rest.iter().position(|byte| *byte == b'\n')? + 1..],
        };
        let mut wire = Wire(packet);
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
    fn the_offer_is_heard_with_and_without_the_banner() {
        let want = Algorithms {
            key_exchange: vec!["kex1".to_owned(), "kex2".to_owned()],
            host_key: vec!["ssh-ed25519".to_owned()],
            cipher: vec!["aes".to_owned(), "chacha".to_owned()],
            mac: vec!["mac1".to_owned()],
        };
        for before in ["", "SSH-2.0-OpenSSH_9.2\r\n"] {
            let mut offer = Offer::default();
            offer.hear(&[before.as_bytes(), &kexinit()].concat());
            assert_eq!((offer.algorithms.as_ref(), &offer.refusal), (Some(&want), &None), "{before}");
        }
    }

    #[test]
    fn a_part_of_an_offer_is_none() {
        let whole = kexinit();
        for n in 0..whole.len() - 16 {
            let mut offer = Offer::default();
            offer.hear(&whole[..n]);
            assert_eq!(offer.algorithms, None, "{n}");
        }
    }

    #[test]
    fn a_refusal_in_plain_text_is_heard() {
        let mut offer = Offer::default();
        offer.hear(b"Not allowed at this time\r\n");
        assert_eq!(offer.refusal.as_deref(), Some("Not allowed at this time"));
        let mut offer = Offer::default();
        offer.hear(b"SSH-2.0-x\r\n");
        assert_eq!(offer.refusal, None);
    }
}
