//! Who may work on a site: one run at a time, whatever becomes of it; and who takes a swap back when nobody else can.

#![allow(clippy::unwrap_used)]

#[path = "support/gate.rs"]
mod gate;
mod support;
#[path = "support/trap.rs"]
mod trap;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gate::{Gate, PATIENCE, Running, first_over};
use rustix::process::Signal;
use serde_json::Value;
use support::userland::tools_without;
use support::{Ran, Test, repeats};
use trap::{end_all, is_locked, processes, until};

const BOTH: [&str; 2] = ["h1", "h2"];
const SITES: [&str; 2] = ["sites/h1", "sites/h2"];

/// Two hosts that have been deployed to, and a gate in `preflight` on the second: it is in every run of these tests.
fn two_hosts(test: Test) -> (Test, Gate) {
    let test = test.source("a", "old");
    test.deploy();
    let gate = Gate::new(&test, "gate");
    let recipe = gate.task("preflight", &["h2"]);
    (test.source("a", "new").recipe(&recipe), gate)
}

/// With the system's tools, and on a server without `flock`.
fn with_and_without_flock(n: usize, test: impl Fn(Test, Flock)) {
    eprintln!("with `flock`");
    test(Test::with_sites(n), Flock::Is);
    eprintln!("without");
    let without = Test::with_sites(n);
    let tools = tools_without(&without, &["flock"]);
    test(without.env("PATH", &tools), Flock::IsNot);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flock {
    Is,
    IsNot,
}

impl Flock {
    /// Where a site's owner is recorded.
    fn record(self) -> &'static str {
        match self {
            Flock::Is => ".runner/lock",
            Flock::IsNot => ".runner/lock.owner",
        }
    }

    /// Who holds a site, if anybody does.
    #[track_caller]
    fn owner(self, test: &Test, site: &str) -> Option<Value> {
        let path = test.path(site).join(self.record());
        let text = fs::read_to_string(&path).unwrap_or_default();
        if text.trim().is_empty() {
            return None;
        }
        let owner =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}: {text}", path.display()));
        Some(owner)
    }

    /// A site is held by this user.
    #[track_caller]
    fn is_held(self, test: &Test, site: &str, by: &str, ran: &dyn std::fmt::Display) {
        let owner = self.owner(test, site).unwrap_or_else(|| panic!("nobody holds {site}\n{ran}"));
        let said = owner["by"].as_str().unwrap_or_default();
        assert!(said.starts_with(&format!("{by}@")), "{site} is held by {owner}\n{ran}");
        if self == Flock::Is {
            assert!(is_locked(&test.path(site).join(".runner/lock")), "{site} is not locked\n{ran}");
        }
    }

    #[track_caller]
    fn is_free(self, test: &Test, site: &str) {
        assert_eq!(self.owner(test, site), None, "{site} has an owner");
        assert!(!is_locked(&test.path(site).join(".runner/lock")), "{site} is locked");
        assert!(!is_locked(&test.path(site).join(".runner/busy")), "{site} is busy");
    }
}

/// The run found the site held, and told by whom and what can be done.
#[track_caller]
fn is_told(ran: &Ran, by: &str, flow: &str) {
    assert_eq!(ran.code, Some(3), "{ran}");
    ran.says(&format!("held by {by}@"))
        .says(" since ")
        .says(flow)
        .says(" unlock` to stop that run")
        .says("--wait");
}

/// Nothing of a run is left at work on a site.
#[track_caller]
fn nothing_is_at_work(test: &Test) {
    let all = || processes(&test.path(""));
    let over = until(Duration::from_secs(30), || all().is_empty(), || format!("the end of {:#?}", all()));
    over.unwrap_or_else(|why| panic!("{why}"));
}

/// No swap of a site is in the balance: `intent.RUN.N` and `reverting.RUN.N` are gone.
#[track_caller]
fn no_swap_is_pending(test: &Test, site: &str) {
    let entries = fs::read_dir(test.path(site).join(".runner")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let left: Vec<String> = names
        .filter(|name| ["intent", "reverting", "seen.", "busy."].iter().any(|part| name.starts_with(part)))
        .collect();
    assert!(left.is_empty(), "{site}: {left:?}");
}

#[track_caller]
fn serve(test: &Test, sites: &[&str], want: &str) {
    for site in sites {
        assert_eq!(test.serves(site, "a"), want, "{site}");
    }
}

fn two_at_once(test: Test, flock: Flock, n_rounds: usize) {
    let (mut test, mut gate) = two_hosts(test);
    let mut n_won = [0; 2];
    // A connection takes its time.
    let n_rounds = if test.is_remote() { n_rounds / 5 } else { n_rounds };
    for n in 0..n_rounds {
        test = test.source("a", &format!("round {n}"));
        let before = test.live("sites/h2");
        // Now and then one that is after the second host alone.
        let words: [&[&str]; 2] = if n % 5 == 4 { [&[], &["--host", "h2"]] } else { [&[], &[]] };
        let users = [["ann", "bob"], ["bob", "ann"]][n % 2];
        let mut runs: Vec<Running> =
            users.iter().zip(words).map(|(who, words)| Running::start(&test, who, words)).collect();
        let loser = first_over(&runs);
        let winner = 1 - loser;
        let lost = runs.remove(loser).over();
        is_told(&lost, users[winner], "deploy");
        let won = runs.remove(0);
        gate.is_reached(1, &won);
        // The lock is the winner's, whose run has changed nothing yet, and the loser has left nothing of its own.
        flock.is_held(&test, "sites/h2", users[winner], &lost);
        if winner == 0 {
            flock.is_held(&test, "sites/h1", users[winner], &lost);
        } else if n % 5 == 4 {
            flock.is_free(&test, "sites/h1");
        }
        assert_eq!(test.live("sites/h2"), before, "{lost}");
        n_won[winner] += 1;
        gate.opens(1);
        won.ends(0);
        assert_eq!(test.serves("sites/h2", "a"), format!("round {n}"));
        for site in SITES {
            flock.is_free(&test, site);
        }
    }
    eprintln!("{n_rounds} rounds ({flock:?}), won by the first {} times", n_won[0]);
    nothing_is_at_work(&test);
}

#[test]
fn of_two_runs_at_the_same_moment_exactly_one_proceeds_and_the_other_is_told_of_it() {
    two_at_once(Test::with_sites(2), Flock::Is, repeats(15, 50));
}

#[test]
fn of_two_runs_at_the_same_moment_exactly_one_proceeds_where_there_is_no_flock() {
    let test = Test::with_sites(2);
    let tools = tools_without(&test, &["flock"]);
    two_at_once(test.env("PATH", &tools), Flock::IsNot, repeats(10, 25));
}

/// A loser may read the record in the middle of the winner's writing it.
#[test]
fn a_record_that_is_written_while_it_is_read_is_read_whole() {
    let test = Test::new();
    let lib = concat!(env!("CARGO_MANIFEST_DIR"), "/src/release/sh/lock_lib.sh");
    let script = r#"
        . "$1" && mkdir .runner && : >.runner/lock && : >writes || exit
        record='{"run":"one","pid":1,"flow":"deploy"}'
        while [ -e writes ]; do write_owner "$record"; write_owner ''; done &
        torn=0 whole=0
        until [ "$whole" -ge 200 ]; do
            read_owner .runner/lock
            case $owner in
                "$record") whole=$((whole + 1)) ;;
                '') ;;
                *) torn=$((torn + 1)) && whole=$((whole + 1)) ;;
            esac
        done
        rm writes
        wait
        echo "$torn torn"
    "#;
    let out = Command::new("sh").args(["-c", script, "sh", lib]).current_dir(test.path("")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout), "0 torn\n", "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn whatever_changes_a_site_needs_the_lock_and_what_only_looks_does_not() {
    let (test, mut gate) = two_hosts(Test::with_sites(2));
    let recipe = fs::read_to_string(test.path("deploy.rhai")).unwrap();
    let test =
        test.recipe(&format!("{recipe}task(\"touch\", |host| host.run(\"touch touched\")).alone();\n"));
    test.ends(0, &["touch"]);
    let ann = Running::start(&test, "ann", &[]);
    gate.is_reached(1, &ann);
    for words in [
        &["deploy"][..],
        &["rollback"],
        &["touch"],
        &["prune"],
        &["--host", "h2"],
        &["touch", "--host", "h1"],
    ] {
        is_told(&Running::start(&test, "eve", words).over(), "ann", "deploy");
    }
    for words in [&["status"][..], &["releases"], &["check"], &["--plan"]] {
        test.ends(0, words);
    }
    gate.opens(1);
    ann.ends(0);
    // A task run alone is told as what it is.
    let mut gate = Gate::new(&test, "second");
    let test =
        test.recipe(&format!("{}flow(\"other\", [\"lock\", \"slow\"]);\n", gate.task("slow", &["h1"])));
    let bob = Running::start(&test, "bob", &["slow"]);
    gate.is_reached(1, &bob);
    is_told(&Running::start(&test, "eve", &[]).over(), "bob", "slow");
    gate.opens(1);
    bob.ends(0);
    test.deploy();
}

#[test]
fn runs_that_wait_go_one_after_the_other() {
    with_and_without_flock(2, |test, flock| {
        let (test, mut gate) = two_hosts(test);
        let ann = Running::start(&test, "ann", &[]);
        gate.is_reached(1, &ann);
        let waiting: Vec<Running> =
            ["bob", "eve"].iter().map(|who| Running::start(&test, who, &["--wait"])).collect();
        // Once each has said whom it waits for, it has found the lock held.
        for run in &waiting {
            let said = || run.said().contains("held by ann@") || run.is_over();
            until(PATIENCE, said, || format!("it says whom it waits for:\n{}", run.said())).unwrap();
            assert!(!run.is_over(), "{}", run.said());
        }
        flock.is_held(&test, "sites/h1", "ann", &"while others wait");
        gate.opens(3);
        ann.ends(0);
        let mut made = BTreeSet::from([test.live("sites/h1")]);
        for run in waiting {
            run.ends(0);
            made.insert(test.live("sites/h1"));
        }
        assert!(test.releases("sites/h1").len() >= 3, "{:?}", test.releases("sites/h1"));
        for site in SITES {
            flock.is_free(&test, site);
        }
        serve(&test, &SITES, "new");
        nothing_is_at_work(&test);
    });
}

#[test]
fn a_run_that_waits_can_be_told_to_stop() {
    let (test, mut gate) = two_hosts(Test::with_sites(2));
    let ann = Running::start(&test, "ann", &[]);
    gate.is_reached(1, &ann);
    let bob = Running::start(&test, "bob", &["--wait"]);
    until(PATIENCE, || bob.said().contains("held by ann@") || bob.is_over(), || bob.said()).unwrap();
    bob.signal(Signal::INT);
    bob.ends(130);
    Flock::Is.is_held(&test, "sites/h1", "ann", &"after another was told to stop");
    gate.opens(1);
    ann.ends(0);
    serve(&test, &SITES, "new");
}

#[test]
fn a_lock_frees_itself_when_its_client_is_killed() {
    with_and_without_flock(2, |test, flock| {
        let (test, mut gate) = two_hosts(test);
        let ann = Running::start(&test, "ann", &[]);
        gate.is_reached(1, &ann);
        flock.is_held(&test, "sites/h1", "ann", &"at the gate");
        ann.dies();
        // Its command goes on to its end.
        gate.opens(1);
        gate.opens(1);
        let bob = Running::start(&test, "bob", &["--wait"]);
        bob.ends(0);
        serve(&test, &SITES, "new");
        for site in SITES {
            flock.is_free(&test, site);
        }
        nothing_is_at_work(&test);
    });
}

#[test]
fn a_command_that_outlives_its_client_is_waited_for_and_unlock_ends_it() {
    with_and_without_flock(2, |test, flock| {
        let (test, mut gate) = two_hosts(test);
        let ann = Running::start(&test, "ann", &[]);
        gate.is_reached(1, &ann);
        ann.dies();
        // It is at the gate still, and might write to the site when it goes on. So nobody else does.
        let live = test.live("sites/h2");
        let ran = Running::start(&test, "bob", &[]).over();
        assert!(matches!(ran.code, Some(1 | 3)), "{flock:?} {ran}");
        ran.says("ann@");
        assert_eq!(test.live("sites/h2"), live, "{ran}");
        test.ends(0, &["unlock"]).says("ann@");
        nothing_is_at_work(&test);
        gate.opens(1);
        test.deploy();
        serve(&test, &SITES, "new");
    });
}

#[test]
fn unlock_ends_the_holder_and_says_whose_lock_it_was() {
    with_and_without_flock(2, |test, flock| {
        let (test, mut gate) = two_hosts(test);
        test.ends(0, &["unlock"]).says_not("ann@");
        let ann = Running::start(&test, "ann", &[]);
        gate.is_reached(1, &ann);
        let ran = Running::start(&test, "eve", &["unlock"]).ends(0);
        ran.says("ann@").says("h1").says("h2").says("deploy");
        // The holder notices that it is cut off, and does nothing to a site that is not its own any more.
        let ran = ann.over();
        assert!(matches!(ran.code, Some(1 | 4)), "{ran}");
        serve(&test, &SITES, "old");
        for site in SITES {
            flock.is_free(&test, site);
        }
        gate.opens(1);
        Running::start(&test, "eve", &[]).ends(0);
        serve(&test, &SITES, "new");
        nothing_is_at_work(&test);
        test.ends(0, &["unlock"]);
    });
}

#[test]
fn unlock_of_one_host_leaves_the_others_alone() {
    let (test, mut gate) = two_hosts(Test::with_sites(2));
    let recipe = gate.task("preflight", &BOTH);
    let test = test.recipe(&recipe);
    let ann = Running::start(&test, "ann", &["--host", "h1"]);
    let bob = Running::start(&test, "bob", &["--host", "h2"]);
    gate.is_reached(1, &ann);
    gate.is_reached(1, &bob);
    test.ends(0, &["unlock", "--host", "h1"]).says("ann@").says_not("bob@");
    Flock::Is.is_held(&test, "sites/h2", "bob", &"after another host was unlocked");
    let ran = ann.over();
    assert!(matches!(ran.code, Some(1 | 4)), "{ran}");
    gate.opens(1);
    bob.ends(0);
    assert_eq!(test.serves("sites/h1", "a"), "old");
    assert_eq!(test.serves("sites/h2", "a"), "new");
}

#[test]
fn a_daemon_that_a_hook_started_keeps_no_lock() {
    for text in
        ["sleep 1000 >/dev/null 2>&1 &", "sleep 1000 </dev/null &", "setsid sleep 1000 >/dev/null 2>&1 &"]
    {
        with_and_without_flock(1, |test, flock| {
            let recipe = format!(
                "task(\"reload\", |host| host.run(`{text} echo $! >>pids`, #{{ cwd: host.path + \"/../..\" }}));\n"
            );
            let test = test.source("a", "1").recipe(&recipe);
            let daemons = Daemons(test.path("pids"));
            for n in 0..3 {
                let test = Running::start(&test, "ann", &[]).ends(0);
                test.says_not("held by");
                assert_eq!(daemons.pids().len(), n + 1);
            }
            for pid in daemons.pids() {
                assert!(Path::new("/proc").join(&pid).exists(), "the daemon {pid} was ended with the run");
            }
            flock.is_free(&test, "sites/h1");
        });
    }
}

#[test]
fn a_daemon_of_a_run_that_was_killed_keeps_no_lock() {
    with_and_without_flock(1, |test, flock| {
        let gate_test = test.source("a", "1");
        let mut gate = Gate::new(&gate_test, "gate");
        let recipe = format!(
            "task(\"prepare\", |host| host.run(`sleep 1000 >/dev/null 2>&1 & echo $! >>'{}'`));\n{}",
            gate_test.path("pids").display(),
            gate.task("smoke", &["h1"])
        );
        let test = gate_test.recipe(&recipe);
        let _daemons = Daemons(test.path("pids"));
        let ann = Running::start(&test, "ann", &[]);
        gate.is_reached(1, &ann);
        ann.dies();
        gate.opens(2);
        Running::start(&test, "bob", &["--wait"]).ends(0);
        assert_eq!(test.serves("sites/h1", "a"), "1");
        flock.is_free(&test, "sites/h1");
    });
}

/// Processes by the file that has their numbers; ended when dropped.
struct Daemons(std::path::PathBuf);

impl Daemons {
    fn pids(&self) -> Vec<String> {
        fs::read_to_string(&self.0).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

impl Drop for Daemons {
    fn drop(&mut self) {
        for pid in self.pids() {
            let _ = Command::new("kill").arg(pid).status();
        }
    }
}

#[test]
fn the_lock_of_an_owner_that_is_dead_is_taken_over() {
    with_and_without_flock(2, |test, flock| {
        let (test, mut gate) = two_hosts(test);
        let ann = Running::start(&test, "ann", &[]);
        gate.is_reached(1, &ann);
        flock.is_held(&test, "sites/h1", "ann", &"at the gate");
        // As after a cut of the power: only the record is left.
        let records: Vec<String> =
            SITES.map(|site| fs::read_to_string(test.path(site).join(flock.record())).unwrap()).into();
        ann.dies();
        end_all(&test.path(""));
        for (site, record) in SITES.iter().zip(&records) {
            fs::write(test.path(site).join(flock.record()), record).unwrap();
        }
        gate.opens(1);
        test.deploy();
        serve(&test, &SITES, "new");
        for site in SITES {
            flock.is_free(&test, site);
        }
        nothing_is_at_work(&test);
    });
}

/// A client that is frozen, or cut off without a word, leaves a shell that waits for its next step for ever.
#[test]
fn the_lock_of_a_client_that_gives_no_sign_of_life_for_minutes_is_taken_over() {
    with_and_without_flock(2, |test, flock| {
        let test = test.source("a", "old");
        test.deploy();
        let mut gate = Gate::new(&test, "gate");
        let recipe = format!("task(\"preflight\", || local(`{}`));\n", gate.text());
        let test = test.source("a", "new").recipe(&recipe);
        let ann = Running::start(&test, "ann", &[]);
        gate.is_reached(1, &ann);
        ann.signal(Signal::STOP);
        is_told(&Running::start(&test, "bob", &["rollback"]).over(), "ann", "deploy");
        let test = test.recipe("");
        let is_taken = || {
            for site in SITES {
                let lock = test.path(site).join(".runner/lock");
                assert!(
                    Command::new("touch").args(["-d", "-3 minutes"]).arg(lock).status().unwrap().success()
                );
            }
            // A last sign of life may still have been under way.
            let ran = Running::start(&test, "bob", &[]).over();
            assert!(matches!(ran.code, Some(0 | 3)), "{ran}");
            ran.code == Some(0)
        };
        until(PATIENCE, is_taken, || "bob takes the lock over".to_owned()).unwrap();
        serve(&test, &SITES, "new");
        let releases = SITES.map(|site| test.releases(site));
        // Whoever comes back after that finds that it has nothing to say any more.
        gate.opens(1);
        ann.signal(Signal::CONT);
        ann.ends(1).says("lock");
        assert_eq!(SITES.map(|site| test.releases(site)), releases);
        serve(&test, &SITES, "new");
        for site in SITES {
            flock.is_free(&test, site);
        }
        nothing_is_at_work(&test);
    });
}

/// Without `flock` a record says who is alive by number, start and boot: each of them counts.
#[test]
fn a_record_is_believed_only_if_its_process_is_the_one_that_wrote_it() {
    let test = Test::with_sites(2);
    let tools = tools_without(&test, &["flock"]);
    let (test, mut gate) = two_hosts(test.env("PATH", &tools));
    let ann = Running::start(&test, "ann", &["--host", "h2"]);
    gate.is_reached(1, &ann);
    let alive = Flock::IsNot.owner(&test, "sites/h2").expect("h2 is held");
    let records = [".runner/lock.owner", ".runner/lock"].map(|name| test.path("sites/h1").join(name));
    let is_at = |field: &str, value: Value| {
        let mut owner = alive.clone();
        assert!(!owner[field].is_null(), "no `{field}` in {owner}");
        owner[field] = value;
        for record in &records {
            fs::write(record, format!("{owner}\n")).unwrap();
        }
        Running::start(&test, "bob", &["--host", "h1"]).over()
    };
    // A record like this one of somebody alive is respected.
    let ran = is_at("run", Value::from("another run"));
    is_told(&ran, "ann", "deploy");
    for (field, value) in [
        ("boot", Value::from("another-boot")),
        ("started", Value::from("1")),
        ("pid", Value::from(4_194_000)),
    ] {
        let ran = is_at(field, value);
        assert_eq!(ran.code, Some(0), "another `{field}`\n{ran}");
    }
    gate.opens(1);
    ann.ends(0);
}

#[test]
fn what_is_no_record_at_all_keeps_nobody_out() {
    with_and_without_flock(1, |test, flock| {
        let test = test.source("a", "1");
        test.deploy();
        for text in ["", "\n", "{", "{}", "[1]", "{\"run\":\"x\"", "nonsense\n\n"] {
            eprintln!("{text:?}");
            fs::write(test.path("sites/h1").join(flock.record()), text).unwrap();
            test.deploy();
            flock.is_free(&test, "sites/h1");
        }
    });
}

/// By name: each alone is reason enough to look for what else there is.
#[test]
fn what_only_a_dead_run_leaves_is_removed_by_the_next() {
    let test = Test::with_sites(1).source("a", "1");
    test.deploy();
    let runner = test.path("sites/h1/.runner");
    let names = |dir: &Path| -> BTreeSet<String> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into()).collect()
    };
    let clean = names(&runner);
    for name in [
        "fill/x",
        "guard/filled",
        "restore/a",
        "restored",
        "restored.modes",
        "survey.7/x",
        "seed",
        "intent.x.new",
        "records/1.new",
        "manifests/20200101000000.next",
        "manifests/.cache.next",
        "lock.owner.x.7",
        "mine.7",
        "seen.x",
        "busy.999999999.7",
        // What a cut of the power may leave of it.
        "intent.y",
        "reverting.y",
    ] {
        let path = runner.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        test.deploy();
        assert!(!path.exists(), "{name}");
        assert_eq!(names(&runner), clean, "{name}");
    }
    fs::write(runner.join("format"), "").unwrap();
    test.deploy();
    assert_eq!(test.read("sites/h1/.runner/format"), "1\n");
}

#[test]
fn a_site_that_is_entered_twice_is_told_as_such() {
    for n in 0..2 {
        let test = Test::with_sites(2).source("a", "1").shell("mkdir -p sites/h1 && ln -s h1 sites/h2");
        let test = match n {
            0 => test,
            _ => {
                let tools = tools_without(&test, &["flock"]);
                test.env("PATH", &tools)
            }
        };
        let ran = test.run(&[]);
        assert!(matches!(ran.code, Some(1 | 2)), "{ran}");
        ran.says("same site").says("h1").says("h2").says_not("--wait");
        assert_eq!(test.releases("sites/h1"), Vec::<String>::new());
        // And one of them alone can be deployed to, at once.
        test.ends(0, &["--host", "h1"]);
    }
}

#[test]
fn the_end_of_a_run_is_the_end_of_all_that_it_started_on_its_hosts() {
    with_and_without_flock(3, |test, flock| {
        let mut test = test;
        for n in 0..8 {
            test = test.source("a", &n.to_string());
            test.deploy();
            // Not even for a moment: another run may come at once.
            for site in ["sites/h1", "sites/h2", "sites/h3"] {
                flock.is_free(&test, site);
                no_swap_is_pending(&test, site);
            }
        }
        test.ends(0, &["rollback"]);
        test.deploy();
        nothing_is_at_work(&test);
    });
}

/// Hosts that serve `old`, a run to `new` that waits at a gate in `verify`, and a swap that waits a second for its
/// confirmation.
fn in_verify(test: Test, hosts: &[&str]) -> (Test, Gate, Running) {
    let test = test.source("a", "old");
    test.deploy();
    let mut gate = Gate::new(&test, "gate");
    let recipe = format!(
        "set(\"confirm_within\", 1);\nset(\"revert_command\", `cat a >>'{}'`);\n{}",
        test.path("reverted").display(),
        gate.task("verify", hosts)
    );
    let test = test.source("a", "new").recipe(&recipe);
    let run = Running::start(&test, "ann", &[]);
    gate.is_reached(hosts.len(), &run);
    (test, gate, run)
}

/// Waits until every host is back at `old` by itself.
#[track_caller]
fn is_taken_back(test: &Test, sites: &[&str], run: &dyn Fn() -> String) {
    let is_back = || sites.iter().all(|site| test.live(site) == test.releases(site).first().cloned());
    let took = until(PATIENCE, is_back, || format!("the old release is served again\n{}", run()));
    eprintln!("taken back after {:.1?}", took.unwrap_or_else(|why| panic!("{why}")));
    serve(test, sites, "old");
}

#[test]
fn a_swap_whose_client_is_killed_is_taken_back_by_the_servers_themselves() {
    with_and_without_flock(2, |test, flock| {
        let (test, mut gate, run) = in_verify(test, &BOTH);
        serve(&test, &SITES, "new");
        let new = test.live("sites/h1").unwrap();
        let said = run.dies();
        is_taken_back(&test, &SITES, &|| said.clone());
        let reverted = || fs::read_to_string(test.path("reverted")).unwrap_or_default();
        until(PATIENCE, || reverted() == "oldold", || format!("`revert_command` ran twice: {}", reverted()))
            .unwrap();
        gate.opens(2);
        nothing_is_at_work(&test);
        for site in SITES {
            let runner = test.path(site).join(".runner");
            no_swap_is_pending(&test, site);
            let history = fs::read_to_string(runner.join("history")).unwrap();
            assert!(history.lines().any(|line| line.split(' ').nth(1) == Some("revert")), "{history}");
            assert_ne!(test.record(site, &new)["state"], "complete", "{site}");
        }
        let test = test.recipe("").source("a", "newer");
        test.deploy();
        serve(&test, &SITES, "newer");
        for site in SITES {
            flock.is_free(&test, site);
            assert!(!test.releases(site).contains(&new));
        }
    });
}

/// The intents on a site, by what names them.
fn intents(test: &Test, site: &str) -> Vec<String> {
    let entries = fs::read_dir(test.path(site).join(".runner")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter_map(|name| name.strip_prefix("intent.").map(str::to_owned)).collect()
}

#[test]
fn a_run_that_dies_between_two_rollouts_is_healed_on_the_hosts_of_each() {
    let all = ["sites/h1", "sites/h2", "sites/h3"];
    let test = Test::with_sites(3).source("a", "old");
    test.deploy();
    let mut gate = Gate::new(&test, "gate");
    let recipe = format!(
        "task(\"swap\", || {{ for batch in hosts().batches(1) {{ batch.swap(); local(`{}`); }} }});\n",
        gate.text()
    );
    let test = test.source("a", "new").recipe(&recipe);
    let run = Running::start(&test, "ann", &[]);
    gate.is_reached(1, &run);
    gate.opens(1);
    gate.is_reached(1, &run);
    serve(&test, &all[..2], "new");
    serve(&test, &all[2..], "old");
    let (first, second) = (intents(&test, all[0]), intents(&test, all[1]));
    let said = run.dies();
    gate.opens(2);
    let id = first[0].strip_suffix(".1").unwrap_or_else(|| panic!("{first:?}\n{said}"));
    assert_eq!((first.len(), second, intents(&test, all[2])), (1, vec![format!("{id}.2")], vec![]));
    // As a program names it that knows one rollout a run.
    let runner = test.path(all[0]).join(".runner");
    let text = fs::read_to_string(runner.join(format!("intent.{id}.1"))).unwrap();
    let old = text.replace(&format!("\"{id}.1\""), &format!("\"{id}\""));
    assert_ne!(text, old);
    fs::remove_file(runner.join(format!("intent.{id}.1"))).unwrap();
    fs::write(runner.join(format!("intent.{id}")), old).unwrap();
    let test = test.recipe("task(\"preflight\", |host| host.fail(\"no\"));");
    Running::start(&test, "bob", &[]).ends(1).says("task `preflight` failed");
    serve(&test, &all, "old");
    for site in all {
        no_swap_is_pending(&test, site);
    }
    let test = test.recipe("");
    test.deploy();
    serve(&test, &all, "new");
}

#[test]
fn a_first_deploy_whose_client_is_killed_behind_the_swap_is_taken_back_to_nothing() {
    let test = Test::with_sites(1).source("a", "new");
    let mut gate = Gate::new(&test, "gate");
    let recipe = format!("set(\"confirm_within\", 1);\n{}", gate.task("verify", &["h1"]));
    let test = test.recipe(&recipe);
    let run = Running::start(&test, "ann", &[]);
    gate.is_reached(1, &run);
    serve(&test, &["sites/h1"], "new");
    let said = run.dies();
    let is_back = || fs::symlink_metadata(test.path("sites/h1/current")).is_err();
    until(PATIENCE, is_back, || format!("nothing is served again\n{said}")).unwrap();
    gate.opens(2);
    nothing_is_at_work(&test);
    Running::start(&test.recipe(""), "bob", &[]).ends(0);
}

#[test]
fn a_rollback_whose_client_is_killed_is_taken_back_by_the_servers_themselves() {
    let test = Test::with_sites(2).source("a", "one");
    test.deploy();
    let test = test.source("a", "two");
    test.deploy();
    let live = test.live("sites/h1").unwrap();
    let mut gate = Gate::new(&test, "gate");
    let recipe = format!("set(\"confirm_within\", 1);\n{}", gate.task("verify", &BOTH));
    let test = test.recipe(&recipe);
    let run = Running::start(&test, "ann", &["rollback"]);
    gate.is_reached(2, &run);
    serve(&test, &SITES, "one");
    let said = run.dies();
    let is_back = || SITES.iter().all(|site| test.live(site).as_ref() == Some(&live));
    until(PATIENCE, is_back, || format!("the release before the rollback is served again\n{said}")).unwrap();
    gate.opens(2);
    nothing_is_at_work(&test);
    for site in SITES {
        // It is as good as it was.
        assert_eq!(test.record(site, &live)["state"], "complete", "{site}");
    }
    let test = test.recipe("");
    test.ends(0, &["rollback"]);
    serve(&test, &SITES, "one");
}

/// A directory whose `sleep` writes down how long it sleeps: so the test knows how long a watch has waited, however slow
/// the machine is.
fn counted_sleep(test: Test) -> Test {
    let real = support::userland::program("sleep").unwrap();
    let script = format!(
        "#!/bin/sh\necho \"$1\" >>'{}'\nexec {} \"$@\"\n",
        test.path("slept").display(),
        real.display()
    );
    let test = test.write("sleepers/sleep", &script).mode("sleepers/sleep", 0o755);
    let path = format!("{}:{}", test.path("sleepers").display(), std::env::var("PATH").unwrap());
    test.env("PATH", &path)
}

/// The seconds that all sleeps together have been told to last.
fn slept(test: &Test) -> f64 {
    let text = fs::read_to_string(test.path("slept")).unwrap_or_default();
    text.lines().filter_map(|line| line.trim_end_matches('s').parse::<f64>().ok()).sum()
}

#[test]
fn a_swap_is_not_taken_back_while_its_client_lives_however_long_it_takes() {
    let (test, mut gate, run) = in_verify(counted_sleep(Test::with_sites(2)), &BOTH);
    // As if the clock had been set back since.
    let test = test.shell("touch -d '+1 hour' sites/h*/.runner/seen.*");
    // Two hosts, each of which has waited for four times as long as it would without a sign of life.
    let is_long = || slept(&test) > 8.0 || run.is_over();
    until(PATIENCE, is_long, || {
        format!("the watches have slept, by now for {} s\n{}", slept(&test), run.said())
    })
    .unwrap();
    assert!(!run.is_over(), "{}", run.said());
    serve(&test, &SITES, "new");
    gate.opens(2);
    run.ends(0);
    serve(&test, &SITES, "new");
    nothing_is_at_work(&test);
    assert!(!test.path("reverted").exists());
    for site in SITES {
        Flock::Is.is_free(&test, site);
    }
}

#[test]
fn a_client_that_was_frozen_notices_that_its_swap_was_taken_back() {
    let sites = ["sites/h1", "sites/h2", "sites/h3"];
    let (test, mut gate, run) = in_verify(Test::with_sites(3), &["h1", "h2", "h3"]);
    run.signal(Signal::STOP);
    is_taken_back(&test, &sites, &|| run.said());
    let old = test.live("sites/h1").unwrap();
    gate.opens(3);
    run.signal(Signal::CONT);
    let ran = run.ends(1);
    for host in ["h1", "h2", "h3"] {
        ran.says(&format!("{host} serves {old}"));
    }
    serve(&test, &sites, "old");
    nothing_is_at_work(&test);
    let test = test.recipe("");
    test.deploy();
    serve(&test, &sites, "new");
    for site in sites {
        Flock::Is.is_free(&test, site);
    }
}

#[test]
fn a_client_that_is_thawed_in_time_goes_on() {
    let (test, mut gate, run) = in_verify(Test::with_sites(1), &["h1"]);
    for _ in 0..20 {
        run.signal(Signal::STOP);
        run.signal(Signal::CONT);
    }
    gate.opens(1);
    run.ends(0);
    serve(&test, &["sites/h1"], "new");
    nothing_is_at_work(&test);
}

/// A `tar` goes on for a moment when the shell that started it was killed.
#[test]
fn what_a_dead_upload_started_is_waited_for_and_what_is_not_of_it_is_not() {
    let test = counted_sleep(Test::with_sites(1)).source("a", "1");
    test.deploy();
    let pids = test.path("pids");
    let daemons = Daemons(pids.clone());
    // Two groups: the shell that began the first is gone, the second's first process sleeps.
    let text = format!(
        "for new in '' 'exec setsid'; do $new sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >>'{}'; done; echo $$",
        pids.display()
    );
    let out = Command::new("setsid").args(["sh", "-c", &text]).output().unwrap();
    let orphaned = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    let [sleeper, led] = daemons.pids().try_into().unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for (name, is_waited_for) in [
        (format!("busy.999999999.1.{orphaned}.another-boot"), false),
        // Its first process is younger than the writer was: the number is another group's by now.
        (format!("busy.999999999.1.{led}.{}", boot.trim()), false),
        (format!("busy.999999999.1.{orphaned}.{}", boot.trim()), true),
    ] {
        let busy = test.path("sites/h1/.runner").join(&name);
        fs::write(&busy, "").unwrap();
        let before = slept(&test);
        let run = Running::start(&test, "ann", &[]);
        if is_waited_for {
            let waits = || slept(&test) - before > 1.0 || run.is_over();
            until(PATIENCE, waits, || run.said()).unwrap();
            assert!(!run.is_over() && busy.exists(), "{}", run.said());
            assert!(Command::new("kill").arg(&sleeper).status().unwrap().success());
        }
        run.ends(0);
        assert!(!busy.exists(), "{name}");
    }
}

#[test]
fn of_two_runs_whose_hosts_overlap_one_proceeds() {
    let test = Test::with_sites(3).source("a", "old");
    test.deploy();
    let mut gate = Gate::new(&test, "gate");
    let recipe = gate.task("preflight", &["h3"]);
    let test = test.recipe(&recipe);
    for n in 0..8 {
        let words: [&[&str]; 2] = [&[], &["--host", "h2", "--host", "h3"]];
        let order = [["ann", "bob"], ["bob", "ann"]][n % 2];
        let of = |who: &str| words[usize::from(who == "bob")];
        let mut runs: Vec<Running> = order.iter().map(|who| Running::start(&test, who, of(who))).collect();
        let loser = first_over(&runs);
        is_told(&runs.remove(loser).over(), order[1 - loser], "deploy");
        let won = runs.remove(0);
        gate.is_reached(1, &won);
        gate.opens(1);
        won.ends(0);
    }
    nothing_is_at_work(&test);
}

#[test]
fn of_two_runs_that_wait_and_whose_hosts_overlap_both_come_through() {
    let test = Test::with_sites(3).source("a", "old");
    test.deploy();
    for _ in 0..5 {
        let ann = Running::start(&test, "ann", &["--wait"]);
        let bob = Running::start(&test, "bob", &["--wait", "--host", "h2", "--host", "h3"]);
        ann.ends(0);
        bob.ends(0);
    }
    nothing_is_at_work(&test);
}

#[test]
fn a_run_that_waits_is_not_ended_by_the_watch_of_the_one_it_waits_for() {
    let (test, mut gate, ann) = in_verify(Test::with_sites(1), &["h1"]);
    ann.signal(Signal::STOP);
    let test = test.recipe("").source("a", "newer");
    let bob = Running::start(&test, "bob", &["--wait"]);
    until(PATIENCE, || bob.said().contains("waiting"), || bob.said()).unwrap();
    is_taken_back(&test, &["sites/h1"], &|| ann.said());
    gate.opens(1);
    ann.signal(Signal::CONT);
    ann.ends(1);
    bob.ends(0);
    serve(&test, &["sites/h1"], "newer");
    nothing_is_at_work(&test);
}

#[test]
fn signs_of_life_of_another_run_do_not_keep_a_swap() {
    let (test, mut gate, ann) = in_verify(Test::with_sites(1), &["h1"]);
    let said = ann.dies();
    let lock = test.path("sites/h1/.runner/lock");
    let is_back = || {
        fs::write(&lock, format!("{:1023}\n", r#"{"run":"another","host":"h1"}"#)).unwrap();
        test.live("sites/h1") == test.releases("sites/h1").first().cloned()
    };
    until(PATIENCE, is_back, || said.clone()).unwrap();
    serve(&test, &["sites/h1"], "old");
    gate.opens(1);
    nothing_is_at_work(&test);
}

#[test]
fn a_swap_is_not_taken_back_to_a_release_that_is_gone() {
    let (test, mut gate, ann) = in_verify(counted_sleep(Test::with_sites(1)), &["h1"]);
    let old = test.releases("sites/h1").first().cloned().unwrap();
    fs::remove_dir_all(test.path(format!("sites/h1/releases/{old}"))).unwrap();
    let said = ann.dies();
    gate.opens(1);
    nothing_is_at_work(&test);
    serve(&test, &["sites/h1"], "new");
    // The next run finds that there is no way back, and goes on.
    let test = test.recipe("").source("a", "newer");
    let live = test.live("sites/h1").unwrap();
    test.deploy();
    serve(&test, &["sites/h1"], "newer");
    assert_eq!(test.record("sites/h1", &live)["state"], "complete", "{said}");
    test.ends(0, &["rollback"]);
    serve(&test, &["sites/h1"], "new");
}

#[test]
fn whoever_lost_the_lock_with_the_connection_does_nothing_where_another_run_has_worked_since() {
    with_and_without_flock(1, |test, flock| {
        let test = test.source("a", "old");
        test.deploy();
        let mut gate = Gate::new(&test, "gate");
        let recipe = format!("task(\"smoke\", || local(`{}`));\n", gate.text());
        let test = test.source("a", "new").recipe(&recipe);
        let ann = Running::start(&test, "ann", &[]);
        gate.is_reached(1, &ann);
        let shell = flock.owner(&test, "sites/h1").expect("ann has it")["pid"].to_string();
        assert!(Command::new("kill").args(["-9", &shell]).status().unwrap().success());
        let test = test.recipe("").source("a", "newer");
        Running::start(&test, "bob", &["--wait"]).ends(0);
        let history = test.read("sites/h1/.runner/history");
        gate.opens(1);
        let ran = ann.over();
        assert!(matches!(ran.code, Some(1 | 4)), "{ran}");
        ran.says("another run has held it since");
        serve(&test, &["sites/h1"], "newer");
        assert_eq!(test.read("sites/h1/.runner/history"), history);
        flock.is_free(&test, "sites/h1");
        test.deploy();
    });
}
