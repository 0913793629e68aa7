//! Where a test's sites are: on this machine, or, in `tests/over_ssh*.rs`, behind a real sshd of the test's own.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::sshd::Sshd;

/// An sshd whose user has the project's directory.
pub struct Server {
    sshd: Sshd,
}

impl Server {
    /// `None` where sites are local.
    pub fn start() -> Option<Self> {
        if !env!("CARGO_CRATE_NAME").starts_with("over_ssh") {
            return None;
        }
        let server = Self { sshd: Sshd::openssh() };
        let key = fs::read_to_string(server.file("host.pub")).unwrap();
        let known = format!("[127.0.0.1]:{} {key}", server.sshd.port);
        fs::write(server.known_hosts(), known).unwrap();
        if let Some(user) = server.user() {
            user.is_given(server.sshd.dir());
        }
        Some(server)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.sshd.dir().join(name)
    }

    /// What `ssh` would have to be told.
    pub fn config(&self) -> PathBuf {
        self.sshd.config()
    }

    /// Where the program finds whom to believe: this server, to begin with.
    pub fn known_hosts(&self) -> PathBuf {
        self.file("known_hosts")
    }

    /// Who logs in, if not we.
    pub fn user(&self) -> Option<User> {
        rustix::process::geteuid().is_root().then(|| User::named(&self.sshd.user))
    }

    /// A `runner.toml` whose local stages are reached through this server instead.
    pub fn reached(&self, toml: &str, root: &Path) -> String {
        let mut toml: Table = toml.parse().unwrap();
        let stages = toml.get_mut("stage").and_then(Value::as_table_mut).into_iter().flatten();
        for stage in stages.filter_map(|(_, stage)| stage.as_table_mut()) {
            if stage.get("transport").and_then(Value::as_str) != Some("local") {
                continue;
            }
            stage.remove("transport");
            stage.insert("user".to_owned(), self.sshd.user.clone().into());
            let local = Table::from_iter([("name".to_owned(), "localhost".into())]);
            let hosts = stage.entry("hosts").or_insert_with(|| vec![Value::Table(local)].into());
            for host in hosts.as_array_mut().unwrap().iter_mut().filter_map(Value::as_table_mut) {
                // One that says where it is, is elsewhere.
                if !host.contains_key("address") {
                    host.insert("address".to_owned(), "127.0.0.1".into());
                    host.insert("port".to_owned(), i64::from(self.sshd.port).into());
                }
                make_absolute(host, root);
            }
            make_absolute(stage, root);
        }
        toml.to_string()
    }

    /// Who logs in from now on finds these variables, and works inside this shell text, which runs `"$@"`.
    pub fn is_like(&self, env: &[(String, String)], around: Option<&str>) {
        let mut key = fs::read_to_string(self.file("id.pub")).unwrap();
        if !env.is_empty() || around.is_some() {
            let exports: String =
                env.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value))).collect();
            let around = around.unwrap_or("exec \"$@\"");
            let login = self.file("login");
            let text = format!(
                "#!/bin/sh\nset -- sh -c \"$SSH_ORIGINAL_COMMAND\"\nunset SSH_ORIGINAL_COMMAND\n{exports}{around}\n"
            );
            fs::write(&login, text).unwrap();
            fs::set_permissions(&login, Permissions::from_mode(0o755)).unwrap();
            key = format!("command=\"{}\" {key}", login.display());
        }
        fs::write(self.file("authorized_keys"), key).unwrap();
    }
}

fn make_absolute(table: &mut Table, root: &Path) {
    if let Some(Value::String(path)) = table.get_mut("path") {
        *path = root.join(&path).to_str().unwrap().to_owned();
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[derive(Clone, Copy)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

impl User {
    fn named(name: &str) -> Self {
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let [_, _, uid, gid, ..] = fields.clone().find(|fields| fields[0] == name).unwrap()[..] else {
            panic!("`{name}` in /etc/passwd has no numbers");
        };
        Self { uid: uid.parse().unwrap(), gid: gid.parse().unwrap() }
    }

    /// Gives away what is ours below a directory, and the directory: what a test has just made there. What is another's
    /// stays that other's.
    pub fn is_given(self, path: &Path) {
        let meta = match fs::symlink_metadata(path) {
            Ok(meta) => meta,
            // A command that outlived its run may be at work yet.
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        if meta.uid() == rustix::process::geteuid().as_raw() {
            lchown(path, Some(self.uid), Some(self.gid)).unwrap();
            if !meta.is_symlink() && meta.mode() & 0o6000 != 0 {
                // These bits went with the owner.
                fs::set_permissions(path, meta.permissions()).unwrap();
            }
        }
        if meta.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                self.is_given(&entry.unwrap().path());
            }
        }
    }
}
