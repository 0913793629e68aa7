//! What the applications on a host are asked, and how their answers are read: as bytes only, which a transport carries.

mod address;
pub mod fastcgi;
pub mod http;
mod message;

use std::time::Duration;

pub use address::Address;
pub use message::{Response, check_header, check_method};

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
