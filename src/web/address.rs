//! Addresses of applications on a host, written as in the configuration of web servers.

use std::fmt;
use std::net::IpAddr;

use anyhow::{Result, bail};

use crate::event::Report;

/// Where an application listens, as seen from its own host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Tcp {
        host: String,
        port: u16,
    },
    /// The path of a socket.
    Unix(String),
}

impl Address {
    /// Reads `127.0.0.1:9000`, `[::1]:9000`, `/run/php/php-fpm.sock` or `unix:/run/php/php-fpm.sock`, as in the
    /// configuration of a web server.
    pub fn parse(text: &str) -> Result<Self> {
        let path = text.strip_prefix("unix:").unwrap_or(text);
        if path.starts_with('/') {
            return Self::unix(path);
        }
        let is_address = |(host, port): (&str, &str)| Self::tcp(host, port.parse().ok()?);
        match text.rsplit_once(':').and_then(is_address) {
            Some(address) => Ok(address),
            None => bail!(
                Report::new(format!("`{text}` must be the path of a socket, or an address with a port"))
                    .hint("use for example `/run/php/php-fpm.sock` or `127.0.0.1:9000`")
            ),
        }
    }

    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub(super) fn tcp(host: &str, port: u16) -> Option<Self> {
        let host = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
            Some(bracketed) => bracketed?,
            None => Some(host).filter(|host| !host.contains(':'))?,
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        let is_host = !host.is_empty() && host.chars().all(is_plain) && port > 0;
        is_host.then(|| Self::Tcp { host: host.to_owned(), port })
    }

    /// The host's own 127.0.0.1 in place of a name; other addresses stay.
    pub fn of_this_host(self) -> Self {
        match self {
            Self::Tcp { host, port } if host != "localhost" && host.parse::<IpAddr>().is_err() => {
                Self::Tcp { host: "127.0.0.1".to_owned(), port }
            }
            address => address,
        }
    }

    pub(super) fn unix(path: &str) -> Result<Self> {
        // sun_path of unix(7) holds 107 bytes and a NUL.
        if path.len() > 107 || path.contains('\0') {
            bail!("`{path}` is not a valid socket path");
        }
        Ok(Self::Unix(path.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => f.write_str(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_web_servers_write_them() {
        for (text, want) in [
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("[::1]:9000", "[::1]:9000"),
            ("php:9000", "php:9000"),
            ("unix:/run/a.sock", "/run/a.sock"),
            ("/run/a:1.sock", "/run/a:1.sock"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), want);
        }
        for text in ["", "localhost", "::1:9000", "a:0", "a:99999", ":80", "a b:80", "run/a.sock", "[::1]"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        assert!(Address::parse(&format!("/{}", "a".repeat(107))).is_err());
    }
}
