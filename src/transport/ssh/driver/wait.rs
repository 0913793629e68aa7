//! Waits between the turns of the driver, for the socket, for a wake-up by its caller, or for a timeout.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::transport::ssh::call::{CLOSED, reason};
use crate::transport::ssh::driver::{Driver, Gone};
use crate::transport::ssh::keepalive::Liveness;

impl Driver {
    /// Sends a keepalive request to a silent host. If a packet is stuck, that packet serves as the request.
    pub(super) fn send_keepalive(&mut self) -> Result<(), Gone> {
        let now = Instant::now();
        if self.keepalive.is_due(now) {
            self.keepalive.requested(now);
            if self.stuck.is_none() && self.has_room() {
                self.session.keepalive_send().map_err(|error| reason(&error))?;
            }
        }
        Ok(())
    }

    /// Waits for the socket, a wake-up or a timeout. Only checks them if there is more to do.
    pub(super) fn wait(&mut self, has_moved: bool) -> Result<(), Gone> {
        let at_most = match has_moved {
            true => Duration::ZERO,
            false => self.at_most(),
        };
        // If no channel reads the data, it would only wake this up again and again.
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN, self.is_drained);
        wanted.set(PollFlags::OUT, self.stuck.is_some());
        let mut fds = [PollFd::new(&self.socket, wanted), PollFd::new(&self.waker, PollFlags::IN)];
        match poll(&mut fds, Timespec::try_from(at_most).ok().as_ref()) {
            Err(error) if error != Errno::INTR => return Err(io::Error::from(error).to_string()),
            _ => {}
        }
        let (events, is_woken) = (fds[0].revents(), !fds[1].revents().is_empty());
        if is_woken {
            // If the caller writes again during this read, the next poll sees it.
            let _ = (&self.waker).read(&mut [0; 64]);
        }
        let now = Instant::now();
        if events.contains(PollFlags::IN) {
            self.keepalive.received(now);
        } else if events.intersects(PollFlags::HUP | PollFlags::ERR) {
            return Err(CLOSED.to_owned());
        }
        match self.keepalive.verdict(now) {
            Liveness::Alive => Ok(()),
            Liveness::Dead(after) => {
                Err(format!("the host sent nothing for {} s", after.as_secs_f64().round()))
            }
        }
    }

    /// How long to wait if nothing arrives.
    fn at_most(&self) -> Duration {
        let state = self.pipes.lock();
        let silence = self.keepalive.next(Instant::now());
        let each = self.channels.iter().map(|(id, channel)| channel.at_most(state.channels.get(id)));
        each.fold(silence, Duration::min)
    }

    /// Whether a small packet would be sent completely.
    pub(super) fn has_room(&self) -> bool {
        let mut fds = [PollFd::new(&self.socket, PollFlags::OUT)];
        poll(&mut fds, Some(&Timespec::default())).is_ok() && fds[0].revents().contains(PollFlags::OUT)
    }
}
