//! Other surroundings for a test: busybox instead of the system's tools, a user without privileges.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Test;
use super::server::User;

/// `nobody`, or whoever has that number.
const NOBODY: User = User { uid: 65534, gid: 65534 };

/// Runs a test with the system's tools, or as a user without privileges with busybox's: of the tests, every second one in either,
/// and with `RUNNER_LONG` each in both. Over ssh, where all users are such, once: `tests/ssh_servers.rs` goes to a server that
/// has nothing but busybox.
pub fn everywhere(test: impl Fn(Test)) {
    let first = Test::new();
    if first.is_remote() {
        return test(first);
    }
    let thread = std::thread::current();
    let sum: usize = thread.name().unwrap_or_default().bytes().map(usize::from).sum();
    let is_long = std::env::var_os("RUNNER_LONG").is_some();
    if is_long || sum.is_multiple_of(2) {
        test(first);
    }
    if is_long || !sum.is_multiple_of(2) {
        test(Test::new().busybox().unprivileged());
    }
}

/// A program of this machine.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// A directory with links to all programs of this machine but some.
pub fn tools_without(test: &Test, missing: &[&str]) -> String {
    let dir = test.path("tools");
    fs::create_dir(&dir).unwrap();
    for from in std::env::split_paths(&std::env::var_os("PATH").unwrap()) {
        for entry in fs::read_dir(from).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !missing.iter().any(|missing| name == **missing) {
                // The first of a name is the one that counts.
                let _ = symlink(entry.path(), dir.join(name));
            }
        }
    }
    assert!(!Path::new(&dir).join(missing[0]).exists());
    dir.to_str().unwrap().to_owned()
}

impl Test {
    /// The shell and all tools of this test are busybox's.
    pub fn busybox(self) -> Self {
        let busybox = program("busybox").expect("busybox is needed: install Debian's `busybox-static`");
        let list = Command::new(&busybox).arg("--list").output().unwrap();
        let bin = self.path("bin");
        fs::create_dir(&bin).unwrap();
        for applet in String::from_utf8(list.stdout).unwrap().lines() {
            symlink(&busybox, bin.join(applet)).unwrap();
        }
        let bin = bin.to_str().unwrap().to_owned();
        self.env("PATH", &bin)
    }

    /// The project is another user's, who runs the program; where we are no privileged user, it is ours. A test that
    /// needs it must not pass without it. Over ssh it is so in any case.
    pub fn unprivileged(mut self) -> Self {
        if rustix::process::geteuid().is_root() {
            self.user.get_or_insert(NOBODY);
        }
        self
    }
}
