//! Which version of the source is being deployed, and by whom: for the record.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::here::git::text;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revision {
    /// The commit's hash; none where the source is no git work tree.
    pub commit: Option<String>,
    /// The work tree has changes that the commit does not.
    pub is_dirty: bool,
}

impl Revision {
    /// Asks git. No git, no repository and no commit are all no error: a directory is a source too.
    pub fn of(source: &Path) -> Self {
        let Some(commit) = text(source, &["rev-parse", "--verify", "--quiet", "HEAD"]) else {
            return Self::default();
        };
        let changes = text(source, &["status", "--porcelain", "--", "."]);
        Self { commit: Some(commit), is_dirty: changes.is_some_and(|changes| !changes.is_empty()) }
    }

    /// What every command of a run finds in its environment, here and on hosts; the setting `env` may say otherwise.
    pub fn env(&self, stage: &str) -> Vec<(String, String)> {
        let mut env = vec![("STAGE".to_owned(), stage.to_owned())];
        env.extend(self.commit.clone().map(|commit| ("REVISION".to_owned(), commit)));
        env
    }
}

/// What a command prints, if it succeeds.
fn said(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// `user@machine`, as a record names whoever deployed.
pub fn deployer() -> String {
    let user = ["LOGNAME", "USER"]
        .iter()
        .find_map(|key| std::env::var(key).ok().filter(|name| !name.is_empty()))
        .or_else(|| said(Command::new("id").arg("-un")))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    let machine = rustix::system::uname();
    format!("{user}@{}", machine.nodename().to_string_lossy())
}
