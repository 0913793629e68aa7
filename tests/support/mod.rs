//! A project, its source and its sites in a temporary directory; the real program is run on it and asked what it did.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

pub mod files;
mod server;
pub mod sshd;
pub mod userland;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use server::{Server, User};
use tempfile::TempDir;

/// How often something is repeated: as often as it takes to see that it works, or with `RUNNER_LONG` as often as it takes to
/// see what is rare.
pub fn repeats(short: usize, long: usize) -> usize {
    if std::env::var_os("RUNNER_LONG").is_some() { long } else { short }
}

/// The tasks of the shipped flow, in order.
pub const FLOW: [&str; 14] = [
    "lock",
    "preflight",
    "build",
    "release",
    "upload",
    "share",
    "prepare",
    "seal",
    "smoke",
    "swap",
    "reload",
    "verify",
    "watch",
    "prune",
];

/// A project: `source/` is what is deployed, `site/` where to, `cache/` what the program remembers on this machine.
///
/// Its sites are here and the transport is `local`; but in `tests/over_ssh.rs` they are reached through an sshd, whose
/// user then runs the program, too, if we are root.
#[must_use]
pub struct Test {
    dir: TempDir,
    env: Vec<(String, String)>,
    around: Option<String>,
    /// Who runs the program and owns the project, if not we.
    user: Option<User>,
    server: Option<Server>,
}

/// What a run of the program said.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Test {
    /// One stage, `local`, with one site, and no recipe of its own.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("runner-test-").tempdir().unwrap();
        let server = Server::start();
        let user = server.as_ref().and_then(Server::user);
        let test = Self { dir, env: Vec::new(), around: None, user, server };
        fs::create_dir(test.path("source")).unwrap();
        test.toml("[settings]\nsource = \"source\"\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n")
    }

    /// `n` sites of one stage: hosts `h1`, `h2`, ... at `sites/h1`, ...
    pub fn with_sites(n: usize) -> Self {
        let hosts: Vec<String> =
            (1..=n).map(|n| format!("  {{ name = \"h{n}\", path = \"sites/h{n}\" }},\n")).collect();
        Self::new().toml(&format!(
            "[settings]\nsource = \"source\"\n[stage.local]\ntransport = \"local\"\nhosts = [\n{}]\n",
            hosts.concat()
        ))
    }

    /// Replaces `runner.toml`.
    pub fn toml(self, text: &str) -> Self {
        let text = self.reached(text);
        self.write("runner.toml", &text)
    }

    /// The text of a `runner.toml` whose local stages are reached as this test's sites are.
    pub fn reached(&self, toml: &str) -> String {
        match &self.server {
            Some(server) => server.reached(toml, self.root()),
            None => toml.to_owned(),
        }
    }

    /// Replaces `deploy.rhai`, which is used because it stands beside `runner.toml`.
    pub fn recipe(self, text: &str) -> Self {
        self.write("deploy.rhai", text)
    }

    /// A file of the source.
    pub fn source(self, path: &str, text: &str) -> Self {
        self.write(&format!("source/{path}"), text)
    }

    /// A file below the project's directory.
    pub fn write(self, path: &str, text: &str) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub fn link(self, target: &str, path: &str) -> Self {
        symlink(target, self.path(path)).unwrap();
        self
    }

    pub fn mode(self, path: &str, mode: u32) -> Self {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    pub fn remove(self, path: &str) -> Self {
        let path = self.path(path);
        match fs::symlink_metadata(&path).unwrap().is_dir() {
            true => fs::remove_dir_all(path).unwrap(),
            false => fs::remove_file(path).unwrap(),
        }
        self
    }

    /// Runs shell text in the project's directory: to prepare what is awkward to say in Rust.
    pub fn shell(self, text: &str) -> Self {
        let status = Command::new("sh").arg("-ec").arg(text).current_dir(self.dir.path()).status().unwrap();
        assert!(status.success(), "{text}");
        self
    }

    /// A variable of the server's environment, and of the program's where that is this machine.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Shell text that runs `"$@"`: around all that runs on the server, and around the program where that is this machine.
    pub fn around(mut self, text: &str) -> Self {
        self.around = Some(text.to_owned());
        self
    }

    /// Whether sites are behind an sshd.
    pub fn is_remote(&self) -> bool {
        self.server.is_some()
    }

    /// Where the program finds which servers to believe.
    pub fn known_hosts(&self) -> PathBuf {
        self.server.as_ref().expect("sites are local").known_hosts()
    }

    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(path)
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// The program with these words, in the project's directory, in an environment with nothing else in it.
    pub fn command(&self, words: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_runner");
        let mut command = match &self.around {
            Some(text) if self.server.is_none() => {
                let mut shell = Command::new("sh");
                shell.args(["-c", text, "sh", program]);
                shell
            }
            _ => Command::new(program),
        };
        command
            .args(words)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("LOGNAME", "tester")
            .env("RUNNER_CACHE", self.path("cache"))
            .stdin(Stdio::null());
        if let Some(server) = &self.server {
            server.is_like(&self.env, self.around.as_deref());
            command.env("RUNNER_SSH_CONFIG", server.config());
        } else {
            command.envs(self.env.iter().map(|(name, value)| (name, value)));
        }
        if let Some(user) = self.user {
            user.is_given(self.root());
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    pub fn run(&self, words: &[&str]) -> Ran {
        Ran::of(self.command(words).output().unwrap())
    }

    /// Runs the program, which must end with this exit code.
    #[track_caller]
    pub fn ends(&self, code: i32, words: &[&str]) -> Ran {
        let ran = self.run(words);
        assert_eq!(ran.code, Some(code), "runner {}\n{ran}", words.join(" "));
        ran
    }

    /// Deploys, which must succeed.
    #[track_caller]
    pub fn deploy(&self) -> Ran {
        self.ends(0, &[])
    }

    /// The releases of a site that are directories, sorted by name.
    pub fn releases(&self, site: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(site).join("releases")).into_iter().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The name of the release that `current` of a site leads to.
    pub fn live(&self, site: &str) -> Option<String> {
        let link = fs::read_link(self.path(site).join("current")).ok()?;
        let is_whole = self.path(site).join("current").is_dir();
        assert!(is_whole, "`current` leads to nothing: {}", link.display());
        Some(link.file_name().unwrap().to_string_lossy().into_owned())
    }

    /// The text of a file that a site serves.
    #[track_caller]
    pub fn serves(&self, site: &str, path: &str) -> String {
        let path = self.path(site).join("current").join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A release's record.
    pub fn record(&self, site: &str, name: &str) -> serde_json::Value {
        let text = fs::read_to_string(self.path(site).join(".runner/records").join(name)).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

impl Ran {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.out.contains(text) || self.err.contains(text), "`{text}` is not said in\n{self}");
        self
    }

    #[track_caller]
    pub fn says_not(&self, text: &str) -> &Self {
        assert!(!self.out.contains(text) && !self.err.contains(text), "`{text}` is said in\n{self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- stdout\n{}--- stderr\n{}", self.code, self.out, self.err)
    }
}

/// Everything below a directory: path bytes to what it is, its mode and its content. For comparing trees whole.
pub fn tree(root: &Path) -> BTreeMap<Vec<u8>, String> {
    let mut all = BTreeMap::new();
    collect(root, root, &mut all);
    all
}

fn collect(root: &Path, dir: &Path, all: &mut BTreeMap<Vec<u8>, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
        let meta = fs::symlink_metadata(&path).unwrap();
        let mode = meta.permissions().mode() & 0o7777;
        let what = if meta.is_symlink() {
            format!("link to {:?}", fs::read_link(&path).unwrap())
        } else if meta.is_dir() {
            collect(root, &path, all);
            format!("directory {mode:o}")
        } else {
            format!("file {mode:o} {:?}", bytes(&fs::read(&path).unwrap()))
        };
        all.insert(name, what);
    }
}

/// Bytes as text that shows every one of them.
fn bytes(content: &[u8]) -> &OsStr {
    OsStr::from_bytes(content)
}
