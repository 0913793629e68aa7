//! What a person at a terminal is asked on the way to a server, and what Ctrl-C does meanwhile.

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::sshd::Sshd;
use support::{Ran, Test};
use terminal::Terminal;

/// A project whose one host `web1` is reached by `ssh_config`; `$D` is the project's directory. The key is encrypted, and
/// its passphrase is `secret`.
fn project(server: &Sshd, config: &str) -> (Test, Site) {
    let site = Site(server.home().join(format!("terminal {}", server.port)));
    let toml = format!(
        "[settings]\nsource = \"source\"\n[stage.prod]\npath = \"{}\"\nhosts = [\"web1\"]\n",
        site.0.display()
    );
    let test = Test::new().toml(&toml).source("index.html", "one");
    let copied =
        Command::new("install").args(["-m", "600"]).arg(server.key()).arg(test.path("locked")).status();
    assert!(copied.unwrap().success());
    let locked = Command::new("ssh-keygen")
        .args(["-q", "-p", "-N", "secret", "-f"])
        .arg(test.path("locked"))
        .stdout(Stdio::null())
        .status();
    assert!(locked.unwrap().success());
    let host_key = fs::read_to_string(server.dir().join("host.pub")).unwrap();
    let test = test.write("known_hosts", &format!("* {host_key}"));
    let at = test.root().display().to_string();
    let common = format!(
        "Host *\n HostName 127.0.0.1\n Port {}\n User {}\n UserKnownHostsFile {at}/known_hosts\n IdentitiesOnly yes\n\
         GlobalKnownHostsFile none\n IdentityAgent none\n IdentityFile {at}/locked\n",
        server.port, server.user
    );
    let test = test.write("ssh_config", &format!("{}\n{common}", config.replace("$D", &at)));
    let config = test.path("ssh_config").display().to_string();
    (test.env("RUNNER_SSH_CONFIG", &config), site)
}

/// Where the site would be, in the home that tests share; it goes when its test is over.
struct Site(PathBuf);

impl Drop for Site {
    fn drop(&mut self) {
        // Fails if it was never made.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_passphrase_is_typed_unseen_and_ctrl_c_is_no_answer() {
    let server = Sshd::openssh();
    let (test, site) = project(&server, "");
    let question = format!("passphrase for `{}`: ", test.path("locked").display());
    let mut terminal = Terminal::new(&test, "status");
    terminal.shows(&question).types("wrong\n").shows(&format!("{question}\r\n{question}")).types("secret\n");
    let shown = terminal.ends(0);
    assert!(shown.contains("web1  nothing") && !shown.contains("secret"), "{shown}");
    for words in ["", "status", "releases"] {
        let mut terminal = Terminal::new(&test, words);
        terminal.shows(&question).types("sec\x03");
        let shown = terminal.ends(130);
        assert!(shown.contains("interrupted"), "{shown}");
        assert_eq!(shown.matches("passphrase").count(), 1, "{shown}");
    }
    assert!(!site.0.exists());
}

/// Asked once, however many connections a run makes; what is confirmed is remembered, anything but a yes is a no.
#[test]
fn an_unknown_host_key_is_shown_and_asked_for_once() {
    let server = Sshd::openssh();
    let open = format!("Host web1\n IdentityFile {}", server.key().display());
    let (test, _site) = project(&server, &open);
    let test = test.write("known_hosts", "");
    let printed = Command::new("ssh-keygen").arg("-lf").arg(server.dir().join("host.pub")).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let fingerprint = printed.split_whitespace().nth(1).unwrap();
    let question = "trust it, and add it to";
    for answer in ["no\n", "\n", "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"] {
        let mut terminal = Terminal::new(&test, "status");
        terminal.shows(question).types(answer);
        let shown = terminal.ends(1);
        assert!(shown.contains(fingerprint) && shown.contains("is not known"), "{shown}");
        assert_eq!(shown.matches(question).count(), 1, "{shown}");
        assert_eq!(fs::read_to_string(test.path("known_hosts")).unwrap(), "");
    }
    let mut terminal = Terminal::new(&test, "");
    terminal.shows(question).types("\x03");
    assert!(terminal.ends(130).contains("interrupted"));
    for answer in ["yes\n".to_owned(), format!("{fingerprint}\n")] {
        fs::write(test.path("known_hosts"), "").unwrap();
        let mut terminal = Terminal::new(&test, "");
        terminal.shows(question).types(&answer);
        let shown = terminal.ends(0);
        assert_eq!(shown.matches(question).count(), 1, "{shown}");
        let known = fs::read_to_string(test.path("known_hosts")).unwrap();
        assert_eq!(known.lines().count(), 1, "{known}");
        assert!(!Terminal::new(&test, "status").ends(0).contains(question));
    }
    // Whoever has told ssh to be strict is not asked.
    let (test, _site) = project(&server, &format!("{open}\nHost *\n StrictHostKeyChecking yes"));
    let test = test.write("known_hosts", "");
    assert!(!Terminal::new(&test, "status").ends(1).contains(question));
}

#[test]
fn a_question_of_a_recipe_ends_with_ctrl_c() {
    let server = Sshd::openssh();
    for question in ["ask(\"which one\")", "confirm(\"which one\")", "secret(\"which one\")"] {
        let recipe = format!("fn build() {{ {question}; }}\ntask(\"build\", build);\n");
        let (test, _site) = project(&server, "");
        let test = test.recipe(&recipe);
        let mut terminal = Terminal::new(&test, "");
        terminal.shows("passphrase for").types("secret\n").shows("which one").types("\x03");
        let shown = terminal.ends(130);
        assert!(shown.contains("interrupted"), "{shown}");
    }
}

/// A terminal that can move its cursor shows that something is at work; not while somebody is asked.
#[test]
fn nothing_is_drawn_over_a_question() {
    let test = Test::new().recipe(
        "fn build() { local(\"sleep 0.5\"); if confirm(\"really\") { note(\"so be it\"); } local(\"sleep 0.5\"); }\ntask(\"build\", build);\n",
    );
    let test = test.source("a", "b");
    let mut terminal = Terminal::of_kind(&test, "", "xterm");
    terminal.shows("\u{1b}[").shows("really [y/N]");
    // As long as a few pictures of it would take.
    thread::sleep(Duration::from_millis(500));
    let shown = terminal.shown.lock().unwrap().clone();
    let after = shown.split("really [y/N]").nth(1).unwrap();
    assert_eq!(after.trim_matches(' '), "", "{shown:?}");
    let shown = terminal.types("y\n").shows("so be it").shown.lock().unwrap().clone();
    assert!(shown.contains("so be it"), "{shown:?}");
    let shown = terminal.ends(0);
    assert!(shown.split("so be it").nth(1).unwrap().contains("build "), "{shown:?}");
}

#[test]
fn a_jump_host_that_would_ask_something_is_told_at_once() {
    let server = Sshd::openssh();
    let open = format!("Host web1\n ProxyJump jump\n IdentityFile {}", server.key().display());
    let (test, _site) = project(&server, &open);
    let shown = Terminal::new(&test, "status").ends(1);
    assert!(
        shown.contains("Permission denied") && shown.contains("`ssh jump` must work without questions"),
        "{shown}"
    );
    // One that lies behind another, too.
    let chain = format!("{open}\nHost jump\n IdentityFile {0}\nHost first", server.key().display());
    let (test, _site) = project(&server, &chain.replace("ProxyJump jump", "ProxyJump first,jump"));
    let shown = Terminal::new(&test, "status").ends(1);
    assert!(shown.contains("Permission denied"), "{shown}");
}

#[test]
fn an_interrupt_ends_a_configuration_that_hangs() {
    let server = Sshd::openssh();
    let (test, _site) = project(&server, "Match exec \"echo $$ >$D/asked; sleep 1000\"\n Port 1\n");
    for words in [&[][..], &["status"], &["releases"]] {
        let asked = test.path("asked");
        let child = test.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        while !fs::read_to_string(&asked).is_ok_and(|text| text.ends_with('\n')) {
            assert!(start.elapsed() < Duration::from_secs(60), "it is not asked");
            thread::sleep(Duration::from_millis(5));
        }
        let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(status.unwrap().success());
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(130), "{ran}");
        ran.says("interrupted");
        fs::remove_file(asked).unwrap();
    }
}
