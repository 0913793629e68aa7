//! What every transport must do alike: one suite of checks, run against each.
//!
//! The checks know nothing of how the host is reached. A new transport is one more test at the end.

#![allow(clippy::unwrap_used)]

#[path = "support/sshd.rs"]
mod sshd;
#[path = "support/target.rs"]
mod target;

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use runner::parts::shell::{Act, Answer, Effect, Exit, Script, Step, Word};
use runner::parts::transport::framed::FramedRemote;
use runner::parts::transport::local::Local;
use runner::parts::transport::{
    CancelToken, Heartbeat, Listener, Remote, Silent, Stream, TransportError, local, ssh,
};

use crate::sshd::Sshd;

/// Opens one more connection to the host.
type Open<'a> = &'a dyn Fn(CancelToken) -> Box<dyn Remote>;
type Check = fn(&mut dyn Remote, Open);

/// All checks share one remote, so each also finds out whether those before it left the shell whole.
#[rustfmt::skip]
const CHECKS: &[(&str, Check)] = &[
    ("exit codes are answered", exit_codes_are_answered),
    ("a syntax error is an answer", a_syntax_error_is_an_answer),
    ("a signal is no exit code", a_signal_is_no_exit_code),
    ("the streams are kept apart", the_streams_are_kept_apart),
    ("every byte of a script arrives", every_byte_of_a_script_arrives),
    ("standard input is empty", standard_input_is_empty),
    ("a script leaves nothing behind", a_script_leaves_nothing_behind),
    ("a script may close its outputs", a_script_may_close_its_outputs),
    ("the parent of every script is the same shell", the_parent_of_every_script_is_the_same_shell),
    ("output is streamed", output_is_streamed),
    ("binary output is whole", binary_output_is_whole),
    ("both streams may be flooded", both_streams_may_be_flooded),
    ("a long script arrives", a_long_script_arrives),
    ("a background child does not keep an act", a_background_child_does_not_keep_an_act),
    ("late output is not the next act's", late_output_is_not_the_next_acts),
    ("a timeout ends the command and its children", a_timeout_ends_the_command_and_its_children),
    ("a timeout ends what ignores TERM", a_timeout_ends_what_ignores_term),
    ("a timeout ends a flood", a_timeout_ends_a_flood),
    ("an interrupt ends the command and its children", an_interrupt_ends_the_command_and_its_children),
    ("nothing starts while the interrupt is raised", nothing_starts_while_the_interrupt_is_raised),
    ("a payload arrives whole", a_payload_arrives_whole),
    ("every byte of a sending script arrives", every_byte_of_a_sending_script_arrives),
    ("a payload of nothing is the end of input", a_payload_of_nothing_is_the_end_of_input),
    ("a reader that ends early ends the sending", a_reader_that_ends_early_ends_the_sending),
    ("a reader may close its input and go on", a_reader_may_close_its_input_and_go_on),
    ("outputs are drained while sending", outputs_are_drained_while_sending),
    ("a failing sending script is an answer", a_failing_sending_script_is_an_answer),
    ("a killed sending script is a signal", a_killed_sending_script_is_a_signal),
    ("a payload that cannot be read leaves no half", a_payload_that_cannot_be_read_leaves_no_half),
    ("a timeout ends a sending", a_timeout_ends_a_sending),
    ("an interrupt ends a sending", an_interrupt_ends_a_sending),
    ("heartbeats arrive while acts run and while none does", heartbeats_arrive),
    ("what an act keeps lives with the shell", what_an_act_keeps_lives_with_the_shell),
    ("a killed shell is a loss and the next act has a new one", a_killed_shell_is_a_loss),
    ("a shell that died idle is a loss", a_shell_that_died_idle_is_a_loss),
];

fn conforms(open: Open) {
    // The flood alone takes hundreds of megabytes: one transport at a time.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut remote = open(CancelToken::default());
    for (name, check) in CHECKS {
        eprintln!("{name}");
        check(&mut *remote, open);
    }
}

fn act(script: Script) -> Act {
    // The bound is for a transport that hangs; no check waits for it.
    let limit = Some(Duration::from_secs(60));
    Step::new("check", Effect::Writes, script, |_| Ok(())).timeout(limit).act
}

fn within(limit: Duration, script: &'static str) -> Act {
    Act { timeout: Some(limit), ..act(Script::new(script)) }
}

#[track_caller]
fn answered(reply: Result<Answer, TransportError>) -> Answer {
    match reply {
        Ok(answer) => answer,
        other => panic!("no answer but {other:?}"),
    }
}

#[track_caller]
fn run(remote: &mut dyn Remote, script: &'static str) -> Answer {
    answered(remote.perform(&act(Script::new(script)), &mut Silent))
}

/// The text that a script says, which must succeed.
#[track_caller]
fn text(remote: &mut dyn Remote, script: Script) -> String {
    let answer = answered(remote.perform(&act(script), &mut Silent));
    assert_eq!(answer.exit, Exit::Code(0), "{answer:?}");
    String::from_utf8(answer.stdout).unwrap().trim().to_owned()
}

/// A new directory on the host.
fn directory(remote: &mut dyn Remote) -> String {
    text(remote, Script::new("mktemp -d"))
}

fn remove(remote: &mut dyn Remote, directory: &str) {
    text(remote, Script::new("rm -rf \"$dir\"").var("dir", directory));
}

/// The numbers in a text of lines.
fn pids(stdout: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(stdout);
    text.split_whitespace().map(str::to_owned).collect()
}

#[track_caller]
fn are_gone(remote: &mut dyn Remote, pids: &[String]) {
    assert!(!pids.is_empty());
    for pid in pids {
        // A zombie that nobody reaps is gone, too.
        let look = r#"kill -0 "$pid" 2>/dev/null || { echo gone; exit; }
            while read -r key state rest; do case $key in State:) echo "$state"; esac; done </proc/"$pid"/status"#;
        let state = |remote: &mut dyn Remote| {
            let script = Script::new(look).var("pid", pid);
            let answer = answered(remote.perform(&act(script), &mut Silent));
            String::from_utf8(answer.stdout).unwrap().trim().to_owned()
        };
        let is_gone = (0..1000).any(|_| matches!(state(remote).as_str(), "gone" | "" | "Z" | "X"));
        assert!(is_gone, "process {pid} still runs");
    }
}

/// Does something once, at the first output.
struct AtFirst<F: FnMut()> {
    then: F,
    is_done: bool,
}

impl<F: FnMut()> AtFirst<F> {
    fn new(then: F) -> Self {
        Self { then, is_done: false }
    }
}

impl<F: FnMut()> Listener for AtFirst<F> {
    fn output(&mut self, _stream: Stream, bytes: &[u8]) {
        assert!(!bytes.is_empty());
        if !std::mem::replace(&mut self.is_done, true) {
            (self.then)();
        }
    }
}

/// Collects what is heard.
#[derive(Default)]
struct Heard {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    sent: u64,
}

impl Listener for Heard {
    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.stdout.extend(bytes),
            Stream::Stderr => self.stderr.extend(bytes),
        }
    }

    fn sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(len)
    .collect()
}

/// Every byte that a shell's text can hold, in an order that puts quotes and escapes beside each other.
fn odd_bytes() -> Vec<u8> {
    let mut bytes: Vec<u8> = (1..=255).collect();
    bytes.extend(b"\\\\'\\''\"\"`$$x$(y)`z`\\n\\047%s%%\\\n\n  \n!!~*?[a]{b,c}#;&|<>()");
    bytes.extend((1..=255).rev());
    bytes
}

fn exit_codes_are_answered(remote: &mut dyn Remote, _: Open) {
    for (script, code) in [
        ("true", 0),
        ("false", 1),
        ("exit 3", 3),
        ("exec false", 1),
        ("set -eu; false; echo not reached", 1),
        ("echo \"${unset?}\"", 2),
        ("no-such-command-at-all", 127),
        ("", 0),
        ("# only a comment", 0),
        ("exit 255", 255),
    ] {
        let answer = run(remote, script);
        let is_expected = match (script, answer.exit) {
            // Shells differ in the status of this one.
            ("echo \"${unset?}\"", Exit::Code(got)) => got != 0,
            (_, exit) => exit == Exit::Code(code),
        };
        assert!(is_expected, "{script}: {answer:?}");
        assert_eq!(answer.stdout, b"", "{script}");
    }
}

fn a_syntax_error_is_an_answer(remote: &mut dyn Remote, _: Open) {
    for script in ["if", "echo 'unterminated", "echo \"unterminated", ") }", "}", "cat <<X\nopen"] {
        let answer = run(remote, script);
        if script.starts_with("cat") {
            continue; // Some shells accept it.
        }
        assert!(!answer.exit.is_success(), "{script}: {answer:?}");
        assert!(!answer.stderr.is_empty(), "{script}: {answer:?}");
    }
    assert_eq!(run(remote, "echo well").stdout, b"well\n");
}

fn a_signal_is_no_exit_code(remote: &mut dyn Remote, _: Open) {
    let answer = run(remote, "echo before; kill -9 $$; echo after");
    assert_eq!(answer.exit, Exit::Signal(9));
    assert_eq!(answer.stdout, b"before\n");
    assert_eq!(answer.stderr, b"");
    assert_eq!(run(remote, "kill -TERM $$").exit, Exit::Signal(15));
    assert_eq!(run(remote, "sh -c 'kill -KILL $$'").exit, Exit::Signal(9));
}

fn the_streams_are_kept_apart(remote: &mut dyn Remote, _: Open) {
    let mut heard = Heard::default();
    let script = Script::new("printf out; printf err >&2; printf put; printf or >&2");
    let answer = answered(remote.perform(&act(script), &mut heard));
    assert_eq!(answer.stdout, b"output");
    assert_eq!(answer.stderr, b"error");
    assert_eq!(heard.stdout, b"output");
    assert_eq!(heard.stderr, b"error");
}

fn every_byte_of_a_script_arrives(remote: &mut dyn Remote, _: Open) {
    let bytes = odd_bytes();
    let script = Script::new("printf %s \"$bytes\"").var("bytes", Word::new(bytes.clone()));
    let answer = answered(remote.perform(&act(script), &mut Silent));
    assert_eq!(answer.stdout, bytes);
    let answer = run(remote, "cat <<'X'\n$a `b` \"c\" \\d 'e'\nX\n");
    assert_eq!(answer.stdout, b"$a `b` \"c\" \\d 'e'\n");
}

fn standard_input_is_empty(remote: &mut dyn Remote, _: Open) {
    let answer = run(remote, "cat; read -r line; echo \"$? $line\"");
    assert_eq!(answer.stdout, b"1 \n");
}

fn a_script_leaves_nothing_behind(remote: &mut dyn Remote, _: Open) {
    let before = run(remote, "pwd; umask; echo \"$PATH\"; echo $-");
    let script = "cd /; umask 000; export LEFT=behind; f() { :; }; trap 'echo trapped' EXIT; set -f; unset PATH; _run() { :; }";
    assert_eq!(run(remote, script).stdout, b"trapped\n");
    let after = run(remote, "pwd; umask; echo \"$PATH\"; echo $-");
    assert_eq!(before, after);
    let answer = run(remote, "echo \"${LEFT-nothing} $#\"; env | grep -c '^_[a-z]='");
    assert_eq!(answer.stdout, b"nothing 0\n0\n");
}

fn a_script_may_close_its_outputs(remote: &mut dyn Remote, _: Open) {
    let answer = run(remote, "echo a; exec >&- 2>&-; echo b; exit 4");
    assert_eq!(answer.exit, Exit::Code(4));
    assert_eq!(answer.stdout, b"a\n");
    let answer = run(remote, "exec 0<&- 3>&- 4>&- 9>&-; echo c");
    assert_eq!(answer.stdout, b"c\n");
}

fn the_parent_of_every_script_is_the_same_shell(remote: &mut dyn Remote, _: Open) {
    let shell = text(remote, Script::new("echo $PPID"));
    let again = text(remote, Script::new("kill -0 $PPID && echo $PPID"));
    assert_eq!(shell, again);
}

fn output_is_streamed(remote: &mut dyn Remote, open: Open) {
    let dir = directory(remote);
    text(remote, Script::new("mkfifo \"$dir/fifo\"").var("dir", &dir));
    // The script ends only when its first line has been heard and answered through the fifo.
    let mut other = open(CancelToken::default());
    let reply = Script::new("echo heard >\"$dir/fifo\"").var("dir", &dir);
    let mut listener = AtFirst::new(|| {
        answered(other.perform(&act(reply.clone()), &mut Silent));
    });
    let script = Script::new("echo first; read -r line <\"$dir/fifo\"; echo \"$line\"").var("dir", &dir);
    let answer = answered(remote.perform(&act(script), &mut listener));
    assert_eq!(answer.stdout, b"first\nheard\n", "{:?}", answer.exit);
    remove(remote, &dir);
}

fn binary_output_is_whole(remote: &mut dyn Remote, _: Open) {
    let dir = directory(remote);
    let bytes = noise(20_000_000);
    let keep = Script::new("cat >\"$dir/noise\"").var("dir", &dir);
    answered(remote.send(&act(keep), &mut &bytes[..], &mut Silent));
    let mut heard = Heard::default();
    let script = Script::new("cat \"$dir/noise\"").var("dir", &dir);
    let answer = answered(remote.perform(&act(script), &mut heard));
    assert!(answer.stdout == bytes);
    assert!(heard.stdout == bytes);
    remove(remote, &dir);
}

fn both_streams_may_be_flooded(remote: &mut dyn Remote, _: Open) {
    let script = "flood() { head -c 100000000 /dev/zero | tr '\\0' \"$1\"; }; flood e >&2 & flood o; wait";
    let answer = run(remote, script);
    assert_eq!(answer.exit, Exit::Code(0));
    for (bytes, want) in [(answer.stdout, b'o'), (answer.stderr, b'e')] {
        assert_eq!(bytes.len(), 100_000_000);
        assert!(bytes.iter().all(|&byte| byte == want));
    }
}

fn a_long_script_arrives(remote: &mut dyn Remote, _: Open) {
    let long = "it's \"long\" $ ".repeat(300 * 1024 / 14);
    let script = Script::new("cat <<X\n$long\nX\n").var("long", &long);
    let answer = answered(remote.perform(&act(script.clone()), &mut Silent));
    assert!(answer.stdout == format!("{long}\n").as_bytes());
    let answer = answered(remote.send(&act(script), &mut io::empty(), &mut Silent));
    assert!(answer.stdout == format!("{long}\n").as_bytes());
}

fn a_background_child_does_not_keep_an_act(remote: &mut dyn Remote, _: Open) {
    let answer = run(remote, "sleep 1000 & echo $!");
    assert_eq!(answer.exit, Exit::Code(0));
    let pid = &pids(&answer.stdout)[0];
    text(remote, Script::new("kill \"$pid\"").var("pid", pid));
    are_gone(remote, std::slice::from_ref(pid));
}

fn late_output_is_not_the_next_acts(remote: &mut dyn Remote, open: Open) {
    let dir = directory(remote);
    let script = Script::new(
        "cd \"$dir\"; mkfifo go done; { read x <go; echo late; echo later >&2; echo >done; } & echo now",
    )
    .var("dir", &dir);
    assert_eq!(text(remote, script), "now");
    // Another connection lets it speak between two acts of this one, and waits until it has spoken.
    let mut other = open(CancelToken::default());
    let script = Script::new("cd \"$dir\"; echo >go; read x <done").var("dir", &dir);
    answered(other.perform(&act(script), &mut Silent));
    let answer = run(remote, "echo next");
    assert_eq!(answer.stdout, b"next\n");
    assert_eq!(answer.stderr, b"");
    remove(remote, &dir);
}

fn a_timeout_ends_the_command_and_its_children(remote: &mut dyn Remote, _: Open) {
    let shell = text(remote, Script::new("echo $PPID"));
    let limit = Duration::from_millis(300);
    let script =
        within(limit, "echo $$; sleep 1000 & echo $!; sh -c 'echo $$; sleep 1000; echo never'; echo never");
    let answer = answered(remote.perform(&script, &mut Silent));
    assert_eq!(answer.exit, Exit::TimedOut(limit));
    let pids = pids(&answer.stdout);
    assert_eq!(pids.len(), 3, "{answer:?}");
    are_gone(remote, &pids);
    assert_eq!(text(remote, Script::new("echo $PPID")), shell);
}

fn a_timeout_ends_what_ignores_term(remote: &mut dyn Remote, _: Open) {
    let limit = Duration::from_millis(300);
    let script = within(limit, "trap '' TERM; echo $$; sleep 1000 & echo $!; while :; do wait; done");
    let answer = answered(remote.perform(&script, &mut Silent));
    assert_eq!(answer.exit, Exit::TimedOut(limit));
    are_gone(remote, &pids(&answer.stdout));
    assert_eq!(run(remote, "echo well").stdout, b"well\n");
}

fn a_timeout_ends_a_flood(remote: &mut dyn Remote, _: Open) {
    let limit = Duration::from_millis(300);
    let script = within(limit, "while :; do echo flood; done");
    let answer = answered(remote.perform(&script, &mut Silent));
    assert_eq!(answer.exit, Exit::TimedOut(limit));
    assert!(answer.stdout.starts_with(b"flood\n"));
    assert_eq!(run(remote, "echo well").stdout, b"well\n");
}

fn an_interrupt_ends_the_command_and_its_children(_: &mut dyn Remote, open: Open) {
    let cancel_token = CancelToken::default();
    let mut remote = open(cancel_token.clone());
    let script = Script::new("sleep 1000 & echo $$ $!; sleep 1000");
    let mut listener = AtFirst::new(|| cancel_token.cancel());
    let answer = answered(remote.perform(&act(script), &mut listener));
    assert_eq!(answer.exit, Exit::Interrupted);
    cancel_token.clear();
    are_gone(&mut *remote, &pids(&answer.stdout));
    assert_eq!(run(&mut *remote, "echo well").stdout, b"well\n");
}

fn nothing_starts_while_the_interrupt_is_raised(_: &mut dyn Remote, open: Open) {
    let cancel_token = CancelToken::default();
    let mut remote = open(cancel_token.clone());
    cancel_token.cancel();
    let answer = run(&mut *remote, "echo started");
    assert_eq!(answer.exit, Exit::Interrupted);
    assert_eq!(answer.stdout, b"");
    let script = act(Script::new("echo started"));
    let answer = answered(remote.send(&script, &mut io::empty(), &mut Silent));
    assert_eq!(answer.exit, Exit::Interrupted);
    cancel_token.clear();
    assert_eq!(run(&mut *remote, "echo started").stdout, b"started\n");
}

fn a_payload_arrives_whole(remote: &mut dyn Remote, _: Open) {
    let bytes = noise(5_000_000);
    let mut heard = Heard::default();
    let script = act(Script::new("echo begin >&2; cat; echo end >&2; exit 5"));
    let answer = answered(remote.send(&script, &mut &bytes[..], &mut heard));
    assert_eq!(answer.exit, Exit::Code(5));
    assert!(answer.stdout == bytes);
    assert!(heard.stdout == bytes);
    assert_eq!(answer.stderr, b"begin\nend\n");
    assert_eq!(heard.sent, bytes.len() as u64);
}

fn every_byte_of_a_sending_script_arrives(remote: &mut dyn Remote, _: Open) {
    let bytes = odd_bytes();
    let script = Script::new("printf %s \"$bytes\"; cat").var("bytes", Word::new(bytes.clone()));
    let answer = answered(remote.send(&act(script), &mut &b"\nand more"[..], &mut Silent));
    assert_eq!(answer.stdout, [&bytes[..], b"\nand more"].concat());
}

fn a_payload_of_nothing_is_the_end_of_input(remote: &mut dyn Remote, _: Open) {
    let script = act(Script::new("cat; echo ended"));
    let answer = answered(remote.send(&script, &mut io::empty(), &mut Silent));
    assert_eq!(answer.stdout, b"ended\n");
}

fn a_reader_that_ends_early_ends_the_sending(remote: &mut dyn Remote, _: Open) {
    let script = act(Script::new("head -c 3; echo 'disk full' >&2; exit 7"));
    let mut heard = Heard::default();
    // The payload has no end: only the reader's can stop it.
    let answer = answered(remote.send(&script, &mut io::repeat(b'x'), &mut heard));
    assert_eq!(answer.exit, Exit::Code(7));
    assert_eq!(answer.stdout, b"xxx");
    assert_eq!(answer.stderr, b"disk full\n");
    assert!(heard.sent >= 3);
}

fn a_reader_may_close_its_input_and_go_on(remote: &mut dyn Remote, _: Open) {
    let script = act(Script::new("exec <&-; echo on"));
    let answer = answered(remote.send(&script, &mut io::repeat(b'x').take(9_000_000), &mut Silent));
    assert_eq!(answer.exit, Exit::Code(0));
    assert_eq!(answer.stdout, b"on\n");
}

fn outputs_are_drained_while_sending(remote: &mut dyn Remote, _: Open) {
    let bytes = noise(3_000_000);
    // Not by `/dev/stderr`: a pipe that the server made as root cannot be opened again.
    let script = "d=$(mktemp -d); mkfifo $d/fifo; cat $d/fifo >&2 & tee $d/fifo; wait; rm -r $d";
    let script = act(Script::new(script));
    let answer = answered(remote.send(&script, &mut &bytes[..], &mut Silent));
    assert!(answer.stdout == bytes);
    assert!(answer.stderr == bytes);
}

fn a_failing_sending_script_is_an_answer(remote: &mut dyn Remote, _: Open) {
    for script in ["set -e; cat >/dev/null; false", "if", "echo 'open", "no-such-command-at-all"] {
        let payload = &mut &b"payload"[..];
        let answer = answered(remote.send(&act(Script::new(script)), payload, &mut Silent));
        assert!(!answer.exit.is_success(), "{script}: {answer:?}");
    }
}

fn a_killed_sending_script_is_a_signal(remote: &mut dyn Remote, _: Open) {
    let script = act(Script::new("echo dying >&2; kill -9 $$; cat"));
    let answer = answered(remote.send(&script, &mut io::repeat(b'x'), &mut Silent));
    assert_eq!(answer.exit, Exit::Signal(9));
    assert!(answer.stderr.starts_with(b"dying\n"), "{answer:?}");
}

fn a_payload_that_cannot_be_read_leaves_no_half(remote: &mut dyn Remote, _: Open) {
    struct Failing(usize);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1..=3 => Ok(buffer.len()),
                _ => Err(io::Error::other("`app.js` changed while it was read")),
            }
        }
    }
    let dir = directory(remote);
    let script = Script::new("cd \"$dir\"; cat >part && mv part whole").var("dir", &dir);
    let lost = remote.send(&act(script), &mut Failing(0), &mut Silent);
    let why = "`app.js` changed while it was read".to_owned();
    assert_eq!(lost, Err(TransportError::Payload { why }));
    let files = text(remote, Script::new("ls \"$dir\"").var("dir", &dir));
    assert!(!files.contains("whole"), "{files}");
    remove(remote, &dir);
}

fn a_timeout_ends_a_sending(remote: &mut dyn Remote, _: Open) {
    let limit = Duration::from_millis(300);
    let script = within(limit, "sleep 1000 & echo $!; sh -c 'echo $$; sleep 1000'; cat");
    let answer = answered(remote.send(&script, &mut io::repeat(b'x'), &mut Silent));
    assert_eq!(answer.exit, Exit::TimedOut(limit));
    let pids = pids(&answer.stdout);
    assert_eq!(pids.len(), 2);
    are_gone(remote, &pids);
}

fn an_interrupt_ends_a_sending(_: &mut dyn Remote, open: Open) {
    let cancel_token = CancelToken::default();
    let mut remote = open(cancel_token.clone());
    let script = act(Script::new("sh -c 'echo $$; sleep 1000'; cat"));
    let mut listener = AtFirst::new(|| cancel_token.cancel());
    let answer = answered(remote.send(&script, &mut io::repeat(b'x'), &mut listener));
    assert_eq!(answer.exit, Exit::Interrupted);
    cancel_token.clear();
    are_gone(&mut *remote, &pids(&answer.stdout));
}

fn heartbeats_arrive(remote: &mut dyn Remote, _: Open) {
    let dir = directory(remote);
    let step = |body| act(Script::new(body).var("dir", &dir));
    let heartbeat = |every| Heartbeat {
        each_line: step("while IFS= read -r line; do echo x >>\"$dir/signs\"; done"),
        once: step("echo x >>\"$dir/signs\""),
        every,
    };
    remote.start_heartbeat(heartbeat(Duration::from_millis(10)));
    let until = "until [ -s \"$dir/signs\" ]; do sleep 0.01 2>/dev/null || sleep 1; done; echo heard";
    assert_eq!(text(remote, Script::new(until).var("dir", &dir)), "heard");
    // The host is this machine.
    let signs = Path::new(&dir).join("signs");
    let n = || fs::metadata(&signs).unwrap().len();
    let before = n();
    let start = Instant::now();
    while n() == before {
        assert!(start.elapsed() < Duration::from_secs(60), "no heartbeat while no act runs");
        remote.send_heartbeat();
        std::thread::yield_now();
    }
    remote.start_heartbeat(heartbeat(Duration::from_secs(3600)));
    remove(remote, &dir);
}

/// As the lock of a site does: open in later scripts, and closed when the shell ends.
fn what_an_act_keeps_lives_with_the_shell(remote: &mut dyn Remote, _: Open) {
    let dir = directory(remote);
    let prelude = Script::new("exec 9>>\"$dir/kept\"\nunset dir\n").var("dir", &dir);
    let first = Act { prelude: Some(prelude), ..act(Script::new("echo one >&9; echo \"${dir-unset}\"")) };
    let answer = answered(remote.perform(&first, &mut Silent));
    assert_eq!((answer.exit, answer.stdout), (Exit::Code(0), b"unset\n".to_vec()));
    text(remote, Script::new("echo two >&9"));
    assert_eq!(text(remote, Script::new("cat \"$dir/kept\"").var("dir", &dir)), "one\ntwo");
    let lost = remote.perform(&act(Script::new("kill -9 $PPID")), &mut Silent);
    assert!(matches!(lost, Err(TransportError::Gone { .. })), "{lost:?}");
    let is_open = Script::new("if { command : >&9; } 2>/dev/null; then echo open; else echo closed; fi");
    assert_eq!(text(remote, is_open), "closed");
    remove(remote, &dir);
}

fn a_killed_shell_is_a_loss(_: &mut dyn Remote, open: Open) {
    let mut remote = open(CancelToken::default());
    // What the script leaves behind keeps talking, which must not keep the loss from being noticed.
    let script = "echo 'last words' >&2; kill -9 $PPID; while :; do echo on || exit; done";
    let lost = remote.perform(&act(Script::new(script)), &mut Silent);
    match lost {
        Err(TransportError::Gone { why, .. }) => {
            assert!(why.contains("was killed by signal 9"), "{why}");
            assert!(why.contains("last words"), "{why}");
        }
        other => panic!("not lost but {other:?}"),
    }
    assert_eq!(run(&mut *remote, "echo well").stdout, b"well\n");
}

fn a_shell_that_died_idle_is_a_loss(remote: &mut dyn Remote, open: Open) {
    let mut mortal = open(CancelToken::default());
    let shell = text(&mut *mortal, Script::new("echo $PPID"));
    text(remote, Script::new("kill -9 \"$pid\"").var("pid", &shell));
    are_gone(remote, &[shell]);
    let script = act(Script::new("echo started"));
    let lost = mortal.perform(&script, &mut Silent);
    assert!(matches!(lost, Err(TransportError::Gone { .. })), "{lost:?}");
    assert_eq!(run(&mut *mortal, "echo well").stdout, b"well\n");
}

#[test]
fn the_local_transport_conforms() {
    conforms(&local);
}

#[test]
fn the_local_transport_conforms_where_there_is_no_setsid() {
    let programs = programs_but(&["setsid"], None);
    conforms(&with_path(programs.path()));
}

#[test]
fn the_local_transport_conforms_with_other_shells() {
    for shell in ["bash", "busybox", "mksh", "yash", "ksh93"] {
        let Some(shell) = find(shell) else { continue };
        eprintln!("{}", shell.display());
        let programs = programs_but(&["sh"], Some(&shell));
        conforms(&with_path(programs.path()));
    }
}

#[test]
fn openssh_conforms() {
    let sshd = Sshd::openssh();
    conforms(&|cancel_token| ssh(sshd.target(), cancel_token));
}

#[test]
fn dropbear_with_busybox_conforms() {
    let sshd = Sshd::dropbear();
    conforms(&|cancel_token| ssh(sshd.target(), cancel_token));
}

fn with_path(path: &Path) -> impl Fn(CancelToken) -> Box<dyn Remote> {
    move |cancel_token| Box::new(FramedRemote::new(Local::default().env("PATH", path), cancel_token))
}

/// A directory with all the programs of this machine but some, and maybe another `sh`.
fn programs_but(missing: &[&str], sh: Option<&Path>) -> tempfile::TempDir {
    let programs = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for from in std::env::split_paths(&path) {
        for program in fs::read_dir(from).into_iter().flatten().flatten() {
            let name = program.file_name();
            if !missing.iter().any(|missing| name == *missing) {
                // The first of a name is the one that counts.
                let _ = symlink(program.path(), programs.path().join(name));
            }
        }
    }
    if let Some(sh) = sh {
        symlink(sh, programs.path().join("sh")).unwrap();
    }
    programs
}

fn find(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|program| program.is_file())
}
