//! The ssh agent and its keys. The agent may ask the user before it answers, or never answer at all, and libssh2
//! waits for it.

use std::mem;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ssh2::Session;

use crate::event::report::Report;
use crate::transport::CancelToken;
use crate::transport::ssh::auth::login::USER_LIMIT;
use crate::transport::ssh::detached::{WaitError, run_detached};
use crate::transport::ssh::failure::LoginFailure;
use crate::transport::ssh::public_key::PublicKey;
use crate::transport::ssh::waiter::CallFailure;

pub struct Agent {
    path: PathBuf,
    agent: Arc<ssh2::Agent>,
    /// Its keys, as far as their format is known.
    pub keys: Vec<AgentKey>,
}

/// A key of the agent.
#[derive(Clone)]
pub struct AgentKey {
    pub key: PublicKey,
    identity: Arc<ssh2::PublicKey>,
}

impl AgentKey {
    /// The name of the key in messages.
    pub fn name(&self) -> String {
        format!("agent key `{}` ({})", self.identity.comment(), self.key)
    }
}

impl Agent {
    /// Connects to the agent and lists its keys. The inner error says why the agent cannot be used.
    pub fn open(
        path: &Path,
        session: &Session,
        cancel_token: &CancelToken,
    ) -> Result<Result<Self, String>, LoginFailure> {
        let (socket, session) = (path.to_owned(), session.clone());
        let opened = run_detached(USER_LIMIT, cancel_token, move || list(&socket, &session));
        let opened = opened.map_err(|abandoned| match abandoned {
            WaitError::Interrupted => LoginFailure::Interrupted,
            WaitError::TimedOut => LoginFailure::Final(timeout_message(path)),
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

    /// Offers a key to the host, and makes the agent sign if the host accepts it. Repeat the call for as long as
    /// libssh2 requires that.
    pub fn offer(&self, held: &AgentKey, user: &str, cancel_token: &CancelToken) -> Result<(), CallFailure> {
        let (agent, identity, user) = (Arc::clone(&self.agent), Arc::clone(&held.identity), user.to_owned());
        match run_detached(USER_LIMIT, cancel_token, move || agent.userauth(&user, &identity)) {
            Ok(shown) => shown.map_err(CallFailure::Failed),
            Err(WaitError::Interrupted) => Err(CallFailure::Interrupted),
            Err(WaitError::TimedOut) => Err(CallFailure::NoAgent(timeout_message(&self.path).into())),
        }
    }
}

/// The error if the agent does not answer. The abandoned call still uses the session, so the login cannot continue.
fn timeout_message(path: &Path) -> Report {
    Report::new(format!("the agent at `{}` did not answer within {} s", path.display(), USER_LIMIT.as_secs()))
        .hint("run `ssh-add -l` to see whether it answers at all")
}

fn list(path: &Path, session: &Session) -> Result<(ssh2::Agent, Vec<ssh2::PublicKey>), String> {
    // Connects once more first: the error of the system is more precise than that of libssh2.
    UnixStream::connect(path).map_err(|error| error.to_string())?;
    let message = |error: ssh2::Error| error.message().to_owned();
    let mut agent = session.agent().map_err(message)?;
    agent.set_identity_path(path).map_err(message)?;
    if let Err(error) = agent.connect() {
        // libssh2 has closed its socket, and dropping `agent` would close the number again. By then, it may belong to
        // another file.
        mem::forget(agent);
        return Err(message(error));
    }
    agent.list_identities().map_err(message)?;
    let identities = agent.identities().map_err(message)?;
    Ok((agent, identities))
}
