//! A server, a directory of keys, and an ssh configuration that knows nothing of this machine's.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use runner::parts::event::layout::plain;
use runner::parts::transport::ssh::{Connection, Logins, Prompt, SshTarget, dial};
use runner::parts::transport::{CancelToken, TransportError};
use tempfile::TempDir;

use crate::sshd::Sshd;

pub struct Lab {
    pub sshd: Sshd,
    dir: TempDir,
}

impl Lab {
    /// A server with more lines of configuration, whose key is known and which knows none of ours.
    pub fn new(lines: &str) -> Self {
        Self::with(|_| lines.to_owned())
    }

    /// The same, where the lines name files of the directory.
    pub fn with(lines: impl Fn(&Path) -> String) -> Self {
        let dir = directory();
        let lines = lines(dir.path());
        Self::start(dir, &lines, None)
    }

    /// A server in a mount namespace of its own, which shell text prepares.
    pub fn in_namespace(lines: &str, prepare: impl Fn(&Path) -> String) -> Self {
        let dir = directory();
        let prepare = prepare(dir.path());
        Self::start(dir, lines, Some(&prepare))
    }

    fn start(dir: TempDir, lines: &str, prepare: Option<&str>) -> Self {
        let at = dir.path().display();
        fs::write(dir.path().join("authorized_keys"), "").unwrap();
        let lines = format!("{lines}\nAuthorizedKeysFile {at}/authorized_keys\nLogLevel VERBOSE\n");
        let sshd = Sshd::prepared("sh", &lines, prepare);
        let lab = Self { sshd, dir };
        lab.knows(&format!("[127.0.0.1]:{} {}", lab.sshd.port, lab.host_key()));
        lab
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn at(&self) -> std::path::Display<'_> {
        self.dir.path().display()
    }

    /// Replaces `known_hosts`.
    pub fn knows(&self, text: &str) {
        fs::write(self.path("known_hosts"), format!("{text}\n")).unwrap();
    }

    pub fn known_hosts(&self) -> String {
        fs::read_to_string(self.path("known_hosts")).unwrap_or_default()
    }

    /// The server's ed25519 key, as a line without a name.
    pub fn host_key(&self) -> String {
        let text = fs::read_to_string(self.sshd.dir().join("host.pub")).unwrap();
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// Makes a key; `options` are ssh-keygen's. Returns its public line.
    pub fn key(&self, name: &str, options: &str) -> String {
        let has_passphrase = options.contains("-N ");
        let mut words: Vec<&str> = options.split_whitespace().collect();
        if !has_passphrase {
            words.extend(["-N", ""]);
        }
        run(Command::new("ssh-keygen").args(["-q", "-C", name, "-f"]).arg(self.path(name)).args(words));
        fs::read_to_string(self.path(name).with_extension("pub")).unwrap()
    }

    /// A key that the server lets in.
    pub fn welcome(&self, name: &str, options: &str) {
        let public = self.key(name, options);
        let mut known = fs::read_to_string(self.path("authorized_keys")).unwrap();
        known.push_str(&public);
        fs::write(self.path("authorized_keys"), known).unwrap();
    }

    /// The target `web1`, by a configuration of these lines before ours: of two of a kind, the first counts. `$D` is the
    /// directory, `$P` the port.
    pub fn target(&self, lines: &str) -> SshTarget {
        let Sshd { port, user, .. } = &self.sshd;
        let at = self.at();
        let lines = lines.replace("$D", &at.to_string()).replace("$P", &port.to_string());
        let config = format!(
            "{lines}\nHost *\n HostName 127.0.0.1\n Port {port}\n User {user}\n UserKnownHostsFile {at}/known_hosts\n\
             GlobalKnownHostsFile none\n IdentityAgent none\n"
        );
        // Targets of one test may be dialled at once, each with its own.
        let file = tempfile::Builder::new().prefix("config-").tempfile_in(self.dir.path()).unwrap();
        fs::write(file.path(), config).unwrap();
        let file = file.into_temp_path().keep().unwrap();
        SshTarget { config: Some(file), ..SshTarget::new("web1", "web1") }
    }

    /// Logs in, where nobody can be asked.
    #[track_caller]
    pub fn enters(&self, lines: &str) -> Connection {
        entered(&self.target(lines))
    }

    /// Is refused, and says why.
    #[track_caller]
    pub fn refused(&self, lines: &str) -> String {
        refused(&self.target(lines))
    }

    /// Logs in with these answers, all of which are asked for.
    #[track_caller]
    pub fn enters_asked(&self, lines: &str, answers: &[&str]) -> Vec<String> {
        let person = Person::new(answers);
        let target = SshTarget { logins: person.logins(), ..self.target(lines) };
        entered(&target);
        assert_eq!(person.answers.lock().unwrap().len(), 0, "not asked for");
        person.asked()
    }

    /// What sshd said about keys, once it has said that it let somebody in.
    pub fn log(&self) -> String {
        until(|| self.sshd.log().contains("Accepted"));
        self.sshd.log()
    }

    /// What is in a file, once there is a line in it.
    pub fn awaits(&self, name: &str) -> String {
        let text = || fs::read_to_string(self.path(name)).unwrap_or_default();
        until(|| text().ends_with('\n'));
        text()
    }
}

/// Waits for what is about to be so; a minute is for a machine that is busy with other things.
#[track_caller]
pub fn until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not come to be");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How a login ends that nobody wants any more.
pub fn interrupted() -> TransportError {
    TransportError::Refused { report: runner::parts::event::Report::interrupted().into() }
}

#[track_caller]
pub fn entered(target: &SshTarget) -> Connection {
    match dial::connect(target, &CancelToken::default()) {
        Ok(connection) => said(connection, "echo in", "in\n"),
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
pub fn refused(target: &SshTarget) -> String {
    match dial::connect(target, &CancelToken::default()) {
        Ok(_) => panic!("not refused"),
        Err(TransportError::Refused { report }) => plain(&report),
        Err(lost) => panic!("not refused but {lost:?}"),
    }
}

/// Runs a command, which must say this.
#[track_caller]
pub fn said(connection: Connection, command: &str, want: &str) -> Connection {
    let session = &connection.session;
    assert!(session.authenticated() && !session.is_blocking());
    session.set_blocking(true);
    session.set_timeout(120_000);
    let mut channel = session.channel_session().unwrap();
    channel.exec(command).unwrap();
    let mut text = String::new();
    channel.read_to_string(&mut text).unwrap();
    assert_eq!(text, want);
    session.set_blocking(false);
    connection
}

/// Answers questions in order and remembers them; at the end of the list it declines.
#[derive(Clone)]
pub struct Person {
    pub answers: Arc<Mutex<Vec<String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Person {
    pub fn new(answers: &[&str]) -> Self {
        let answers = answers.iter().rev().map(|answer| (*answer).to_owned()).collect();
        Self { answers: Arc::new(Mutex::new(answers)), asked: Arc::default() }
    }

    pub fn logins(&self) -> Arc<Logins> {
        Logins::new(Some(Box::new(self.clone())))
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Prompt for Person {
    fn secret(&self, question: &str) -> Option<String> {
        self.asked.lock().unwrap().push(question.to_owned());
        self.answers.lock().unwrap().pop()
    }

    fn line(&self, question: &str) -> Option<String> {
        self.secret(question)
    }
}

/// An ssh-agent, ended when dropped.
pub struct Agent(Child);

impl Agent {
    /// Listens at `agent` in the lab's directory and holds these keys, in this order.
    pub fn holding(lab: &Lab, keys: &[&str]) -> Self {
        let agent = Self::start(lab, "exit 1");
        for key in keys {
            agent.add(lab, key, "-q");
        }
        agent
    }

    /// The same of one key, to be confirmed at each use by a script.
    pub fn asking(lab: &Lab, key: &str, script: &str) -> Self {
        let agent = Self::start(lab, script);
        agent.add(lab, key, "-qc");
        agent
    }

    fn start(lab: &Lab, askpass: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let script = lab.path("askpass");
        fs::write(&script, format!("#!/bin/sh\n{askpass}\n")).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let mut agent = Command::new("ssh-agent");
        agent.env("SSH_ASKPASS", script).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", "none");
        let mut agent =
            agent.arg("-D").arg("-a").arg(lab.path("agent")).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(agent.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("SSH_AUTH_SOCK"), "{line}");
        Self(agent)
    }

    fn add(&self, lab: &Lab, key: &str, how: &str) {
        let mut add = Command::new("ssh-add");
        add.env("SSH_AUTH_SOCK", lab.path("agent")).stdin(Stdio::null());
        run(add.arg(how).arg(lab.path(key)));
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Either fails only if it is already gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
pub fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A directory that the login user can look into.
fn directory() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::Builder::new().prefix("runner-auth-").tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}
