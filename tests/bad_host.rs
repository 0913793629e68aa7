//! One host of several that fails: the run fails on all, or goes on without it.

mod support;

use std::fs;
use std::process::Stdio;

use support::{FLOW, Test};

const STAGE: &str = "[stage.local]\ntransport = \"local\"\nhosts = [\n  { name = \"h1\", path = \"sites/h1\" },\n  \
                     { name = \"h2\", path = \"sites/h2\" },\n  { name = \"h3\", path = \"sites/h3\" },\n]\n";

/// Three hosts, and settings of the project's.
fn with(settings: &str) -> Test {
    Test::new().toml(&format!("[settings]\nsource = \"source\"\n{settings}\n{STAGE}"))
}

/// Three hosts of which bad ones are dropped.
fn going_on() -> Test {
    with("on_host_failure = \"continue\"")
}

/// A task that fails on some hosts, beside a task of the flow.
fn failing(side: &str, anchor: &str, hosts: &str) -> String {
    format!(
        "task(\"boom\", |host| {{ if host.name in {hosts} {{ host.run(\"echo broken >&2; exit 3\"); }} }});\n\
         {side}(\"{anchor}\", \"boom\");\n"
    )
}

/// What `h1`, `h2` and `h3` serve.
fn served(test: &Test) -> String {
    let all: Vec<String> = (1..=3).map(|n| test.serves(&format!("sites/h{n}"), "a")).collect();
    all.join(" ")
}

#[test]
fn a_host_that_fails_before_the_swap_is_dropped_at_each_task_in_turn() {
    let mut test = going_on().source("a", "v0");
    test.deploy();
    let live = test.live("sites/h2").unwrap();
    let before_swap = FLOW.into_iter().take_while(|task| *task != "swap");
    for (n, task) in before_swap.enumerate() {
        let new = format!("v{}", n + 1);
        test = test.source("a", &new).recipe(&failing("after", task, "[\"h2\"]"));
        let ran = test.ends(0, &[]);
        ran.says(
            "warning: `h2` is dropped: task `boom` failed: `echo broken >&2; exit 3` exited with status 3",
        );
        ran.says("deploy.rhai:1:").says("= broken");
        ran.says(&format!("h2 was dropped: it serves {live}")).says("done in").says_not("error:");
        assert_eq!(served(&test), format!("{new} v0 {new}"), "{task}\n{ran}");
        // What the run did there is undone, there alone.
        assert_eq!(test.releases("sites/h2"), [live.as_str()], "{task}\n{ran}");
    }
    let test = test.source("a", "well").recipe("");
    test.deploy();
    assert_eq!(served(&test), "well well well");
}

#[test]
fn a_dropped_host_has_its_own_undos_and_no_other_host_has() {
    let recipe = r#"
fn say(host, text) { host.run(`echo "${text}" >> "${host.path}/../${host.name}.log"`); }
task("prepare", |host| say(host, "prepare")).undo(|host| say(host, "undo prepare"));
task("smoke", |host| { say(host, "smoke"); if host.name == "h3" { host.fail("no"); } }).undo(|host| say(host, "undo smoke"));
task("reload", |host| say(host, "reload"));
"#;
    let test = going_on().source("a", "1").recipe(recipe);
    test.ends(0, &[]).says("undid `smoke` on h3").says("h3 was dropped: it serves nothing").says("smoke");
    assert_eq!(test.read("sites/h1.log"), "prepare\nsmoke\nreload\n");
    assert_eq!(test.read("sites/h3.log"), "prepare\nsmoke\nundo smoke\nundo prepare\n");
    assert_eq!(test.live("sites/h3"), None);
    assert!(test.releases("sites/h3").is_empty());
}

#[test]
fn a_host_that_cannot_be_connected_to_is_dropped_the_first_one_too() {
    let away =
        "{ name = \"h1\", path = \"/nowhere\", address = \"127.0.0.1\", port = 1, transport = \"ssh\" }";
    let toml = format!("[settings]\nsource = \"source\"\non_host_failure = \"continue\"\n{STAGE}");
    let test =
        Test::new().toml(&toml.replace("{ name = \"h1\", path = \"sites/h1\" }", away)).source("a", "1");
    let ran = test.ends(0, &[]);
    ran.says("warning: `h1` is dropped: task `lock` failed: no connection to `h1`");
    ran.says("h1 was dropped: not reached");
    assert_eq!(test.serves("sites/h2", "a") + &test.serves("sites/h3", "a"), "11");
    // And in a plan.
    let test = test.source("a", "2");
    test.ends(0, &["--plan"]).says("`h1` is dropped").says("change `a`");
    // As it was: the run fails on all.
    test.ends(1, &["--set", "on_host_failure=abort"])
        .says("error: task `lock` failed on `h1`: no connection")
        .says("lock         failed  1 of 3 hosts")
        .says("hint: is `port = 1` right? If it is, sshd does not run there");
    assert_eq!(test.serves("sites/h2", "a"), "1");
}

#[test]
fn from_the_swap_on_a_bad_host_takes_back_all() {
    let mut test = going_on().source("a", "old");
    test.deploy();
    test = test.source("a", "new");
    for (side, task) in [("after", "swap"), ("after", "reload"), ("after", "verify"), ("before", "watch")] {
        test = test.recipe(&failing(side, task, "[\"h2\"]"));
        test.ends(1, &[]).says("task `boom` failed on `h2`").says_not("dropped");
        assert_eq!(served(&test), "old old old", "{task}");
    }
    let test = test.recipe(&failing("after", "watch", "[\"h2\"]"));
    test.ends(5, &[]).says_not("dropped");
    assert_eq!(served(&test), "new new new");
}

#[test]
fn fewer_hosts_than_must_be_healthy_fail_the_run() {
    let test = going_on().source("a", "old");
    test.deploy();
    let test = test.source("a", "new").recipe(&failing("after", "upload", "[\"h1\", \"h3\"]"));
    for (min, n_asked) in [("2", 2), ("34%", 2), ("100%", 3)] {
        let ran = test.ends(1, &["--set", &format!("min_healthy={min}")]);
        ran.says(&format!(
            "cannot drop `h1`, `h3`: 1 of 3 hosts would remain, and `min_healthy` requires {n_asked}"
        ));
        ran.says("task `boom` failed on `h1`, `h3`").says_not("is dropped").says_not("was dropped");
        assert_eq!(served(&test), "old old old");
    }
    test.ends(1, &["--set", "on_host_failure={ min_healthy = 2 }"]).says("requires 2");
    test.ends(0, &["--set", "min_healthy=33%"]).says("h1 was dropped").says("h3 was dropped");
    assert_eq!(served(&test), "old new old");
    // All hosts are too many whatever is asked for.
    let test = test.recipe(&failing("after", "upload", "[\"h1\", \"h2\", \"h3\"]"));
    test.ends(1, &[]).says("cannot drop `h1`, `h2`, `h3`: 0 of 3 hosts would remain");
    // Hosts are counted over the whole run, one task after the other.
    let two = "task(\"one\", |host| { if host.name == \"h1\" { host.fail(\"no\"); } });\nafter(\"release\", \"one\");\n";
    let test = test.recipe(&format!("{two}{}", failing("after", "upload", "[\"h2\"]")));
    test.ends(1, &["--set", "min_healthy=2"]).says("`h1` is dropped").says("cannot drop `h2`: 1 of 3");
    assert_eq!(served(&test), "old new old");
}

#[test]
fn a_host_that_a_task_runs_on_once_is_never_dropped() {
    let once = "task(\"migrate\", |host| host.run(\"touch ../../migrated\")).once();\nafter(\"prepare\", \"migrate\");\n";
    let mut test = going_on().source("a", "old");
    test.deploy();
    test = test.source("a", "new");
    // Before it ran, and after: undone there it would be missing on the others.
    for task in ["lock", "smoke"] {
        test = test.recipe(&format!("{once}{}", failing("after", task, "[\"h1\"]")));
        let ran = test.ends(1, &[]);
        ran.says("cannot drop `h1`: task `migrate` runs once, on that host")
            .says("task `boom` failed on `h1`");
        assert_eq!(served(&test), "old old old");
    }
    assert!(!test.has("sites/h2/migrated") && !test.has("sites/h3/migrated"));
    // Others are.
    let test = test.recipe(&format!("{once}{}", failing("after", "lock", "[\"h2\"]")));
    test.deploy();
    assert_eq!(served(&test), "new old new");
    // A failure of the task itself is the flow's.
    let test = test.recipe("task(\"prepare\", |host| host.fail(\"no\")).once();");
    test.ends(1, &[]).says("task `prepare` failed on `h1`: no");
}

#[test]
fn what_runs_once_goes_to_no_other_host_than_the_dropped_one() {
    // Nobody could know beforehand that the task is performed.
    let recipe = "task(\"boom\", |host| { if host.name == \"h1\" { host.fail(\"no\"); } });\n\
                  after(\"lock\", \"boom\");\n\
                  task(\"migrate\", |host| host.run(\"touch ../../migrated\")).once().alone();\n\
                  fn all() { hosts().perform([\"migrate\"]); }\n\
                  task(\"build\", all);\n";
    let test = going_on().source("a", "1").recipe(recipe);
    test.ends(1, &[]).says("task `migrate` failed: it must run once, on `h1`, which was dropped");
    for n in 1..=3 {
        assert!(!test.has(format!("sites/h{n}/migrated")) && test.live(&format!("sites/h{n}")).is_none());
    }
}

#[test]
fn recipes_no_longer_see_a_dropped_host() {
    let recipe = r#"
fn names(set) { let all = []; for host in set { all += host.name; } all }
fn roll() {
    let all = hosts();
    all.perform(["boom"]);
    note(`left: ${names(all)} of ${all.len()}; ${names(hosts())}; first ${all.first().name}`);
    for batch in all.batches(1) { note(`batch ${names(batch)}`); }
    all.perform(["hello"]);
    all.swap();
}
task("boom", |host| { if host.name == "h1" { host.fail("no"); } }).alone();
task("hello", |host| host.note("hello")).alone();
task("swap", roll);
"#;
    let test = going_on().source("a", "1").recipe(recipe);
    let ran = test.ends(0, &[]);
    ran.says("left: [\"h2\", \"h3\"] of 2; [\"h2\", \"h3\"]; first h2");
    ran.says("batch [\"h2\"]").says("batch [\"h3\"]").says_not("batch [\"h1\"]");
    ran.says("`h2`: hello").says_not("`h1`: hello").says("h1 was dropped: it serves nothing");
    assert_eq!(test.live("sites/h1"), None);
}

#[test]
fn a_rollback_drops_a_bad_host_too() {
    let mut test = going_on();
    for version in ["1", "2"] {
        test = test.source("a", version);
        test.deploy();
    }
    let test = test.recipe(&failing("after", "lock", "[\"h3\"]"));
    test.ends(0, &["rollback"]).says("h3 was dropped: it serves");
    assert_eq!(served(&test), "1 1 2");
}

#[test]
fn answers_that_mean_nothing_are_found_before_a_host_is_touched() {
    let cases = [
        ("min_healthy = 0", "setting `min_healthy`: at least 1 host must remain, not 0"),
        ("min_healthy = -2", "at least 1 host must remain, not -2"),
        ("min_healthy = \"0%\"", "`0%` must be between `1%` and `100%`"),
        ("min_healthy = \"120%\"", "`120%` must be between `1%` and `100%`"),
        ("min_healthy = \"most\"", "`most` must be a number of hosts, or a percentage such as `75%`"),
        (
            "min_healthy = 1.5",
            "setting `min_healthy` must be a whole number of hosts or a share such as `75%`, not a number",
        ),
        (
            "on_host_failure = \"ignore\"",
            "setting `on_host_failure`: `ignore` is neither `abort` nor `continue`",
        ),
        (
            "on_host_failure = 3",
            "setting `on_host_failure` must be `abort`, `continue` or `{ min_healthy = ... }`",
        ),
        ("on_host_failure = { healthy = 3 }", "the table must contain `min_healthy` and nothing else"),
        ("on_host_failure = { min_healthy = 0 }", "at least 1 host must remain, not 0"),
    ];
    for (settings, want) in cases {
        let test = with(settings);
        let ran = test.ends(2, &[]);
        ran.says(want);
        // The file that says how to reach a server is made anew.
        if !test.is_remote() {
            ran.says("runner.toml:3");
        }
        test.ends(2, &["check"]).says(want);
        assert!(!test.has("sites"));
    }
    let test = Test::new().toml(
        "[stage.local]\ntransport = \"local\"\n\
         hosts = [{ name = \"h1\", path = \"h1\", settings = { min_healthy = 2 } }]\n",
    );
    test.ends(2, &[]).says("setting `min_healthy` applies to all hosts and cannot be set for one host");
    let test = Test::new().recipe("set(\"min_healthy\", \"most\");\n");
    test.ends(2, &[]).says("`most` must be a number of hosts").says("deploy.rhai:1");
}

#[test]
fn machines_are_told_who_was_dropped_and_why() {
    let test = going_on().source("a", "1").recipe(&failing("after", "lock", "[\"h2\"]"));
    let ran = test.ends(0, &["--json"]);
    let events: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let dropped = events.iter().find(|event| event["event"] == "dropped").unwrap();
    assert_eq!(dropped["host"], "h2");
    assert_eq!(dropped["report"]["notes"][0], "broken");
    let serving: Vec<bool> = events
        .iter()
        .filter(|event| event["event"] == "serving")
        .map(|event| event["is_dropped"].as_bool().unwrap())
        .collect();
    assert_eq!(serving, [false, true, false]);
}

#[test]
fn a_task_alone_goes_on_without_a_bad_host() {
    let test = going_on().source("a", "1");
    test.deploy();
    let recipe = "task(\"touch\", |host| { if host.name == \"h2\" { host.fail(\"no\"); } host.run(\"touch touched\"); }).alone();";
    let test = test.recipe(recipe);
    test.ends(0, &["touch"]).says("`h2` is dropped: task `touch` failed: no");
    let touched = |n: usize| fs::exists(test.path(format!("sites/h{n}/current/touched"))).unwrap();
    assert_eq!([touched(1), touched(2), touched(3)], [true, false, true]);
}

#[test]
fn a_host_whose_shell_dies_is_dropped_and_what_can_be_undone_there_is() {
    let recipe = "task(\"prepare\", |host| { if host.name == \"h2\" { host.run(\"kill -9 $PPID\"); } });\n";
    let test = going_on().source("a", "old");
    test.deploy();
    let live = test.live("sites/h2").unwrap();
    let test = test.source("a", "new").recipe(recipe);
    let ran = test.ends(0, &[]);
    ran.says("warning: `h2` is dropped: task `prepare` failed:")
        .says(&format!("h2 was dropped: it serves {live}"));
    assert_eq!(served(&test), "new old new");
    let test = test.recipe("");
    test.deploy();
    assert_eq!(served(&test), "new new new");
    assert_eq!(test.releases("sites/h2").len(), 2, "{:?}", test.releases("sites/h2"));
}

#[test]
fn a_host_that_another_run_works_on_is_not_bad_and_fails_the_run() {
    let recipe = "task(\"smoke\", |host| host.run(`: > ${host.path}/../ready; cat ${host.path}/../go`));";
    let test = going_on().source("a", "old");
    test.deploy();
    let test = test.source("a", "new").recipe(recipe).shell("mkfifo sites/ready sites/go");
    let mut other =
        test.command(&["--host", "h2"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    // Opening the pipe waits for the other run to be at work.
    fs::read_to_string(test.path("sites/ready")).unwrap();
    let ran = test.ends(3, &[]);
    ran.says("task `lock` failed on `h2`").says("held by tester@").says_not("is dropped");
    fs::write(test.path("sites/go"), "").unwrap();
    assert_eq!(other.wait().unwrap().code(), Some(0));
    assert_eq!(served(&test), "old new old");
}

#[test]
fn the_lock_of_a_dropped_host_is_let_go_at_once() {
    let recipe = "task(\"preflight\", |host| { if host.name == \"h2\" && get(\"drops\") { host.fail(\"no\"); } });\n\
                  task(\"build\", || { if get(\"drops\") { local(get(\"other\")); } });\n\
                  set(\"drops\", true);\nset(\"other\", \"true\");\n";
    let test = going_on().source("a", "1").recipe(recipe);
    let other = format!("other='{} --host h2 --set drops=false'", env!("CARGO_BIN_EXE_runner"));
    test.ends(0, &["--set", &other]).says("h2 was dropped");
    // By the other run, within this one.
    assert_eq!(served(&test), "1 1 1");
}
