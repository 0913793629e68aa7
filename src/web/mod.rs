//! What the applications on a host are asked, and how their answers are read: as bytes only, which a transport carries.

pub mod fastcgi;
pub mod http;

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::event::Report;

/// Where something listens, as its own host sees it.
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
    /// Reads `127.0.0.1:9000`, `[::1]:9000`, `/run/php/php-fpm.sock` or `unix:/run/php/php-fpm.sock`, as the configuration
    /// of a web server says them.
    pub fn parse(text: &str) -> Result<Self> {
        let path = text.strip_prefix("unix:").unwrap_or(text);
        if path.starts_with('/') {
            return Self::unix(path);
        }
        let is_address = |(host, port): (&str, &str)| Self::tcp(host, port.parse().ok()?);
        match text.rsplit_once(':').and_then(is_address) {
            Some(address) => Ok(address),
            None => bail!(
                Report::new(format!("`{text}` is neither the path of a socket nor an address with a port"))
                    .hint("say `/run/php/php-fpm.sock`, or `127.0.0.1:9000`")
            ),
        }
    }

    /// A name, an IPv4 address, or an IPv6 address in brackets.
    fn tcp(host: &str, port: u16) -> Option<Self> {
        let host = match host.strip_prefix('[').map(|host| host.strip_suffix(']')) {
            Some(bracketed) => bracketed?,
            None => Some(host).filter(|host| !host.contains(':'))?,
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
        let is_host = !host.is_empty() && host.chars().all(is_plain) && port > 0;
        is_host.then(|| Self::Tcp { host: host.to_owned(), port })
    }

    fn unix(path: &str) -> Result<Self> {
        // sun_path of unix(7) holds 107 bytes and a NUL.
        if path.len() > 107 || path.contains('\0') {
            bail!("`{path}` cannot be the path of a socket");
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

/// A question as it is sent, and how its answer is read.
pub struct Question {
    pub to: Address,
    pub bytes: Vec<u8>,
    pub protocol: Protocol,
    pub timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// To a request that has an answer without a body, or not.
    Http {
        is_head: bool,
    },
    FastCgi,
}

impl Protocol {
    /// Reads what has come so far; `None` if more is to come, which cannot be once `is_over`. An error says what is wrong
    /// with it.
    pub fn read(self, said: &[u8], is_over: bool) -> Result<Option<Response>, String> {
        match self {
            Self::Http { is_head } => http::read(said, is_over, is_head),
            Self::FastCgi => fastcgi::read(said, is_over),
        }
    }
}

/// What an application answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    pub status: u16,
    /// In the order in which they came; names in small letters.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What a FastCGI application logged.
    pub errors: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A method as a recipe gives it.
pub fn check_method(method: &str) -> Result<()> {
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        bail!("`{method}` is no method: `GET`, `HEAD`, `POST` and the like are");
    }
    Ok(())
}

/// Header fields as a recipe gives them, fit to be sent (RFC 9110 §5).
pub fn check_header(name: &str, value: &str) -> Result<()> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        bail!("`{name}` cannot be the name of a header");
    }
    if value.contains(['\r', '\n', '\0']) {
        bail!("the value of header `{name}` has a line end or a NUL in it");
    }
    Ok(())
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

    #[test]
    fn a_header_cannot_smuggle_another() {
        assert!(check_header("x-a", "b\r\nx-c: d").is_err());
        assert!(check_header("x-a: b", "").is_err());
        assert!(check_header("x-a", "it's \"b\"; c").is_ok());
    }
}
