//! Contact with the hosts between a swap and its confirmation: where it is lost, the server takes the swap back by itself,
//! so what runs on the others has to end, for them to go back as well.

use std::sync::{Mutex, PoisonError};

use crate::transport::Interrupt;

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Kept,
    /// With this host.
    Lost(usize),
    /// Nothing that is in the balance can be lost any more.
    Settled,
}

#[derive(Debug, Default)]
pub struct Contact(Mutex<State>);

impl Contact {
    /// Contact with `host` is lost: running acts are ended, unless all is settled.
    pub fn lose(&self, host: usize, interrupt: &Interrupt) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Kept = *state {
            *state = State::Lost(host);
            interrupt.raise();
        }
    }

    /// From here on nothing is ended by a loss. Answers the host with which there was one.
    pub fn settle(&self) -> Option<usize> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Settled) {
            State::Lost(host) => Some(host),
            State::Kept | State::Settled => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_loss_before_all_is_settled_ends_what_runs() {
        let interrupt = Interrupt::default();
        let contact = Contact::default();
        contact.lose(2, &interrupt);
        contact.lose(1, &interrupt);
        assert!(interrupt.is_raised());
        assert_eq!(contact.settle(), Some(2));
        interrupt.clear();
        contact.lose(1, &interrupt);
        assert!(!interrupt.is_raised());
        assert_eq!(contact.settle(), None);
    }
}
