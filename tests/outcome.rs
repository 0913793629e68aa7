//! How the end of a run is told: to the user, in the last lines, and to the functions that a recipe has for it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/gate.rs"]
mod gate;
mod support;

use gate::{Gate, Running};
use rustix::process::Signal;
use support::Test;

/// A recipe that appends what it is told to the file `told`, a line a time; not what differs every time.
fn telling(more: &str) -> String {
    format!(
        r#"
fn tell(name, outcome) {{
    outcome.seconds = outcome.seconds >= 0.0;
    outcome.by = outcome.by.contains("tester@");
    let line = `${{name}}: ${{outcome.to_json()}}`;
    local(`printf '%s\n' "$TOLD" >> told`, #{{ env: #{{ TOLD: line }} }});
}}
on_success("deploy", |outcome| tell("success", outcome));
on_failure("deploy", |outcome| tell("failure", outcome));
{more}"#
    )
}

fn told(test: &Test) -> Vec<(String, serde_json::Value)> {
    let text = std::fs::read_to_string(test.path("told")).unwrap_or_default();
    let of = |line: &str| {
        let (name, json) = line.split_once(": ").unwrap();
        (name.to_owned(), serde_json::from_str(json).unwrap())
    };
    text.lines().map(of).collect()
}

#[test]
fn a_success_is_told_with_all_that_a_notification_says() {
    let test = Test::with_sites(2).source("a", "1").recipe(&telling(""));
    test.deploy();
    let all = told(&test);
    assert_eq!(all.len(), 1);
    let live = test.live("sites/h1").unwrap();
    assert_eq!(all[0].0, "success");
    let want = serde_json::json!({
        "flow": "deploy", "application": all[0].1["application"], "stage": "local", "release": live,
        "revision": null, "by": true, "seconds": true, "verdict": "done", "exit_code": 0, "failures": [],
        "hosts": [
            { "name": "h1", "serves": live, "dropped": false }, { "name": "h2", "serves": live, "dropped": false },
        ],
    });
    assert_eq!(all[0].1, want);
}

#[test]
fn a_failure_is_told_after_the_undo_with_task_hosts_message_and_place() {
    let test = Test::with_sites(3).source("a", "1").recipe(&telling(""));
    test.deploy();
    let live = test.live("sites/h1").unwrap();
    let verify =
        "task(\"verify\", |host| { if host.name != \"h2\" { host.run(\"echo broken; exit 3\"); } });\n";
    let test = test.source("a", "2").recipe(&telling(verify)).remove("told");
    test.ends(1, &[]);
    let all = told(&test);
    assert_eq!((all.len(), all[0].0.as_str()), (1, "failure"));
    let outcome = &all[0].1;
    assert_eq!((&outcome["verdict"], &outcome["exit_code"]), (&"failed".into(), &1.into()));
    assert_eq!(outcome["hosts"][0]["serves"], live.as_str());
    let failure = &outcome["failures"][0];
    assert_eq!(failure["task"], "verify");
    assert_eq!(failure["hosts"], serde_json::json!(["h1", "h3"]));
    assert_eq!(failure["message"], "`echo broken; exit 3` exited with status 3");
    assert_eq!(failure["notes"][0], "broken");
    assert!(failure["place"].as_str().unwrap().starts_with("deploy.rhai:"), "{failure}");
    // After `watch` the release stays.
    let late = "task(\"late\", |host| host.fail(\"no\"));\nafter(\"watch\", \"late\");\n";
    let test = test.recipe(&telling(late)).remove("told");
    test.ends(5, &[]);
    let all = told(&test);
    assert_eq!((&all[0].1["verdict"], &all[0].1["exit_code"]), (&"live".into(), &5.into()));
}

#[test]
fn hosts_that_failed_at_once_in_a_task_that_runs_here_are_told_by_name() {
    let test =
        Test::with_sites(3).source("a", "1").write("sites/h2", "no directory").write("sites/h3", "none");
    let test = test.recipe(&telling(""));
    let ran = test.ends(1, &[]);
    ran.says("task `lock` failed on `h2`, `h3`: ").says("h2 serves nothing");
    ran.says("`h2`: `").says("`h3`: `");
    let all = told(&test);
    assert_eq!(all[0].1["failures"][0]["hosts"], serde_json::json!(["h2", "h3"]));
    assert_eq!(all[0].1["hosts"][1]["serves"], serde_json::Value::Null);
}

#[test]
fn a_dropped_host_is_told_as_such() {
    let boom = "task(\"preflight\", |host| { if host.name == \"h2\" { host.fail(\"no\"); } });\n";
    let test = Test::with_sites(3).source("a", "1").recipe(&telling(boom));
    test.ends(0, &["--set", "on_host_failure=continue"]);
    let all = told(&test);
    assert_eq!(all[0].0, "success");
    assert_eq!(all[0].1["hosts"][1], serde_json::json!({ "name": "h2", "serves": null, "dropped": true }));
}

#[test]
fn only_the_flow_that_ended_is_told_and_a_plan_or_a_task_alone_is_not() {
    let more =
        "task(\"one\", |host| ()).alone();\non_success(\"rollback\", |outcome| local(\"touch back\"));\n";
    let test = Test::new().source("a", "1").recipe(&telling(more));
    test.ends(0, &["--plan"]);
    test.deploy();
    test.ends(0, &["one"]);
    assert_eq!(told(&test).len(), 1);
    assert!(!test.has("back"));
    test.deploy();
    test.ends(0, &["rollback"]);
    assert_eq!(told(&test).len(), 2);
    assert!(test.has("back"));
}

#[test]
fn a_function_that_fails_is_a_warning_and_changes_no_exit_code() {
    let recipe = "on_success(\"deploy\", |outcome| local(\"echo away >&2; exit 7\"));\n\
                  on_success(\"deploy\", |outcome| note(`after it: ${outcome.verdict}`));\n\
                  on_failure(\"deploy\", |outcome| fail(outcome.verdict));\n";
    let test = Test::new().source("a", "1").recipe(recipe);
    let ran = test.ends(0, &[]);
    ran.says("warning: `on_success` of `deploy` failed: `echo away >&2; exit 7` exited with status 7");
    ran.says("deploy.rhai:1:").says("= away").says("after it: done").says("localhost serves");
    let test = test.recipe(&format!("{recipe}task(\"smoke\", |host| host.fail(\"no\"));\n"));
    test.ends(1, &[]).says("warning: `on_failure` of `deploy` failed:").says("deploy.rhai:3:");
}

#[test]
fn secrets_are_hidden_in_what_is_told() {
    let more = "task(\"smoke\", |host| host.run(`echo ${secret(\"TOKEN\")}; exit 3`));\n";
    let test = Test::new().source("a", "1").recipe(&telling(more));
    let ran = support::Ran::of(test.command(&[]).env("TOKEN", "hunter22").output().unwrap());
    assert_eq!(ran.code, Some(1));
    ran.says_not("hunter22");
    let text = test.read("told");
    assert!(!text.contains("hunter22") && text.contains("echo ***; exit 3"), "{text}");
}

#[test]
fn of_several_hints_one_is_given() {
    let recipe = "task(\"smoke\", |host| host.run(`no-such-${host.name}`));\n";
    let test = Test::with_sites(3).source("a", "1").recipe(recipe);
    let ran = test.ends(1, &[]);
    ran.says("failed on `h1`").says("failed on `h2`").says("failed on `h3`").says("deploy.rhai:1:");
    assert_eq!(ran.err.matches("hint:").count(), 1, "{ran}");
    ran.says("h1 serves nothing").says("h3 serves nothing");
}

#[test]
fn hosts_that_fail_alike_stand_together_on_the_way_there_and_on_the_way_back() {
    let recipe = "set(\"shared\", [\".env\"]);\n\
                  task(\"build\", || ());\n\
                  task(\"release\", |host| host.create_release()).undo(|host| host.run(\"echo stuck; exit 9\"));\n\
                  task(\"reload\", |host| host.run(\"test -e old\"));\n";
    let test = Test::with_sites(3).source("a", "1").recipe(recipe);
    // The hint names a path of one of them.
    let ran = test.ends(1, &[]);
    ran.says("error: task `share` failed on `h1`, `h2`, `h3`: shared file `.env` is missing");
    ran.says("error: undo on `h1`, `h2`, `h3`: failed to undo `release`: `echo stuck; exit 9` exited with");
    ran.says("= stuck");
    assert_eq!(ran.err.matches("error:").count(), 2, "{ran}");
    assert_eq!(ran.err.matches("hint:").count(), 1, "{ran}");
}

#[test]
fn the_last_lines_of_a_failure_say_what_the_server_said_last() {
    let recipe = "task(\"prepare\", |host| host.run(\"for n in $(seq 1000); do echo line $n; done; echo the end >&2; exit 3\"));\n";
    let test = Test::new().source("a", "1").recipe(recipe);
    let ran = test.ends(1, &[]);
    ran.says("deploy.rhai:1:").says("= line 1000").says("= the end").says_not("= line 900\n");
}

#[test]
fn an_interrupted_run_is_told_as_such() {
    let test = Test::new().source("a", "1");
    let mut gate = Gate::new(&test, "gate");
    let test = test.recipe(&telling(&gate.task("smoke", &["localhost"])));
    let run = Running::start(&test, "tester", &[]);
    gate.is_reached(1, &run);
    run.signal(Signal::INT);
    let ran = run.ends(130);
    let all = told(&test);
    assert_eq!((&all[0].1["verdict"], &all[0].1["exit_code"]), (&"interrupted".into(), &130.into()), "{ran}");
    ran.says("localhost serves nothing");
}
