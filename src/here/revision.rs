//! The commit that is deployed, and who deploys it, for records.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::here::git::git_text;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revision {
    /// The commit's hash; `None` if the source is not in a git repository.
    pub commit: Option<String>,
    /// The work tree has uncommitted changes, in the source or elsewhere: builds read files outside of the source, too.
    pub is_dirty: bool,
}

impl Revision {
    /// Asks git. It is no error if there is no git, no repository or no commit: a plain directory can be deployed,
    /// too.
    pub fn of(source: &Path) -> Self {
        let Some(commit) = git_text(source, &["rev-parse", "--verify", "--quiet", "HEAD"]) else {
            return Self::default();
        };
        let changes = git_text(source, &["status", "--porcelain", "--", ":/"]);
        Self { commit: Some(commit), is_dirty: changes.is_some_and(|changes| !changes.is_empty()) }
    }

    /// The environment variables of every command of a run, here and on hosts. The setting `env` can override them.
    pub fn env(&self, stage: &str) -> Vec<(String, String)> {
        let mut env = vec![("STAGE".to_owned(), stage.to_owned())];
        env.extend(self.commit.clone().map(|commit| ("REVISION".to_owned(), commit)));
        env
    }
}

/// The output of a command, if it succeeds.
fn output_of(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// What CI services call the person who started a job, and that they are the ones.
const CI_SERVICES: [(&str, &[&str], &str); 2] = [
    ("GITHUB_ACTIONS", &["GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"], "github"),
    ("GITLAB_CI", &["GITLAB_USER_LOGIN"], "gitlab"),
];

/// `user@machine` of the person who deploys, for records. In a job of a CI service, the person who started it: `ann@github`.
pub fn deployer() -> String {
    let first = |names: &[&str]| {
        names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    };
    for (service, people, name) in CI_SERVICES {
        if let Some(person) = first(&[service]).and_then(|_| first(people)) {
            return format!("{person}@{name}");
        }
    }
    let user = first(&["LOGNAME", "USER"])
        .or_else(|| output_of(Command::new("id").arg("-un")))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    let machine = rustix::system::uname();
    format!("{user}@{}", machine.nodename().to_string_lossy())
}
