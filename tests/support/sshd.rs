//! Real ssh servers on loopback: OpenSSH and dropbear, each with keys and a configuration of its own and an unprivileged
//! user to log in, ended when dropped.
//!
//! Nothing is installed here. As root, users `runner-test...` are made where they are missing, with homes in `/tmp`;
//! otherwise the login is one's own.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;

pub struct Sshd {
    dir: TempDir,
    child: Child,
    pub port: u16,
    pub user: String,
    log: Arc<Mutex<String>>,
}

/// How a server is started, and what it says once it listens.
struct Program {
    path: PathBuf,
    args: Vec<String>,
    ready: &'static str,
}

impl Sshd {
    /// OpenSSH. The user's login shell is `sh`.
    pub fn openssh() -> Self {
        Self::with("sh", "")
    }

    /// OpenSSH with more lines of configuration (of two of a kind, the first counts) and a login shell.
    pub fn with(shell: &str, lines: &str) -> Self {
        Self::prepared(shell, lines, None)
    }

    /// The same, in a mount namespace of its own (needs root) that this shell text has prepared.
    pub fn prepared(shell: &str, lines: &str, prepare: Option<&str>) -> Self {
        let user = user(shell);
        let path = program("sshd", "openssh-server");
        let dir = directory();
        key(&dir.path().join("host"));
        key(&dir.path().join("id"));
        let public = fs::read_to_string(dir.path().join("id.pub")).unwrap();
        fs::write(dir.path().join("authorized_keys"), public).unwrap();
        if is_root() {
            // Where Debian's sshd goes to have no rights.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let lines = lines.to_owned();
        Self::start(dir, user, |dir, port| {
            let at = dir.display();
            let config = format!(
                "{lines}\nListenAddress 127.0.0.1:{port}\nHostKey {at}/host\nAuthorizedKeysFile {at}/authorized_keys\n\
                 StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\n\
                 KbdInteractiveAuthentication no\n"
            );
            fs::write(dir.join("config"), config).unwrap();
            let args = ["-D", "-e", "-f"].map(str::to_owned).into_iter();
            let args = args.chain([format!("{at}/config")]).collect();
            let ready = "Server listening on";
            let Some(prepare) = prepare else {
                return Program { path: path.clone(), args, ready };
            };
            let script = format!("set -e; {prepare}; exec \"$0\" \"$@\"");
            let before = ["-m", "sh", "-c", &script, &path.display().to_string()].map(str::to_owned);
            let args = before.into_iter().chain::<Vec<String>>(args).collect();
            Program { path: program("unshare", "util-linux"), args, ready }
        })
    }

    /// dropbear, on which only busybox can be found: a router. Needs root, for its keys are the user's.
    pub fn dropbear() -> Self {
        let user = user("dropbear");
        let dir = directory();
        let at = dir.path().display().to_string();
        let status = Command::new(program("dropbearkey", "dropbear-bin"))
            .args(["-t", "ed25519", "-f", &format!("{at}/host")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        let applets = dir.path().join("bin");
        fs::create_dir(&applets).unwrap();
        let installed =
            Command::new(program("busybox", "busybox")).args(["--install", "-s"]).arg(&applets).status();
        assert!(installed.unwrap().success());
        let id = dir.path().join("id");
        key(&id);
        let public = fs::read_to_string(id.with_extension("pub")).unwrap();
        // dropbear takes the text between the quotes as it stands, so it must have none.
        let login = dir.path().join("login");
        let script = format!("#!{at}/bin/sh\nPATH={at}/bin exec {at}/bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n");
        fs::write(&login, script).unwrap();
        fs::set_permissions(&login, fs::Permissions::from_mode(0o755)).unwrap();
        let line = format!("command=\"{at}/login\" {public}");
        let ssh = home(&user).join(".ssh");
        own_directory(&user, &ssh);
        let keys = ssh.join("authorized_keys");
        // Beside the keys of other tests that run now; those of long ago go.
        let is_long = fs::metadata(&keys).is_ok_and(|keys| keys.len() > 100_000);
        let mut file = File::options().create(true).append(true).open(&keys).unwrap();
        if is_long {
            file.set_len(0).unwrap();
        }
        file.write_all(line.as_bytes()).unwrap();
        chown(&user, &keys);
        let path = program("dropbear", "dropbear-bin");
        Self::start(dir, user, |dir, port| {
            let at = dir.display();
            let args = ["-F", "-E", "-s", "-r", &format!("{at}/host"), "-P", &format!("{at}/pid")];
            let args = args.map(str::to_owned).into_iter();
            let args = args.chain(["-p".to_owned(), format!("127.0.0.1:{port}")]).collect();
            Program { path: path.clone(), args, ready: "Not backgrounding" }
        })
    }

    fn start(dir: TempDir, user: String, program: impl Fn(&Path, u16) -> Program) -> Self {
        let at = dir.path().display();
        let config = format!(
            "IdentityFile {at}/id\nIdentitiesOnly yes\nUserKnownHostsFile {at}/known_hosts\n\
             GlobalKnownHostsFile none\n"
        );
        fs::write(dir.path().join("ssh_config"), config).unwrap();
        let mut said = String::new();
        // A port may be taken between the look and the start.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let Program { path, args, ready } = program(dir.path(), port);
            let mut child = Command::new(path)
                .args(args)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
            let is_ready = lines.by_ref().map_while(Result::ok).any(|line| {
                said.push_str(&line);
                said.push('\n');
                line.contains(ready)
            });
            if is_ready {
                let log = Arc::new(Mutex::new(String::new()));
                let to = Arc::clone(&log);
                thread::spawn(move || {
                    for line in lines.map_while(Result::ok) {
                        let mut log = to.lock().unwrap();
                        log.push_str(&line);
                        log.push('\n');
                    }
                });
                return Self { dir, child, port, user, log };
            }
            child.wait().unwrap();
        }
        panic!("the server did not start: {said}");
    }

    /// The private key (ed25519, no passphrase) that lets the user in.
    pub fn key(&self) -> PathBuf {
        self.dir.path().join("id")
    }

    /// A configuration for `ssh` in which only this server's keys count.
    pub fn config(&self) -> PathBuf {
        self.dir.path().join("ssh_config")
    }

    /// Its keys, its configuration, and room for a test's own files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// What it said on standard error since it listens.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// A path as the server sees it, whose mounts may be its own.
    pub fn its(&self, path: &str) -> PathBuf {
        format!("/proc/{}/root{path}", self.child.id()).into()
    }

    pub fn home(&self) -> PathBuf {
        home(&self.user)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Either fails only if it is already gone. Its connections end with their clients.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A directory that the login user can look into.
fn directory() -> TempDir {
    let dir = tempfile::Builder::new().prefix("runner-sshd-").tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// Makes a pair of keys at `path` and `path.pub`.
pub fn key(path: &Path) {
    let keygen = Command::new(program("ssh-keygen", "openssh-client"))
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .status();
    assert!(keygen.unwrap().success());
}

pub fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("no `{name}` on this machine: install Debian's `{package}`"))
}

/// The user whose login shell is `shell` (or who uses dropbear), made if need be.
fn user(shell: &str) -> String {
    if !is_root() {
        assert_eq!(shell, "sh", "a user with another login shell needs root");
        return text(Command::new("id").arg("-un"));
    }
    let user = match shell {
        "sh" => "runner-test".to_owned(),
        shell => format!("runner-test-{shell}"),
    };
    let lock = File::create("/tmp/runner-test.lock").unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    if !Command::new("id").arg(&user).output().unwrap().status.success() {
        let login = match shell {
            "dropbear" => program("sh", "dash"),
            shell => program(shell, shell),
        };
        // `*` is no password, and an account with none (`!`) would be locked.
        let made = Command::new(program("useradd", "passwd"))
            .args(["--no-create-home", "--password", "*", "--home-dir"])
            .arg(format!("/tmp/{user}"))
            .arg("--shell")
            .arg(login)
            .arg(&user)
            .status();
        assert!(made.unwrap().success());
    }
    own_directory(&user, Path::new(&format!("/tmp/{user}")));
    user
}

fn home(user: &str) -> PathBuf {
    if is_root() { format!("/tmp/{user}").into() } else { std::env::var_os("HOME").unwrap().into() }
}

fn own_directory(user: &str, path: &Path) {
    let made = Command::new("install").args(["-d", "-m", "700", "-o", user]).arg(path).status();
    assert!(made.unwrap().success());
}

fn chown(user: &str, path: &Path) {
    assert!(Command::new("chown").arg(user).arg(path).status().unwrap().success());
}

fn text(command: &mut Command) -> String {
    String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
}
