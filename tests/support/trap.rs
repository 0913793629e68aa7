//! Tools that count their starts, and at one of them have the program, the step or the shell behind it killed.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::support::userland::program;

/// All that writes, and what else begins a part of a script.
const TOOLS: [&str; 10] = ["cp", "ln", "mkdir", "mv", "rm", "rmdir", "tar", "touch", "find", "awk"];

/// `REAL` and `TOOL` stand for the tool's path and name. With no `at` beside it, it is the tool and nothing else. What
/// is killed is killed before the tool starts; the tool then does its work all the same, as one does that was started
/// a moment before. It waits on `hold.ID`, of this one setting, which is gone with the test's directory if the test fails.
const WRAPPER: &str = r#"#!/bin/sh
d=${0%/*}
d=${d%/*}/trap
{ read -r kind at id <"$d/at"; } 2>/dev/null || exec REAL "$@"
hit() {
  echo "TOOL $*" >"$d/where"
  case $kind in
  *client)
    echo hit >"$d/hit"
    while [ -e "$d/hold.$id" ]; do sleep 0.01; done
    ;;
  *step) kill -9 "$PPID" ;;
  *shell)
    p=$PPID
    while read -r _ _ _ q _ <"/proc/$p/stat" && read -r _ name _ <"/proc/$q/stat" && [ "$name" = '(sh)' ]; do
      p=$q
    done
    kill -9 "$p"
    ;;
  esac
}
case $kind,TOOL,$1 in
upload-*,tar,-x*)
  mkdir "$d/first" 2>/dev/null || exec REAL "$@"
  { head -c "$at"; hit "$@"; cat; } | REAL "$@"
  exit
  ;;
upload-*) exec REAL "$@" ;;
esac
# From the last number that is known on, whoever wrote it.
n=
{ read -r n <"$d/last"; } 2>/dev/null
n=${n:-1}
set -C
while ! { echo "TOOL $*" >"$d/n/$n"; } 2>/dev/null; do
  [ -e "$d/n/$n" ] || exec REAL "$@"
  n=$((n + 1))
done
set +C
{ echo "$n" >"$d/last"; } 2>/dev/null
case $kind,TOOL,$1 in
count,tar,-x*)
  mkdir "$d/first" 2>/dev/null || exec REAL "$@"
  tee "$d/bytes" | REAL "$@"
  exit
  ;;
esac
words=
[ ! -e "$d/words" ] || read -r words <"$d/words"
case "TOOL $*" in "${words:-no tool}"*) at=$n ;; esac
[ "$n" != "$at" ] || hit "$@"
exec REAL "$@"
"#;

/// What dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Victim {
    /// The program.
    Client,
    /// The shell that the tool's script is in, or whatever else started the tool.
    Step,
    /// The shell of the whole channel.
    Shell,
    /// The program is not killed, but told to end by one of the signals that ask for it.
    Signal(u8),
}

/// What a person, a supervisor and a terminal that is closed send.
const SIGNALS: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

/// How the trap goes on once it has killed the program.
#[derive(Debug, Clone, Copy)]
pub enum Then<'a> {
    /// The tool does its work.
    Goes,
    /// The tool waits until the trap is disarmed.
    Waits,
    /// All that works in a directory is killed as well.
    Dies(&'a Path),
}

/// When it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum At {
    /// At the n-th start of a tool, from 1 on.
    Start(usize),
    /// At each start of a tool whose words begin like this.
    Words(&'static str),
    /// When the first `tar` that unpacks has read so many bytes.
    Byte(usize),
}

/// Directories `bin` and `trap` of one server. Nothing is sprung until it is armed.
pub struct Trap {
    dir: PathBuf,
    signal: Mutex<Signal>,
    /// How often it was set.
    n_set: AtomicUsize,
}

impl Trap {
    /// `dir` is there, and users of the server may look into it.
    pub fn new(dir: &Path) -> Self {
        let trap = Self { dir: dir.to_owned(), signal: Mutex::new(Signal::KILL), n_set: AtomicUsize::new(0) };
        fs::create_dir(dir.join("bin")).unwrap();
        for tool in TOOLS {
            let real = program(tool).unwrap_or_else(|| panic!("no `{tool}` on this machine"));
            let wrapper = dir.join("bin").join(tool);
            let text = WRAPPER.replace("REAL", real.to_str().unwrap()).replace("TOOL", tool);
            fs::write(&wrapper, text).unwrap();
            fs::set_permissions(wrapper, Permissions::from_mode(0o755)).unwrap();
        }
        trap
    }

    /// The server's `PATH`.
    pub fn path(&self) -> OsString {
        let rest = std::env::var_os("PATH").unwrap_or_default();
        let all = [self.dir.join("bin")].into_iter().chain(std::env::split_paths(&rest));
        std::env::join_paths(all).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join("trap").join(name)
    }

    /// Begins to count, and to do nothing else.
    pub fn count(&self) {
        self.set("count 0", "");
    }

    pub fn arm(&self, victim: Victim, at: At) {
        *self.signal.lock().unwrap() = match victim {
            Victim::Signal(n) => SIGNALS[usize::from(n) % SIGNALS.len()],
            _ => Signal::KILL,
        };
        let victim = match victim {
            Victim::Client | Victim::Signal(_) => "client",
            Victim::Step => "step",
            Victim::Shell => "shell",
        };
        match at {
            At::Start(n) => self.set(&format!("{victim} {n}"), ""),
            At::Words(words) => self.set(&format!("{victim} 0"), words),
            At::Byte(n) => self.set(&format!("upload-{victim} {n}"), ""),
        }
    }

    /// Whoever works on the server, root or not, is to find it writable.
    fn set(&self, text: &str, words: &str) {
        self.disarm();
        let dir = self.dir.join("trap");
        for dir in [&dir, &dir.join("n")] {
            fs::create_dir(dir).unwrap();
            fs::set_permissions(dir, Permissions::from_mode(0o777)).unwrap();
        }
        let hit = self.file("hit");
        assert!(Command::new("mkfifo").args(["-m", "666"]).arg(hit).status().unwrap().success());
        // What waits because of an earlier setting must not wait on for this one.
        let id = self.n_set.fetch_add(1, Ordering::SeqCst) + 1;
        fs::write(self.file(&format!("hold.{id}")), "").unwrap();
        if !words.is_empty() {
            fs::write(self.file("words"), format!("{words}\n")).unwrap();
        }
        fs::write(self.file("new"), format!("{text} {id}\n")).unwrap();
        fs::rename(self.file("new"), self.file("at")).unwrap();
    }

    /// From now on the tools are themselves. What waits goes on.
    pub fn disarm(&self) {
        let dir = self.dir.join("trap");
        if !dir.exists() {
            return;
        }
        let old = self.dir.join("trap.old");
        fs::rename(&dir, &old).unwrap();
        // A tool that has just been counted may be about to write in it.
        while fs::remove_dir_all(&old).is_err() && old.exists() {
            std::thread::yield_now();
        }
    }

    /// How many tools have started since it was set.
    pub fn n_started(&self) -> usize {
        fs::read_dir(self.file("n")).unwrap().count()
    }

    /// How many bytes the first `tar` that unpacked has read.
    pub fn n_bytes(&self) -> usize {
        fs::metadata(self.file("bytes")).map_or(0, |meta| meta.len() as usize)
    }

    /// Which tool was started when it was sprung.
    pub fn sprung(&self) -> Option<String> {
        fs::read_to_string(self.file("where")).ok().map(|text| text.trim_end().to_owned())
    }

    /// Waits for the end of the program; kills it when the trap says so.
    ///
    /// # Errors
    /// The program did not end in time, and is killed.
    pub fn wait(&self, child: &mut Child, then: Then, at_most: Duration) -> Result<Option<i32>, String> {
        // Opened for both, so that neither side waits for the other to open it.
        let mut hit = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open(self.file("hit"))
            .unwrap();
        let pid = Pid::from_child(child);
        let ended = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let signal = *self.signal.lock().unwrap();
        let until = Instant::now() + at_most;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut fds =
                [PollFd::new(&ended, PollFlags::IN), PollFd::from_borrowed_fd(hit.as_fd(), PollFlags::IN)];
            let n = poll(&mut fds, Timespec::try_from(left).ok().as_ref()).unwrap();
            let (is_over, is_hit) = (fds[0].revents(), fds[1].revents());
            if n == 0 {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("the program did not end within {at_most:?}"));
            }
            if is_hit.contains(PollFlags::IN) {
                drain(&mut hit);
                let _ = kill_process(pid, signal);
                if signal == Signal::KILL {
                    child.wait().unwrap();
                }
                if let Then::Dies(dir) = then {
                    end_all(dir);
                }
                if !matches!(then, Then::Waits) {
                    let id = self.n_set.load(Ordering::SeqCst);
                    let _ = fs::remove_file(self.file(&format!("hold.{id}")));
                }
                if signal == Signal::KILL {
                    return Ok(None);
                }
            }
            if is_over.contains(PollFlags::IN) {
                return Ok(child.wait().unwrap().code());
            }
        }
    }
}

/// Kills what works in a directory, and what that has started meanwhile.
pub fn end_all(dir: &Path) {
    loop {
        let all = processes(dir);
        if all.is_empty() {
            return;
        }
        for line in all {
            let pid = line.split(' ').next().and_then(|pid| Pid::from_raw(pid.parse().ok()?));
            // It fails only if the process is gone already.
            let _ = kill_process(pid.expect("a process has a number"), Signal::KILL);
        }
    }
}

fn drain(hit: &mut File) {
    let mut bytes = [0; 64];
    while let Ok(1..) = hit.read(&mut bytes) {}
}

/// Waits for the end of a program that no trap is set for.
///
/// # Errors
/// It did not end in time, and is killed.
pub fn wait(child: &mut Child, at_most: Duration) -> Result<Option<i32>, String> {
    let ended = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).unwrap();
    let mut fds = [PollFd::new(&ended, PollFlags::IN)];
    if poll(&mut fds, Timespec::try_from(at_most).ok().as_ref()).unwrap() == 0 {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("the program did not end within {at_most:?}"));
    }
    Ok(child.wait().unwrap().code())
}

/// Processes that work in a directory or have something in it open, as `pid command`.
pub fn processes(dir: &Path) -> Vec<String> {
    let Ok(dir) = dir.canonicalize() else { return Vec::new() };
    let is_there = |path: PathBuf| fs::read_link(path).is_ok_and(|target| target.starts_with(&dir));
    let own = fs::read_link("/proc/self/exe").unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let at = entry.path();
        // This very program, or a process that it is about to start: until then that one has all its files open.
        let is_ours = || fs::read_link(at.join("exe")).is_ok_and(|exe| exe == own);
        if !name.bytes().all(|byte| byte.is_ascii_digit()) || is_ours() {
            continue;
        }
        let open = fs::read_dir(at.join("fd")).into_iter().flatten().flatten().map(|fd| fd.path());
        if open.chain([at.join("cwd")]).any(is_there) {
            let line = fs::read(at.join("cmdline")).unwrap_or_default();
            let line: String = String::from_utf8_lossy(&line).replace('\0', " ").chars().take(300).collect();
            found.push(format!("{name} {line}"));
        }
    }
    found
}

/// Whether somebody holds a lock (`flock`) on a file. Asked of the kernel, since to try it would be to hold it.
pub fn is_locked(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(meta) = fs::metadata(file) else { return false };
    let inode = meta.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // A line with an arrow is somebody who waits.
        words.get(1) == Some(&"FLOCK") && words.get(5).and_then(|id| id.rsplit(':').next()) == Some(&inode)
    })
}

/// Asks again until it is so.
///
/// # Errors
/// It is not so in time: what `what` says.
pub fn until(
    at_most: Duration,
    mut is_so: impl FnMut() -> bool,
    what: impl Fn() -> String,
) -> Result<Duration, String> {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > at_most {
            return Err(format!("not within {at_most:?}: {}", what()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(start.elapsed())
}
