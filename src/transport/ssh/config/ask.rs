//! Runs `ssh -G` to get the configuration of a host. That may run commands of the user (`Match exec`), which may
//! hang.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::event::report::Report;
use crate::transport::cancel::{CancelToken, POLL_INTERVAL};
use crate::transport::ssh::SshTarget;
use crate::transport::ssh::failure::LoginFailure;
use crate::transport::ssh::group::Group;

/// A path that makes ssh print the values of `~`, `%u`, `%l` and `%L`. ssh takes the home directory from the password
/// file, not from `$HOME`.
const TOKENS_PATH: &str = "ControlPath=~/%u/%l/%L";

/// The configuration if `ssh` is not installed.
pub const DEFAULTS: &str = "\
identityfile ~/.ssh/id_rsa
identityfile ~/.ssh/id_ecdsa
identityfile ~/.ssh/id_ed25519
userknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2
globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
";

/// `ssh -G` takes some 30 ms, but a command of the user may access the network.
const LIMIT: Duration = Duration::from_secs(60);

/// What `ssh -G` prints for the target.
pub fn ask(target: &SshTarget, cancel_token: &CancelToken) -> Result<String, LoginFailure> {
    let mut words = tempfile::tempfile().map_err(failed)?;
    let mut ssh = match start(target, &words) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return match &target.config {
                None => Ok(DEFAULTS.to_owned()),
                Some(file) => Err(LoginFailure::Final(
                    Report::new(format!(
                        "`ssh` not found on this machine, but it is needed to read `{}`",
                        file.display()
                    ))
                    .hint("install the OpenSSH client, or unset `RUNNER_SSH_CONFIG`"),
                )),
            };
        }
        ssh => ssh.map_err(failed)?,
    };
    let start = Instant::now();
    let go_on = || match cancel_token.is_cancelled() {
        true => Err(LoginFailure::Interrupted),
        false if start.elapsed() >= LIMIT => Err(LoginFailure::Final(
            Report::new(format!("`ssh -G {}` did not finish within {} s", target.address, LIMIT.as_secs()))
                .note("it runs the `Match exec` commands of the ssh configuration"),
        )),
        false => Ok(()),
    };
    let printed = read(&mut ssh, go_on)?;
    if !wait(&mut ssh, go_on)?.success() {
        let mut said = Vec::new();
        // Ignores errors: the output would only explain another error.
        let _ = words.rewind().and_then(|()| words.read_to_end(&mut said));
        let report = Report::new(format!(
            "`ssh -G {}` failed, so the host's ssh configuration is unknown",
            target.address
        ));
        return Err(LoginFailure::Final(report.note(String::from_utf8_lossy(&said).trim())));
    }
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// The output of `ssh -G` without any configuration, which the program that is installed decides alone. Empty if ssh fails:
/// then every list counts as configured.
pub fn defaults() -> &'static str {
    static DEFAULTS_OF_SSH: OnceLock<String> = OnceLock::new();
    DEFAULTS_OF_SSH.get_or_init(|| {
        let output =
            Command::new("ssh").args(["-F", "/dev/null", "-G", "localhost"]).stdin(Stdio::null()).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    })
}

fn failed(error: io::Error) -> LoginFailure {
    LoginFailure::message(format!("failed to run `ssh -G`: {error}"))
}

fn start(target: &SshTarget, words: &File) -> io::Result<Group> {
    let mut ssh = Command::new("ssh");
    if let Some(file) = &target.config {
        ssh.arg("-F").arg(file);
    }
    if let Some(port) = target.port {
        ssh.arg("-p").arg(port.to_string());
    }
    if let Some(user) = &target.user {
        ssh.arg("-l").arg(user);
    }
    ssh.args(["-T", "-o", TOKENS_PATH, "-G", "--", &target.address]);
    Group::start(ssh.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(words.try_clone()?))
}

/// Reads its output.
fn read(ssh: &mut Group, go_on: impl Fn() -> Result<(), LoginFailure>) -> Result<Vec<u8>, LoginFailure> {
    let mut printed = Vec::new();
    let Some(stdout) = &mut ssh.child.stdout else {
        return Ok(printed);
    };
    loop {
        go_on()?;
        let mut fds = [PollFd::new(stdout, PollFlags::IN)];
        // A signal ends `poll` early, and the read must not block. Any other error ends in a timeout.
        if poll(&mut fds, Timespec::try_from(POLL_INTERVAL).ok().as_ref()) != Ok(1) {
            continue;
        }
        let mut buffer = [0; 4096];
        match stdout.read(&mut buffer) {
            Ok(0) => return Ok(printed),
            Ok(n) => printed.extend(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Waits for its exit, soon after its output has ended.
fn wait(ssh: &mut Group, go_on: impl Fn() -> Result<(), LoginFailure>) -> Result<ExitStatus, LoginFailure> {
    let mut pause = Duration::from_micros(100);
    loop {
        if let Some(status) = ssh.child.try_wait().map_err(failed)? {
            return Ok(status);
        }
        go_on()?;
        thread::sleep(pause);
        pause = POLL_INTERVAL.min(pause * 2);
    }
}
