//! Three hosts of which one fails at each task in turn, in every way that a host can fail: never a mix of releases. And
//! fifty that are sent the same.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::fs;

use support::{FLOW, Ran, Test, repeats};

/// How the second host fails.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// A command says so.
    Status,
    /// A command is killed, as by a system that is out of memory.
    Killed,
    /// A command does not come to an end.
    Slow,
    /// The shell that holds the connection is gone.
    CutOff,
}

impl Way {
    fn command(self) -> (&'static str, &'static str) {
        match self {
            Way::Status => ("echo broken >&2; exit 3", "exited with status 3"),
            Way::Killed => ("sh -c 'kill -9 $$'", "was killed by signal 9"),
            Way::Slow => ("exec sleep 1000", "timed out after 1 s"),
            // Up from here to the child of the program, or to the process that its connection comes by.
            Way::CutOff => (
                "p=$$; until case $(cat /proc/$p/comm) in sshd*) ;; *) false ;; esac; do set -- $(sed 's/.*) //' /proc/$p/stat); ! grep -q runner /proc/$2/comm || break; p=$2; done; kill -9 $p",
                "was cut off",
            ),
        }
    }

    /// A recipe in which it does so beside a task of the flow.
    fn recipe(self, side: &str, anchor: &str) -> String {
        let (command, _) = self.command();
        let options = if matches!(self, Way::Slow) { ", #{ timeout: 1 }" } else { "" };
        format!(
            "task(\"boom\", |host| {{ if host.name == \"h2\" {{ host.run(`{command}`{options}); }} }});\n\
             {side}(\"{anchor}\", \"boom\");\n"
        )
    }
}

/// All three serve `version`, and the run said so.
#[track_caller]
fn all_serve(test: &Test, version: &str, ran: &Ran, when: &str) {
    for n in 1..=3 {
        let site = format!("sites/h{n}");
        assert_eq!(test.serves(&site, "index"), version, "h{n}, {when}\n{ran}");
        ran.says(&format!("h{n} serves {}", test.live(&site).unwrap()));
    }
}

/// The table: a failure beside each task, what all three serve then, and the exit code.
fn fails_at_each_task_in_turn(way: Way) {
    let mut test = Test::with_sites(3).source("index", "0");
    test.deploy();
    let mut served = "0".to_owned();
    let places = FLOW.iter().map(|task| ("before", *task)).chain([("after", "watch"), ("after", "prune")]);
    // What only the command knows of is the same however its host is reached.
    let step = match (test.is_remote(), way) {
        (false, Way::CutOff) => 1,
        (false, _) => repeats(3, 1),
        (true, Way::CutOff) => 2,
        (true, _) => 4,
    };
    for (n, (side, task)) in places.skip(1).step_by(step).enumerate() {
        let when = format!("{way:?} {side} `{task}`");
        let version = (n + 1).to_string();
        test = test.source("index", &version).recipe(&way.recipe(side, task));
        let is_confirmed = task == "prune" || side == "after";
        let ran = test.ends(if is_confirmed { 5 } else { 1 }, &[]);
        ran.says("task `boom` failed on `h2`").says(way.command().1).says("deploy.rhai:1:");
        if is_confirmed {
            served = version;
        }
        all_serve(&test, &served, &ran, &when);
        // Nobody has to tidy up, and what failed is no way back.
        test = test.recipe("");
        let version = format!("{} again", n + 1);
        test = test.source("index", &version);
        let ran = test.deploy();
        all_serve(&test, &version, &ran, &when);
        let ran = test.ends(0, &["rollback"]);
        all_serve(&test, &served, &ran, &when);
    }
}

#[test]
fn a_host_whose_command_fails_takes_all_back_at_each_task() {
    fails_at_each_task_in_turn(Way::Status);
}

#[test]
fn a_host_whose_command_is_killed_takes_all_back_at_each_task() {
    fails_at_each_task_in_turn(Way::Killed);
}

#[test]
fn a_host_whose_command_never_ends_takes_all_back_at_each_task() {
    fails_at_each_task_in_turn(Way::Slow);
}

#[test]
fn a_host_that_is_cut_off_takes_all_back_at_each_task() {
    fails_at_each_task_in_turn(Way::CutOff);
}

#[test]
fn a_host_that_cannot_be_reached_fails_the_run_before_any_other_is_changed() {
    let stage = |h2: &str| {
        format!(
            "[settings]\nsource = \"source\"\n[stage.local]\ntransport = \"local\"\nhosts = [\n  \
             {{ name = \"h1\", path = \"sites/h1\" }},\n  {{ name = \"h2\", {h2} }},\n  \
             {{ name = \"h3\", path = \"sites/h3\" }},\n]\n"
        )
    };
    let well = stage("path = \"sites/h2\"");
    let test = Test::new().toml(&well).source("index", "one");
    test.deploy();
    let live = test.live("sites/h1").unwrap();
    // Nobody listens there.
    let gone = stage("path = \"/srv/h2\", transport = \"ssh\", address = \"127.0.0.1\", port = 1");
    let test = test.toml(&gone).source("index", "two");
    let ran = test.ends(1, &[]);
    ran.says("`h2`").says("127.0.0.1");
    for n in [1, 3] {
        assert_eq!(test.serves(&format!("sites/h{n}"), "index"), "one", "{ran}");
        assert_eq!(test.releases(&format!("sites/h{n}")), std::slice::from_ref(&live), "{ran}");
        ran.says(&format!("h{n} serves {live}"));
    }
    assert!(fs::metadata(test.path("sites/h2/current")).is_ok());
    let test = test.toml(&well);
    let ran = test.deploy();
    all_serve(&test, "two", &ran, "afterwards");
}

/// What the source was compared with in a deploy: once for all hosts that have the same.
#[track_caller]
fn bases(test: &Test, words: &[&str]) -> Vec<Option<String>> {
    let ran = test.ends(0, &[&["--json"], words].concat());
    let events = ran.out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let compared = events.filter(|event| event["event"] == "compared");
    let mut bases: Vec<_> = compared.map(|event| event["base"].as_str().map(str::to_owned)).collect();
    bases.sort();
    bases
}

#[test]
fn the_source_is_compared_once_for_fifty_hosts() {
    let test = Test::with_sites(50).source("index", "1");
    assert_eq!(bases(&test, &[]), [None]);
    let first = test.live("sites/h1");
    let test = test.source("index", "2");
    assert_eq!(bases(&test, &[]), [first]);
    for n in 1..=50 {
        assert_eq!(test.serves(&format!("sites/h{n}"), "index"), "2");
    }
}

#[test]
fn the_source_is_compared_once_for_each_base() {
    let live = |test: &Test, host: &str| test.live(&format!("sites/{host}"));
    let test = Test::with_sites(4).source("index", "1").source("same", "");
    test.deploy();
    let test = test.source("index", "2");
    assert_eq!(bases(&test, &["--plan"]), [live(&test, "h1")]);
    assert_eq!(bases(&test, &["--set", "strategy=cache"]), [Some("cache".to_owned())]);
    // One host is ahead of the others.
    let test = test.source("index", "3");
    let second = live(&test, "h2");
    assert_eq!(bases(&test, &["--host", "h2"]), std::slice::from_ref(&second));
    let third = live(&test, "h2");
    let test = test.source("index", "4");
    assert_eq!(bases(&test, &[]), [second, third]);
    // One host was edited: what is sent to it is more.
    let fourth = live(&test, "h3").unwrap();
    let test = test.write(&format!("sites/h3/releases/{fourth}/same"), "edited").source("index", "5");
    assert_eq!(bases(&test, &[]), [Some(fourth.clone()), Some(fourth)]);
    for n in 1..=4 {
        let site = format!("sites/h{n}");
        assert_eq!([test.serves(&site, "index"), test.serves(&site, "same")], ["5", ""]);
    }
}
