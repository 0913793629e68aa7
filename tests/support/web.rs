//! Real web servers on loopback: nginx before PHP-FPM, each with a configuration of its own, ended when dropped.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs::{self, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::support::sshd::program;

/// A process and what is its own.
pub struct Served {
    dir: TempDir,
    child: Child,
}

impl Drop for Served {
    fn drop(&mut self) {
        // It ends its workers with it. Either fails only if it is already gone.
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Served {
    fn start(dir: TempDir, command: &mut Command, is_there: impl Fn() -> bool) -> Self {
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut served = Self { dir, child };
        let limit = Instant::now() + Duration::from_secs(30);
        while !is_there() {
            let ended = served.child.try_wait().unwrap();
            let log = fs::read_to_string(served.dir.path().join("log")).unwrap();
            assert!(ended.is_none() && Instant::now() < limit, "it does not listen: {ended:?}\n{log}");
            thread::sleep(Duration::from_millis(10));
        }
        served
    }
}

fn room() -> TempDir {
    let dir = tempfile::Builder::new().prefix("runner-web-").tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    dir
}

/// A pool of PHP-FPM with two processes, which are whoever owns `home`.
pub struct Fpm {
    served: Served,
    pub socket: PathBuf,
}

impl Fpm {
    /// `lines` are more of the pool's configuration.
    pub fn start(home: &Path, lines: &str) -> Self {
        let owner = fs::metadata(home).unwrap();
        Self::new((owner.uid(), owner.gid()), "", lines, |_, _| {})
    }

    /// The processes are another user's, with the group of who deploys.
    pub fn locked(user: u32, group: u32) -> Self {
        Self::new((user, group), "", "", |_, _| {})
    }

    /// The master is the owner of `home`, too, who may reload it then; `global` are more lines of its configuration.
    pub fn of_owner(home: &Path, global: &str, lines: &str) -> Self {
        let owner = fs::metadata(home).unwrap();
        Self::new((owner.uid(), owner.gid()), global, lines, |command, dir| {
            if rustix::process::geteuid().is_root() {
                std::os::unix::fs::chown(dir, Some(owner.uid()), Some(owner.gid())).unwrap();
                command.uid(owner.uid()).gid(owner.gid());
            }
        })
    }

    fn new(
        (user, group): (u32, u32),
        global: &str,
        lines: &str,
        prepare: impl Fn(&mut Command, &Path),
    ) -> Self {
        let dir = room();
        let socket = dir.path().join("fpm.sock");
        let config = format!(
            "[global]\npid = {dir}/pid\nerror_log = {dir}/errors\ndaemonize = no\n{global}\n[www]\nuser = {}\ngroup = {}\n\
             listen = {}\nlisten.mode = 0666\npm = static\npm.max_children = 2\ncatch_workers_output = yes\n{lines}\n",
            user,
            group,
            socket.display(),
            dir = dir.path().display(),
        );
        let path = dir.path().join("fpm.conf");
        fs::write(&path, config).unwrap();
        let mut command = Command::new(program("php-fpm8.2", "php8.2-fpm"));
        // Owners of projects may be root here.
        command.args(["-F", "-R", "-y"]).arg(&path);
        prepare(&mut command, dir.path());
        let is_there = || UnixStream::connect(&socket).is_ok();
        let served = Served::start(dir, &mut command, is_there);
        Self { served, socket }
    }

    /// The master, which stays the same through a reload.
    pub fn pid(&self) -> u32 {
        self.served.child.id()
    }
}

/// An nginx with this text within `server { }`, on a port and on a socket of its own.
pub struct Nginx {
    served: Served,
    pub port: u16,
    /// Where it speaks TLS, if it does.
    pub tls_port: u16,
    pub socket: PathBuf,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Nginx {
    pub fn start(server: &str) -> Self {
        Self::new(room(), server, 0)
    }

    /// On a port with TLS, too, by a certificate that nobody trusts.
    pub fn with_tls(server: &str) -> Self {
        let (dir, port) = (room(), free_port());
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args([
                "-subj",
                "/CN=elsewhere.example.com",
                "-days",
                "2",
                "-keyout",
                "key",
                "-out",
                "certificate",
            ])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let at = dir.path().display();
        let tls = format!(
            "listen 127.0.0.1:{port} ssl;\n ssl_certificate {at}/certificate;\n ssl_certificate_key {at}/key;\n{server}"
        );
        Self::new(dir, &tls, port)
    }

    fn new(dir: TempDir, server: &str, tls_port: u16) -> Self {
        let socket = dir.path().join("nginx.sock");
        let port = free_port();
        let at = dir.path().display();
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let config = format!(
            "{user}\ndaemon off;\nworker_processes 1;\npid {at}/pid;\nerror_log {at}/errors;\nevents {{}}\n\
             http {{\n include /etc/nginx/mime.types;\n access_log {at}/access;\n client_body_temp_path {at}/body;\n \
             fastcgi_temp_path {at}/fastcgi;\n proxy_temp_path {at}/proxy;\n uwsgi_temp_path {at}/uwsgi;\n \
             scgi_temp_path {at}/scgi;\n server {{\n  listen 127.0.0.1:{port};\n  listen unix:{at}/nginx.sock;\n{server}\n }}\n}}\n"
        );
        let path = dir.path().join("nginx.conf");
        fs::write(&path, config).unwrap();
        let mut command = Command::new(program("nginx", "nginx-light"));
        command.arg("-c").arg(&path).arg("-e").arg(dir.path().join("errors"));
        let served = Served::start(dir, &mut command, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { served, port, tls_port, socket }
    }
}
