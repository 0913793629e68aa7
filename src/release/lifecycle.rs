//! A site is opened; a release is made, completed, discarded, removed.

use jiff::Timestamp;

use crate::release::answer::Fields;
use crate::release::probe::FORMAT;
use crate::release::{CREATE, Record, ReleaseName, SharedPath, State, flag, script};
use crate::shell::{Effect, Step, Word};

/// One line of a site's history: when, what, which release, by whom.
pub fn entry(at: Timestamp, what: &str, name: &ReleaseName, by: &str) -> String {
    format!("{} {what} {name} {by}", at.strftime("%Y-%m-%dT%H:%M:%SZ"))
}

/// Makes what is missing of a site; the record of an adopted release is written with it.
pub fn open(root: &str, adopt: Option<&Record>, entry: &str) -> Step<()> {
    let name = adopt.map_or("", |record| record.name.as_str());
    let adopted = adopt.map_or(Word::from(""), Word::from);
    let script = script(root, include_str!("sh/open.sh"))
        .var("format", u64::from(FORMAT))
        .var("adopt", name)
        .var("adopted", adopted)
        .var("entry", entry);
    Step::new("open", Effect::Writes, script, |answer| Fields::read(answer, "opened").map(drop))
}

pub fn create(root: &str, record: &Record) -> Step<()> {
    let script = script(root, include_str!("sh/create.sh"))
        .with(CREATE)
        .var("name", &record.name)
        .var("record", record);
    Step::new("create", Effect::Writes, script, |answer| Fields::read(answer, "created").map(drop))
        .data("release", &record.name)
}

/// Whether sealing found managed files that a command wrote in place.
pub enum Sealed {
    Complete,
    Differs(Vec<Vec<u8>>),
}

pub fn seal(
    root: &str,
    record: &Record,
    shared: &[SharedPath],
    is_guarded: bool,
    is_durable: bool,
) -> Step<Sealed> {
    let complete = record.with_state(State::Complete);
    let script = script(root, include_str!("sh/seal.sh"))
        .var("name", &record.name)
        .var("record", &complete)
        .var("guarded", flag(is_guarded))
        .var("durable", flag(is_durable))
        .rows("shared", shared.iter().map(SharedPath::row));
    Step::new("seal", Effect::Writes, script, |answer| {
        let differs = Fields::parse(&answer.stdout).byte_list("differs");
        if differs.is_empty() {
            Fields::read(answer, "sealed").map(|_| Sealed::Complete)
        } else {
            Ok(Sealed::Differs(differs))
        }
    })
    .data("release", &record.name)
}

/// The undo of `create`: the directory and its record go, unless they are another run's.
pub fn discard(root: &str, record: &Record, entry: &str) -> Step<()> {
    let script = script(root, include_str!("sh/discard.sh"))
        .var("name", &record.name)
        .var("claim", record.claim())
        .var("record", &record.with_state(State::Failed))
        .var("entry", entry);
    Step::new("discard", Effect::Writes, script, |answer| Fields::read(answer, "discarded").map(drop))
        .data("release", &record.name)
}

/// What a prune removed, and what it could not.
#[derive(Debug, Default)]
pub struct Pruned {
    pub removed: Vec<String>,
    pub stayed: Vec<String>,
}

pub fn prune(root: &str, names: &[ReleaseName], entry: &str) -> Step<Pruned> {
    let script = script(root, include_str!("sh/prune.sh"))
        .var("entry", entry)
        .rows("releases", names.iter().map(|name| [Word::from(name)]));
    Step::new("prune", Effect::Writes, script, |answer| {
        let fields = Fields::read(answer, "done")?;
        Ok(Pruned { removed: fields.list("pruned"), stayed: fields.list("stayed") })
    })
    .data("releases", names.len())
}

pub fn history(root: &str) -> Step<Vec<String>> {
    let script = script(root, "enter\ncat .runner/history 2>/dev/null || :\n");
    Step::new("history", Effect::Reads, script, |answer| {
        let text = String::from_utf8_lossy(&answer.stdout);
        Ok(text.lines().map(str::to_owned).collect())
    })
}
