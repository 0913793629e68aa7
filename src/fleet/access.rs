//! How the hosts of a fleet are reached, and where events go.

use std::path::PathBuf;
use std::sync::Arc;

use crate::event::{Report, Sink};
use crate::host::{Host, TransportKind};
use crate::site::{Options, Site};
use crate::transport::ssh::{Logins, SshTarget};
use crate::transport::{self, CancelToken, Remote};

pub struct Access {
    /// Shared by all hosts: answers given at the terminal, and login slots.
    pub logins: Arc<Logins>,
    pub cancel_token: CancelToken,
    pub events: Arc<dyn Sink>,
    /// Nothing is changed on any host.
    pub is_plan: bool,
}

impl Access {
    /// The site on a host. Nothing is connected yet.
    pub fn site(&self, host: &Host, options: Options) -> Result<Site, Report> {
        let remote = self.remote(host, options.accepts_new_keys)?;
        Ok(Site::new(host.clone(), options, remote, self.events.clone(), self.is_plan))
    }

    fn remote(&self, host: &Host, accept_new: bool) -> Result<Box<dyn Remote>, Report> {
        match host.transport {
            TransportKind::Local => Ok(transport::local(self.cancel_token.clone())),
            TransportKind::Ssh => {
                let target = SshTarget {
                    port: host.port,
                    user: host.user.clone(),
                    accept_new,
                    host_keys: host.host_keys.clone(),
                    config: std::env::var_os("RUNNER_SSH_CONFIG").map(PathBuf::from),
                    logins: self.logins.clone(),
                    ..SshTarget::new(&host.name, &host.address)
                };
                Ok(transport::ssh(target, self.cancel_token.clone()))
            }
            TransportKind::OpenSsh => Err(missing_transport(host)),
        }
    }
}

/// The error for a host whose transport this version does not support.
pub fn missing_transport(host: &Host) -> Report {
    let name = &host.name;
    Report::new(format!("host `{name}` uses the transport `openssh`, which is not supported yet"))
        .at(host.places.host.clone())
        .hint("set `transport = \"ssh\"`, or remove `transport`: `ssh` is the default")
}
