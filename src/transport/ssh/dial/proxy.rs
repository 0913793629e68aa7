//! A connection through a child process: `ssh -W` for `ProxyJump`, any command for `ProxyCommand`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::transport::ssh::config::Config;
use crate::transport::ssh::group::Group;
use crate::transport::ssh::socket::Socket;

/// The standard error of the child.
pub struct ProxyStderr(File);

impl ProxyStderr {
    /// The last lines so far.
    pub fn last(&mut self) -> String {
        let mut said = Vec::new();
        let from = self.0.seek(SeekFrom::End(0)).unwrap_or_default().saturating_sub(2048);
        // Ignores errors: the output would only explain another error.
        let _ = self.0.seek(SeekFrom::Start(from)).and_then(|_| self.0.read_to_end(&mut said));
        let said = String::from_utf8_lossy(&said);
        // Half a line may be half a secret, which would not be masked.
        let whole = if from > 0 { said.split_once('\n').map_or("", |(_, rest)| rest) } else { &said };
        let lines: Vec<&str> = whole.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

/// Runs `ssh -W` on the last jump host, through the others. Each of them has its own ssh configuration.
pub fn jump(hosts: &str, config: &Config, file: Option<&Path>, may_ask: bool) -> Command {
    let (before, last) = match hosts.rsplit_once(',') {
        None => (None, hosts),
        Some((before, last)) => (Some(before), last),
    };
    let mut ssh = Command::new("ssh");
    if let Some(file) = file {
        ssh.arg("-F").arg(file);
    }
    if let Some(before) = before {
        ssh.arg("-J").arg(before);
    }
    if !may_ask {
        ssh.args(["-o", "BatchMode=yes"]);
    }
    // Without brackets, the port of an IPv6 address would be ambiguous.
    ssh.arg("-W").arg(format!("[{}]:{}", config.host, config.port)).arg("--");
    // A jump host is `[user@]host[:port]` or a URI. `ssh` accepts a port for its destination only in a URI.
    match last.starts_with("ssh://") {
        true => ssh.arg(last),
        false => ssh.arg(format!("ssh://{last}")),
    };
    ssh
}

/// The command of `ProxyCommand`, run by the user's shell.
pub fn command(text: &str) -> Command {
    let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
    let mut command = Command::new(shell.unwrap_or_else(|| "/bin/sh".into()));
    command.arg("-c").arg(format!("exec {text}"));
    command
}

/// Starts the child in its own process group. A question at the terminal would stop it there, so `ssh` must ask with
/// `SSH_ASKPASS` or not at all.
pub fn start(mut command: Command) -> io::Result<(Socket, ProxyStderr)> {
    command.env("SSH_ASKPASS_REQUIRE", "force");
    if std::env::var_os("SSH_ASKPASS").is_none() {
        command.env("SSH_ASKPASS", "false");
    }
    let (ours, theirs) = UnixStream::pair()?;
    let stderr = tempfile::tempfile()?;
    command
        .stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .stderr(stderr.try_clone()?);
    let child = Group::start(&mut command)?;
    Ok((Socket::Proxy { stream: ours, child }, ProxyStderr(stderr)))
}
