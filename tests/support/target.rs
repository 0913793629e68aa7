//! The way in to a server of `sshd.rs`, as the library takes it. A file of its own: what uses it links the whole library,
//! which tests of the program need not.

use runner::parts::transport::ssh::SshTarget;

use crate::sshd::Sshd;

impl Sshd {
    /// The way in, which no configuration of this machine's has a part in.
    pub fn target(&self) -> SshTarget {
        SshTarget {
            port: Some(self.port),
            user: Some(self.user.clone()),
            accept_new: true,
            config: Some(self.config()),
            ..SshTarget::new("web1", "127.0.0.1")
        }
    }
}
