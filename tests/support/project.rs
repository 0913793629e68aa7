//! A project whose hosts are deploy paths of one user on a real ssh server; the real program is run on it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Test;
use crate::support::sshd::Sshd;

/// A deploy path on the server, as a test sees it; it goes when its test is over.
pub struct Site(pub PathBuf);

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Site {
    #[track_caller]
    pub fn serves(&self, path: &str) -> String {
        let path = self.0.join("current").join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// A project with one host, and where its site is: in the home that tests share.
pub fn project(server: &Sshd) -> (Test, Site) {
    let path = server.home().join(format!("it's a site {}", server.port));
    (project_at(server, server.port, &[&path.display().to_string()]), Site(path))
}

/// A project with a host for each of the deploy paths, named `web1`, `web2`, ..., behind a port that may be a proxy's.
pub fn project_at(server: &Sshd, port: u16, paths: &[&str]) -> Test {
    let test = Test::new();
    let config = format!(
        "IdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile \"{}\"\nGlobalKnownHostsFile /dev/null\n",
        server.key().display(),
        test.path("known_hosts").display()
    );
    let test = test.write("ssh_config", &config);
    let config = test.path("ssh_config").display().to_string();
    at_port(test.env("RUNNER_SSH_CONFIG", &config), server, port, paths)
}

/// The same project by another way.
pub fn at_port(test: Test, server: &Sshd, port: u16, paths: &[&str]) -> Test {
    let hosts = paths.iter().enumerate().map(|(n, path)| {
        format!(
            "  {{ address = \"127.0.0.1\", name = \"web{}\", port = {port}, path = \"{path}\" }},\n",
            n + 1
        )
    });
    test.toml(&format!(
        "[settings]\nsource = \"source\"\nhost_keys = \"accept-new\"\n[stage.prod]\nuser = \"{}\"\nhosts = [\n{}]\n",
        server.user,
        hosts.collect::<String>()
    ))
}
