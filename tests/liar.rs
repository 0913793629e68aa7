//! What a server, what answers at its address, or a file in the way can do to the person who runs the program: nothing.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use support::userland::tools_without;
use support::{Ran, Test};

/// Somebody else.
const STRANGER: u32 = 33;

/// Listens and says this, over and over, to whoever connects. The receiver hears of each megabyte.
fn speaker(says: &'static [u8]) -> (u16, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (said, heard) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, said): (TcpStream, _) = (stream.unwrap(), said.clone());
            thread::spawn(move || {
                let block = says.repeat(1024 * 1024 / says.len());
                while stream.write_all(&block).is_ok() {
                    let _ = said.send(());
                }
            });
        }
    });
    (port, heard)
}

/// A project whose host is there.
fn project(port: u16, config: &str) -> Test {
    let toml = format!(
        "[settings]\nsource = \"source\"\n[stage.prod]\nuser = \"nobody\"\npath = \"/srv/x\"\nhosts = [{{ name = \"web\", address = \"127.0.0.1\", port = {port} }}]\n"
    );
    let test = Test::new().source("index", "1").toml(&toml).write("ssh_config", config);
    let config = test.path("ssh_config").display().to_string();
    test.env("RUNNER_SSH_CONFIG", &config)
}

/// The most memory that a process has had at once, in KiB (proc(5)).
fn peak(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Lines without end before the version, and one line without end: both are allowed to be there (RFC 4253, 4.2).
#[test]
fn a_greeting_without_end_is_left_after_the_time_limit() {
    for says in [&b"hello\r\n"[..], b"x"] {
        let (port, _heard) = speaker(says);
        let test = project(port, "ConnectTimeout 2\n");
        let began = Instant::now();
        let ran = test.ends(1, &[]);
        ran.says("127.0.0.1");
        assert!(began.elapsed() < Duration::from_secs(40), "{:?}\n{ran}", began.elapsed());
    }
}

#[test]
fn a_greeting_without_end_can_be_interrupted_and_takes_no_memory() {
    let (port, heard) = speaker(b"hello\r\n");
    let test = project(port, "ConnectTimeout 600\n");
    let child = test.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..50 {
        heard.recv_timeout(Duration::from_secs(60)).unwrap();
    }
    let kib = peak(&child);
    eprintln!("{kib} KiB after 50 MiB of greeting");
    assert!(kib < 200 * 1024, "{kib} KiB");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .unwrap();
    let began = Instant::now();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran}");
    assert!(began.elapsed() < Duration::from_secs(20), "{ran}");
}

#[test]
fn what_a_command_prints_moves_no_cursor_and_sets_no_title() {
    let recipe = r#"task("prepare", |host| host.run("printf 'a\\033]0;T\\007b\\302\\2332J\\342\\200\\256c\\033[31mred\\n'; printf '10%%\\r20%%\\rlast\\n'; false"));"#;
    let test = Test::new().source("index", "1").recipe(recipe);
    for words in [&[][..], &["-v"], &["--json"]] {
        let ran = test.ends(1, words);
        for text in [&ran.out, &ran.err] {
            assert!(!text.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\r']), "{ran}");
        }
        if words != ["--json"] {
            ran.says(r"a\u001b]0;T\u0007b\u009b2J\u202ecred").says(" = last\n").says_not(r"\u000d");
        }
    }
}

#[test]
fn what_a_record_says_moves_no_cursor_either() {
    let test = Test::new().source("index", "1");
    test.deploy();
    let live = test.live("site").unwrap();
    let path = test.path("site/.runner/records").join(&live);
    let text =
        fs::read_to_string(&path).unwrap().replace("\"by\":\"", "\"by\":\"\\u001b]0;T\\u0007\\u009b2J");
    fs::write(path, text).unwrap();
    for words in [&["releases"][..], &["releases", "--json"], &["status"], &["status", "--json"]] {
        let ran = test.ends(0, words);
        assert!(!ran.out.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{ran}");
    }
}

/// What is shown of output is cut; not so that half of a secret is left.
#[test]
fn half_a_secret_is_never_shown() {
    let secret = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO";
    for filler in [950, 980, 1000, 1015] {
        let recipe = format!(
            r#"task("prepare", |host| {{ let key = secret("KEY"); host.run("printf %s " + key + " >&2; head -c {filler} /dev/zero | tr '\\0' x >&2; kill -9 $$"); }});"#
        );
        let test = Test::new().source("index", "1").recipe(&recipe).env("KEY", secret);
        let ran = test.run(&[]);
        assert!(matches!(ran.code, Some(1 | 4)), "{ran}");
        for n in 0..secret.len() - 8 {
            ran.says_not(&secret[n..n + 8]);
        }
    }
}

#[test]
fn a_secret_too_short_to_hide_is_refused() {
    let test =
        Test::new().source("index", "1").recipe("task(\"prepare\", || secret(\"PIN\"));\n").env("PIN", "123");
    test.ends(1, &[]).says("secret `PIN` is too short to be masked").says_not("123");
}

#[test]
fn a_command_that_prints_without_end_is_left_with_bounded_memory() {
    let recipe = "task(\"prepare\", |host| host.run(\"yes 'as long as it takes' | head -c 20000000000\"));\n";
    let test = Test::new().source("index", "1").recipe(recipe);
    let ran = test.run(&[]);
    assert_eq!(ran.code, Some(1), "{ran}");
    ran.says("printed more than 128 MiB").says("removed the unfinished release");
}

#[test]
fn a_hint_is_no_trap_for_whoever_types_it() {
    let toml = "[settings]\nsource = \"source\"\n[stage.local]\npath = \"closed/my $(id) site\"\ntransport = \"local\"\n";
    let test = Test::new().unprivileged().source("index", "1").toml(toml).write("closed/x", "");
    lchown(test.path("closed"), Some(STRANGER), Some(STRANGER)).unwrap();
    let test = test.mode("closed", 0o755);
    test.ends(1, &[]).says("sudo install -d -o nobody '/").says("/closed/my $(id) site'`");
}

#[test]
fn a_project_or_a_cache_of_somebody_else_is_refused() {
    let test = Test::new().unprivileged().source("index", "1").shell("mkdir below");
    lchown(test.path("runner.toml"), Some(STRANGER), Some(STRANGER)).unwrap();
    let below = |words: &[&str]| {
        let mut command = test.command(words);
        Ran::of(command.current_dir(test.path("below")).output().unwrap())
    };
    let ran = below(&["tasks"]);
    assert_eq!(ran.code, Some(2), "{ran}");
    ran.says("runner.toml` belongs to another user").says("runner -C ");
    // Who names it, means it; and who stands in it has chosen it, unless everybody can write there.
    assert_eq!(below(&["-C", "..", "tasks"]).code, Some(0));
    test.ends(0, &["tasks"]);
    let test = test.mode("", 0o777);
    test.ends(2, &["tasks"]).says("belongs to another user");
    let test = test.mode("", 0o755);
    fs::create_dir_all(test.path("cache")).unwrap();
    lchown(test.path("cache"), Some(STRANGER), Some(STRANGER)).unwrap();
    fs::set_permissions(test.path("cache"), fs::Permissions::from_mode(0o777)).unwrap();
    test.ends(2, &[]).says("cache` belongs to another user").says("RUNNER_CACHE");
}

#[test]
fn a_server_without_a_tool_is_told_before_anything_is_made() {
    for (tool, package) in [("cmp", "diffutils"), ("xargs", "findutils"), ("readlink", "coreutils")] {
        let test = Test::new().source("index", "1");
        let tools = tools_without(&test, &[tool]);
        let test = test.env("PATH", &tools);
        test.ends(1, &[])
            .says(&format!("the server lacks required programs: `{tool}`"))
            .says(&format!("apt-get install {package}"));
        assert!(!test.has("site"));
    }
}

/// A file of the live release may since have been replaced by a link, a pipe or a directory.
#[test]
fn a_diff_follows_no_link_and_waits_for_no_pipe() {
    let test = Test::new().source("note", "one\n").source("own", "one\n").write("private", "the key\n");
    test.deploy();
    let live = test.live("site").unwrap();
    let note = test.path("site/releases").join(&live).join("note");
    let test = test.source("note", "two\n").source("own", "two\n");
    for make in ["ln -s ../../../private", "mkfifo", "ln -s /dev/zero", "mkdir"] {
        fs::remove_file(&note).or_else(|_| fs::remove_dir(&note)).unwrap();
        let test = &test;
        let status =
            std::process::Command::new("sh").arg("-c").arg(format!("{make} {}", note.display())).status();
        assert!(status.unwrap().success());
        let ran = test.ends(0, &["--diff"]);
        ran.says_not("the key").says("cannot show the diff of `note`: ").says("+two");
    }
}
