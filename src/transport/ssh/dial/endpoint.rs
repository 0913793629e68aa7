//! Opens connections to a host's sshd: one to log in, and another one to explain a failure.

use std::time::Duration;

use crate::event::report::Report;
use crate::transport::CancelToken;
use crate::transport::ssh::SshTarget;
use crate::transport::ssh::config::{Config, Route};
use crate::transport::ssh::dial::offer::{self, Offer};
use crate::transport::ssh::dial::proxy::{self, ProxyStderr};
use crate::transport::ssh::dial::tcp::{self, NoConnection};
use crate::transport::ssh::failure::LoginFailure;
use crate::transport::ssh::socket::Socket;

/// The time limit for an address to answer if `ConnectTimeout` is not set.
const CONNECT: Duration = Duration::from_secs(15);

/// The sshd of a host, and how to reach it.
#[derive(Clone, Copy)]
pub struct Endpoint<'a> {
    pub target: &'a SshTarget,
    pub config: &'a Config,
    pub cancel_token: &'a CancelToken,
}

impl Endpoint<'_> {
    /// Opens a connection. Returns the standard error of the proxy as well, to explain later failures.
    pub fn open(&self) -> Result<(Socket, Option<ProxyStderr>), LoginFailure> {
        self.open_within(self.config.connect_timeout.unwrap_or(CONNECT))
    }

    fn open_within(&self, limit: Duration) -> Result<(Socket, Option<ProxyStderr>), LoginFailure> {
        let may_ask = self.target.logins.prompt().is_some();
        let command = match &self.config.route {
            Route::Direct => return Ok((self.open_directly(limit)?, None)),
            Route::Jump(hosts) => proxy::jump(hosts, self.config, self.target.config.as_deref(), may_ask),
            Route::Command(text) => proxy::command(text),
        };
        let (socket, stderr) = proxy::start(command).map_err(|error| {
            LoginFailure::message(format!("failed to start the proxy for {}: {error}", self.config.place()))
        })?;
        Ok((socket, Some(stderr)))
    }

    fn open_directly(&self, limit: Duration) -> Result<Socket, LoginFailure> {
        let Config { host, port, family, bind_address, .. } = self.config;
        let result = tcp::reach(host, *port, *family, *bind_address, limit, self.cancel_token);
        result.map(Socket::Tcp).map_err(|error| match error {
            NoConnection::Interrupted => LoginFailure::Interrupted,
            NoConnection::Unresolved(why) => LoginFailure::Final(Report::new(why).hint(format!(
                "is `{host}` spelt right? If only ssh's configuration knows it, its `HostName` must be there"
            ))),
            NoConnection::Unbound(why) => LoginFailure::Final(
                Report::new(why).hint("change `BindAddress` for this host in ~/.ssh/config"),
            ),
            NoConnection::Failed { why, is_passing } => {
                let report = Report::new(format!("failed to connect to {}", self.config.place()));
                let notes = why.iter().map(|(address, why)| format!("{address}: {why}"));
                let report = notes.fold(report, Report::note).hint(self.hint_of_port(is_passing));
                if is_passing { LoginFailure::NotListening(report) } else { LoginFailure::Final(report) }
            }
        })
    }

    fn hint_of_port(&self, is_refused: bool) -> String {
        let port = self.config.port;
        let set = match self.target.port {
            Some(_) => format!("is `port = {port}` right?"),
            None => format!("runner.toml gives no `port`, so {port} was taken: is it right?"),
        };
        match is_refused {
            true => format!("{set} If it is, sshd does not run there"),
            false => {
                format!("is the address right, and does each firewall on the way let port {port} through?")
            }
        }
    }

    /// Asks on a new connection what the host offers. Does not wait long: the host answered just now.
    pub fn offer(&self) -> Offer {
        let opened = self.open_within(offer::LIMIT);
        opened.map(|(socket, _)| Offer::of(&socket, self.cancel_token)).unwrap_or_default()
    }

    /// Adds the reason that the host gives when it hangs up.
    pub fn explain(&self, report: Report) -> Report {
        match self.offer().refusal {
            None => report,
            Some(refusal) => report.note(format!("the host says: {refusal}")),
        }
    }
}
