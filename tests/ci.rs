//! Deploys from CI: the scripts of `examples/ci`, in the environment of a job (no terminal, no HOME, the key in a variable),
//! against a real sshd, and cancelled in every phase.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::sshd::Sshd;
use support::{Ran, Test};

/// Where the sites of these tests are; removed with the test.
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        // Fails if it was never made.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A job of a CI service: a checkout with `runner.toml`, and what it needs to log in.
struct Job {
    test: Test,
    server: Sshd,
    site: Place,
    script: String,
}

/// The lines of the block scalar that contains `exec runner`.
fn script_of(file: &str) -> String {
    let text = fs::read_to_string(Path::new("examples/ci").join(file)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let end = lines.iter().position(|line| line.trim_start().starts_with("exec runner")).unwrap();
    let start = (0..end).rev().find(|n| lines[*n].trim_end().ends_with('|')).unwrap();
    lines[start + 1..=end].iter().map(|line| format!("{}\n", line.trim_start())).collect()
}

fn fingerprint(key: &Path) -> String {
    let printed = Command::new("ssh-keygen").arg("-lf").arg(key).output().unwrap();
    String::from_utf8(printed.stdout).unwrap().split_whitespace().nth(1).unwrap().to_owned()
}

impl Job {
    fn new(file: &str) -> Self {
        let server = Sshd::openssh();
        let site = Place(server.home().join(format!("ci {}", server.port)));
        let toml = format!(
            "[settings]\nsource = \"source\"\nconfirm_within = 5\n[stage.prod]\npath = \"{}\"\nuser = \"{}\"\n\
             hosts = [{{ name = \"web1\", address = \"127.0.0.1\", port = {}, host_key = \"{}\" }}]\n\
             [stage.dev]\npath = \"dev\"\ntransport = \"local\"\n",
            site.0.display(),
            server.user,
            server.port,
            fingerprint(&server.dir().join("host.pub")),
        );
        let test = Test::new().toml(&toml).source("index.html", "one");
        fs::create_dir(test.path("bin")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_runner"), test.path("bin/runner")).unwrap();
        Self { test, server, site, script: script_of(file) }
    }

    fn command(&self) -> Command {
        let key = fs::read(self.server.key()).unwrap();
        let encoded = Command::new("base64").args(["-w0"]).arg(self.server.key()).output().unwrap().stdout;
        let path = format!("{}:{}", self.test.path("bin").display(), std::env::var("PATH").unwrap());
        // As GitHub's runner calls it. The agent that the script starts ends with the job: its number is noted for that.
        let note = "echo \"$SSH_AGENT_PID\" >agent.pid";
        let script = self.script.replacen(">/dev/null\n", &format!(">/dev/null\n{note}\n"), 1);
        assert!(script.contains(note), "{script}");
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", &script])
            .current_dir(self.test.root())
            .env_clear()
            .env("PATH", path)
            .env("RUNNER_STAGE", "prod")
            .env("DEPLOY_KEY", String::from_utf8(key).unwrap())
            .env("DEPLOY_KEY_BASE64", String::from_utf8(encoded).unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }

    fn run(&self, person: &[(&str, &str)]) -> Ran {
        let ran = Ran::of(self.command().envs(person.iter().copied()).output().unwrap());
        self.end_agent();
        ran
    }

    /// Ends the agent of the script, as the end of a job does.
    fn end_agent(&self) {
        let noted = self.test.path("agent.pid");
        let Ok(pid) = fs::read_to_string(&noted) else { return };
        let pid = pid.trim();
        let is_agent =
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"ssh-agent"));
        assert!(is_agent, "the agent {pid} is not there");
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        fs::remove_file(noted).unwrap();
    }

    fn serves(&self) -> Option<String> {
        fs::read_to_string(self.site.0.join("current/index.html")).ok()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.end_agent();
    }
}

#[test]
fn the_scripts_deploy_in_the_environment_of_a_job() {
    for (file, person, who) in [
        ("github.yml", &[("GITHUB_ACTIONS", "true"), ("GITHUB_ACTOR", "ann")], "ann@github"),
        ("gitlab.yml", &[("GITLAB_CI", "true"), ("GITLAB_USER_LOGIN", "bob")], "bob@gitlab"),
    ] {
        let job = Job::new(file);
        let ran = job.run(person);
        assert_eq!(ran.code, Some(0), "{ran}");
        assert_eq!(job.serves().as_deref(), Some("one"));
        let history = fs::read_to_string(job.site.0.join(".runner/history")).unwrap();
        assert!(history.contains(who), "{history}");
        let key = fs::read_to_string(job.server.key()).unwrap();
        let line = key.lines().nth(1).unwrap();
        assert!(!ran.out.contains(line) && !ran.err.contains(line), "the key is shown: {ran}");
    }
}

/// Waits until the run has come to a command that waits.
#[track_caller]
fn reached(marker: &Path, child: &mut Child) {
    let start = Instant::now();
    while !marker.exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "the phase is not reached");
        assert!(child.try_wait().unwrap().is_none(), "the job has ended");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_job_can_be_cancelled_in_every_phase() {
    let job = Job::new("github.yml");
    assert_eq!(job.run(&[]).code, Some(0));
    let marker = job.site.0.with_extension("reached");
    let _marker = Place(marker.clone());
    // A job that is killed leaves its command on the server; the next one waits for that.
    let killed = ["build", "verify"];
    for (n, phase) in ["preflight", "build", "prepare", "smoke", "reload", "verify"].iter().enumerate() {
        for signal in ["-INT", "-KILL"] {
            if signal == "-KILL" && !killed.contains(phase) {
                continue;
            }
            let version = format!("{n} {signal}");
            fs::write(job.test.path("source/index.html"), &version).unwrap();
            let wait = format!("touch '{}'; sleep 20", marker.display());
            let body = match *phase {
                "build" => format!("|| local(\"{wait}\")"),
                _ => format!("|host| host.run(\"{wait}\")"),
            };
            fs::write(job.test.path("deploy.rhai"), format!("task(\"{phase}\", {body});\n")).unwrap();
            let before = job.serves();
            let mut child = job.command().spawn().unwrap();
            reached(&marker, &mut child);
            let pid = child.id().to_string();
            assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
            let ran = Ran::of(child.wait_with_output().unwrap());
            job.end_agent();
            fs::remove_file(&marker).unwrap();
            if signal == "-INT" {
                assert_eq!(ran.code, Some(130), "{phase}: {ran}");
                assert_eq!(job.serves(), before, "{phase} {ran}");
            }
            // The next job waits for what is left of this one, and needs no help.
            fs::write(job.test.path("deploy.rhai"), "//! Nothing of our own.\n").unwrap();
            let ran = job.run(&[]);
            assert_eq!(ran.code, Some(0), "after {phase} {signal}: {ran}");
            assert_eq!(job.serves().as_deref(), Some(version.as_str()), "{ran}");
        }
    }
}
