//! A site whose file system is full, has no inodes, is read-only or is somebody else's from some task on: named, nothing
//! changed, nothing half-made that counts, and no obstacle once it is over.
//!
//! The site is a small file system of its own, in a mount namespace of the test's own, and the program is run by a user
//! without privileges, whom these things concern.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/readers.rs"]
mod readers;
mod support;

use std::fs;
use std::io::Read;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use support::files::chmod;
use support::{FLOW, Ran, Test};

/// Says in the environment that a test was started anew in a mount namespace of its own.
const INSIDE: &str = "RUNNER_TEST_ROOM";

/// Runs the body of the test `name` where it may mount.
fn with_mounts(name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    assert!(
        rustix::process::geteuid().is_root(),
        "a file system of one's own is made by root: run this test as root"
    );
    let output = Command::new("unshare")
        .arg("-m")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "")
        .output()
        .unwrap();
    let ran = Ran::of(output);
    assert_eq!(ran.code, Some(0), "{ran}");
    eprintln!("{}", ran.err);
    assert!(ran.out.contains("1 passed"), "{ran}");
}

#[track_caller]
fn done(words: &[&str]) {
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The site's file system; it goes before the directory that it is in.
struct Mount(PathBuf);

impl Mount {
    fn at(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // The namespace ends with the test and takes it along, if this fails.
        let _ = Command::new("umount").args(["-R", "-l", self.at()]).status();
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// No block is left but so many KiB.
    Full(u64),
    /// No inode is left but so many.
    NoInodes(u64),
    ReadOnly,
    /// The site's directories are somebody else's.
    Denied,
}

impl Fault {
    /// What the system says of it, and what we say where we looked first.
    fn words(self) -> &'static [&'static str] {
        match self {
            // dash tells it of its own `printf` as `I/O error`.
            Fault::Full(_) | Fault::NoInodes(_) => {
                &["No space left on device", "I/O error", "the release needs"]
            }
            Fault::ReadOnly => &["Read-only file system", "is not writable", "can no longer write to"],
            Fault::Denied => {
                &["Permission denied", "is not writable", "can no longer write to", "Operation not permitted"]
            }
        }
    }

    fn begins(self, mount: &Mount) {
        let ballast = mount.0.join("ballast");
        let left = || rustix::fs::statvfs(&mount.0).unwrap();
        match self {
            Fault::Full(kib) => {
                let free = left().f_bfree * left().f_frsize;
                fs::write(&ballast, vec![0; free.saturating_sub(kib * 1024) as usize]).unwrap();
            }
            Fault::NoInodes(n) => {
                fs::create_dir(&ballast).unwrap();
                while left().f_ffree > n {
                    fs::write(ballast.join(left().f_ffree.to_string()), "").unwrap();
                }
            }
            // Over the same place: a file system with a file that is open for writing, as the lock is, cannot be made so.
            // What works in the site's directory already, as the watch of a swap does, can still write.
            Fault::ReadOnly => {
                done(&["mount", "--bind", mount.at(), mount.at()]);
                done(&["mount", "-o", "remount,bind,ro", mount.at()]);
            }
            Fault::Denied => self.owner(mount, 1),
        }
    }

    fn ends(self, mount: &Mount) {
        let ballast = mount.0.join("ballast");
        match self {
            Fault::Full(_) => fs::remove_file(ballast).unwrap(),
            Fault::NoInodes(_) => fs::remove_dir_all(ballast).unwrap(),
            Fault::ReadOnly => done(&["umount", "-l", mount.at()]),
            Fault::Denied => self.owner(mount, NOBODY),
        }
    }

    fn owner(self, mount: &Mount, user: u32) {
        for dir in ["", "releases", "shared", ".runner", ".runner/records", ".runner/manifests"] {
            let dir = mount.0.join(dir);
            if dir.is_dir() {
                chown(&dir, Some(user), None).unwrap();
                chmod(&dir, 0o755);
            }
        }
    }
}

/// Who runs the program, see `Test::unprivileged`.
const NOBODY: u32 = 65534;

/// A site that serves version `0` on a small file system.
fn small(options: &str) -> (Mount, Test) {
    let test = Test::new().unprivileged().shell("mkdir site; mkfifo reached go; chmod 666 reached go");
    let mount = Mount(test.path("site"));
    done(&[
        "mount",
        "-t",
        "tmpfs",
        "-o",
        &format!("mode=755,uid={NOBODY},gid={NOBODY},{options}"),
        "tmpfs",
        mount.at(),
    ]);
    // What cannot be taken back is not waited for any longer than a server does.
    let settings = "[settings]\nsource = \"source\"\nconfirm_within = 5\n";
    let test =
        test.toml(&format!("{settings}[stage.local]\npath = \"site\"\ntransport = \"local\"\n")).version("0");
    test.deploy();
    (mount, test)
}

/// The program at a task, before which it waits for whoever opens `go`.
fn started(test: &Test) -> Child {
    let child = test.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    fs::File::open(test.path("reached")).unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "yes\n");
    child
}

/// All files of one version.
#[track_caller]
fn serves_whole(test: &Test) -> String {
    let version = test.serves("site", "index");
    for file in ["a", "b", "deep/er/c", "deep/d"] {
        assert_eq!(test.serves("site", file), version, "`{file}` is of another version");
    }
    version
}

fn at_each_task_in_turn(fault: Fault, options: &str) {
    let (mount, mut test) = small(options);
    let mut served = "0".to_owned();
    let (mut told, mut problems) = (Vec::new(), Vec::new());
    for task in FLOW {
        let version = format!("{task}!");
        test = test.version(&version);
        let ran = if task == "lock" {
            // There before the program comes.
            fault.begins(&mount);
            test.run(&[])
        } else {
            test = test.recipe(&format!(
                "task(\"meanwhile\", |host| host.run(`cd \"${{host.path}}/..\" && echo yes >reached && read -r go <go`, \
                 #{{ cwd: \"/\" }}));\nbefore(\"{task}\", \"meanwhile\");\n"
            ));
            let child = started(&test);
            fault.begins(&mount);
            fs::write(test.path("go"), "go\n").unwrap();
            Ran::of(child.wait_with_output().unwrap())
        };
        let when = format!("{fault:?} at `{task}`");
        let now = serves_whole(&test);
        told.push(format!("{task} {}", ran.code.unwrap_or(-1)));
        eprintln!("{when}: exit {:?}", ran.code);
        let is_swapped = ["reload", "verify", "watch", "prune"].contains(&task);
        let is_right = match ran.code {
            // Little enough was left to write.
            Some(0 | 5) => now == version,
            Some(1) => now == served,
            // What cannot be written cannot be taken back; that a person is needed is said then.
            Some(4) => is_swapped && matches!(fault, Fault::ReadOnly | Fault::Denied) && now == version,
            _ => false,
        };
        if !is_right {
            problems.push(format!("{when}: serves {now}\n{ran}"));
        }
        let is_named = fault.words().iter().any(|words| ran.err.contains(words));
        let is_told = ran.err.contains("error: ") && ran.out.contains("localhost serves ");
        if ran.code != Some(0) && !(is_named && is_told) {
            problems.push(format!("{when}: not named\n{ran}"));
        }
        fault.ends(&mount);
        test = test.version(&format!("{task} again")).recipe("");
        let ran = test.deploy();
        assert_eq!(serves_whole(&test), format!("{task} again"), "{when}\n{ran}");
        let ran = test.ends(0, &["rollback"]);
        let back = serves_whole(&test);
        assert!(back == now || back == served, "{when}: back to {back}\n{ran}");
        served = back;
    }
    eprintln!("{fault:?}, exit codes: {}", told.join(", "));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_disk_that_is_full_from_any_task_on_is_named_and_changes_nothing() {
    with_mounts("a_disk_that_is_full_from_any_task_on_is_named_and_changes_nothing", || {
        for left in [0, 8] {
            at_each_task_in_turn(Fault::Full(left), "size=8m");
        }
    });
}

#[test]
fn a_disk_without_inodes_from_any_task_on_is_named_and_changes_nothing() {
    with_mounts("a_disk_without_inodes_from_any_task_on_is_named_and_changes_nothing", || {
        for left in [0, 3] {
            at_each_task_in_turn(Fault::NoInodes(left), "size=8m,nr_inodes=300");
        }
    });
}

#[test]
fn a_file_system_that_is_read_only_from_any_task_on_is_named_and_changes_nothing() {
    with_mounts("a_file_system_that_is_read_only_from_any_task_on_is_named_and_changes_nothing", || {
        at_each_task_in_turn(Fault::ReadOnly, "size=8m");
    });
}

/// busybox' `flock` and redirections say it in their own way, or not at all.
#[test]
fn with_busybox_a_site_that_cannot_be_written_is_not_mistaken_for_a_locked_one() {
    with_mounts("with_busybox_a_site_that_cannot_be_written_is_not_mistaken_for_a_locked_one", || {
        for fault in [Fault::ReadOnly, Fault::Denied, Fault::Full(0), Fault::NoInodes(0)] {
            let (mount, test) = small("size=8m,nr_inodes=300");
            let test = test.busybox().version("1");
            fault.begins(&mount);
            let ran = test.ends(1, &[]);
            let is_named =
                fault.words().iter().chain(&["cannot write to"]).any(|words| ran.err.contains(words));
            assert!(is_named, "{fault:?}\n{ran}");
            ran.says_not("holds the lock");
            assert_eq!(serves_whole(&test), "0");
            fault.ends(&mount);
            test.deploy();
        }
    });
}

#[test]
fn a_site_that_may_not_be_written_from_any_task_on_is_named_and_not_changed() {
    with_mounts("a_site_that_may_not_be_written_from_any_task_on_is_named_and_not_changed", || {
        at_each_task_in_turn(Fault::Denied, "size=8m");
    });
}

#[test]
fn the_doctor_finds_that_a_deployment_would_have_no_room() {
    with_mounts("the_doctor_finds_that_a_deployment_would_have_no_room", || {
        for (fault, options, lacks) in [
            (Fault::Full(100), "size=8m", "KiB, but the file system of"),
            (Fault::NoInodes(3), "size=8m,nr_inodes=300", "inodes, but the file system of"),
        ] {
            let (mount, test) = small(options);
            let test = test.source("large", &"x".repeat(200_000)).source("more/and/more", "");
            test.ends(0, &["doctor"])
                .says("looked at the files of the live release, the source and the free space");
            fault.begins(&mount);
            let ran = test.ends(1, &["doctor"]);
            ran.says("1 problem found")
                .says("the release needs")
                .says(lacks)
                .says("runner prune --set keep_releases=1");
            // What a deployment says.
            test.ends(1, &[]).says(lacks);
            fault.ends(&mount);
            test.deploy();
        }
    });
}
