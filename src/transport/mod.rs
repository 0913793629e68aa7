//! How a host is reached: a `Remote` performs acts there, whatever carries them.
//!
//! **Invariant:** a script's end is told by its mark and nothing else; no mark, no success.
//!
//! **Invariant:** until a `Lost` is answered, all acts were performed by one and the same shell, so what lives
//! as long as that shell (`$PPID` of every script) was never dropped unnoticed.

mod asking;
mod child;
pub mod counting;
pub mod encode;
mod ending;
pub mod exchange;
pub mod frame;
pub mod framed;
pub mod hurried;
pub mod interrupt;
mod lanes;
pub mod link;
pub mod listener;
pub mod local;
pub mod lost;
pub mod mark;
mod nonblocking;
pub mod planning;
pub mod pulse;
pub mod simulated;
pub mod ssh;

use std::io::Read;
use std::time::Duration;

use crate::shell::{Act, Answer};
use crate::transport::ssh::Target;
use crate::transport::ssh::dial::Dial;
use crate::transport::ssh::link::Ssh;
use crate::web::Question;

pub use asking::Told;
pub use interrupt::Interrupt;
pub use lanes::{Beside, Relief};
pub use listener::{Listener, Silent, Stream};
pub use lost::Lost;
pub use pulse::Pulse;

/// What came of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Answered(Answer),
    /// A planning remote noted a write instead of doing it.
    Recorded,
}

/// A host as acts meet it.
pub trait Remote: Send {
    /// Performs an act in the host's persistent shell. Its script starts in the shell's working directory, with
    /// `/dev/null` as standard input and nothing left over from earlier scripts.
    fn perform(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Reply, Lost>;

    /// So many payloads may soon be sent: what can be prepared for them without another connection may be.
    fn foresee(&mut self, n_payloads: usize) {
        let _ = n_payloads;
    }

    /// Has an act on its way, as far as that can be without waiting. The next one that is performed must be this one.
    fn begin(&mut self, act: &Act) {
        let _ = act;
    }

    /// Performs an act on a channel of its own, `payload` on its standard input behind the script. A script that
    /// ends without reading all of it is not an error of its own: its exit tells. Nothing else is looked at while
    /// `payload` is being read, so it should not wait for long.
    fn send(&mut self, act: &Act, payload: &mut dyn Read, listener: &mut dyn Listener)
    -> Result<Reply, Lost>;

    /// The same, and what is to travel beside it, at once where that can be. Answers the first that failed, or else the act.
    fn send_beside(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        beside: Beside,
        listener: &mut dyn Listener,
    ) -> Result<Reply, Lost> {
        let reply = self.send(act, payload, listener)?;
        let Reply::Answered(answer) = &reply else { return Ok(reply) };
        if answer.exit.is_success() && lanes::says(&answer.stdout, beside.after) {
            for payload in beside.payloads {
                if (beside.left)() == 0 {
                    break;
                }
                match self.send(beside.act, payload, listener)? {
                    Reply::Answered(answer) if answer.exit.is_success() => {}
                    failed => return Ok(failed),
                }
            }
        }
        Ok(reply)
    }

    /// Asks what listens on the host. Its answer is read as it comes, and waited for as long as the question says.
    fn ask(&mut self, question: &Question) -> Result<Told, Lost> {
        Ok(Told::Failed(format!("`{}` cannot be asked from here", question.to)))
    }

    /// From now on the host hears that this side is alive: while acts run, and when `beat` is called while none does.
    fn pulse(&mut self, pulse: Pulse) {
        let _ = pulse;
    }

    /// Gives a sign of life if one is due. Never connects.
    fn beat(&mut self) {}

    /// For how long the host has answered nothing, signs of life included.
    fn silence(&self) -> Duration {
        Duration::ZERO
    }
}

impl<R: Remote + ?Sized> Remote for Box<R> {
    fn foresee(&mut self, n_payloads: usize) {
        (**self).foresee(n_payloads);
    }

    fn begin(&mut self, act: &Act) {
        (**self).begin(act);
    }

    fn perform(&mut self, act: &Act, listener: &mut dyn Listener) -> Result<Reply, Lost> {
        (**self).perform(act, listener)
    }

    fn send(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        listener: &mut dyn Listener,
    ) -> Result<Reply, Lost> {
        (**self).send(act, payload, listener)
    }

    fn send_beside(
        &mut self,
        act: &Act,
        payload: &mut dyn Read,
        beside: Beside,
        listener: &mut dyn Listener,
    ) -> Result<Reply, Lost> {
        (**self).send_beside(act, payload, beside, listener)
    }

    fn ask(&mut self, question: &Question) -> Result<Told, Lost> {
        (**self).ask(question)
    }

    fn pulse(&mut self, pulse: Pulse) {
        (**self).pulse(pulse);
    }

    fn beat(&mut self) {
        (**self).beat();
    }

    fn silence(&self) -> Duration {
        (**self).silence()
    }
}

/// This machine as a host. Its shell is started by the first act.
pub fn local(interrupt: Interrupt) -> Box<dyn Remote> {
    Box::new(framed::Framed::new(local::Local::default(), interrupt))
}

/// A host over ssh. It is connected to by the first act.
pub fn ssh(target: Target, interrupt: Interrupt) -> Box<dyn Remote> {
    let silence = target.silence;
    let mut dial = Dial::new(target, interrupt.clone());
    let link = Ssh::new(silence, move || dial.connect());
    Box::new(framed::Framed::new(link, interrupt))
}
