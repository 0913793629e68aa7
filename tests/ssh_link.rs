//! What is particular to ssh: login shells, round trips, and lines that are cut or freeze.

#![allow(clippy::unwrap_used)]

#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/sshd.rs"]
mod sshd;
#[path = "support/target.rs"]
mod target;

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use runner::parts::release::SharedPath;
use runner::parts::release::lock::Owner;
use runner::parts::release::probe::probe;
use runner::parts::release::take::{LockRequest, take};
use runner::parts::shell::{Act, Answer, Effect, Exit, Script, Step, Word};
use runner::parts::transport::framed::FramedRemote;
use runner::parts::transport::mark::Nonce;
use runner::parts::transport::ssh::link::Ssh;
use runner::parts::transport::ssh::{SshTarget, dial};
use runner::parts::transport::{CancelToken, Listener, Remote, Silent, Stream, TransportError, encode, ssh};

use crate::proxy::{Fault, Proxy, fewest};
use crate::sshd::Sshd;

/// What a connection that is known to be well is given to be silent.
const LONG: Duration = Duration::from_secs(45);
/// The least that `Ssh` does with.
const SHORT: Duration = Duration::from_secs(6);
/// What a busy machine may need for what is done at once: less than any silence that could be waited for.
const AT_ONCE: Duration = Duration::from_secs(20);

/// Through the port, which may be a proxy's, and with so much patience.
fn open(sshd: &Sshd, port: u16, silence: Duration) -> Box<dyn Remote> {
    ssh(SshTarget { port: Some(port), silence, ..sshd.target() }, CancelToken::default())
}

fn act(script: Script) -> Act {
    let limit = Some(Duration::from_secs(60));
    Step::new("check", Effect::Writes, script, |_| Ok(())).timeout(limit).act
}

/// One that may travel in the command.
fn public(script: Script) -> Act {
    Act { is_public: true, ..act(script) }
}

#[track_caller]
fn answered(reply: Result<Answer, TransportError>) -> Answer {
    match reply {
        Ok(answer) => answer,
        other => panic!("no answer but {other:?}"),
    }
}

#[track_caller]
fn text(remote: &mut dyn Remote, act: &Act) -> String {
    let answer = answered(remote.perform(act, &mut Silent));
    assert_eq!(answer.exit, Exit::Code(0), "{answer:?}");
    String::from_utf8(answer.stdout).unwrap()
}

fn odd_bytes() -> Word {
    let mut bytes: Vec<u8> = (1..=255).collect();
    bytes.extend(b"\\\\'\\''\"\"`$$x$(y)`z`\\n\\047%s%%\\\n\n  \n!!~*?[a]{b,c}#;&|<>()0123");
    Word::new(bytes)
}

/// In a login shell whose start files talk on both streams.
fn works_in(shell: &str, sshd: &Sshd) {
    let noise = "echo noise\necho noise >&2\n";
    let noise = if shell == "csh" { "echo noise\nsh -c 'echo noise >&2'\n" } else { noise };
    fs::create_dir_all(sshd.home().join(".config/fish")).unwrap();
    for file in [".bashrc", ".profile", ".zshenv", ".zshrc", ".cshrc", ".login", ".config/fish/config.fish"] {
        fs::write(sshd.home().join(file), noise).unwrap();
    }
    let remote = || open(sshd, sshd.port, LONG);
    let echo = || Script::new("printf %s \"$bytes\"; echo \"$# $PPID\" >&2").var("bytes", odd_bytes());

    let mut first = remote();
    let on_the_way = answered(first.perform(&public(echo()), &mut Silent));
    let then = answered(first.perform(&act(echo()), &mut Silent));
    assert_eq!(on_the_way.stdout, odd_bytes().as_bytes(), "{shell}");
    assert_eq!(on_the_way, then, "{shell}");
    let sent = answered(first.send(&act(Script::new("cat")), &mut &b"payload"[..], &mut Silent));
    assert_eq!(sent.stdout, b"payload", "{shell}");
    assert_eq!(sent.stderr, b"", "{shell}");
    let limit = Duration::from_millis(300);
    let slow = Act { timeout: Some(limit), ..public(Script::new("echo $$; sleep 1000")) };
    for mut remote in [first, remote()] {
        let answer = answered(remote.perform(&slow, &mut Silent));
        assert_eq!(answer.exit, Exit::TimedOut(limit), "{shell}");
        let answer = answered(remote.send(&slow, &mut io::repeat(b'x'), &mut Silent));
        assert_eq!(answer.exit, Exit::TimedOut(limit), "{shell}");
        assert_eq!(text(&mut *remote, &act(Script::new("echo well"))), "well\n", "{shell}");
    }
    // One whose first act cannot travel in the command.
    assert_eq!(text(&mut *remote(), &act(Script::new("echo well"))), "well\n", "{shell}");
}

#[test]
fn every_login_shell_will_do() {
    assert!(
        rustix::process::geteuid().is_root(),
        "users with other login shells are made by root: run this test as root"
    );
    for shell in ["sh", "bash", "rbash", "zsh", "fish", "csh"] {
        works_in(shell, &Sshd::with(shell, ""));
    }
    works_in("busybox", &Sshd::dropbear());
}

#[test]
fn the_first_step_travels_in_the_command() {
    let path = |n| SharedPath::parse(&format!("storage/framework/cache-{n}/")).unwrap();
    let shared: Vec<_> = (0..10).map(path).collect();
    let root = "/var/www/applications/shop.example.com";
    let owner = Owner {
        run: Nonce::random().to_string(),
        host: "web1.example.com".to_owned(),
        by: "somebody@laptop.example.com".to_owned(),
        since: Some("2026-11-25T22:00:00Z".parse().unwrap()),
        flow: "deploy".to_owned(),
    };
    let timeout = Duration::from_secs(10);
    let request = LockRequest { owner: &owner, is_again: false, identity: None, renames: false, timeout };
    let bytes = |act: &Act| {
        assert!(act.is_public);
        encode::bootstrap(&Nonce::random().mark(0), act).len()
    };
    let [probe, lock] = [bytes(&probe(root, &shared).act), bytes(&take(root, &shared, &request, None).act)];
    println!("bytes of the first step: {probe} to look, {lock} to lock");
    // Also to a dropbear, which takes 9,000 bytes at most.
    assert!(probe < 8000, "{probe} bytes");
    // In one packet of any server.
    assert!(lock < 30_000, "{lock} bytes");
}

/// The trips since the login, after a first act that may be read, after each of two packs, and after another act.
fn trips(sshd: &Sshd, delay: Duration) -> [u64; 4] {
    let proxy = Proxy::new(sshd.port, delay);
    let n_trips = proxy.n_trips();
    let login = Arc::new(AtomicU64::new(0));
    let (told, n_now) = (Arc::clone(&login), proxy.n_trips());
    let target = SshTarget { port: Some(proxy.port), ..sshd.target() };
    let connect = move || {
        let connection = dial::connect(&target, &CancelToken::default());
        told.store(n_now(), Ordering::SeqCst);
        connection
    };
    let mut remote = FramedRemote::new(Ssh::new(LONG, connect), CancelToken::default());
    let since = || n_trips() - login.load(Ordering::SeqCst);
    let hello = || Script::new("echo hello");
    assert_eq!(text(&mut remote, &public(hello())), "hello\n");
    let first = since();
    let packs = [(); 2].map(|()| {
        let answer = answered(remote.send(&act(Script::new("cat")), &mut &b"pack"[..], &mut Silent));
        assert_eq!(answer.stdout, b"pack");
        since()
    });
    assert_eq!(text(&mut remote, &act(hello())), "hello\n");
    [first, packs[0], packs[1], since()]
}

#[test]
fn a_first_act_that_may_be_read_and_a_pack_take_two_trips_and_another_act_one() {
    let sshd = Sshd::openssh();
    // The channel of a pack is opened while the act before it is performed.
    let expected = [2, 4, 6, 7];
    let fewest = fewest(&expected, |delay| trips(&sshd, delay));
    assert_eq!(fewest, expected);
}

#[test]
fn a_script_that_is_too_long_for_the_command_is_told_to_the_shell() {
    // dropbear takes less than others.
    for (sshd, n) in [(Sshd::openssh(), 8_000), (Sshd::dropbear(), 3_000)] {
        let mut remote = open(&sshd, sshd.port, LONG);
        let long = "long ".repeat(n);
        let script = Script::new("printf %s \"$long\"").var("long", &long);
        assert_eq!(text(&mut *remote, &public(script)), long);
    }
}

/// What a deploy does to a line: two acts, a pack of 1 MB, an act.
fn flow(remote: &mut dyn Remote) -> Result<(), TransportError> {
    let hello = |n: usize| Script::new("echo \"hello $n\"; head -c 20000 /dev/zero").var("n", n);
    remote.perform(&public(hello(1)), &mut Silent)?;
    remote.perform(&act(hello(2)), &mut Silent)?;
    let pack = vec![b'p'; 1_000_000];
    let reply = remote.send(&act(Script::new("wc -c")), &mut &pack[..], &mut Silent)?;
    assert_eq!(answered(Ok(reply)).stdout.trim_ascii(), b"1000000");
    remote.perform(&act(hello(3)), &mut Silent)?;
    Ok(())
}

#[test]
fn a_line_that_is_cut_anywhere_is_an_error_within_a_second() {
    let sshd = Sshd::openssh();
    let whole = Proxy::new(sshd.port, Duration::ZERO);
    flow(&mut *open(&sshd, whole.port, LONG)).unwrap();
    let total = whole.bytes();
    assert!(total > 1_000_000);
    // A third of them where one connects and asks, the others along the pack.
    let early = (0..18).map(|n| 1 + n * 600);
    let late = (0..34).map(|n| 12_000 + n * (total - 16_000) / 33);
    let mut n_refused = 0;
    let mut most = 0;
    let mut longest = Duration::ZERO;
    for at in early.chain(late) {
        let proxy = Proxy::new(sshd.port, Duration::ZERO).after(at, Fault::Cut);
        let mut remote = open(&sshd, proxy.port, LONG);
        let lost = flow(&mut *remote).expect_err("a line that was cut did all");
        let struck = proxy.struck().expect("the line was not cut");
        let took = struck.elapsed();
        assert!(took < AT_ONCE, "{at}: {took:?} until {lost}");
        match lost {
            // A server that hangs up before it has said anything may be too busy: it is tried again.
            TransportError::Refused { .. } => n_refused += 1,
            TransportError::Gone { sent, .. } => {
                longest = longest.max(took);
                most = most.max(sent);
            }
            TransportError::Payload { .. } => panic!("{lost}"),
        }
        let start = Instant::now();
        drop(remote);
        assert!(start.elapsed() < AT_ONCE, "{at}: {:?} to let go", start.elapsed());
    }
    println!("the longest time from a cut to its error was {longest:?}");
    assert!(n_refused >= 3, "{n_refused}");
    // How far a pack came is told, and more than the line, the socket and two blocks hold was not taken.
    assert!(most > 300_000, "{most}");
}

#[test]
fn after_a_loss_the_next_act_connects_anew() {
    let sshd = Sshd::openssh();
    let proxy = Proxy::new(sshd.port, Duration::ZERO);
    let mut remote = open(&sshd, proxy.port, LONG);
    let shell = Script::new("echo $PPID");
    let before = text(&mut *remote, &public(shell.clone()));
    proxy.cut();
    let lost = remote.perform(&act(shell.clone()), &mut Silent);
    assert!(matches!(lost, Err(TransportError::Gone { .. })), "{lost:?}");
    let then = text(&mut *remote, &act(shell.clone()));
    assert_ne!(before, then);
    proxy.cut();
    let lost = remote.send(&act(shell.clone()), &mut io::empty(), &mut Silent);
    assert!(matches!(lost, Err(TransportError::Gone { .. })), "{lost:?}");
    let after = text(&mut *remote, &act(shell));
    assert_ne!(then, after);
}

/// Freezes the line at the first output.
struct Freezing<'a>(&'a Proxy);

impl Listener for Freezing<'_> {
    fn output(&mut self, _stream: Stream, _bytes: &[u8]) {
        self.0.freeze();
    }
}

#[track_caller]
fn is_given_up(lost: Result<Answer, TransportError>, since: Instant) {
    let Err(TransportError::Gone { why, .. }) = lost else { panic!("not lost but {lost:?}") };
    assert!(why.contains("the host sent nothing"), "{why}");
    println!("given up after {:?} with {SHORT:?} of silence allowed", since.elapsed());
    assert!(since.elapsed() < SHORT + AT_ONCE, "{:?}", since.elapsed());
}

#[test]
fn a_line_that_freezes_is_given_up_and_a_silent_command_is_not() {
    let sshd = Sshd::openssh();
    let open = |proxy: &Proxy| open(&sshd, proxy.port, SHORT);
    thread::scope(|scope| {
        scope.spawn(|| {
            let proxy = Proxy::new(sshd.port, Duration::ZERO);
            let mut remote = open(&proxy);
            let script = act(Script::new("echo begun; sleep 30"));
            let lost = remote.perform(&script, &mut Freezing(&proxy));
            is_given_up(lost, proxy.struck().unwrap());
            let start = Instant::now();
            drop(remote);
            assert!(start.elapsed() < AT_ONCE);
        });
        scope.spawn(|| {
            let proxy = Proxy::new(sshd.port, Duration::ZERO);
            let mut remote = open(&proxy);
            let script = act(Script::new("echo begun; cat"));
            let lost = remote.send(&script, &mut io::repeat(b'x'), &mut Freezing(&proxy));
            is_given_up(lost, proxy.struck().unwrap());
        });
        scope.spawn(|| {
            let proxy = Proxy::new(sshd.port, Duration::ZERO);
            let mut remote = open(&proxy);
            text(&mut *remote, &act(Script::new("echo well")));
            proxy.freeze();
            // The host idles at a barrier meanwhile.
            thread::sleep(SHORT + Duration::from_secs(1));
            let start = Instant::now();
            let lost = remote.perform(&act(Script::new("echo well")), &mut Silent);
            assert!(matches!(lost, Err(TransportError::Gone { .. })), "{lost:?}");
            // It was known before, and not waited for once more.
            assert!(start.elapsed() < SHORT, "{:?}", start.elapsed());
        });
        scope.spawn(|| {
            let proxy = Proxy::new(sshd.port, Duration::ZERO);
            let mut remote = open(&proxy);
            let script = act(Script::new("sleep 10; echo well"));
            assert_eq!(text(&mut *remote, &script), "well\n");
        });
    });
}

#[test]
fn many_channels_that_come_and_go_leave_the_connection_well() {
    let sshd = Sshd::openssh();
    let mut remote = open(&sshd, sshd.port, LONG);
    let shell = text(&mut *remote, &act(Script::new("echo $PPID")));
    for n in 0..40_usize {
        let script = act(Script::new("echo $n").var("n", n));
        let sent = answered(remote.send(&script, &mut io::empty(), &mut Silent));
        assert_eq!(sent.stdout, format!("{n}\n").into_bytes());
    }
    assert_eq!(text(&mut *remote, &act(Script::new("echo $PPID"))), shell);
}

#[test]
fn an_upload_that_ends_while_it_is_ended_leaves_the_connection_well() {
    // dropbear takes the end of one channel's process for that of a channel that is being opened; the delay is the
    // time that takes.
    let sshd = Sshd::dropbear();
    let proxy = Proxy::new(sshd.port, Duration::from_millis(25));
    let mut remote = open(&sshd, proxy.port, LONG);
    let shell = text(&mut *remote, &act(Script::new("echo $PPID")));
    for n in 0..20 {
        let limit = Duration::from_millis(90 + 3 * n);
        let slow = Act { timeout: Some(limit), ..act(Script::new("sleep 0.15")) };
        let answer = answered(remote.send(&slow, &mut io::repeat(b'x'), &mut Silent));
        assert!(matches!(answer.exit, Exit::TimedOut(_) | Exit::Code(0)), "{answer:?}");
    }
    assert_eq!(text(&mut *remote, &act(Script::new("echo $PPID"))), shell);
}

#[test]
fn a_host_that_allows_one_channel_only_says_so() {
    let sshd = Sshd::with("sh", "MaxSessions 1");
    let mut remote = open(&sshd, sshd.port, LONG);
    let shell = text(&mut *remote, &act(Script::new("echo $PPID")));
    let lost = remote.send(&act(Script::new("cat")), &mut io::empty(), &mut Silent);
    let Err(TransportError::Refused { report }) = lost else { panic!("not refused but {lost:?}") };
    assert!(report.message.contains("`MaxSessions`"), "{report}");
    assert_eq!(text(&mut *remote, &act(Script::new("echo $PPID"))), shell);
}

#[test]
fn a_connection_that_changes_its_keys_is_well() {
    let sshd = Sshd::with("sh", "RekeyLimit 1M");
    let mut remote = open(&sshd, sshd.port, LONG);
    let pack: Vec<u8> = (0..20_000_000_u32).map(|n| (n >> 8) as u8).collect();
    let answer = answered(remote.send(&act(Script::new("cat")), &mut &pack[..], &mut Silent));
    assert!(answer.stdout == pack);
    assert_eq!(text(&mut *remote, &act(Script::new("echo well"))), "well\n");
}
