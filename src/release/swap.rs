//! `current` is re-pointed by one rename, and the records say so. Until the run confirms it, the server watches.

use std::fmt;

use crate::release::answer::Fields;
use crate::release::guard::{self, Guarded};
use crate::release::intent::Intent;
use crate::release::lock::Lock;
use crate::release::probe::Current;
use crate::release::{LOCK, Record, ReleaseName, SWAP, flag};
use crate::shell::{Effect, Script, Step, Word};

/// Where `current` should lead: to a release, or, when a first deploy is taken back, nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Release(ReleaseName),
    /// A link text as it was found, another tool's absolute one for example.
    Link(String),
    /// A link text that leads to nothing, as it was found.
    Dangling(String),
    Nothing,
}

impl Target {
    pub fn of(current: &Current) -> Self {
        match current {
            Current::Absent => Target::Nothing,
            Current::Release { link, .. } => Target::Link(link.clone()),
            Current::Dangling { link } => Target::Dangling(link.clone()),
        }
    }

    /// The release that the link leads to, by its last part.
    pub fn release_name(&self) -> Option<ReleaseName> {
        match self {
            Target::Release(name) => Some(name.clone()),
            Target::Link(link) => {
                let last = link.trim_end_matches('/').rsplit('/').next();
                ReleaseName::new(last.unwrap_or_default()).ok()
            }
            Target::Dangling(_) | Target::Nothing => None,
        }
    }

    pub fn link(&self) -> String {
        match self {
            Target::Release(name) => format!("releases/{name}"),
            Target::Link(link) | Target::Dangling(link) => link.clone(),
            Target::Nothing => String::new(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Target::Nothing => f.write_str("nothing"),
            target => f.write_str(&target.link()),
        }
    }
}

/// A swap that is about to be made, and all that its undo needs to know.
#[derive(Debug, Clone)]
pub struct Swap {
    pub intent: Intent,
    pub from: Target,
    /// Links into `shared/` that must be in place: path, and the link's text.
    pub linked: Vec<[Word; 2]>,
    /// As they are when it is made, and when it is taken back.
    pub records: Vec<Record>,
    pub back: Vec<Record>,
    pub watching: Watching,
}

/// How long a swap may go unconfirmed and without a sign of life, and what the server does after it took it back.
#[derive(Debug, Clone)]
pub struct Watching {
    pub within: u64,
    pub revert_command: String,
    pub env: Vec<(String, String)>,
    pub is_durable: bool,
}

/// The process on the server that takes the swap back, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch(pub String);

/// The parts of a swap; one host does both in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Arm,
    Commit,
    Both,
}

fn script(lock: &Lock, swap: &Swap, body: &'static str) -> Script {
    let row = |record: &Record| [Word::from(&record.name), Word::from(record)];
    let env = swap.watching.env.iter().map(|(key, value)| [Word::from(key), Word::from(value)]);
    lock.script(body)
        .with(LOCK)
        .with(SWAP)
        .var("from", swap.from.link())
        .var("dangled", flag(matches!(swap.from, Target::Dangling(_))))
        .var("to", swap.intent.to())
        .var("name", &swap.intent.release)
        .var("durable", flag(swap.watching.is_durable))
        .rows("back", swap.back.iter().map(row))
        .rows("environment", env)
        .var("revert_command", &swap.watching.revert_command)
}

/// Compare-and-swap: nothing moves unless `current` still leads where it was seen to. Arming looks at the release first,
/// if it is guarded, and answers who watches.
pub fn swap(
    lock: &Lock,
    swap: &Swap,
    phase: Phase,
    is_guarded: bool,
    entry: &str,
) -> Step<Guarded<Option<Watch>>> {
    let rows = swap.records.iter().map(|record| [Word::from(&record.name), Word::from(record)]);
    let script = script(lock, swap, include_str!("sh/swap.sh"))
        .var("arms", flag(phase != Phase::Commit))
        .var("commits", flag(phase != Phase::Arm))
        .var("guarded", flag(is_guarded))
        .var("text", &swap.intent)
        .var("within", swap.watching.within)
        .var("entry", entry)
        .rows("linked", swap.linked.iter().cloned())
        .rows("records", rows);
    let (name, end) = match phase {
        Phase::Arm => ("arm", "armed"),
        Phase::Commit | Phase::Both => ("swap", "swapped"),
    };
    Step::new(name, Effect::Writes, script, move |answer| {
        guard::read(answer, end, |fields| fields.get("watch").map(Watch))
    })
    .data("to", swap.intent.to())
}

/// The undo of a swap, whoever may have taken it back meanwhile. Answers whether it had been made at all.
pub fn swap_back(lock: &Lock, swap: &Swap, watch: Option<&Watch>, entry: &str) -> Step<bool> {
    let script = script(lock, swap, include_str!("sh/swap_back.sh"))
        .var("watch", watch.map_or("", |watch| watch.0.as_str()))
        .var("entry", entry);
    Step::new("swap-back", Effect::Writes, script, |answer| {
        Ok(Fields::read(answer, "swapped_back")?.get("made").is_some())
    })
    .data("to", swap.from.link())
}
