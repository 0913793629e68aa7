//! Many hosts at once: the barrier after each task, and the way back when one of them fails.

mod support;

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use support::userland::program;
use support::{FLOW, Test, tree};

/// Every host says that it entered, waits until all have, and says that it leaves. If hosts did not work at the same
/// time, this would never end; if a host ran ahead, its line would stand too early.
const RENDEZVOUS: &str = r#"
fn meet(host, name) {
    host.run(`cd ../../../.. && echo "enter ${name}" >> log && : > "met/${name}-${host.name}" \
        && while [ "$(ls met | grep -c "^${name}-")" -lt 12 ]; do :; done && echo "leave ${name}" >> log`);
}
task("prepare", |host| meet(host, "prepare"));
task("smoke", |host| meet(host, "smoke"));
"#;

#[test]
fn no_host_of_twelve_enters_a_task_before_all_left_the_one_before() {
    let test = Test::with_sites(12).source("a", "1").recipe(RENDEZVOUS).shell("mkdir met");
    test.deploy();
    let log = fs::read_to_string(test.path("log")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 48);
    for (part, want) in lines.chunks(12).zip(["enter prepare", "leave prepare", "enter smoke", "leave smoke"])
    {
        assert!(part.iter().all(|line| *line == want), "{log}");
    }
}

/// A task that fails on one host of twelve, beside a task of the flow.
fn failing(side: &str, anchor: &str) -> String {
    format!(
        "task(\"boom\", |host| {{ if host.name == \"h7\" {{ host.run(\"echo broken >&2; exit 3\"); }} }});\n\
         {side}(\"{anchor}\", \"boom\");\n"
    )
}

#[test]
fn a_failure_of_one_host_at_each_task_in_turn_is_undone_on_all() {
    let test = Test::with_sites(12).source("a", "old");
    test.deploy();
    let sites: Vec<String> = (1..=12).map(|n| format!("sites/h{n}")).collect();
    let live = test.live("sites/h1").unwrap();
    let release = test.path("sites/h1/releases").join(&live);
    let before = tree(&release);
    let mut test = test.source("a", "new");
    for task in FLOW.into_iter().take_while(|task| *task != "prune") {
        // Before `lock` nothing is known of any host.
        let side = if task == "watch" { "before" } else { "after" };
        test = test.recipe(&failing(side, task));
        let ran = test.ends(1, &[]);
        ran.says("task `boom` failed on `h7`: `echo broken >&2; exit 3` exited with status 3");
        ran.says("deploy.rhai:1:").says("= broken");
        for site in &sites {
            assert_eq!(
                test.live(site).as_deref(),
                Some(live.as_str()),
                "{site} after a failure at {task}\n{ran}"
            );
            assert_eq!(test.serves(site, "a"), "old");
            ran.says(&format!("{} serves {live}", site.trim_start_matches("sites/")));
        }
        // What was never served is gone; what was served for a moment is kept as failed, and does not count.
        let left = test.releases("sites/h3");
        let was_served = ["swap", "reload", "verify", "watch"].contains(&task);
        for name in left.iter().filter(|name| **name != live) {
            assert!(was_served || test.record("sites/h3", name)["state"] == "failed", "{task}: {left:?}");
        }
    }
    assert_eq!(tree(&release), before);
    // The next deploy needs nobody's help and leaves nothing of the failed ones behind.
    let test = test.recipe("");
    test.deploy();
    for site in &sites {
        assert_eq!(test.serves(site, "a"), "new");
        assert_eq!(test.releases(site).len(), 2, "{:?}", test.releases(site));
    }
}

#[test]
fn a_failure_after_watch_leaves_the_new_release_live_everywhere() {
    let test = Test::with_sites(3).source("a", "old");
    test.deploy();
    let recipe = "task(\"boom\", |host| { if host.name == \"h2\" { host.fail(\"no\"); } });\nafter(\"watch\", \"boom\");\n";
    let test = test.source("a", "new").recipe(recipe);
    let ran = test.ends(5, &[]);
    ran.says("task `boom` failed on `h2`: no").says("boom         failed  1 of 3 hosts");
    ran.says("the release is live, but a later task failed, after").says_not("failed after");
    for n in 1..=3 {
        assert_eq!(test.serves(&format!("sites/h{n}"), "a"), "new");
    }
}

/// A recipe's own flow, in which `boom` fails, ends with this code.
#[track_caller]
fn settled(flow: &str, code: i32) {
    let test = Test::new().source("a", "old");
    test.deploy();
    let boom = r#"task("boom", |host| host.fail("no"));"#;
    let test = test.source("a", "new").recipe(&format!("{boom}\n{flow}\n"));
    let name = flow.split('"').nth(1).unwrap();
    test.ends(code, &[name]).says("task `boom` failed");
    assert_eq!(test.serves("site", "a"), if code == 5 { "new" } else { "old" }, "{flow}");
}

#[test]
fn what_a_flow_did_stays_from_the_end_of_the_task_that_settles_it() {
    let flow = |name: &str, rest: &str| {
        format!(r#"flow("{name}", ["lock", "build", "release", "upload", "share", "seal", "swap", {rest});"#)
    };
    for name in ["deploy", "blue"] {
        // What the shipped flow says, or what settles other flows.
        settled(&flow(name, r#""watch", "boom"]"#), 5);
        settled(&flow(name, r#""boom", "watch"]"#), 1);
        settled(&flow(name, r#""boom"]"#), 1);
    }
    settled(&flow("deploy", r#""verify", "boom", "watch"], #{ settles: "verify" }"#), 5);
    settled(&flow("blue", r#""verify", "watch", "boom", "prune"], #{ settles: "prune" }"#), 1);
}

#[test]
fn rollouts_of_one_run_are_taken_back_or_confirmed_all_together() {
    let serve = |test: &Test, want: &str| {
        for n in 1..=3 {
            let site = format!("sites/h{n}");
            assert_eq!(test.serves(&site, "a"), want, "{site}");
            let left = fs::read_dir(test.path(&site).join(".runner")).unwrap();
            let left = left.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
            let left: Vec<String> = left.filter(|name| name.starts_with("intent")).collect();
            assert!(left.is_empty(), "{site}: {left:?}");
        }
    };
    let test = Test::with_sites(3).source("a", "old");
    test.deploy();
    let swap = "task(\"swap\", || { for batch in hosts().batches(2) { batch.swap(); } });\n";
    let verify = "task(\"verify\", |host| { if host.name == \"h3\" { host.fail(\"no\"); } });\n";
    let test = test.source("a", "new").recipe(&format!("{swap}{verify}"));
    test.ends(1, &[]).says("task `verify` failed on `h3`").says("h1 serves ");
    serve(&test, "old");
    // The second is never begun.
    let test = test
        .recipe("task(\"swap\", || { for batch in hosts().batches(2) { batch.swap(); fail(\"no\"); } });\n");
    test.ends(1, &[]).says("task `swap` failed");
    serve(&test, "old");
    let test = test.recipe(swap);
    test.deploy();
    serve(&test, "new");
}

#[test]
fn a_first_deploy_that_fails_after_the_swap_leaves_nothing_live() {
    let test = Test::new().source("a", "1").recipe("task(\"verify\", |host| host.fail(\"no\"));\n");
    test.ends(1, &[]).says("localhost serves nothing");
    assert_eq!(test.live("site"), None);
    assert!(fs::symlink_metadata(test.path("site/current")).is_err());
}

#[test]
fn undos_run_in_reverse_where_their_tasks_did_and_reload_runs_again_after_a_swap_back() {
    let recipe = r#"
fn say(host, text) { host.run(`echo "${text}" >> "${host.path}/../log"`); }
task("prepare", |host| say(host, "prepare")).undo(|host| say(host, "undo prepare of $(cat a)"));
task("smoke", |host| say(host, "smoke")).undo(|host| say(host, "undo smoke"));
task("reload", |host| say(host, "reload $(cat a)"));
task("verify", |host| host.fail("no"));
"#;
    let test = Test::new().source("a", "old");
    test.deploy();
    let test = test.source("a", "new").recipe(recipe);
    test.ends(1, &[]).says("swapped back on localhost").says("undid `smoke` on localhost");
    let log = fs::read_to_string(test.path("log")).unwrap();
    assert_eq!(log, "prepare\nsmoke\nreload new\nreload old\nundo smoke\nundo prepare of new\n");
}

#[test]
fn the_swap_is_one_rename_and_nothing_else_touches_current() {
    let test = Test::new().source("a", "1");
    test.deploy();
    let test = test.source("a", "2");
    let strace = program("strace").expect("strace is needed: apt-get install strace");
    let calls = "trace=/^(rename|unlink|symlink|link|rmdir|mkdir)";
    // Over ssh each channel has a trace of its own.
    let text = format!(
        "exec {} -f -qq -e '{calls}' -o '{}'/$$ \"$@\"",
        strace.display(),
        test.path("traces").display()
    );
    let test = test.shell("mkdir traces").around(&text);
    test.deploy();
    let traces = fs::read_dir(test.path("traces")).unwrap().map(|file| file.unwrap().path());
    let trace: String = traces.map(|file| fs::read_to_string(file).unwrap()).collect();
    // `"current"` whole: the temporary link has another name, in `.runner`.
    let touching: Vec<&str> =
        trace.lines().filter(|line| line.contains("\"current\"") && !line.contains("= -1")).collect();
    assert_eq!(touching.len(), 1, "{touching:#?}");
    assert!(
        touching[0].contains("rename") && touching[0].contains("\".runner/current.new\""),
        "{}",
        touching[0]
    );
    assert_eq!(test.serves("site", "a"), "2");
}

#[test]
fn ctrl_c_ends_the_command_undoes_and_says_so() {
    let test = Test::new().source("a", "old");
    test.deploy();
    let test = test
        .source("a", "new")
        .recipe(
            "task(\"prepare\", |host| host.run(`echo $$ > \"${host.path}/../ready\"; exec sleep 1000`));\n",
        )
        .shell("mkfifo ready");
    let mut child = test.command(&[]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    // Opening the pipe waits for the command to be at work.
    let pid = fs::read_to_string(test.path("ready")).unwrap();
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert_eq!(test.serves("site", "a"), "old");
    assert_eq!(test.releases("site").len(), 1);
    let is_there = Command::new("kill").args(["-0", pid.trim()]).stderr(Stdio::null()).status().unwrap();
    assert!(!is_there.success(), "the command outlived the run");
}

/// A run that is interrupted in its task `task` and again while that task's undo waits, and what it said. `ready` and
/// `undoing` are pipes that tell of the command that waits.
fn interrupted_twice(test: &Test) -> (Option<i32>, String) {
    let mut child = test.command(&[]).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut pids = Vec::new();
    for pipe in ["ready", "undoing"] {
        pids.push(fs::read_to_string(test.path(pipe)).unwrap());
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    }
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let code = child.wait().unwrap().code();
    for pid in pids {
        let is_there = Command::new("kill").args(["-0", pid.trim()]).stderr(Stdio::null()).status().unwrap();
        assert!(!is_there.success(), "a command outlived the run\n{said}");
    }
    (code, said)
}

/// A task whose command and whose undo wait for ever.
fn waiting(task: &str) -> String {
    let wait =
        |pipe: &str| format!("|host| host.run(`echo $$ > \"${{host.path}}/../{pipe}\"; exec sleep 1000`)");
    format!("task(\"{task}\", {}).undo({});\n", wait("ready"), wait("undoing"))
}

#[test]
fn a_second_ctrl_c_ends_a_running_undo_at_once_and_says_what_was_served_last() {
    let test = Test::new().source("a", "old");
    test.deploy();
    let live = test.live("site").unwrap();
    let recipe = format!("{}on_failure(\"deploy\", |outcome| local(\"touch told\"));\n", waiting("prepare"));
    let test = test.source("a", "new").recipe(&recipe).shell("mkfifo ready undoing");
    let (code, said) = interrupted_twice(&test);
    // Nothing was swapped, so nothing is apart.
    assert_eq!(code, Some(130), "{said}");
    // A Ctrl-C is nobody's mistake.
    assert!(said.contains("interrupted: task `prepare` was stopped on `localhost`"), "{said}");
    assert!(said.contains("interrupted after") && !said.contains("deploy.rhai:"), "{said}");
    assert!(said.contains("interrupted again: stopped undoing"), "{said}");
    assert!(
        said.contains("interrupted: `on_failure` of `deploy` was not called") && !test.has("told"),
        "{said}"
    );
    assert!(said.contains(&format!("localhost last served {live}: not asked again")), "{said}");
    assert_eq!(test.serves("site", "a"), "old");
}

#[test]
fn a_second_ctrl_c_before_the_swap_is_taken_back_leaves_hosts_that_need_a_person() {
    let test = Test::new().source("a", "old");
    test.deploy();
    let test = test.source("a", "new").recipe(&waiting("verify")).shell("mkfifo ready undoing");
    let (code, said) = interrupted_twice(&test);
    assert_eq!(code, Some(4), "{said}");
    let live = test.live("site").unwrap();
    assert!(said.contains(&format!("localhost last served {live}: not asked again")), "{said}");
    assert_eq!(test.serves("site", "a"), "new");
}

#[test]
fn a_task_run_by_its_name_works_in_current() {
    let test = Test::new()
        .source("a", "1")
        .recipe("task(\"where\", |host| host.run(\"pwd -P > where\")).alone();\n");
    test.deploy();
    test.ends(0, &["where"]);
    let live = test.live("site").unwrap();
    assert!(test.serves("site", "where").trim_end().ends_with(&live));
}

#[test]
fn a_plan_changes_nothing_and_tells_what_would_be_done() {
    let test = Test::new().source("a", "one\n").source("b", "b\n");
    let ran = test.ends(0, &["--plan"]);
    ran.says("localhost: add `a`");
    assert!(!test.path("site").exists(), "{ran}");
    test.deploy();
    let before = tree(&test.path("site"));
    let test = test.source("a", "two\n").remove("source/b").recipe(
        "task(\"prepare\", |host| { if host.run(\"date\") != \"\" { host.run(\"touch x\"); } });\n\
         task(\"build\", || local(\"touch built\"));\n",
    );
    let ran = test.ends(0, &["--diff"]);
    ran.says("change `a`").says("remove `b`").says("-one").says("+two");
    ran.says("here: run `touch built`")
        .says("depends on the answer of `date` (deploy.rhai:1)")
        .says_not("touch x");
    assert!(!test.path("built").exists());
    assert_eq!(tree(&test.path("site")), before);
}

#[test]
fn a_plan_shows_how_files_differ_from_the_clean_copy_too() {
    let test = Test::new().source("a dir/it's", "one\n").recipe("set(\"strategy\", \"cache\");");
    test.deploy();
    let test = test.source("a dir/it's", "two\n");
    test.ends(0, &["--diff"]).says("-one").says("+two");
}

#[test]
fn a_plan_warns_of_a_shared_file_that_is_missing() {
    let test = Test::new().source("a", "1").recipe("set(\"shared\", [\".env\", \"logs/\"]);\n");
    test.ends(0, &["--plan"])
        .says("`shared/.env` is missing: a deploy would fail")
        .says_not("logs` is missing");
    let test = test.write("site/shared/.env", "");
    test.ends(0, &["--plan"]).says_not("is missing");
}

#[test]
fn what_a_task_before_the_upload_writes_into_the_source_is_sent() {
    let write = "local(\"echo written >source/index\")";
    for recipe in [
        format!("task(\"preflight\", || {write});"),
        format!("task(\"preflight\", |host| {write});"),
        format!("task(\"late\", |host| {write});\nbefore(\"upload\", \"late\");"),
        format!(
            "task(\"upload\", |host| {{ {write}; host.fill(#{{ strategy: host.get(\"strategy\") }}); }});"
        ),
    ] {
        let test = Test::new().source("index", "before").recipe(&recipe);
        test.deploy();
        assert_eq!(test.serves("site", "index"), "written\n", "{recipe}");
    }
}
