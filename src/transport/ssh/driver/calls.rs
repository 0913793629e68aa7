//! The calls to libssh2 in a turn of the driver, and how their results change its state.

use ssh2::{BlockDirections, Error};

use crate::transport::Stream;
use crate::transport::link::ChannelId;
use crate::transport::ssh::call::{CallOutcome, is_again, is_late, is_refusal, outcome, reason};
use crate::transport::ssh::channel::{Channel, ChannelCall, ChannelKind};
use crate::transport::ssh::driver::{Driver, Gone, Job, Spare};
use crate::transport::ssh::pipes::Purpose;
use crate::web::Address;

impl Driver {
    /// Makes a call. Remembers it if its packet was sent only in part.
    pub(super) fn attempt(&mut self, job: Job) -> Result<bool, Gone> {
        let is_stuck = self.stuck.take().is_some();
        let outcome = match job {
            Job::Open => self.open(),
            Job::On(id, call) => self.call(id, call, is_stuck),
        };
        let outcome = outcome.map_err(|error| reason(&error))?;
        let blocked = self.session.block_directions();
        if outcome == CallOutcome::Again
            && matches!(blocked, BlockDirections::Outbound | BlockDirections::Both)
        {
            self.stuck = Some(job);
        }
        Ok(outcome == CallOutcome::Moved)
    }

    fn call(&mut self, id: ChannelId, call: ChannelCall, is_stuck: bool) -> Result<CallOutcome, Error> {
        let may_speak =
            is_stuck || !matches!(call, ChannelCall::EndInput | ChannelCall::Close) || self.has_room();
        let Some(channel) = self.channels.get_mut(&id).filter(|_| may_speak) else {
            return Ok(CallOutcome::Nothing);
        };
        match call {
            ChannelCall::Start => self.start(id),
            ChannelCall::Read(stream) => self.read(id, stream),
            ChannelCall::Write => channel.write(&self.session),
            ChannelCall::EndInput => channel.end_input(),
            ChannelCall::AwaitClose => channel.await_close(),
            ChannelCall::Close => channel.close(),
        }
    }

    /// Opens a channel for the caller that has waited longest, else the spare channel.
    fn open(&mut self) -> Result<CallOutcome, Error> {
        let next = || self.channels.values().find_map(Channel::waits_for).unwrap_or(ChannelKind::Session);
        let kind = self.opening.take().unwrap_or_else(next);
        let opened = match &kind {
            ChannelKind::Session => self.session.channel_session(),
            ChannelKind::Stream(Address::Tcp { host, port }) => {
                self.session.channel_direct_tcpip(host, *port, None)
            }
            ChannelKind::Stream(Address::Unix(path)) => self.session.channel_direct_streamlocal(path, None),
        };
        // If the address drops all packets, the host itself is fine.
        let is_refused = |error: &Error| is_refusal(error) || kind != ChannelKind::Session && is_late(error);
        let mut channels = self.channels.iter_mut();
        let waiting = channels.find(|(_, channel)| channel.waits_for().as_ref() == Some(&kind));
        match (opened, waiting) {
            (Err(error), _) if is_again(&error) => {
                self.opening = Some(kind);
                return Ok(CallOutcome::Again);
            }
            (Err(error), _) if !is_refused(&error) => return Err(error),
            (Ok(ssh), Some((id, channel))) => {
                channel.opened(ssh);
                let is_open = channel.is_under_way();
                if let Some(pipe) = self.pipes.lock().channels.get_mut(id) {
                    pipe.is_open = is_open;
                }
            }
            (Err(error), Some((&id, channel))) => {
                channel.refused();
                self.refuse(id, &refusal(&kind, error.message()));
            }
            (Ok(ssh), None) if kind == ChannelKind::Session => self.spare = Spare::Ready(ssh),
            (Ok(ssh), None) => {
                // The caller has closed it meanwhile. It will be closed like any channel that no caller holds.
                self.n_unwanted += 1;
                let mut channel = Channel::new(Purpose::Command(String::new()));
                channel.opened(ssh);
                self.channels.insert(ChannelId(u32::MAX - self.n_unwanted), channel);
            }
            (Err(_), None) if kind == ChannelKind::Session => self.spare = Spare::Refused,
            (Err(_), None) => {}
        }
        Ok(CallOutcome::Moved)
    }

    fn start(&mut self, id: ChannelId) -> Result<CallOutcome, Error> {
        let Some(channel) = self.channels.get_mut(&id) else {
            return Ok(CallOutcome::Nothing);
        };
        match channel.start() {
            Err(error) if is_refusal(&error) => {
                self.refuse(id, &format!("the host refused to start a shell: {}", error.message()));
                Ok(CallOutcome::Moved)
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

    fn read(&mut self, id: ChannelId, stream: Stream) -> Result<CallOutcome, Error> {
        let Some(channel) = self.channels.get_mut(&id) else {
            return Ok(CallOutcome::Nothing);
        };
        let (outcome, n) = channel.read(&self.session, stream, &mut self.buffer)?;
        if n > 0
            && let Some(pipe) = self.pipes.lock().channels.get_mut(&id)
        {
            pipe.flow(stream).push(&self.buffer[..n]);
        }
        Ok(outcome)
    }

    /// Receives data from the host, so that the socket is read even if no stream may be read.
    pub(super) fn receive(&mut self) -> Result<bool, Gone> {
        let spare = match &mut self.spare {
            Spare::Ready(spare) => Some(spare),
            _ => None,
        };
        for ssh in self.channels.values_mut().filter_map(Channel::ssh).chain(spare) {
            // Reads until the socket is empty or this channel is at its end.
            if outcome(ssh.wait_eof()).map_err(|error| reason(&error))? == CallOutcome::Again {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The message for a refused channel, with the reason that libssh2 names (RFC 4254 §5.1).
fn refusal(kind: &ChannelKind, reason: &str) -> String {
    let address = match kind {
        ChannelKind::Session => {
            return format!(
                "the host allows no more channels on this connection (`MaxSessions` of sshd): {reason}"
            );
        }
        ChannelKind::Stream(address) => address,
    };
    let (setting, besides) = match address {
        Address::Tcp { .. } => ("AllowTcpForwarding", ""),
        // If OpenSSH forbids a socket, it reports that the connection failed. The setting for ports applies to
        // sockets, too.
        Address::Unix(_) => (
            "AllowStreamLocalForwarding",
            ", or sshd forbids it (`AllowStreamLocalForwarding`, `AllowTcpForwarding`)",
        ),
    };
    match reason.contains("connect failed") {
        true => format!(
            "cannot connect to `{address}`: nothing listens there, or this user may not connect{besides}"
        ),
        false => format!("the host does not forward to `{address}` (`{setting}` of sshd): {reason}"),
    }
}
