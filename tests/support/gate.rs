//! Runs that go on beside the test, and commands of theirs that wait until the test lets them pass.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::fs::OFlags;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::support::{Ran, Test};

/// So long may anything take that is to end by itself: a machine may be very busy.
pub const PATIENCE: Duration = Duration::from_secs(100);

/// A run of the program; killed when dropped. What it says goes to files: a pipe might be held open by what it left.
pub struct Running {
    child: Child,
    ended: OwnedFd,
    said: PathBuf,
}

impl Running {
    /// Starts the program in a test's project, as a user of this name.
    pub fn start(test: &Test, who: &str, words: &[&str]) -> Self {
        let said = test.path(format!("said-by-{who}"));
        let mut command = test.command(words);
        let file = File::create(&said).unwrap();
        command.env("LOGNAME", who).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap();
        let ended = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
        Self { child, ended, said }
    }

    pub fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.said).unwrap()).into_owned()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Kills it, and is sure that it is gone.
    pub fn dies(mut self) -> String {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
        self.said()
    }

    pub fn is_over(&self) -> bool {
        let mut fds = [PollFd::new(&self.ended, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() > 0
    }

    /// Waits for its end, which must come.
    #[track_caller]
    pub fn over(mut self) -> Ran {
        let mut fds = [PollFd::new(&self.ended, PollFlags::IN)];
        let n = poll(&mut fds, Timespec::try_from(PATIENCE).ok().as_ref()).unwrap();
        assert!(n > 0, "it does not end:\n{}", self.said());
        let code = self.child.wait().unwrap().code();
        Ran { code, out: self.said(), err: String::new() }
    }

    #[track_caller]
    pub fn ends(self, code: i32) -> Ran {
        let ran = self.over();
        assert_eq!(ran.code, Some(code), "{ran}");
        ran
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Which of several runs is over first.
#[track_caller]
pub fn first_over(all: &[Running]) -> usize {
    let mut fds: Vec<PollFd> = all.iter().map(|run| PollFd::new(&run.ended, PollFlags::IN)).collect();
    let n = poll(&mut fds, Timespec::try_from(PATIENCE).ok().as_ref()).unwrap();
    let said: Vec<String> = all.iter().map(Running::said).collect();
    assert!(n > 0, "none of them ends:\n{}", said.join("\n"));
    fds.iter().position(|fd| !fd.revents().is_empty()).unwrap()
}

/// Two pipes with names: at one a command says that it is there, at the other it waits for a line.
pub struct Gate {
    dir: PathBuf,
    here: File,
    go: File,
}

impl Gate {
    pub fn new(test: &Test, name: &str) -> Self {
        let dir = test.path(name);
        fs::create_dir(&dir).unwrap();
        let [here, go] = ["here", "go"].map(|name| {
            let path = dir.join(name);
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
            // For both ways, so that nobody waits for the other to open it.
            let flags = OFlags::NONBLOCK.bits() as i32;
            OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).unwrap()
        });
        Self { dir, here, go }
    }

    /// Shell text that waits at it.
    pub fn text(&self) -> String {
        let dir = self.dir.display();
        format!("echo >'{dir}/here'; read -r _ <'{dir}/go'")
    }

    /// A recipe's task that waits at it, on every host with one of these names.
    pub fn task(&self, task: &str, hosts: &[&str]) -> String {
        format!(
            "task(\"{task}\", |host| {{ if host.name in {hosts:?} {{ host.run(`{}`, #{{ cwd: host.path }}); }} }});\n",
            self.text()
        )
    }

    /// Waits until so many commands are there, which the run must come to.
    #[track_caller]
    pub fn is_reached(&mut self, n: usize, run: &Running) {
        let until = Instant::now() + PATIENCE;
        for _ in 0..n {
            let left = until.saturating_duration_since(Instant::now());
            let mut fds = [PollFd::new(&self.here, PollFlags::IN), PollFd::new(&run.ended, PollFlags::IN)];
            poll(&mut fds, Timespec::try_from(left).ok().as_ref()).unwrap();
            let is_there = fds[0].revents().contains(PollFlags::IN);
            assert!(is_there, "it does not come to the gate:\n{}", run.said());
            assert_eq!(self.here.read(&mut [0; 1]).unwrap(), 1);
        }
    }

    /// Lets so many commands pass, now or when they come.
    pub fn opens(&mut self, n: usize) {
        self.go.write_all(&vec![b'\n'; n]).unwrap();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // What waits goes on, whatever became of the test. It fails only if the pipe is full.
        let _ = self.go.write_all(&[b'\n'; 100]);
    }
}
