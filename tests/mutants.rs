//! Fuzzing: shells and web servers that send corrupted output: no panic, no hang, bounded memory, no false success.
//!
//! `tests/run` takes a sample, `.ci/long mutants` 2,000 of each. `RUNNER_SEED` chooses which.

#![allow(clippy::unwrap_used)]

#[path = "support/random.rs"]
mod random;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use random::Random;
use support::{Ran, Test, repeats, tree};

/// The limit for a run: a script may take 120 s to begin.
const LIMIT: Duration = Duration::from_secs(170);
/// The most memory of a run in KiB: an answer of 128 MiB, once more while it is read, and the program itself.
const MEMORY: u64 = 420 * 1024;

/// Runs the program within the limits. Returns what it said, its peak memory in KiB (proc(5)) and how long it took.
fn limited(mut command: Command, what: &str) -> (Ran, u64, Duration) {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let readers = [Box::new(out) as Box<dyn Read + Send>, Box::new(err)].map(|mut stream| {
        thread::spawn(move || {
            let mut text = Vec::new();
            stream.read_to_end(&mut text).unwrap();
            text
        })
    });
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let code = loop {
        let line = fs::read_to_string(&status).unwrap_or_default();
        let line = line.lines().find_map(|line| line.strip_prefix("VmHWM:").map(str::to_owned));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(kib.unwrap_or_default());
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if began.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("no exit within {LIMIT:?}: {what}");
        }
        thread::sleep(Duration::from_millis(2));
    };
    let [out, err] = readers.map(|reader| String::from_utf8_lossy(&reader.join().unwrap()).into_owned());
    (Ran { code, out, err }, peak, began.elapsed())
}

/// Calls `act` for 0..n on four threads. `RUNNER_MUTANT=17` calls it for 17 only.
fn each(n: usize, act: impl Fn(usize) + Sync) {
    if let Some(only) = std::env::var("RUNNER_MUTANT").ok().and_then(|only| only.parse().ok()) {
        return act(only);
    }
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= n {
                        return;
                    }
                    act(i);
                }
            });
        }
    });
}

const SETTINGS: &str = "[settings]\nsource = \"source\"\nconfirm_within = 2\nshared = [\"up/\"]\n\
                        [stage.local]\npath = \"site\"\ntransport = \"local\"\n";

fn version(test: Test, version: &str) -> Test {
    let test = test.toml(SETTINGS).source("index", version).source("a/b c", version).source("same", "same");
    let files = (0..20).fold(test, |test, n| test.source(&format!("n/{n}"), &format!("{n}")));
    files.recipe("task(\"prepare\", |host| { host.write(\"note\", host.run(\"echo 5\")); });\n")
}

/// The files of a complete release, without the link to `shared/`.
fn wanted(version: &str) -> BTreeMap<Vec<u8>, String> {
    let mut files: BTreeMap<Vec<u8>, String> = BTreeMap::new();
    for (path, text) in [("index", version), ("a/b c", version), ("same", "same"), ("note", "5")] {
        files.insert(path.into(), text.to_owned());
    }
    files.extend((0..20).map(|n| (format!("n/{n}").into(), n.to_string())));
    files
}

fn served(test: &Test) -> BTreeMap<Vec<u8>, String> {
    let root = test.path("site/current");
    let files = tree(&root).into_keys();
    let texts = files.filter_map(|path| {
        let at = root.join(Path::new(std::str::from_utf8(&path).unwrap()));
        at.is_file().then(|| (path, fs::read_to_string(at).unwrap()))
    });
    texts.collect()
}

#[test]
fn corrupted_shell_output_never_causes_a_false_success() {
    let random = Random::new();
    let base = version(Test::new(), "1");
    base.deploy();
    let base = version(base, "2");
    base.deploy();
    let (n_well, n_told, peak, longest) =
        (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
    each(repeats(20, 2000), |i| {
        let mut chance = random.of_case(i as u64);
        let which = if chance.below(10) < 7 { 0 } else { 1 + chance.below(4) };
        let stream = if chance.below(10) < 8 { "out" } else { "err" };
        let modes = [
            "bit", "noise", "digits", "drop", "again", "insert", "lines", "huge", "cut", "bit", "bit",
            "endless",
        ];
        let mode = chance.one_of(&modes);
        let is_early = chance.below(3) == 0;
        let at = chance.below(if is_early { 200 } else { 4000 });
        let words: &[&str] = match chance.below(10) {
            0 => &["rollback"],
            1 => &["status"],
            2 => &["releases"],
            3 => &["--plan"],
            4 => &["doctor"],
            _ => &[],
        };
        let mutant = format!("{which} {stream} {mode} {at} {}", chance.below(1 << 31));
        let what = format!("{i}: {words:?}, MUTANT={mutant}");
        let test = version(Test::new(), "3");
        let copied = Command::new("cp").arg("-a").arg(base.path("site")).arg(test.path("site")).status();
        assert!(copied.unwrap().success());
        let test = test.write("bin/sh", include_str!("support/mutant.pl")).mode("bin/sh", 0o755);
        let mut command = test.command(words);
        let path = format!("{}:{}", test.path("bin").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("MUTANT", &mutant);
        let (ran, kib, took) = limited(command, &what);
        peak.fetch_max(kib, Ordering::Relaxed);
        longest.fetch_max(took.as_millis() as u64, Ordering::Relaxed);
        assert!(matches!(ran.code, Some(0 | 1 | 3 | 4)), "{what}\n{ran}");
        ran.says_not("panicked");
        assert!(kib < MEMORY, "{what}: {kib} KiB\n{ran}");
        let now = served(&test);
        let is = ["1", "2", "3"].into_iter().find(|version| wanted(version) == now);
        assert!(is.is_some(), "{what}: the served files are no complete release\n{now:?}\n{ran}");
        match (ran.code, words) {
            (Some(0), []) => assert_eq!(is, Some("3"), "{what}\n{ran}"),
            (Some(0), ["rollback"]) => assert_eq!(is, Some("1"), "{what}\n{ran}"),
            (_, [] | ["rollback"]) => {}
            _ => assert_eq!(is, Some("2"), "{what}\n{ran}"),
        }
        let count = if ran.code == Some(0) { &n_well } else { &n_told };
        count.fetch_add(1, Ordering::Relaxed);
        // Whatever happened, the next run succeeds.
        if words.is_empty() && ran.code != Some(0) {
            let next = test.run(&["--wait"]);
            assert_eq!(next.code, Some(0), "{what}\n{ran}\n{next}");
            assert_eq!(served(&test), wanted("3"), "{what}\n{ran}\n{next}");
        }
    });
    println!(
        "{} runs succeeded, {} reported an error; at most {} MiB, {:.1} s",
        n_well.into_inner(),
        n_told.into_inner(),
        peak.into_inner() / 1024,
        longest.into_inner() as f64 / 1000.0
    );
}

/// A response of a web server, as it should be.
fn response(chance: &mut Random) -> Vec<u8> {
    let body = "so it goes\n".repeat(chance.below(400) as usize);
    let text = match chance.below(6) {
        0 => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-A: b\r\n\r\n{body}", body.len()),
        1 => format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len().max(1)
        ),
        2 => format!(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
        3 => format!("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n{body}"),
        4 => "HTTP/1.1 204 No Content\r\nDate: today\r\n\r\n".to_owned(),
        _ => "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".to_owned(),
    };
    text.into_bytes()
}

/// The same of a FastCGI pool (its specification, 3.3 and 5).
fn fastcgi_response(chance: &mut Random) -> Vec<u8> {
    let record = |kind: u8, content: &[u8]| {
        let length = (content.len() as u16).to_be_bytes();
        [&[1, kind, 0, 1, length[0], length[1], 0, 0][..], content].concat()
    };
    let body = "so it goes\n".repeat(chance.below(400) as usize);
    let text = format!("Status: 200 OK\r\nContent-Type: text/html\r\n\r\n{body}");
    let records = [record(6, text.as_bytes()), record(7, b"a warning"), record(6, b""), record(3, &[0; 8])];
    records.concat()
}

/// Sends a corrupted response. Returns false once the client has closed the connection.
fn lies(stream: &mut TcpStream, chance: &mut Random, is_fastcgi: bool) -> bool {
    let mut bytes = if is_fastcgi { fastcgi_response(chance) } else { response(chance) };
    let at = chance.below(bytes.len() as u64) as usize;
    let endless = |stream: &mut TcpStream, block: &[u8]| while stream.write_all(block).is_ok() {};
    match chance.below(12) {
        0 => bytes[at] ^= 1 << chance.below(8),
        1 => bytes[at..].iter_mut().for_each(|byte| {
            if chance.below(20) == 0 {
                *byte = chance.below(256) as u8
            }
        }),
        2 => bytes[at..].iter_mut().filter(|byte| byte.is_ascii_digit()).for_each(|byte| *byte = b'9'),
        3 => drop(bytes.drain(at..(at + 1 + chance.below(40) as usize).min(bytes.len()))),
        4 => bytes.extend_from_within(at..),
        5 => drop(bytes.splice(at..at, b"\r\n\r\n\0".repeat(20))),
        6 => drop(bytes.splice(at..at, b"A".repeat(5_000_000))),
        7 => bytes.truncate(at),
        8 => {
            bytes.truncate(at);
            let _ = stream.write_all(&bytes);
            endless(stream, &b"X-Header: so it goes on\r\n".repeat(3000));
            return false;
        }
        9 => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            endless(stream, &b"1\r\nx\r\n".repeat(10_000));
            return false;
        }
        10 => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n");
            endless(stream, &b"x".repeat(50_000));
            return false;
        }
        // It says nothing more, and waits.
        _ => {
            let _ = stream.write_all(&bytes[..at]);
            let _ = stream.read_to_end(&mut Vec::new());
            return false;
        }
    }
    stream.write_all(&bytes).is_ok()
}

/// Answers each request by the number in its path.
fn web_server(seed: u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // It ends with the test.
    thread::spawn(move || {
        for (n_all, mut stream) in (0..).zip(listener.incoming().map_while(Result::ok)) {
            thread::spawn(move || {
                let mut request = [0; 2048];
                let n = stream.read(&mut request).unwrap_or_default();
                let text = String::from_utf8_lossy(&request[..n]).into_owned();
                let number = text.split(['/', ' ']).find_map(|word| word.parse().ok()).unwrap_or(n_all);
                lies(&mut stream, &mut Random(seed).of_case(number), request[0] == 1);
            });
        }
    });
    port
}

#[test]
fn a_corrupted_response_never_hangs_a_run() {
    const EACH: usize = 20;
    let random = Random::new();
    let port = web_server(random.0);
    let (n_answers, n_failures, peak, longest) =
        (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    each(repeats(3, 100), |i| {
        let from = i * EACH;
        let recipe = format!(
            "task(\"preflight\", |host| {{
                 let answers = 0;
                 for n in {from}..{} {{
                     let options = #{{ timeout: 1, expect: [] }};
                     try {{
                         switch n % 4 {{
                             0 => http_get(`http://127.0.0.1:{port}/${{n}}`, options),
                             1 => host.http(`https://127.0.0.1:{port}/${{n}}`, options),
                             2 => host.fastcgi(`127.0.0.1:{port}`, `/${{n}}/index.php`, options),
                             _ => host.http(`http://127.0.0.1:{port}/${{n}}`, options),
                         }}
                         answers += 1;
                     }} catch (error) {{ }}
                 }}
                 print(`answers: ${{answers}}`);
             }});",
            from + EACH
        );
        let test = Test::new().source("index", "1").recipe(&recipe);
        let what = format!("{i}");
        let (ran, kib, took) = limited(test.command(&[]), &what);
        assert_eq!(ran.code, Some(0), "{what}\n{ran}");
        ran.says_not("panicked");
        assert!(kib < MEMORY, "{what}: {kib} KiB");
        // A request takes its second, and little more.
        assert!(took < Duration::from_secs(3 * EACH as u64), "{what}: {took:?}\n{ran}");
        let n = ran.err.lines().find_map(|line| line.trim().strip_prefix("answers: ")?.parse().ok());
        let n: u64 = n.unwrap_or_else(|| panic!("{ran}"));
        n_answers.fetch_add(n, Ordering::Relaxed);
        n_failures.fetch_add(EACH as u64 - n, Ordering::Relaxed);
        peak.fetch_max(kib, Ordering::Relaxed);
        longest.fetch_max(took.as_millis() as u64, Ordering::Relaxed);
    });
    println!(
        "{} responses accepted, {} requests failed; at most {} MiB, {:.1} s for {EACH} requests",
        n_answers.into_inner(),
        n_failures.into_inner(),
        peak.into_inner() / 1024,
        longest.into_inner() as f64 / 1000.0
    );
}
