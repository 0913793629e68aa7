//! Channels for payloads, opened before they are needed, so that no round trip is spent on opening them later.

use std::collections::VecDeque;

use crate::transport::Lost;
use crate::transport::encode;
use crate::transport::link::{ChannelId, Link};

#[derive(Default)]
pub struct SpareChannels {
    ready: VecDeque<ChannelId>,
    /// How many are to be opened once there is a connection.
    n_wanted: usize,
}

impl SpareChannels {
    pub fn want(&mut self, n: usize) {
        self.n_wanted = n;
    }

    /// Opens those that are wanted, which must not be what connects.
    pub fn open_wanted(&mut self, link: &mut impl Link) {
        let n = std::mem::take(&mut self.n_wanted);
        self.open(link, n);
    }

    /// Opens what is missing to `n`.
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

    /// A channel for a payload, and whether it was there already.
    pub fn take(&mut self, link: &mut impl Link) -> Result<(ChannelId, bool), Lost> {
        while let Some(channel) = self.ready.pop_front() {
            // It may have been refused, or ended by whoever ends what does nothing.
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
