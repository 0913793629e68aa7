//! The outcome of a flow as data for scripts.

use rhai::{Array, Dynamic, Map};

use crate::event::Report;
use crate::flow::{Outcome, Serving};
use crate::run::Run;

fn text_or_nothing(text: Option<String>) -> Dynamic {
    text.map_or(Dynamic::UNIT, Dynamic::from)
}

fn texts(list: &[String]) -> Dynamic {
    list.iter().cloned().map(Dynamic::from).collect::<Array>().into()
}

/// What an outcome has.
pub const KEYS: [&str; 11] = [
    "flow",
    "application",
    "stage",
    "release",
    "revision",
    "by",
    "seconds",
    "verdict",
    "exit_code",
    "hosts",
    "failures",
];

/// The parameter of functions for `on_success` and `on_failure`. They send it to chats and by mail, so secrets are
/// masked in it.
pub fn map(run: &Run, flow: &str, outcome: &Outcome) -> Map {
    let mut map = Map::new();
    let mut put = |key: &str, value: Dynamic| map.insert(key.into(), value);
    put("flow", flow.to_owned().into());
    put("application", run.application.clone().into());
    put("stage", run.stage.clone().into());
    put("release", text_or_nothing(run.release().map(ToString::to_string)));
    put("revision", text_or_nothing(run.here.revision.commit.clone()));
    put("by", run.by.clone().into());
    put("seconds", outcome.took.as_secs_f64().into());
    put("verdict", outcome.verdict.word().into());
    put("exit_code", i64::from(outcome.verdict.exit_code()).into());
    put("hosts", outcome.serving.iter().map(host).collect::<Array>().into());
    put("failures", outcome.failures.iter().map(|failed| failure(run, failed)).collect::<Array>().into());
    map
}

fn host(serving: &Serving) -> Dynamic {
    let mut map = Map::new();
    map.insert("name".into(), serving.host.clone().into());
    map.insert("serves".into(), text_or_nothing(serving.release.clone()));
    map.insert("dropped".into(), serving.is_dropped.into());
    if let Some(visitors) = &serving.visitors {
        map.insert("visitors".into(), visitors.clone().into());
    }
    map.into()
}

fn failure(run: &Run, failed: &Report) -> Dynamic {
    let report = run.here.mask.report(failed.clone());
    let notes: Vec<String> = notes(&report).collect();
    let mut map = Map::new();
    map.insert("task".into(), text_or_nothing(report.task));
    map.insert("hosts".into(), texts(&report.hosts));
    map.insert("message".into(), report.message.into());
    // Among others, the last lines that the command printed.
    map.insert("notes".into(), texts(&notes));
    map.insert("place".into(), text_or_nothing(report.excerpt.map(|excerpt| excerpt.place.to_string())));
    map.insert("hint".into(), text_or_nothing(report.hint.map(|hint| hint.to_string())));
    map.into()
}

/// The notes of a report, such as the last lines of a command; the causes, if hosts failed differently; and the calls.
fn notes(report: &Report) -> impl Iterator<Item = String> {
    let causes =
        report.causes.iter().flat_map(|cause| [cause.headline()].into_iter().chain(cause.notes.clone()));
    let calls = report.trail.iter().map(|frame| frame.text.clone());
    report.notes.iter().cloned().chain(causes).chain(calls)
}
