//! Points `current` to another release by one rename, and updates the records. Until the run confirms the swap, the
//! server watches over it.

use crate::release::Record;
use crate::release::answer::Fields;
use crate::release::current::Target;
use crate::release::guard::{self, Guarded};
use crate::release::history::HistoryEntry;
use crate::release::intent::Intent;
use crate::release::lock::Lock;
use crate::release::scripts::{LOCK, SWAP, flag};
use crate::shell::{Effect, Script, Step, Word};

/// A swap that is about to be made, and all that its undo needs to know.
#[derive(Debug, Clone)]
pub struct Swap {
    pub intent: Intent,
    pub from: Target,
    /// Links into `shared/` that must be in place: path, and the link's text.
    pub linked: Vec<[Word; 2]>,
    /// Records after the swap, and after a swap back.
    pub records: Vec<Record>,
    pub back: Vec<Record>,
    pub watching: Watching,
}

/// How long an unconfirmed swap may go without heartbeats, in seconds (`within`), and what the server does after it has
/// swapped back.
#[derive(Debug, Clone)]
pub struct Watching {
    pub within: u64,
    pub revert_command: String,
    pub env: Vec<(String, String)>,
    pub is_durable: bool,
}

/// The process on the server that swaps back, as it names itself.
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
    let env = swap.watching.env.iter().map(|(key, value)| [Word::from(key), Word::from(value)]);
    lock.script(body)
        .with(LOCK)
        .with(SWAP)
        .var("rollout", &swap.intent.rollout)
        .var("from", swap.from.link())
        .var("dangled", flag(matches!(swap.from, Target::Dangling(_))))
        .var("to", swap.intent.to())
        .var("name", &swap.intent.release)
        .var("durable", flag(swap.watching.is_durable))
        .rows("back", swap.back.iter().map(Record::row))
        .rows("environment", env)
        .var("revert_command", &swap.watching.revert_command)
}

/// Compare-and-swap: nothing changes unless `current` still points to what the probe found. Arming checks the release
/// first if it is guarded, and returns the watch.
pub fn swap(
    lock: &Lock,
    swap: &Swap,
    phase: Phase,
    is_guarded: bool,
    entry: &HistoryEntry,
) -> Step<Guarded<Option<Watch>>> {
    let script = script(lock, swap, include_str!("sh/swap.sh"))
        .var("arms", flag(phase != Phase::Commit))
        .var("commits", flag(phase != Phase::Arm))
        .var("named", flag(!swap.intent.is_new))
        .var("guarded", flag(is_guarded))
        .var("text", &swap.intent)
        .var("within", swap.watching.within)
        .var("entry", entry)
        .rows("linked", swap.linked.iter().cloned())
        .rows("records", swap.records.iter().map(Record::row));
    let (name, end) = match phase {
        Phase::Arm => ("arm", "armed"),
        Phase::Commit | Phase::Both => ("swap", "swapped"),
    };
    Step::new(name, Effect::Writes, script, move |answer| {
        guard::read(answer, end, |fields| fields.get("watch").map(Watch))
    })
    .data("to", swap.intent.to())
}

/// The undo of a swap, even if the server has swapped back by itself meanwhile. Returns whether the swap had been made.
pub fn swap_back(lock: &Lock, swap: &Swap, watch: Option<&Watch>, entry: &HistoryEntry) -> Step<bool> {
    let script = script(lock, swap, include_str!("sh/swap_back.sh"))
        .var("watch", watch.map_or("", |watch| watch.0.as_str()))
        .var("entry", entry);
    Step::new("swap-back", Effect::Writes, script, |answer| {
        Ok(Fields::read(answer, "swapped_back")?.get("made").is_some())
    })
    .data("to", swap.from.link())
}
