//! The payloads that an upload sends on streams of their own, besides the stream of its act.

use std::io::Read;

use crate::shell::Act;

/// The streams of an upload besides that of its act.
pub struct ExtraStreams<'a> {
    /// Performed once for each of the payloads.
    pub act: &'a Act,
    pub payloads: Vec<&'a mut dyn Read>,
    /// They wait until the act succeeds, and are sent only if its output contains this.
    pub after: &'static [u8],
    /// How many bytes no payload has taken yet. At 0, a payload that has not begun is not needed.
    pub left: &'a dyn Fn() -> u64,
    /// Sent instead if the connection turns out to be slow.
    pub fallback: Option<Fallback<'a>>,
}

/// The same content in fewer bytes.
pub struct Fallback<'a> {
    pub act: &'a Act,
    pub payloads: Vec<&'a mut dyn Read>,
    /// Makes the payloads of before end as soon as they can, and leave the rest to these.
    pub begin: &'a dyn Fn(),
}

impl<'a> ExtraStreams<'a> {
    pub fn none(act: &'a Act) -> Self {
        Self { act, payloads: Vec::new(), after: b"", left: &|| 0, fallback: None }
    }

    /// The same again, for another try.
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
