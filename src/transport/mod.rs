//! How to reach a host: a `Remote` performs acts there, over any transport.
//!
//! **Invariant:** only its mark tells that a script has ended. Without a mark, it has not succeeded.
//!
//! **Invariant:** until a call returns `TransportError`, one and the same shell performs all acts. So a lock that
//! lives as long as that shell (`$PPID` of every script) is never lost unnoticed.

pub mod cancel;
mod child;
pub mod encode;
mod ending;
pub mod error;
pub mod exchange;
pub mod fail_fast;
pub mod frame;
pub mod framed;
mod heartbeat;
pub mod link;
pub mod listener;
pub mod local;
pub mod mark;
mod nonblocking;
pub mod payload;
pub mod remote;
mod request;
mod shell;
#[cfg(test)]
pub mod simulated;
mod spare;
pub mod ssh;
mod streams;
mod turn;
mod upload;

use crate::transport::framed::FramedRemote;
use crate::transport::local::Local;
use crate::transport::ssh::SshTarget;
use crate::transport::ssh::dial::Dial;
use crate::transport::ssh::link::Ssh;

pub use cancel::CancelToken;
pub use error::TransportError;
pub use listener::{Listener, Silent, Stream};
pub use payload::{ExtraStreams, Fallback};
pub use remote::{Heartbeat, Remote, RequestResult};

/// This machine as a host. The first act starts its shell.
pub fn local(cancel_token: CancelToken) -> Box<dyn Remote> {
    Box::new(FramedRemote::new(Local::default(), cancel_token))
}

/// A host over ssh. The first act connects.
pub fn ssh(target: SshTarget, cancel_token: CancelToken) -> Box<dyn Remote> {
    let silence = target.silence;
    let mut dial = Dial::new(target, cancel_token.clone());
    let link = Ssh::new(silence, move || dial.connect());
    Box::new(FramedRemote::new(link, cancel_token))
}
