//! What the tools are measured on: an sshd behind a line with a delay, and what a command cost there.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use crate::proxy::Proxy;
use crate::sshd::Sshd;

/// What a command cost the machine it was started on, and the line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    pub wall: Duration,
    /// Of the command and all it started and waited for, user and system.
    pub cpu: Duration,
    /// The peak of the largest of these processes, in bytes.
    pub memory: u64,
    /// Turnarounds of the host that had most.
    pub turns: u64,
    /// Of all hosts together.
    pub up: u64,
    pub down: u64,
    /// Commands that sshd was asked to start, of all hosts together.
    pub execs: usize,
}

pub struct Bed {
    pub server: Sshd,
    dir: tempfile::TempDir,
    is_mounted: bool,
    /// One way.
    delay: Duration,
}

impl Bed {
    /// An sshd as Debian ships it, but for a log that tells of commands.
    pub fn new() -> Self {
        let server = Sshd::with("sh", "LogLevel VERBOSE\nMaxStartups 100\n");
        let dir = tempfile::Builder::new().prefix("runner-bench-").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut bed = Self { server, dir, is_mounted: false, delay: Duration::ZERO };
        bed.is_mounted = bed.mount();
        if !bed.is_mounted {
            println!("no file system of its own could be mounted for this, as root may: figures vary more\n");
        }
        fs::create_dir_all(bed.path("")).unwrap();
        fs::create_dir_all(bed.site("")).unwrap();
        let owned = Command::new("chown").arg(&bed.server.user).arg(bed.place()).arg(bed.site("")).status();
        assert!(owned.unwrap().success());
        bed
    }

    /// Gives all of it a file system of its own: one in which many files were deleted a moment ago makes new ones slowly,
    /// up to thirty times so (ext4 passes over inodes that were just freed, fs/ext4/ialloc.c).
    fn mount(&self) -> bool {
        let script = "mkdir -p \"$2\" && truncate -s 20G \"$1\" && mkfs.ext4 -q -F \"$1\" &&
                      mount -o loop,noatime \"$1\" \"$2\"";
        let mut command = Command::new("sh");
        command.args(["-euc", script, "sh"]).arg(self.dir.path().join("image")).arg(self.place());
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    /// What belongs to the client.
    pub fn path(&self, name: &str) -> PathBuf {
        self.place().join("client").join(name)
    }

    fn place(&self) -> PathBuf {
        self.server.home().join("bench")
    }

    /// Nothing of what was done is to be written out during the next run.
    pub fn settle(&self) {
        assert!(Command::new("sync").arg("-f").arg(self.place()).status().unwrap().success());
    }

    pub fn set_rtt(&mut self, rtt: Duration) {
        self.delay = rtt / 2;
    }

    /// Where a tool's sites are on the server.
    pub fn site(&self, name: &str) -> PathBuf {
        self.place().join("sites").join(name)
    }

    /// The configuration of `ssh` through which the hosts `web1`, `web2`, ... are reached.
    pub fn ssh_config(&self) -> PathBuf {
        self.path("ssh_config")
    }

    /// Runs a command that reaches so many hosts.
    pub fn measure(&self, hosts: usize, command: &mut Command) -> Cost {
        let proxies: Vec<Proxy> = (0..hosts).map(|_| Proxy::new(self.server.port, self.delay)).collect();
        let config: String =
            proxies.iter().enumerate().map(|(n, proxy)| self.host(n + 1, proxy.port)).collect();
        fs::write(self.ssh_config(), config).unwrap();
        let log = self.server.log().len();
        let report = self.path("report");
        let measured = Command::new(std::env::current_exe().unwrap())
            .arg(MEASURED)
            .arg(&report)
            .arg(command.get_program())
            .args(command.get_args())
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .current_dir(command.get_current_dir().unwrap_or(Path::new("/")))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            measured.status.success(),
            "{command:?}: {}{}",
            String::from_utf8_lossy(&measured.stdout),
            String::from_utf8_lossy(&measured.stderr)
        );
        let report = fs::read_to_string(report).unwrap();
        let numbers: Vec<u64> = report.split(' ').map(|number| number.parse().unwrap()).collect();
        let [wall, cpu, memory] = numbers.try_into().unwrap();
        let bytes = proxies.iter().map(Proxy::bytes_each_way);
        let (up, down) = bytes.fold((0, 0), |(up, down), bytes| (up + bytes.0, down + bytes.1));
        Cost {
            wall: Duration::from_micros(wall),
            cpu: Duration::from_micros(cpu),
            memory: memory * 1024,
            turns: proxies.iter().map(|proxy| proxy.n_trips()()).max().unwrap_or_default(),
            up,
            down,
            execs: self.server.log()[log..].matches("Starting session: ").count(),
        }
    }

    fn host(&self, n: usize, port: u16) -> String {
        format!(
            "Host web{n}\n HostName 127.0.0.1\n Port {port}\n User {}\n HostKeyAlias web{n}\n IdentityFile {}\n \
             IdentitiesOnly yes\n UserKnownHostsFile \"{}\"\n GlobalKnownHostsFile /dev/null\n \
             StrictHostKeyChecking accept-new\n LogLevel ERROR\n",
            self.server.user,
            self.server.key().display(),
            self.path("known_hosts").display()
        )
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if self.is_mounted {
            let _ = Command::new("umount").arg(self.place()).status();
        }
        let _ = fs::remove_dir_all(self.place());
    }
}

const CONTAINED: &str = "RUNNER_BENCH_CONTAINED";

/// Goes on in namespaces of its own, as root may: whatever ends this process ends all that it started, and what it mounted is
/// gone.
pub fn contain() {
    if std::env::var_os(CONTAINED).is_some() {
        return;
    }
    let may = |words: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]).args(words);
        command
    };
    if may(&["true"]).output().is_ok_and(|tried| tried.status.success()) {
        let mut command = may(&[]);
        command.arg(std::env::current_exe().unwrap()).args(std::env::args_os().skip(1)).env(CONTAINED, "yes");
        panic!("{}", command.exec());
    }
}

const MEASURED: &str = "--measured";

/// Runs what follows `--measured FILE` and writes there what it cost: microseconds of wall and processor time, and the
/// peak of memory in KiB. A process of its own, so that nothing else is counted. `false` if this is not what was asked for.
pub fn measured(words: &[std::ffi::OsString]) -> bool {
    let [first, report, program, args @ ..] = words else { return false };
    if first != OsStr::new(MEASURED) {
        return false;
    }
    let started = Instant::now();
    let status = Command::new(program).args(args).status().unwrap();
    let wall = started.elapsed().as_micros();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let (user, system) = (usage.user_time(), usage.system_time());
    let cpu = (user.tv_sec() + system.tv_sec()) * 1_000_000 + user.tv_usec() + system.tv_usec();
    fs::write(report, format!("{wall} {cpu} {}", usage.max_rss())).unwrap();
    std::process::exit(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()));
}
