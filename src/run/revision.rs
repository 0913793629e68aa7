//! Which version of the source is being deployed, and by whom: for the record.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::event::Report;

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
        let Some(commit) = git(source, &["rev-parse", "--verify", "--quiet", "HEAD"]) else {
            return Self::default();
        };
        let changes = git(source, &["status", "--porcelain", "--", "."]);
        Self { commit: Some(commit), is_dirty: changes.is_some_and(|changes| !changes.is_empty()) }
    }
}

fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let said = asked(directory, arguments).ok()?;
    Some(String::from_utf8(said).ok()?.trim().to_owned())
}

/// What git says in a directory; if it does not, why.
pub(super) fn asked(directory: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let said = git_in(directory).args(arguments).stdin(Stdio::null()).output();
    let said = said.context("`git` could not be started")?;
    match said.status.success() {
        true => Ok(said.stdout),
        false => {
            let report = Report::new(format!("`git {}` failed", arguments.join(" ")));
            let lines = String::from_utf8_lossy(&said.stderr).into_owned();
            bail!(lines.lines().fold(report, |report, line| report.note(line)))
        }
    }
}

/// A git that works in a directory, whatever repository this program was started from: a hook names its own
/// (`git rev-parse --local-env-vars`).
pub(super) fn git_in(directory: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(directory);
    for name in [
        "ALTERNATE_OBJECT_DIRECTORIES",
        "COMMON_DIR",
        "DIR",
        "GRAFT_FILE",
        "IMPLICIT_WORK_TREE",
        "INDEX_FILE",
        "NO_REPLACE_OBJECTS",
        "OBJECT_DIRECTORY",
        "PREFIX",
        "REPLACE_REF_BASE",
        "SHALLOW_FILE",
        "WORK_TREE",
    ] {
        git.env_remove(format!("GIT_{name}"));
    }
    git
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
