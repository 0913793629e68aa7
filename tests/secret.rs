//! What `secret()` answers is shown by nothing: no output, no error, no list of processes, no file that the recipe did not
//! write, however a command ends.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/project.rs"]
mod project;
mod support;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use support::sshd::Sshd;
use support::{Ran, Test, tree};

/// No six bytes of it in a row are found in anything but it: so a part of it is a leak as well.
const PLAIN: &str = "Zq7vXk-31tokWm9";
/// What shells, JSON and the mask's own habits could trip over.
const ODD: &str = "Hj4fPa'yQwRtE\"8rBnZu\\5tKzWq $Lp2KjH mXv6Bf \nGd9sVcu ";

/// The parts of a secret that nothing may show: all of its runs of six bytes in which shells and JSON change nothing.
fn parts(secret: &str) -> Vec<String> {
    let runs = secret.split(|c: char| "'\"\\\n$ ".contains(c));
    runs.filter(|run| run.len() >= 6)
        .flat_map(|run| (0..=run.len() - 6).map(|at| run[at..at + 6].to_owned()))
        .collect()
}

#[track_caller]
fn shows_nothing(what: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    for part in [PLAIN, ODD].into_iter().flat_map(parts) {
        if let Some(at) = text.find(&part) {
            let line = text[..at].matches('\n').count();
            panic!("`{part}` is in {what}: {}", text.lines().nth(line).unwrap_or_default());
        }
    }
}

/// Nothing that a test made holds a secret, but for what `is_the_recipes` says.
#[track_caller]
fn is_in_no_file(root: &Path, is_the_recipes: impl Fn(&str) -> bool) {
    for (path, what) in tree(root) {
        let name = String::from_utf8_lossy(&path);
        shows_nothing("the name of a file", &path);
        if !is_the_recipes(&name) {
            // As bytes, for `tree` shows them escaped.
            let path = root.join(std::ffi::OsStr::from_bytes(&path));
            if what.starts_with("file") {
                shows_nothing(&name, &fs::read(path).unwrap());
            } else {
                shows_nothing(&name, what.as_bytes());
            }
        }
    }
}

fn test() -> Test {
    Test::new().source("index", "one").env("PLAIN", PLAIN).env("ODD", ODD)
}

/// How a recipe may treat secrets `plain` and `odd`, and `how` a run of it ends.
struct Case {
    body: &'static str,
    code: i32,
}

const fn case(code: i32, body: &'static str) -> Case {
    Case { body, code }
}

/// Commands, said of `host.run`; each is tried by `local` as well.
const COMMANDS: [Case; 16] = [
    case(
        0,
        r#"run("printf '%s\n' \"$A\" \"$B\"; printf '%s\n' \"$A\" \"$B\" >&2", #{ env: #{ A: plain, B: odd } });"#,
    ),
    case(
        0,
        r#"run(`printf '%s\n' ${quote(plain)} ${quote(odd)}; printf '%s\n' ${quote(plain)} ${quote(odd)} >&2`, #{});"#,
    ),
    case(1, r#"run("printf '%s\n' \"$A\" \"$B\" >&2; exit 3", #{ env: #{ A: plain, B: odd } });"#),
    case(1, r#"run(`printf '%s\n' ${quote(plain)} ${quote(odd)}; exit 3`, #{});"#),
    case(1, r#"run("printf '%s\n' \"$A\" \"$B\" >&2; kill -9 $$", #{ env: #{ A: plain, B: odd } });"#),
    case(1, r#"run(`printf '%s' ${quote(plain)} ${quote(odd)}; kill -TERM $$`, #{});"#),
    case(1, r#"run(`printf "%s " ${quote(plain)} ${quote(odd)}; exec sleep 1000`, #{ timeout: 1 });"#),
    case(
        1,
        r#"run("printf \"%s \" \"$A\" \"$B\"; exec sleep 1000", #{ timeout: 1, env: #{ A: plain, B: odd } });"#,
    ),
    case(1, r#"run(quote(plain) + " with arguments", #{});"#),
    case(1, r#"run(quote(odd) + " with arguments", #{});"#),
    case(1, r#"run(`echo ${quote(plain)}; (`, #{});"#),
    case(1, r#"run(`set -x; : ${quote(plain)} ${quote(odd)}; false`, #{});"#),
    case(1, r#"run(`cat /${quote(plain)} /${quote(odd)}`, #{});"#),
    case(1, r#"run("true", #{ cwd: plain });"#),
    case(1, r#"run("true", #{ cwd: odd });"#),
    case(1, r#"run("true", #{ timeout: plain });"#),
];

/// Everything else.
const OTHERS: [Case; 26] = [
    case(1, "fail(plain + odd);"),
    case(1, "host.fail(`no ${odd} and ${plain}`);"),
    case(1, "throw plain;"),
    case(1, "throw #{ a: odd, b: [plain] };"),
    case(
        0,
        "note(plain); warn(odd); print(plain + odd); debug(plain); debug(odd); host.note(odd); host.warn(plain);",
    ),
    case(1, "parse_int(plain);"),
    case(1, "let map = #{}; map[plain].x;"),
    case(1, "host.get(plain);"),
    case(1, "host.read(plain);"),
    case(1, "host.read(odd);"),
    case(1, "host.write(`no/such/${plain}`, \"text\");"),
    case(1, "host.template(plain, \"x\", #{});"),
    case(1, "host.download(`/no/${plain}`, \"x\");"),
    case(1, "host.link_shared([plain]);"),
    case(0, "host.has(plain); host.exists(plain); host.exists(odd); host.test(`false ${quote(plain)}`);"),
    case(1, "host.run(\"true\", #{ user: plain });"),
    case(
        1,
        "try { host.run(`echo ${quote(plain)}; exit 4`); } catch (failure) { \
             host.note(failure.to_string()); note(failure.output); warn(failure.command); throw failure; }",
    ),
    case(0, "host.write(\"of-the-recipe\", plain + odd); note(host.read(\"of-the-recipe\"));"),
    // Nobody listens there.
    case(1, "http_get(`http://user:${plain}@127.0.0.1:1/${plain}?${plain}`);"),
    case(1, "http_get(`http://${odd}:${odd}@127.0.0.1:1/${odd}`);"),
    case(1, "http_get(plain); "),
    case(1, "http_get(`x://${odd}@/`);"),
    case(1, "http_post(`http://127.0.0.1:1/?${plain}`, #{ a: odd }, #{ headers: #{ b: plain } });"),
    case(1, "http_post(\"http://127.0.0.1:1/\", plain, #{ headers: #{ b: odd } });"),
    case(
        1,
        "let headers = #{}; headers[odd] = plain; http_post(\"http://127.0.0.1:1/\", odd, #{ headers: headers });",
    ),
    case(1, "http_post(\"http://127.0.0.1:1/\", odd, #{ method: plain });"),
];

/// Runs a body in each way of showing, and looks at all that it left.
fn is_shown_by_nothing(mut test: Test, body: &str, code: i32) -> Test {
    test = test.recipe(&format!(
        "task(\"smoke\", |host| {{ let plain = secret(\"PLAIN\"); let odd = secret(\"ODD\"); {body} }});\n"
    ));
    for words in [&["-v"][..], &["--json"], &["-q"], &["--plan"], &["--diff", "-v"]] {
        let ran = test.run(words);
        shows_nothing(&format!("what `{body}` says with {words:?}"), ran.to_string().as_bytes());
        // What a plan of it comes to is not asked here.
        if !words[0].starts_with("--plan") && !words[0].starts_with("--diff") {
            assert_eq!(ran.code, Some(code), "{body}\n{ran}");
        }
    }
    is_in_no_file(test.root(), |name| name.ends_with("of-the-recipe"));
    test
}

#[test]
fn no_command_on_a_host_shows_a_secret_however_it_ends() {
    let mut test = test();
    test.deploy();
    for Case { body, code } in COMMANDS {
        test = is_shown_by_nothing(test, &format!("host.{body}"), code);
    }
}

#[test]
fn no_command_on_this_machine_shows_a_secret_however_it_ends() {
    let mut test = test();
    test.deploy();
    for Case { body, code } in COMMANDS {
        test = is_shown_by_nothing(test, &body.replace("run(", "local("), code);
    }
}

#[test]
fn no_other_function_shows_a_secret() {
    let mut test = test();
    test.deploy();
    for Case { body, code } in OTHERS {
        test = is_shown_by_nothing(test, body, code);
    }
}

/// Held by whoever looks at all processes of this machine, and by the test whose commands show it there on purpose.
static PROCESSES: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    PROCESSES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_secret_that_is_printed_in_pieces_is_not_shown() {
    let _alone = alone();
    let mut test = test();
    // Each piece is a program's whole output, so that some reader is between two of them now and then.
    let (a, b) = PLAIN.split_at(7);
    let script = format!(
        "for n in $(seq 30); do env printf %s {a}; env printf %s {b}; env printf '\\n'; done; exit 3"
    );
    test = test.source("pieces", &script).write("pieces", &script);
    for call in ["host.run", "local"] {
        for to in ["", " >&2"] {
            let recipe =
                format!("task(\"smoke\", |host| {{ secret(\"PLAIN\"); {call}(`sh pieces {to}`); }});\n");
            test = test.recipe(&recipe);
            for words in [&["-v"][..], &["--json"]] {
                let ran = test.ends(1, words);
                shows_nothing(
                    &format!("what `{call}` with `{to}` says with {words:?}"),
                    ran.to_string().as_bytes(),
                );
            }
        }
    }
}

#[test]
fn an_interrupted_command_does_not_show_a_secret() {
    let test = test().shell("mkfifo ready").recipe(
        "task(\"smoke\", |host| host.run(`printf %s \"$A\"; echo $$ >\"${host.path}/../ready\"; exec sleep 1000`, \
         #{ env: #{ A: secret(\"PLAIN\") } })).undo(|host| host.run(`echo ${secret(\"ODD\")}; exit 1`));\n",
    );
    for words in [&["-v"][..], &["--json"]] {
        let child = test.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        fs::read_to_string(test.path("ready")).unwrap();
        let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(130), "{ran}");
        shows_nothing("what an interrupted run says", ran.to_string().as_bytes());
    }
    let test = test.remove("ready");
    is_in_no_file(test.root(), |_| false);
}

/// Looks at the list of all processes, again and again, until it is told to stop.
struct Watch<'a> {
    is_over: &'a AtomicBool,
    n_rounds: &'a AtomicUsize,
    /// Whose environments are looked at, too.
    user: Option<u32>,
}

impl Watch<'_> {
    /// The first of each kind that was seen: whose process it is, and how it shows the secret.
    fn seen(&self) -> Vec<String> {
        let mut seen = Vec::new();
        while !self.is_over.load(Ordering::SeqCst) {
            for entry in fs::read_dir("/proc").unwrap().map_while(Result::ok) {
                let process = entry.path();
                // What ended meanwhile shows nothing.
                let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
                let mut look = |file: &str| {
                    let text = fs::read(process.join(file)).unwrap_or_default();
                    let text = String::from_utf8_lossy(&text);
                    let is_shown = [PLAIN, ODD].into_iter().flat_map(parts).any(|part| text.contains(&part));
                    let what = format!("{file} of `{}`", name.trim());
                    if is_shown && !seen.contains(&what) {
                        seen.push(what);
                    }
                };
                look("cmdline");
                if self.user.is_some() && entry.metadata().ok().map(|meta| meta.uid()) == self.user {
                    look("environ");
                }
            }
            self.n_rounds.fetch_add(1, Ordering::SeqCst);
        }
        seen
    }
}

/// Runs a recipe whose commands wait for `n` more rounds of the watch each, and answers what was seen meanwhile.
fn watched(test: &Test, user: Option<u32>) -> Vec<String> {
    let (is_over, n_rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    let watch = Watch { is_over: &is_over, n_rounds: &n_rounds, user };
    thread::scope(|scope| {
        let seen = scope.spawn(|| watch.seen());
        let mut child: Child =
            test.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let is_answered = scope.spawn(|| {
            // A command says that it works by opening the pipe, and goes on when it has read a line.
            while let Ok(mut pipe) = OpenOptions::new().write(true).open(test.path("pipe")) {
                let from = n_rounds.load(Ordering::SeqCst);
                while n_rounds.load(Ordering::SeqCst) < from + 3 && !is_over.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                // It fails where the pipe was opened twice for one reader.
                let _ = writeln!(pipe, "go");
            }
        });
        let output = {
            let (out, err) = (child.stdout.take(), child.stderr.take());
            let err = scope.spawn(move || std::io::read_to_string(err.unwrap()).unwrap());
            let out = std::io::read_to_string(out.unwrap()).unwrap();
            Ran { code: child.wait().unwrap().code(), out, err: err.join().unwrap() }
        };
        // The last look is over, and whoever waits for another command is let go.
        let from = n_rounds.load(Ordering::SeqCst);
        while n_rounds.load(Ordering::SeqCst) < from + 2 {
            thread::yield_now();
        }
        is_over.store(true, Ordering::SeqCst);
        let pipe = OpenOptions::new().read(true).write(true).open(test.path("pipe")).unwrap();
        is_answered.join().unwrap();
        drop(pipe);
        assert_eq!(output.code, Some(0), "{output}");
        output.says("went on");
        shows_nothing("what is said", output.to_string().as_bytes());
        eprintln!("{} looks at all processes", n_rounds.load(Ordering::SeqCst));
        seen.join().unwrap()
    })
}

/// Commands that have secrets in every way there is, each while somebody looks. The shells' own `read` waits, so that
/// nothing but the program's and the server's own processes is there.
const IN_ALL_WAYS: &str = r#"
fn all(host, pipe) {
    let plain = secret("PLAIN");
    let odd = secret("ODD");
    let waits = `read -r go <${quote(pipe)}; echo $go`;
    host.run(waits + "; : \"$A\" \"$B\"", #{ env: #{ A: plain, B: odd } });
    host.run(`${waits}; : ${quote(plain)} ${quote(odd)}`);
    host.test(`${waits}; : ${quote(plain)} ${quote(odd)}`);
    local(`${waits}; : ${quote(plain)} ${quote(odd)}`);
    local(waits + "; : \"$A\" \"$B\"", #{ env: #{ A: plain, B: odd } });
    for n in 0..20 { host.write("of-the-recipe", plain + odd); }
    host.read("of-the-recipe");
    host.has(plain);
    host.exists(odd);
    for n in 0..10 { host.run(`: ${quote(plain)}`, #{ env: #{ B: odd } }); }
    note("went on");
}
"#;

#[test]
fn no_list_of_processes_shows_a_secret_while_commands_run() {
    let _alone = alone();
    let test = test().shell("mkfifo pipe");
    let pipe = test.path("pipe").display().to_string();
    // Where the guard compares files behind each command, and where it does not.
    for task in ["prepare", "verify"] {
        let recipe = format!("{IN_ALL_WAYS}task(\"{task}\", |host| all(host, \"{pipe}\"));\n");
        fs::write(test.path("deploy.rhai"), recipe).unwrap();
        assert_eq!(watched(&test, None), Vec::<String>::new(), "in `{task}`");
    }
    let test = test.remove("pipe");
    is_in_no_file(test.root(), |name| name.ends_with("of-the-recipe"));
}

#[test]
fn no_process_of_a_server_shows_a_secret_in_its_words_or_its_environment() {
    let _alone = alone();
    assert!(rustix::process::geteuid().is_root(), "the server's user must be another: run this test as root");
    let server = Sshd::openssh();
    let (test, site) = project::project(&server);
    let test = test
        .source("index", "one")
        .env("PLAIN", PLAIN)
        .env("ODD", ODD)
        .shell("mkfifo pipe; chmod 666 pipe; chmod 755 .");
    let pipe = test.path("pipe").display().to_string();
    let user = fs::metadata(server.home()).unwrap().uid();
    for task in ["prepare", "verify"] {
        let recipe = format!("{IN_ALL_WAYS}task(\"{task}\", |host| all(host, \"{pipe}\"));\n");
        fs::write(test.path("deploy.rhai"), recipe).unwrap();
        assert_eq!(watched(&test, Some(user)), Vec::<String>::new(), "in `{task}`");
    }
    is_in_no_file(site.path(), |name| name.ends_with("of-the-recipe"));
    shows_nothing("the server's log", server.log().as_bytes());
}
