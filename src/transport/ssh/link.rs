//! The `Link` over ssh: exchanges bytes with the thread of the driver. It blocks only while it connects.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::shell::Exit;
use crate::transport::link::{ChannelId, Link, ReadOutcome};
use crate::transport::ssh::Connection;
use crate::transport::ssh::driver::Driver;
use crate::transport::ssh::pipes::{Pipe, Pipes, Purpose};
use crate::transport::{Stream, TransportError};
use crate::web::Address;

/// The maximum length of a command that is repeated for the login shell.
const REPEATED_MAX: usize = 1024;
/// The maximum length of a command in one packet (RFC 4253 §6.1).
const COMMAND_MAX: usize = 30_000;
/// The maximum for servers other than OpenSSH: dropbear hangs up at commands of more than 9,000 bytes (its
/// MAX_CMD_LEN), and others are unknown.
const COMMAND_MAX_CAREFUL: usize = 8000;
/// The stack size of the driver's thread. The driver and libssh2 need little.
const STACK: usize = 512 * 1024;

type Connect = Box<dyn FnMut() -> Result<Connection, TransportError> + Send>;

/// A host over ssh. Connects when a channel is first opened. After the connection is lost and all its channels are
/// closed, opening a channel connects again.
pub struct Ssh {
    connect: Connect,
    silence: Duration,
    n_opened: u32,
    driver: Option<DriverHandle>,
}

/// A connection, and the thread of the driver that owns it.
struct DriverHandle {
    pipes: Arc<Pipes>,
    thread: Option<JoinHandle<()>>,
    command_max: usize,
    is_openssh: bool,
}

impl Ssh {
    /// `silence` is how long the host may send nothing, in spite of keepalive requests.
    pub fn new(
        silence: Duration,
        connect: impl FnMut() -> Result<Connection, TransportError> + Send + 'static,
    ) -> Self {
        Self { connect: Box::new(connect), silence, n_opened: 0, driver: None }
    }

    fn driver(&mut self) -> Result<&DriverHandle, TransportError> {
        if let Some(driver) = &self.driver {
            let state = driver.pipes.lock();
            if let Some(why) = &state.gone {
                // A caller that still holds a channel must notice the loss before anything seems to continue.
                if !state.channels.is_empty() {
                    return Err(TransportError::Gone { why: why.clone(), sent: 0 });
                }
                drop(state);
                self.driver = None;
            }
        }
        match &mut self.driver {
            Some(driver) => Ok(driver),
            none => {
                let connection = (self.connect)()?;
                let silence = connection.silence.map_or(self.silence, |limit| limit.min(self.silence));
                let started = DriverHandle::start(connection, silence);
                let why = |error| TransportError::refused(format!("failed to start a thread: {error}"));
                Ok(none.insert(started.map_err(why)?))
            }
        }
    }

    fn open_for(&mut self, purpose: Purpose) -> Result<ChannelId, TransportError> {
        let id = ChannelId(self.n_opened + 1);
        let driver = self.driver()?;
        driver.pipes.lock().channels.insert(id, Pipe::new(purpose));
        driver.pipes.wake();
        self.n_opened = id.0;
        Ok(id)
    }

    fn pipes(&self) -> io::Result<&Pipes> {
        let closed = || io::Error::new(io::ErrorKind::NotConnected, "not connected");
        self.driver.as_ref().map(|driver| &*driver.pipes).ok_or_else(closed)
    }
}

impl DriverHandle {
    fn start(connection: Connection, silence: Duration) -> io::Result<Self> {
        let is_openssh = connection.session.banner().is_some_and(|banner| banner.contains("OpenSSH"));
        let command_max = if is_openssh { COMMAND_MAX } else { COMMAND_MAX_CAREFUL };
        let (pipes, waker) = Pipes::new()?;
        let pipes = Arc::new(pipes);
        let driver = Driver::new(connection, Arc::clone(&pipes), waker, silence);
        let thread =
            thread::Builder::new().name("ssh".to_owned()).stack_size(STACK).spawn(move || driver.run())?;
        Ok(Self { pipes, thread: Some(thread), command_max, is_openssh })
    }
}

impl Drop for DriverHandle {
    fn drop(&mut self) {
        self.pipes.lock().is_leaving = true;
        self.pipes.wake();
        if let Some(thread) = self.thread.take() {
            // The thread ends without waiting. If it panicked, it has printed that to standard error.
            let _ = thread.join();
        }
    }
}

impl Link for Ssh {
    /// dropbear closes idle channels when a process of another channel ends. Other servers are unknown.
    fn opens_ahead(&self) -> bool {
        self.driver.as_ref().is_some_and(|driver| driver.is_openssh)
    }

    fn open(&mut self, command: &str) -> Result<ChannelId, TransportError> {
        self.open_for(Purpose::Command(for_login_shell(command)))
    }

    fn dial(&mut self, to: &Address) -> Result<ChannelId, TransportError> {
        self.open_for(Purpose::Stream(to.clone()))
    }

    fn command_max(&mut self) -> Result<usize, TransportError> {
        self.driver().map(|driver| driver.command_max)
    }

    fn write(&mut self, id: ChannelId, bytes: &[u8]) -> io::Result<usize> {
        let pipes = self.pipes()?;
        let mut state = pipes.lock();
        state.check()?;
        let n = state.channel(id)?.write(bytes)?;
        if n > 0 {
            pipes.wake();
        }
        Ok(n)
    }

    fn close_stdin(&mut self, id: ChannelId) -> io::Result<()> {
        let pipes = self.pipes()?;
        pipes.lock().channel(id)?.is_input_over = true;
        pipes.wake();
        Ok(())
    }

    fn read(&mut self, id: ChannelId, stream: Stream, buffer: &mut [u8]) -> io::Result<ReadOutcome> {
        let pipes = self.pipes()?;
        let mut state = pipes.lock();
        let flow = state.channel(id)?.flow(stream);
        let was_full = flow.is_full();
        let got = flow.read(buffer);
        if was_full && !flow.is_full() {
            pipes.wake();
        }
        match got {
            ReadOutcome::Nothing => state.check().map(|()| got),
            _ => Ok(got),
        }
    }

    fn exit(&mut self, id: ChannelId) -> io::Result<Option<Exit>> {
        let mut state = self.pipes()?.lock();
        match state.channel(id)?.exit {
            None => state.check().map(|()| None),
            exit => Ok(exit),
        }
    }

    fn wait(&mut self, ids: &[ChannelId], at_most: Duration) -> io::Result<()> {
        self.pipes()?.wait(ids, at_most);
        Ok(())
    }

    fn abandon(&mut self, why: &str) {
        if let Ok(pipes) = self.pipes() {
            let mut state = pipes.lock();
            state.gone.get_or_insert_with(|| why.to_owned());
            state.is_leaving = true;
            pipes.wake();
        }
    }

    fn close(&mut self, id: ChannelId) {
        if let Ok(pipes) = self.pipes() {
            pipes.lock().channels.remove(&id);
            pipes.wake();
        }
    }
}

/// Prepares a command for the login shell. bash, zsh, fish (since 3.0), csh and any `sh` replace themselves with
/// `command`; rbash refuses `exec` and runs it directly. Without `exec`, the script would stay in the login shell's
/// arguments, and a `pkill -f` in a recipe could match it and end the run. A long command contains a script, so it is
/// not repeated: rbash rejects it, and `runner` then sends a short one.
fn for_login_shell(command: &str) -> String {
    match command.len() {
        0..=REPEATED_MAX => format!("exec {command} || {command}"),
        _ => format!("exec {command}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_made_when_a_channel_is_opened_and_its_refusal_is_told() {
        let refused = || TransportError::refused("no route to host");
        let mut n_tries = 0;
        let mut ssh = Ssh::new(Duration::from_secs(45), move || {
            n_tries += 1;
            assert_eq!(n_tries, 1);
            Err(refused())
        });
        assert!(ssh.write(ChannelId(1), b"").is_err());
        assert_eq!(ssh.open("sh"), Err(refused()));
    }

    #[test]
    fn only_a_short_command_has_a_fallback() {
        assert_eq!(for_login_shell("sh"), "exec sh || sh");
        let long = format!("sh -c '{}'", ":".repeat(REPEATED_MAX));
        assert_eq!(for_login_shell(&long), format!("exec {long}"));
    }
}
