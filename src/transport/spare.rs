//! Opens channels for payloads before they are needed, to save a round trip later.

use std::collections::VecDeque;

use crate::transport::TransportError;
use crate::transport::encode;
use crate::transport::link::{ChannelId, Link};

#[derive(Default)]
pub struct SpareChannels {
    ready: VecDeque<ChannelId>,
    /// How many channels to open once there is a connection.
    n_wanted: usize,
}

impl SpareChannels {
    pub fn want(&mut self, n: usize) {
        self.n_wanted = n;
    }

    /// Opens the wanted channels. The host must be connected already: this must not connect.
    pub fn open_wanted(&mut self, link: &mut impl Link) {
        let n = std::mem::take(&mut self.n_wanted);
        self.open(link, n);
    }

    /// Opens channels until `n` are ready.
    pub fn open_to(&mut self, link: &mut impl Link, n: usize) {
        self.open(link, n.saturating_sub(self.ready.len()));
    }

    fn open(&mut self, link: &mut impl Link, n: usize) {
        if link.opens_ahead() {
            self.ready.extend((0..n).map_while(|_| link.open(encode::CHANNEL).ok()));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// A channel for a payload, and whether it had been opened before.
    pub fn take(&mut self, link: &mut impl Link) -> Result<(ChannelId, bool), TransportError> {
        while let Some(channel) = self.ready.pop_front() {
            // The host may have refused it, or closed it because it was idle.
            match link.exit(channel) {
                Ok(None) => return Ok((channel, true)),
                _ => link.close(channel),
            }
        }
        Ok((link.open(encode::CHANNEL)?, false))
    }

    pub fn close(&mut self, link: &mut impl Link) {
        for channel in self.ready.drain(..) {
            link.close(channel);
        }
    }
}
