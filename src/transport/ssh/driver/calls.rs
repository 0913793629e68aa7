//! The calls into libssh2 that a turn of the driver makes, and what their answers change.

use ssh2::{BlockDirections, Error};

use crate::transport::Stream;
use crate::transport::link::ChannelId;
use crate::transport::ssh::call::{Outcome, is_again, is_refusal, outcome, reason};
use crate::transport::ssh::channel::{Call, Channel};
use crate::transport::ssh::driver::{Driver, Gone, Job, Spare};

impl Driver {
    /// Makes one call, and remembers it if its packet is out in part.
    pub(super) fn attempt(&mut self, job: Job) -> Result<bool, Gone> {
        let is_stuck = self.stuck.take().is_some();
        let outcome = match job {
            Job::Open => self.open(),
            Job::On(id, call) => self.call(id, call, is_stuck),
        };
        let outcome = outcome.map_err(|error| reason(&error))?;
        let blocked = self.session.block_directions();
        if outcome == Outcome::Again && matches!(blocked, BlockDirections::Outbound | BlockDirections::Both) {
            self.stuck = Some(job);
        }
        Ok(outcome == Outcome::Moved)
    }

    fn call(&mut self, id: ChannelId, call: Call, is_stuck: bool) -> Result<Outcome, Error> {
        let may_speak = is_stuck || !matches!(call, Call::EndInput | Call::Close) || self.has_room();
        let Some(channel) = self.channels.get_mut(&id).filter(|_| may_speak) else {
            return Ok(Outcome::Nothing);
        };
        match call {
            Call::Start => self.start(id),
            Call::Read(stream) => self.read(id, stream),
            Call::Write => channel.write(&self.session),
            Call::EndInput => channel.end_input(),
            Call::AwaitClose => channel.await_close(),
            Call::Close => channel.close(),
        }
    }

    /// Opens a channel for whoever has waited longest, else as the spare. libssh2 opens one at a time.
    fn open(&mut self) -> Result<Outcome, Error> {
        let opened = self.session.channel_session();
        let waiting = self.channels.iter_mut().find(|(_, channel)| channel.is_waiting());
        match (opened, waiting) {
            (Err(error), _) if is_again(&error) => return Ok(Outcome::Again),
            (Err(error), _) if !is_refusal(&error) => return Err(error),
            (Ok(ssh), Some((_, channel))) => channel.opened(ssh),
            (Ok(ssh), None) => self.spare = Spare::Ready(ssh),
            (Err(_), None) => self.spare = Spare::Refused,
            (Err(error), Some((&id, channel))) => {
                channel.refused();
                let why = "the host allows no more channels on this connection (`MaxSessions` of sshd)";
                self.refuse(id, &format!("{why}: {}", error.message()));
            }
        }
        Ok(Outcome::Moved)
    }

    fn start(&mut self, id: ChannelId) -> Result<Outcome, Error> {
        let Some(channel) = self.channels.get_mut(&id) else {
            return Ok(Outcome::Nothing);
        };
        match channel.start() {
            Err(error) if is_refusal(&error) => {
                self.refuse(id, &format!("the host does not start a shell: {}", error.message()));
                Ok(Outcome::Moved)
            }
            outcome => {
                if channel.is_under_way()
                    && let Some(pipe) = self.pipes.lock().channels.get_mut(&id)
                {
                    pipe.is_open = true;
                    self.pipes.notify();
                }
                outcome
            }
        }
    }

    fn refuse(&self, id: ChannelId, why: &str) {
        if let Some(pipe) = self.pipes.lock().channels.get_mut(&id) {
            pipe.refused = Some(why.to_owned());
        }
    }

    fn read(&mut self, id: ChannelId, stream: Stream) -> Result<Outcome, Error> {
        let Some(channel) = self.channels.get_mut(&id) else {
            return Ok(Outcome::Nothing);
        };
        let (outcome, n) = channel.read(&self.session, stream, &mut self.buffer)?;
        if n > 0
            && let Some(pipe) = self.pipes.lock().channels.get_mut(&id)
        {
            pipe.flow(stream).push(&self.buffer[..n]);
        }
        Ok(outcome)
    }

    /// Takes what came from the host, so that the socket is read even while no stream may be.
    pub(super) fn pump(&mut self) -> Result<bool, Gone> {
        let spare = match &mut self.spare {
            Spare::Ready(spare) => Some(spare),
            _ => None,
        };
        for ssh in self.channels.values_mut().filter_map(Channel::ssh).chain(spare) {
            // Reads until there is nothing, or until this one is at its end.
            if outcome(ssh.wait_eof()).map_err(|error| reason(&error))? == Outcome::Again {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
