//! Requests to applications on a host, and how to read their responses. Only bytes: a transport carries them.

mod address;
mod expected;
pub mod fastcgi;
pub mod http;
mod message;
pub mod served;
mod tls;
pub mod visit;

use std::time::Duration;

pub use address::Address;
pub use expected::Expected;
pub use message::{Response, check_header, check_method};
pub use tls::WebStream;
pub use visit::Visit;

/// A request as bytes, and how to read its response.
pub struct Request {
    pub to: Address,
    pub bytes: Vec<u8>,
    /// The name to ask for, if the request is to be encrypted.
    pub tls: Option<String>,
    pub protocol: Protocol,
    pub timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `is_head`: the response has no body.
    Http {
        is_head: bool,
    },
    FastCgi,
}

impl Protocol {
    /// Reads what has arrived so far. `None` if more must follow, which is never returned once `is_over`. The error
    /// says what is wrong with the response.
    pub fn read(self, said: &[u8], is_over: bool) -> Result<Option<Response>, String> {
        match self {
            Self::Http { is_head } => http::read(said, is_over, is_head),
            Self::FastCgi => fastcgi::read(said, is_over),
        }
    }
}
