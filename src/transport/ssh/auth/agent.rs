//! The agent and its keys. It may ask a person before it answers, or never answer at all, and libssh2 waits for it.

use std::mem;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ssh2::Session;

use crate::event::report::Report;
use crate::transport::CancelToken;
use crate::transport::ssh::apart::{Abandoned, apart};
use crate::transport::ssh::auth::login::PERSON;
use crate::transport::ssh::failure::LoginFailure;
use crate::transport::ssh::public_key::PublicKey;
use crate::transport::ssh::talk::CallFailure;

pub struct Agent {
    path: PathBuf,
    agent: Arc<ssh2::Agent>,
    /// The keys it holds whose format is known.
    pub keys: Vec<AgentKey>,
}

/// A key that the agent holds.
#[derive(Clone)]
pub struct AgentKey {
    pub key: PublicKey,
    identity: Arc<ssh2::PublicKey>,
}

impl AgentKey {
    /// What messages call it.
    pub fn name(&self) -> String {
        format!("agent key `{}` ({})", self.identity.comment(), self.key)
    }
}

impl Agent {
    /// Connects to the agent and asks for its keys. The inner error says why it is of no use.
    pub fn open(
        path: &Path,
        session: &Session,
        cancel_token: &CancelToken,
    ) -> Result<Result<Self, String>, LoginFailure> {
        let (socket, session) = (path.to_owned(), session.clone());
        let opened = apart(PERSON, cancel_token, move || list(&socket, &session));
        let opened = opened.map_err(|abandoned| match abandoned {
            Abandoned::Interrupted => LoginFailure::Interrupted,
            Abandoned::Late => LoginFailure::Final(late(path)),
        })?;
        Ok(opened.map_err(|why| format!("the agent at `{}`: {why}", path.display())).map(
            |(agent, identities)| {
                let held = |identity: ssh2::PublicKey| {
                    let key = PublicKey::from_blob(identity.blob())?;
                    Some(AgentKey { key, identity: Arc::new(identity) })
                };
                let keys = identities.into_iter().filter_map(held).collect();
                Self { path: path.to_owned(), agent: Arc::new(agent), keys }
            },
        ))
    }

    /// Offers a key to the host, and has the agent sign if the host accepts it. Call it again for as long as libssh2
    /// asks for that.
    pub fn show(&self, held: &AgentKey, user: &str, cancel_token: &CancelToken) -> Result<(), CallFailure> {
        let (agent, identity, user) = (Arc::clone(&self.agent), Arc::clone(&held.identity), user.to_owned());
        match apart(PERSON, cancel_token, move || agent.userauth(&user, &identity)) {
            Ok(shown) => shown.map_err(CallFailure::Failed),
            Err(Abandoned::Interrupted) => Err(CallFailure::Interrupted),
            Err(Abandoned::Late) => Err(CallFailure::NoAgent(late(&self.path).into())),
        }
    }
}

/// The session is still in use by a call that was left behind, so nothing more can come of the login.
fn late(path: &Path) -> Report {
    Report::new(format!("the agent at `{}` did not answer within {} s", path.display(), PERSON.as_secs()))
        .hint("run `ssh-add -l` to see whether it answers at all")
}

fn list(path: &Path, session: &Session) -> Result<(ssh2::Agent, Vec<ssh2::PublicKey>), String> {
    // Connects here as well: the system's error says more than libssh2's.
    UnixStream::connect(path).map_err(|error| error.to_string())?;
    let told = |error: ssh2::Error| error.message().to_owned();
    let mut agent = session.agent().map_err(told)?;
    agent.set_identity_path(path).map_err(told)?;
    if let Err(error) = agent.connect() {
        // libssh2 has closed its socket, and would close it again: by then, the number may belong to another file.
        mem::forget(agent);
        return Err(told(error));
    }
    agent.list_identities().map_err(told)?;
    let identities = agent.identities().map_err(told)?;
    Ok((agent, identities))
}
