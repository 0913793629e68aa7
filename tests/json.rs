//! `--json`: what docs/json.md promises of every line.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{Ran, Test};

type Fields = BTreeSet<String>;

fn repository(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn fields(value: &Value) -> Fields {
    value.as_object().unwrap().keys().cloned().collect()
}

/// The examples below the headings of a section, by heading.
fn examples(section: &str) -> BTreeMap<String, Vec<Value>> {
    let text = repository("docs/json.md");
    let (_, section) = text.split_once(&format!("\n## {section}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let of = |part: &str| {
        let heading = part.split('`').nth(1).unwrap().to_owned();
        let lines = part.lines().filter(|line| line.starts_with('{'));
        (heading, lines.map(|line| serde_json::from_str(line).unwrap()).collect())
    };
    section.split("\n### ").skip(1).map(of).collect()
}

/// What is in every event.
const COMMON: [&str; 4] = ["at", "event", "run", "schema"];

/// The events with their fields, as the program's source declares them.
fn declared() -> BTreeMap<String, Fields> {
    let source = repository("src/event/mod.rs");
    let (_, body) = source.split_once("pub enum Event {\n").unwrap();
    let body = body.split("\n}\n").next().unwrap();
    let mut all: BTreeMap<String, Fields> = BTreeMap::new();
    let (mut event, mut renamed) = (String::new(), None);
    for line in body.lines().filter(|line| !line.trim_start().starts_with("//")) {
        if let Some(name) = line.strip_prefix("    ").and_then(|line| line.strip_suffix(" {")) {
            event = snake(name);
            all.insert(event.clone(), COMMON.map(str::to_owned).into());
        } else if let Some((_, rest)) = line.split_once("rename = \"") {
            renamed = rest.split('"').next().map(str::to_owned);
        } else if let Some((name, _)) = line.trim().split_once(": ").filter(|_| !line.contains('#')) {
            all.get_mut(&event).unwrap().insert(renamed.take().unwrap_or_else(|| name.to_owned()));
        }
    }
    // What is asked at the terminal is no event of the run.
    assert!(all.remove("question").is_some());
    all
}

fn snake(name: &str) -> String {
    let parts = name.chars().map(|c| match c.is_uppercase() {
        true => format!("_{}", c.to_lowercase()),
        false => c.to_string(),
    });
    parts.collect::<String>().trim_start_matches('_').to_owned()
}

#[test]
fn every_event_is_documented_with_all_its_fields() {
    let documented = examples("Events");
    let documented = documented.iter().map(|(event, examples)| {
        assert_eq!(examples.len(), 1, "{event}");
        assert_eq!(examples[0]["event"], event.as_str());
        (event.clone(), fields(&examples[0]))
    });
    assert_eq!(documented.collect::<BTreeMap<_, _>>(), declared());
}

/// The events of a run, each with the fields that are documented; all of one run, in the order of their times.
#[track_caller]
fn events(ran: &Ran) -> Vec<Value> {
    let known = declared();
    let report = fields(&examples("Events")["failed"][0]["report"]);
    let place = fields(&examples("Events")["failed"][0]["report"]["place"]);
    let events: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &events {
        let mut wanted = known[event["event"].as_str().unwrap()].clone();
        if event["event"] == "started" && event.get("ref").is_none() {
            wanted.remove("ref");
        }
        assert_eq!(fields(event), wanted, "{event}");
        assert_eq!((&event["schema"], &event["run"]), (&1.into(), &events[0]["run"]), "{event}");
        assert!(!event["run"].as_str().unwrap().is_empty());
        let at = event["at"].as_str().unwrap();
        assert!(
            at.len() == "2026-11-21T19:30:00.104Z".len() && at.parse::<jiff::Timestamp>().is_ok(),
            "{at}"
        );
        if let Some(told) = event.get("report") {
            assert_eq!(fields(told), report, "{event}");
            assert!(told["place"].is_null() || fields(&told["place"]) == place, "{event}");
        }
    }
    assert!(events.is_sorted_by_key(|event| event["at"].as_str().unwrap().to_owned()), "{ran}");
    assert!(ran.err.is_empty(), "{ran}");
    events
}

fn find<'a>(events: &'a [Value], event: &str) -> &'a Value {
    events.iter().find(|one| one["event"] == event).unwrap()
}

#[test]
fn every_line_of_a_run_has_what_is_documented() {
    let recipe = "task(\"prepare\", |host| host.run(\"echo ready; echo well >&2\"));\n";
    let test = Test::with_sites(2).source("a", "1\n").recipe(recipe);
    let first = events(&test.ends(0, &["--json"]));
    for event in ["started", "release", "command", "line", "filled", "swapped", "finished", "serving"] {
        find(&first, event);
    }
    let test = test.source("a", "2\n");
    let planned = events(&test.ends(0, &["--json", "--diff"]));
    assert!(find(&planned, "diff")["text"].as_str().unwrap().contains("+2"));
    assert_ne!(planned[0]["run"], first[0]["run"]);
}

#[test]
fn a_failure_has_its_parts_as_fields() {
    let recipe = "task(\"smoke\", |host| host.run(\"echo broken; exit 3\"));\n";
    let test = Test::with_sites(2).source("a", "1").recipe(recipe);
    let all = events(&test.ends(1, &["--json"]));
    let report = &find(&all, "failed")["report"];
    assert_eq!(report["label"], "error");
    assert_eq!(report["task"], "smoke");
    assert_eq!(report["hosts"], serde_json::json!(["h1", "h2"]));
    assert_eq!(report["message"], "`echo broken; exit 3` exited with status 3");
    assert_eq!(report["notes"], serde_json::json!(["broken"]));
    let place = (&report["place"]["file"], &report["place"]["line"], &report["place"]["provenance"]);
    assert_eq!(place, (&"deploy.rhai".into(), &1.into(), &"user".into()));
}

#[test]
fn hosts_that_fail_for_different_reasons_have_a_report_each() {
    let test =
        Test::with_sites(2).source("a", "1").write("sites/h1", "no directory").write("sites/h2", "none");
    let ran = test.ends(1, &["--json"]);
    let all = events(&ran);
    let report = &find(&all, "failed")["report"];
    // The first host is locked before the others.
    let causes = report["causes"].as_array().unwrap();
    let causes = if causes.is_empty() { std::slice::from_ref(report) } else { causes };
    for cause in causes {
        assert_eq!(cause["place"]["file"], "runner.toml", "{ran}");
        assert!(!cause["message"].as_str().unwrap().contains('\n'), "{ran}");
    }
}

#[test]
fn a_mistake_before_a_run_is_a_report_too() {
    let test = Test::new().source("a", "1");
    let all = events(&test.ends(2, &["--json", "rolback"]));
    let report = &find(&all, "failed")["report"];
    assert_eq!(report["hint"], "`runner tasks` lists the tasks, `runner help` the verbs");
    let all = events(&test.ends(2, &["--json", "--set", "keep_releases=x"]));
    assert_eq!(find(&all, "failed")["report"]["place"]["file"], "--set");
}

#[test]
fn verbs_print_the_fields_that_are_documented() {
    let text = repository("docs/json.md");
    let (_, verbs) = text.split_once("\n## Verbs\n").unwrap();
    let test = Test::new().source("a", "1");
    test.deploy();
    for verb in ["releases", "status", "unlock", "tasks", "docs", "check"] {
        let (_, part) = verbs.split_once(&format!("`runner {verb}`")).unwrap();
        let part = part.split("`runner ").next().unwrap();
        let documented: Vec<Value> = part
            .lines()
            .filter(|line| line.starts_with('{'))
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        let ran = test.ends(0, &[verb, "--json"]);
        for line in ran.out.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let alike = documented.iter().find(|one| one.get("kind") == line.get("kind")).unwrap();
            assert_eq!(fields(&line), fields(alike), "{verb}: {line}");
        }
        assert!(!ran.out.is_empty(), "{verb}");
    }
}
