//! How a host is reached: a `Remote` performs acts there, whatever carries them.
//!
//! **Invariant:** a script's end is told by its mark and nothing else; no mark, no success.
//!
//! **Invariant:** until a `Lost` is answered, all acts were performed by one and the same shell, so what lives
//! as long as that shell (`$PPID` of every script) was never dropped unnoticed.

pub mod cancel;
mod child;
mod conversation;
pub mod encode;
mod ending;
pub mod exchange;
pub mod fail_fast;
pub mod frame;
pub mod framed;
mod heartbeat;
pub mod link;
pub mod listener;
pub mod local;
pub mod lost;
pub mod mark;
mod nonblocking;
pub mod payload;
pub mod remote;
mod shell;
#[cfg(test)]
pub mod simulated;
mod spare;
pub mod ssh;
mod streams;
mod turn;
mod upload;

use crate::transport::framed::Framed;
use crate::transport::local::Local;
use crate::transport::ssh::SshTarget;
use crate::transport::ssh::dial::Dial;
use crate::transport::ssh::link::Ssh;

pub use cancel::CancelToken;
pub use listener::{Listener, Silent, Stream};
pub use lost::Lost;
pub use payload::{ExtraStreams, Fallback};
pub use remote::{Heartbeat, QuestionOutcome, Remote};

/// This machine as a host. Its shell is started by the first act.
pub fn local(cancel_token: CancelToken) -> Box<dyn Remote> {
    Box::new(Framed::new(Local::default(), cancel_token))
}

/// A host over ssh. It is connected to by the first act.
pub fn ssh(target: SshTarget, cancel_token: CancelToken) -> Box<dyn Remote> {
    let silence = target.silence;
    let mut dial = Dial::new(target, cancel_token.clone());
    let link = Ssh::new(silence, move || dial.connect());
    Box::new(Framed::new(link, cancel_token))
}
