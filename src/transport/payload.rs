//! The additional payloads of an upload, each sent on its own stream.

use std::io::Read;

use crate::shell::Act;

/// The streams of an upload in addition to the one of its act.
pub struct ExtraStreams<'a> {
    /// The act to perform for each payload.
    pub act: &'a Act,
    pub payloads: Vec<&'a mut dyn Read>,
    /// The payloads wait until the upload's own act succeeds, and are sent only if its output contains this.
    pub after: &'static [u8],
    /// How many bytes no payload has claimed yet. At 0, payloads that have not begun are not needed.
    pub left: &'a dyn Fn() -> u64,
    /// Sent instead if the connection turns out to be slow.
    pub fallback: Option<Fallback<'a>>,
}

/// The same content in fewer bytes.
pub struct Fallback<'a> {
    pub act: &'a Act,
    pub payloads: Vec<&'a mut dyn Read>,
    /// Makes the previous payloads end as soon as possible and leave the rest to these.
    pub begin: &'a dyn Fn(),
}

impl<'a> ExtraStreams<'a> {
    pub fn none(act: &'a Act) -> Self {
        Self { act, payloads: Vec::new(), after: b"", left: &|| 0, fallback: None }
    }

    /// The same streams for another attempt.
    pub fn again(&mut self) -> ExtraStreams<'_> {
        ExtraStreams {
            act: self.act,
            payloads: again(&mut self.payloads),
            after: self.after,
            left: self.left,
            fallback: self.fallback.as_mut().map(Fallback::again),
        }
    }
}

impl Fallback<'_> {
    fn again(&mut self) -> Fallback<'_> {
        Fallback { act: self.act, payloads: again(&mut self.payloads), begin: self.begin }
    }
}

fn again<'b>(payloads: &'b mut [&mut dyn Read]) -> Vec<&'b mut dyn Read> {
    payloads.iter_mut().map(|payload| &mut **payload as &mut dyn Read).collect()
}
