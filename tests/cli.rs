//! The command line: verbs, outputs, exit codes.

mod support;

use support::Test;

#[test]
fn releases_and_status_show_what_is_there_and_what_is_live() {
    let test = Test::new().source("a", "1");
    test.ends(0, &["releases"]).says("no release yet");
    test.ends(0, &["status"]).says("localhost  nothing");
    assert!(!test.path("site").exists(), "a verb that looks changes nothing");
    test.deploy();
    let first = test.live("site").unwrap();
    let test = test.source("a", "2");
    test.deploy();
    let second = test.live("site").unwrap();
    let ran = test.ends(0, &["releases"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 3, "{ran}");
    assert!(lines[1].starts_with(&first) && !lines[1].contains("live"), "{ran}");
    assert!(lines[2].starts_with(&second) && lines[2].ends_with("<- live"), "{ran}");
    assert!(lines[2].contains("complete") && lines[2].contains("tester@"), "{ran}");
    test.ends(0, &["status"]).says(&format!("localhost  {second}"));
}

#[test]
fn verbs_speak_json_a_line_an_object() {
    let test = Test::with_sites(2).source("a", "1");
    test.deploy();
    for (words, n) in [(["releases", "--json"], 2), (["status", "--json"], 2)] {
        let ran = test.ends(0, &words);
        let lines: Vec<serde_json::Value> =
            ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len(), n, "{ran}");
        assert_eq!(lines[1]["host"], "h2");
    }
    for verb in ["tasks", "docs", "check"] {
        let ran = test.ends(0, &[verb, "--json"]);
        assert!(ran.out.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{ran}");
    }
}

#[test]
fn a_run_in_json_ends_with_what_every_host_serves() {
    let test = Test::with_sites(2).source("a", "1");
    let ran = test.ends(0, &["--json"]);
    let events: Vec<serde_json::Value> = ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(events[0]["event"], "started");
    let filled: Vec<_> = events.iter().filter(|e| e["event"] == "filled").collect();
    assert_eq!(filled.len(), 2);
    assert_eq!((&filled[0]["sent"]["n_unpacked"], &filled[0]["sent"]["bytes"]), (&1.into(), &1.into()));
    let last = &events[events.len() - 1];
    assert_eq!((&last["event"], &last["host"]), (&"serving".into(), &"h2".into()));
    assert_eq!(last["release"].as_str(), test.live("sites/h2").as_deref());
    assert!(ran.err.is_empty(), "{ran}");
}

#[test]
fn a_failed_run_in_json_carries_the_report() {
    let test = Test::new().source("a", "1").recipe("task(\"prepare\", |host| host.fail(\"no\"));\n");
    let ran = test.ends(1, &["--json"]);
    let failed = ran.out.lines().find(|line| line.contains("\"failed\"") && line.contains("report")).unwrap();
    let failed: serde_json::Value = serde_json::from_str(failed).unwrap();
    assert_eq!(failed["report"]["message"], "no");
    assert_eq!(failed["report"]["task"], "prepare");
    assert_eq!(failed["report"]["hosts"], serde_json::json!(["localhost"]));
    assert_eq!(failed["report"]["place"]["file"], "deploy.rhai");
}

#[test]
fn quiet_says_nothing_when_all_is_well_and_everything_when_not() {
    let test = Test::new().source("a", "1");
    let ran = test.ends(0, &["-q"]);
    assert!(ran.out.is_empty() && ran.err.is_empty(), "{ran}");
    let test = test.recipe("task(\"prepare\", |host| host.fail(\"no\"));\n");
    test.ends(1, &["-q"]).says("error: task `prepare` failed");
}

#[test]
fn colour_is_for_terminals_unless_it_is_asked_for() {
    let test = Test::new().source("a", "1");
    test.deploy().says_not("\u{1b}[");
    test.ends(0, &["--color", "always"]).says("\u{1b}[");
    test.ends(0, &["--color", "never"]).says_not("\u{1b}[");
}

#[test]
fn verbose_shows_commands_and_what_they_say() {
    let recipe = "task(\"prepare\", |host| host.run(\"echo out; echo err >&2\"));\n";
    let test = Test::new().source("a", "1").recipe(recipe);
    test.deploy().says_not("$ echo out");
    test.ends(0, &["-v"])
        .says("[localhost] $ echo out; echo err >&2")
        .says("[localhost] out")
        .says("[localhost] err");
}

#[test]
fn a_host_or_a_role_can_be_chosen() {
    let test = Test::new().source("a", "1").toml(
        "[settings]\nsource = \"source\"\n[stage.local]\ntransport = \"local\"\nhosts = [\n\
         { name = \"web\", path = \"web\", roles = [\"web\"] },\n{ name = \"job\", path = \"job\", roles = [\"job\"] },\n]\n",
    );
    test.ends(0, &["--host", "job"]).says("job serves").says_not("web serves");
    assert!(!test.path("web").exists());
    test.ends(0, &["--role", "web"]).says("web serves").says_not("job serves");
    test.ends(2, &["--host", "jbo"]).says("did you mean `job`?");
}

#[test]
fn a_dirty_work_tree_is_warned_about_and_recorded_with_the_revision() {
    let test = Test::new().source("a", "1").shell(
        "cd source && git init -q . && git add . && git -c user.name=t -c user.email=t@t commit -qm 1",
    );
    test.deploy().says_not("uncommitted");
    let record = test.record("site", &test.live("site").unwrap());
    assert_eq!(record["revision"].as_str().unwrap().len(), 40);
    assert!(record["dirty"].is_null());
    let test = test.source("a", "2");
    test.deploy().says("warning: the work tree has uncommitted changes");
    assert_eq!(test.record("site", &test.live("site").unwrap())["dirty"], true);
    test.ends(0, &["rollback"]).says_not("uncommitted");
}

#[test]
fn a_transport_that_is_not_there_yet_is_named_before_anything_happens() {
    let test = Test::new()
        .source("a", "1")
        .toml("[stage.prod]\npath = \"/srv/x\"\ntransport = \"openssh\"\nhosts = [\"web1\"]\n");
    test.ends(2, &[]).says("host `web1` uses the transport `openssh`, which is not supported yet");
    test.ends(2, &["check"])
        .says("host `web1` uses the transport `openssh`, which is not supported yet")
        .says("hint: set `transport = \"ssh\"`");
}

#[test]
fn a_reader_that_goes_away_does_not_end_a_run() {
    let test = Test::new().source("a", "1");
    let command = test.command(&["--json"]);
    let mut child = command_with_closed_stdout(command);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(test.serves("site", "a"), "1");
}

/// Standard output leads to a pipe that nobody reads any more.
fn command_with_closed_stdout(mut command: std::process::Command) -> std::process::Child {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer).stderr(std::process::Stdio::null()).spawn().unwrap()
}

#[test]
fn a_release_to_go_back_to_is_no_word_of_a_deployment() {
    let test = Test::new().source("a", "b");
    test.deploy();
    let live = test.live("site").unwrap();
    test.ends(2, &["--release", &live])
        .says("selects a release to roll back to")
        .says("runner rollback --release");
    assert_eq!(test.releases("site").len(), 1);
}

#[test]
fn what_is_wrong_with_a_host_or_a_path_points_at_its_line_and_not_into_shipped_scripts() {
    let toml = |path: &str, host: &str| {
        format!("[settings]\nsource = \"source\"\n[stage.prod]\npath = \"{path}\"\nhosts = [{host}]\n")
    };
    let test = Test::new().source("a", "1").toml(&toml("/nowhere", "\"127.0.0.1:1\""));
    let ran = test.ends(1, &[]);
    ran.says("task `lock` failed on `127.0.0.1`: no connection to `127.0.0.1`: failed to connect");
    ran.says("--> runner.toml:5:10\n").says("5 | hosts = [\"127.0.0.1:1\"]").says_not("shipped/");
    test.ends(1, &["-v"]).says("--> runner.toml:5:10\n").says("`lock` is declared at shipped/deploy.rhai:");
    test.ends(1, &["status"]).says("error: `127.0.0.1`: no connection").says("--> runner.toml:5:10\n");
    // Where the address is said apart from the name.
    let test = test.toml(&toml("/nowhere", "{ name = \"web\", address = \"127.0.0.1:1\" }"));
    test.ends(1, &[]).says("failed on `web`").says("--> runner.toml:5:36\n").says("^^^^^^^^^^^^^");
    let test = test.toml(&toml("a/b", "{ name = \"web\", transport = \"local\" }"));
    std::fs::write(test.path("a"), "").unwrap();
    test.ends(1, &[])
        .says("task `lock` failed on `web`: ")
        .says("--> runner.toml:4:8\n")
        .says_not("shipped/");
}

#[test]
fn a_hint_is_a_command_that_works_as_it_is_typed() {
    let test = Test::new().source("a", "1");
    test.ends(2, &["rolback"]).says("hint: `runner tasks` lists the tasks");
    test.ends(2, &["-C", ".", "rolback"]).says("hint: `runner -C . tasks` lists the tasks");
    test.ends(2, &["laravel", "rolback"]).says("hint: `runner tasks laravel` lists the tasks");
    let dir = test.path("with blank");
    std::fs::create_dir(&dir).unwrap();
    std::fs::copy(test.path("runner.toml"), dir.join("runner.toml")).unwrap();
    let ran = test.ends(2, &["-C", "with blank", "--stage", "local", "--release", "20260101000000"]);
    ran.says(
        "hint: `runner -C 'with blank' --stage local rollback --release 20260101000000` rolls back to it",
    );
}
