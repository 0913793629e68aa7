//! What goes wrong in the field, with other tools, does not happen here: one test for each thing that was seen.
//!
//! Each is short and shows the thing as it was seen. More of it is in `tests/kill.rs` (1, 2), `tests/rollback.rs` (3, 4),
//! `tests/flow.rs` and `tests/fleet.rs` (5), `tests/lock.rs` (6), `tests/secret.rs` (8), `tests/shared.rs` (9),
//! `tests/hostile.rs` (10) and `tests/swap.rs` (11).

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/readers.rs"]
mod readers;
mod support;

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use readers::Readers;
use support::files::chmod;
use support::userland::program;
use support::{Ran, Test};

impl Test {
    /// A tool of this machine's that this script stands before; `$real` is the tool itself.
    fn tool(self, name: &str, script: &str) -> Self {
        let real = program(name).unwrap();
        let test = self.write(
            &format!("wrapped/{name}"),
            &format!("#!/bin/sh\nreal={}\n{script}\nexec \"$real\" \"$@\"\n", real.display()),
        );
        chmod(&test.path("wrapped").join(name), 0o755);
        let path = format!("{}:{}", test.path("wrapped").display(), std::env::var("PATH").unwrap());
        test.env("PATH", &path)
    }

    /// Where the program, when it is started by `tracked`, leaves its number.
    fn tracked(self) -> Self {
        let pid = self.path("pid");
        self.around(&format!("echo $$ >'{}'; exec \"$@\"", pid.display()))
    }

    /// Deploys; somebody kills the program.
    #[track_caller]
    fn is_killed(&self) -> Ran {
        let output: Output = self.command(&[]).output().unwrap();
        assert_eq!(output.status.signal(), Some(9), "{}", Ran::of(output));
        Ran::of(output)
    }

    /// Versions that `releases` lists as complete, oldest first.
    fn complete(&self, site: &str) -> Vec<String> {
        let names = self.releases(site);
        names.into_iter().filter(|name| self.record(site, name)["state"] == "complete").collect()
    }
}

/// The first to come here goes on; all others do as if it were not there.
fn once(test: &Test, what: &str) -> String {
    format!("mkdir '{}' 2>/dev/null && {{ {what}; }}", test.path("once").display())
}

/// Long enough that a part of it is in nobody's buffer.
fn long(version: &str) -> String {
    format!("{version}\n").repeat(400_000)
}

#[test]
fn item_1_an_upload_that_was_killed_is_never_rolled_back_to() {
    let test = Test::new().tracked().source("index", "one").source("long", &long("one"));
    test.deploy();
    let one = test.live("site").unwrap();
    let test = test.source("index", "two").source("long", &long("two"));
    let part = test.path("part").display().to_string();
    let pid = test.path("pid").display().to_string();
    // Half of the pack is unpacked, and then nobody sends the rest.
    let script = once(
        &test,
        &format!("head -c 300000 >'{part}'; kill -9 $(cat '{pid}'); cat '{part}' - | \"$real\" \"$@\"; exit"),
    );
    let test = test.tool("tar", &script);
    test.is_killed();
    assert_eq!(test.serves("site", "index"), "one");
    let test = test.source("index", "three").source("long", &long("three"));
    test.deploy();
    assert_eq!(test.serves("site", "index"), "three");
    assert_eq!(test.serves("site", "long"), long("three"));
    assert_eq!(test.releases("site"), [one, test.live("site").unwrap()], "the killed one is gone");
    test.ends(0, &["rollback"]);
    assert_eq!(test.serves("site", "index"), "one");
    assert_eq!(test.serves("site", "long"), long("one"));
    test.ends(1, &["rollback"]).says("no earlier complete release");
    assert_eq!(test.serves("site", "index"), "one");
}

#[test]
fn item_2_a_swap_killed_between_link_and_rename_is_not_published_by_the_next_deploy() {
    let test = Test::new().tracked().source("index", "one");
    test.deploy();
    let one = test.live("site").unwrap();
    let test = test.source("index", "two");
    let pid = test.path("pid").display().to_string();
    // The link is made; the program, the shell and the rename are no more.
    let what = once(&test, &format!("kill -9 $(cat '{pid}') $PPID; exit 1"));
    let test = test.tool("mv", &format!("case \"$*\" in *current.new*) {what} ;; esac"));
    test.is_killed();
    assert_eq!(test.live("site").as_ref(), Some(&one), "nothing was renamed");
    let crashed = test.releases("site").pop().unwrap();
    assert_ne!(crashed, one);
    let test = test.source("index", "three");
    let ran = test.deploy();
    assert_eq!(test.serves("site", "index"), "three");
    let live = test.live("site").unwrap();
    ran.says(&format!("localhost serves {live}"));
    // The link was not nested into what `current` leads to, nor left for the one after.
    for release in test.releases("site") {
        assert!(!test.has(format!("site/releases/{release}/current.new")));
    }
    assert!(!test.has("site/.runner/current.new"));
    test.ends(0, &["rollback"]);
    assert_eq!(test.serves("site", "index"), "one", "never to {crashed}, which was never served");
}

#[test]
fn item_3_a_cleanup_after_a_rollback_spares_what_is_live() {
    let mut test = Test::new();
    for version in ["one", "two", "three"] {
        test = test.source("index", version);
        test.deploy();
    }
    test.ends(0, &["rollback"]);
    test.ends(0, &["rollback"]);
    for keep in ["keep_releases=2", "keep_releases=1"] {
        test.ends(0, &["prune", "--set", keep]);
        assert_eq!(test.serves("site", "index"), "one");
    }
    assert_eq!(test.releases("site"), [test.live("site").unwrap()]);
    test.deploy();
    assert_eq!(test.serves("site", "index"), "three");
}

#[test]
fn item_4_failed_releases_use_up_no_place_and_are_no_way_back() {
    for task in ["prepare", "smoke", "verify"] {
        let failing = format!("task(\"{task}\", |host| {{ host.run(\"! test -e broken\"); }});\n");
        let mut test = Test::new().recipe(&failing);
        for version in ["one", "two"] {
            test = test.source("index", version);
            test.deploy();
        }
        let mut good = test.releases("site");
        test = test.source("broken", "");
        for _ in 0..3 {
            test.ends(1, &[]);
        }
        let test = test.remove("source/broken").source("index", "three");
        test.deploy();
        good.push(test.live("site").unwrap());
        assert_eq!(test.releases("site"), good, "failing in `{task}`");
        for version in ["two", "one"] {
            test.ends(0, &["rollback"]);
            assert_eq!(test.serves("site", "index"), version, "failing in `{task}`");
        }
    }
}

#[test]
fn item_5_one_of_three_hosts_failing_at_the_swap_leaves_no_split_fleet() {
    let test = Test::with_sites(3).source("index", "one");
    test.deploy();
    let test = test.source("index", "two");
    // The link of the second host cannot be made.
    let test = test.tool(
        "ln",
        "case \"$PWD $*\" in *sites/h2*current.new*) echo 'ln: Input/output error' >&2; exit 1 ;; esac",
    );
    let ran = test.ends(1, &[]);
    ran.says("task `swap` failed").says("on `h2`").says("ln: Input/output error");
    for n in 1..=3 {
        let site = format!("sites/h{n}");
        assert_eq!(test.serves(&site, "index"), "one", "{ran}");
        ran.says(&format!("h{n} serves {}", test.live(&site).unwrap()));
    }
    let test = test.remove("wrapped");
    test.deploy();
    for n in 1..=3 {
        assert_eq!(test.serves(&format!("sites/h{n}"), "index"), "two");
    }
}

/// A run at work in a command that goes on when somebody reads the pipe `go`.
struct Holding<'a>(&'a Test, Child);

impl<'a> Holding<'a> {
    fn new(test: &'a Test) -> Self {
        let child = test.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        assert_eq!(fs::read_to_string(test.path("working")).unwrap(), "yes\n");
        Self(test, child)
    }

    fn is_sent(&self, signal: &str) {
        let kill = Command::new("kill").arg(format!("-{signal}")).arg(self.1.id().to_string()).status();
        assert!(kill.unwrap().success());
    }

    fn ends(&mut self) -> Ran {
        let mut err = String::new();
        self.1.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Ran { code: self.1.wait().unwrap().code(), out: String::new(), err }
    }
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        // Either fails only if the run is over already; a command that is still there would wait for ever.
        let _ = self.1.kill();
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let go = OpenOptions::new().read(true).custom_flags(flags).open(self.0.path("go"));
        let _ = self.1.wait();
        drop(go);
    }
}

#[test]
fn item_6_a_lock_names_its_holder_survives_losers_and_dies_with_its_run() {
    let recipe = r#"task("prepare", |host| host.run(`cd "${host.path}/.." && if mkdir first 2>/dev/null; then
        echo yes >working; echo yes >go; fi`));"#;
    let test = Test::new().recipe(recipe).source("index", "one").shell("mkfifo working go");
    for signal in ["KILL", "INT"] {
        let mut holding = Holding::new(&test);
        // A loser, and another one, who finds the lock as the first one did.
        for _ in 0..2 {
            let ran = test.ends(3, &[]);
            ran.says("held by tester@").says(" since ").says("deploy").says("runner unlock").says("--wait");
            assert!(test.releases("site").len() <= 2, "a loser made something\n{ran}");
        }
        holding.is_sent(signal);
        // After `kill -9` nobody ends the command; it does so by itself.
        if signal == "KILL" {
            holding.1.wait().unwrap();
            assert_eq!(fs::read_to_string(test.path("go")).unwrap(), "yes\n");
        }
        let ran = holding.ends();
        assert_eq!(ran.code, if signal == "KILL" { None } else { Some(130) }, "{ran}");
        test.deploy();
        assert_eq!(test.serves("site", "index"), "one");
        fs::remove_dir(test.path("first")).unwrap();
    }
}

#[test]
fn item_7_a_command_that_was_killed_is_no_success() {
    let test = Test::new().source("index", "one");
    test.deploy();
    let live = test.live("site").unwrap();
    // As the kernel does it when memory runs out: the program itself, one within a pipeline's end, the whole shell.
    let programs = [
        "sh -c 'kill -9 $$'",
        "sleep 1000 & kill -9 $!; wait $!",
        "echo x | sh -c 'kill -9 $$'",
        "kill -9 $$",
        "kill -9 $PPID $$",
        "sh -c 'kill -TERM $$'",
        "sh -c 'kill -SEGV $$'",
    ];
    let mut test = test.source("index", "two");
    for task in ["prepare", "verify"] {
        for killed in programs {
            for call in [
                format!("host.run(`{killed}`)"),
                format!("host.test(`{killed}`)"),
                format!("local(`{killed}`)"),
            ] {
                let recipe =
                    format!("task(\"{task}\", |host| {{ {call}; host.note(\"went\" + \" on\"); }});\n");
                test = test.recipe(&recipe);
                let ran = test.ends(1, &[]);
                ran.says(&format!("task `{task}` failed")).says_not("went on");
                assert_eq!(test.live("site").as_ref(), Some(&live), "{call}\n{ran}");
            }
        }
    }
    // And it is said how it ended.
    let test = test.recipe("task(\"prepare\", |host| host.run(\"sh -c 'kill -9 $$'\"));\n");
    test.ends(1, &[]).says("signal 9");
}

#[test]
fn item_8_values_of_the_environment_are_not_run_and_secrets_are_not_printed() {
    let value =
        "a $HOME `touch hacked` $(touch hacked) \"'; touch hacked; ' \\ \u{e9} %s\ttab\nline two $X \n";
    let recipe = r#"
set("env", #{ FROM_SETTING: "$(touch hacked) `touch hacked` $HOME" });
fn same(got, wanted) { if got != wanted { fail(`got ${got}`); } }
task("prepare", |host| {
    let value = secret("VALUE");
    same(host.run("printf '%s.' \"$X\"", #{ env: #{ X: value } }), value + ".");
    same(host.run("printf '%s.' \"$FROM_SETTING\""), "$(touch hacked) `touch hacked` $HOME.");
    same(local("printf '%s.' \"$X\"", #{ env: #{ X: value } }), value + ".");
    host.run("printf '%s\n' \"$X\" >&2; exit 3", #{ env: #{ X: value } });
});
"#;
    let test = Test::new().source("index", "one").recipe(recipe).env("VALUE", value);
    for words in [&[][..], &["-v"], &["--json"]] {
        let ran = test.ends(1, words);
        ran.says("***").says("exited with status 3");
        for line in value.lines() {
            ran.says_not(line.trim());
        }
    }
    let found = Command::new("find").arg(test.root()).args(["-name", "hacked*"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    assert!(!Path::new("hacked").exists());
}

#[test]
fn item_9_a_missing_shared_file_is_an_error_and_one_that_is_hidden_is_named() {
    let settings = "[settings]\nsource = \"source\"\nshared = [\".env\", \"uploads/\"]\n";
    let stage = "[stage.local]\npath = \"site\"\ntransport = \"local\"\n";
    let test = Test::new().toml(&format!("{settings}{stage}")).source("index", "one");
    let ran = test.ends(1, &[]);
    ran.says("task `share` failed on `localhost`").says("`.env`").says("hint:").says("site/shared/.env");
    assert!(!test.has("site/shared/.env") && !test.has("site/current"), "{ran}");
    let test = test.write("site/shared/.env", "KEY=1\n");
    test.deploy().says_not("warning");
    assert_eq!(test.serves("site", ".env"), "KEY=1\n");
    // Committed later, below a directory that is shared by now: nobody will see them.
    let test = test.source("uploads/logo.svg", "<svg/>").source("uploads/in/deep.txt", "x");
    test.deploy().says("warning").says("uploads/logo.svg").says("uploads/in/deep.txt");
}

#[test]
fn item_10_odd_characters_in_the_deploy_path_break_nothing_and_leave_no_stray_directory() {
    for name in ["my site", "it's \"my\" site", " $HOME `x` $(x);& ", "-f"] {
        let path = toml::Value::String(format!("{name}/to it")).to_string();
        let test = Test::new()
            .toml(&format!(
                "[settings]\nsource = \"source\"\n[stage.local]\npath = {path}\ntransport = \"local\"\n"
            ))
            .source("index", "one");
        let site = format!("{name}/to it");
        let before = entries(test.root());
        test.deploy();
        let test = test.source("index", "two");
        test.deploy();
        test.ends(0, &["rollback"]);
        assert_eq!(test.serves(&site, "index"), "one");
        test.ends(0, &["unlock"]);
        test.deploy();
        assert_eq!(test.serves(&site, "index"), "two");
        let mut wanted = before;
        wanted.extend([name.to_owned(), "cache".to_owned()]);
        assert_eq!(entries(test.root()), wanted);
        assert_eq!(entries(&test.path(name)), BTreeSet::from(["to it".to_owned()]));
    }
    let test = Test::new()
        .toml("[settings]\nsource = \"source\"\n[stage.local]\npath = \"my\\nsite\"\ntransport = \"local\"\n")
        .source("index", "one");
    let before = entries(test.root());
    test.ends(2, &[]).says("newline");
    assert_eq!(entries(test.root()), before);
}

fn entries(dir: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Deploys and goes back, again and again, under readers that never stop.
fn is_never_missed(test: Test, tools: &str) {
    let mut test = test.version("0");
    test.deploy();
    let readers = Readers::start(&test.path("site"));
    for n in 1..=10 {
        test = test.version(&n.to_string());
        test.deploy();
        if n % 3 == 0 {
            test.ends(0, &["rollback"]);
        }
    }
    let seen = readers.stop();
    eprintln!("{tools}: {} files read, {} changes seen", seen.n_reads, seen.n_changes);
    assert_eq!(seen.faults, Vec::<String>::new(), "{tools}");
    assert!(seen.n_changes >= 10, "{tools}: {seen:?}");
    for release in test.complete("site") {
        assert!(!test.has(format!("site/releases/{release}/current.new")), "{tools}: the link is nested");
    }
}

#[test]
fn item_11_a_swap_is_never_seen_half_done_with_gnu_tools_and_with_busybox() {
    is_never_missed(Test::new(), "GNU");
    is_never_missed(Test::new().busybox(), "busybox");
}
