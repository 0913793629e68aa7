//! What travels beside an act that has a payload, and what is sent instead where the line is slow.

use std::io::Read;

use crate::shell::Act;

/// What travels beside an act with a payload of its own.
pub struct Beside<'a> {
    /// Is performed for each of the payloads.
    pub act: &'a Act,
    pub payloads: Vec<&'a mut dyn Read>,
    /// They wait for the act to succeed, and are not sent at all unless it said this.
    pub after: &'static [u8],
    /// How many bytes none of them has taken yet. At 0 one that has not begun is not needed.
    pub left: &'a dyn Fn() -> u64,
    /// What is sent instead if the line turns out to be slow.
    pub relief: Option<Relief<'a>>,
}

/// The same with less to carry.
pub struct Relief<'a> {
    pub act: &'a Act,
    pub payloads: Vec<&'a mut dyn Read>,
    /// Makes the payloads of before end as soon as they can, and leave the rest to these.
    pub begin: &'a dyn Fn(),
}

impl<'a> Beside<'a> {
    pub fn nothing(act: &'a Act) -> Self {
        Self { act, payloads: Vec::new(), after: b"", left: &|| 0, relief: None }
    }

    /// The same again, for another try.
    pub fn again(&mut self) -> Beside<'_> {
        Beside {
            act: self.act,
            payloads: again(&mut self.payloads),
            after: self.after,
            left: self.left,
            relief: self.relief.as_mut().map(Relief::again),
        }
    }
}

impl Relief<'_> {
    fn again(&mut self) -> Relief<'_> {
        Relief { act: self.act, payloads: again(&mut self.payloads), begin: self.begin }
    }
}

fn again<'b>(payloads: &'b mut [&mut dyn Read]) -> Vec<&'b mut dyn Read> {
    payloads.iter_mut().map(|payload| &mut **payload as &mut dyn Read).collect()
}
