//! The shared files that a first deploy must find: the commands that bring them.

use std::path::Path;

use crate::here::proposal::Proposal;
use crate::here::proposed::{ProposedHost, ProposedPlace, ProposedStage};
use crate::here::recognise::kind::Need;
use crate::host::inventory::address::HostAddress;
use crate::shell::Word;

/// The commands, each for one file on one host. They work as they are typed, in the project's directory.
pub fn needed(proposal: &Proposal, directory: &Path) -> Vec<String> {
    let mut commands = Vec::new();
    for stage in &proposal.stages {
        for (file, need) in &proposal.kind.needs {
            let copies = *need == Need::Written && directory.join(file).is_file();
            commands.extend(of_stage(stage, file, copies));
        }
    }
    commands
}

/// `copies`: the file that is here, not an empty one.
fn of_stage(stage: &ProposedStage, file: &str, copies: bool) -> Vec<String> {
    match &stage.place {
        ProposedPlace::Here { path } => {
            vec![install(if copies { file } else { "/dev/null" }, &format!("{path}/shared/{file}"))]
        }
        ProposedPlace::Servers { path, user, hosts } => {
            let command = |host: &ProposedHost| {
                let path = host.path.as_ref().unwrap_or(path);
                // A login shell starts in its home directory.
                let path = path.strip_prefix("~/").unwrap_or(path);
                let source = if copies { "/dev/stdin" } else { "/dev/null" };
                let remote = Word::shown(&install(source, &format!("{path}/shared/{file}")));
                let input = if copies { format!(" <{}", Word::shown(file)) } else { String::new() };
                format!("ssh {} {remote}{input}", login(host, user.as_deref()))
            };
            hosts.iter().map(command).collect()
        }
    }
}

fn install(from: &str, to: &str) -> String {
    let to = Word::shown(to);
    format!("[ -e {to} ] || install -D -m 640 {} {to}", Word::shown(from))
}

/// The arguments of `ssh`.
fn login(host: &ProposedHost, user: Option<&str>) -> String {
    let parsed = HostAddress::parse(&host.address).ok();
    let (name, port) = parsed.map_or((host.address.clone(), None), |parsed| (parsed.name, parsed.port));
    let user = host.user.as_deref().or(user).map_or(String::new(), |user| format!("{user}@"));
    let port = port.map_or(String::new(), |port| format!("-p {port} "));
    format!("{port}{}", Word::shown(&format!("{user}{name}")))
}
