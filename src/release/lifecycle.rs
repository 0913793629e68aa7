//! Steps that create, seal and discard a release, and the step that ends a run.

use crate::event::few;
use crate::release::answer::Fields;
use crate::release::guard::{self, Guarded};
use crate::release::history::HistoryEntry;
use crate::release::intent::Intent;
use crate::release::lock::Lock;
use crate::release::scripts::{CREATE, DROP, LOCK, SWAP, flag};
use crate::release::swap::Watch;
use crate::release::{Record, ReleaseName, SharedPath, State};
use crate::shell::{Effect, Step, Word};

pub fn create(lock: &Lock, record: &Record) -> Step<()> {
    let script = lock
        .script(include_str!("sh/create.sh"))
        .with(CREATE)
        .var("name", &record.name)
        .var("record", record);
    Step::new("create", Effect::Writes, script, |answer| Fields::read(answer, "created").map(drop))
        .data("release", &record.name)
}

pub fn seal(
    lock: &Lock,
    record: &Record,
    shared: &[SharedPath],
    is_guarded: bool,
    is_durable: bool,
) -> Step<Guarded<()>> {
    let complete = record.with_state(State::Complete);
    let script = lock
        .script(include_str!("sh/seal.sh"))
        .var("name", &record.name)
        .var("record", &complete)
        .var("guarded", flag(is_guarded))
        .var("durable", flag(is_durable))
        .rows("shared", shared.iter().map(SharedPath::row));
    Step::new("seal", Effect::Writes, script, |answer| guard::read(answer, "sealed", |_| ()))
        .data("release", &record.name)
}

/// The undo of `create`: removes the directory and its record, unless they are another run's.
pub fn discard(lock: &Lock, record: &Record, entry: &HistoryEntry) -> Step<()> {
    let script = lock
        .script(include_str!("sh/discard.sh"))
        .with(LOCK)
        .with(DROP)
        .var("name", &record.name)
        .var("claim", record.claim())
        .var("record", &record.with_state(State::Failed))
        .var("entry", entry);
    Step::new("discard", Effect::Writes, script, |answer| Fields::read(answer, "discarded").map(drop))
        .data("release", &record.name)
}

/// What a run does last.
#[derive(Debug, Default)]
pub struct Finish<'a> {
    /// Confirms this swap; the watch over it then ends.
    pub confirms: Option<(&'a Watch, &'a Intent)>,
    /// Removes releases, and adds a line to the history.
    pub prunes: Option<(&'a [ReleaseName], Option<&'a HistoryEntry>)>,
    /// Runs in a release that could not be removed. May be empty.
    pub prune_command: &'a str,
    /// Releases the lock.
    pub releases_lock: bool,
}

/// What could not be removed, now or earlier.
#[derive(Debug, Default)]
pub struct PruneLeftovers {
    pub releases: Vec<String>,
    /// How many files in them belong to other users, and to whom.
    pub n_files: u64,
    pub users: Vec<String>,
    pub kib: u64,
    /// The last lines that `prune_command` printed, and how it ended.
    pub errors: Vec<String>,
}

impl PruneLeftovers {
    pub fn warning(&self, root: &str) -> String {
        let releases = if self.releases.len() == 1 { "release" } else { "releases" };
        let users = if self.users.is_empty() { "other users".to_owned() } else { few(&self.users) };
        let left = match self.n_files {
            0 => format!("{} KiB are left", self.kib),
            1 => format!("1 file or directory of {users} is left ({} KiB)", self.kib),
            n => format!("{n} files or directories of {users} are left ({} KiB)", self.kib),
        };
        let mut errors: Vec<&str> = Vec::new();
        for line in &self.errors {
            if !errors.contains(&line.as_str()) {
                errors.push(line);
            }
        }
        let errors = match errors.as_slice() {
            [] => String::new(),
            lines => format!("; `prune_command` failed: {}", lines.join(", ")),
        };
        // As root, because nobody else can read the directory.
        let command = format!("rm -rf {}/trash.*", Word::shown(&format!("{root}/.runner")));
        format!(
            "could not completely remove {releases} {}: {left}{errors}; on the host, run `sudo sh -c {}`; the setting \
             `prune_command` can do this at each prune",
            few(&self.releases),
            Word::shown(&command)
        )
    }
}

/// The outcome of the last step.
#[derive(Debug, Default)]
pub struct FinishReport {
    /// The swap was not confirmed in time: the server has swapped back by itself. Nothing else was done.
    pub is_expired: bool,
    pub removed: Vec<String>,
    pub leftovers: PruneLeftovers,
    /// Releases that could not be moved out of `releases/`.
    pub unmoved: Vec<String>,
    /// Releases in which a process is working.
    pub occupied: Vec<String>,
    /// Why the prune was not done.
    pub unpruned: Option<String>,
}

pub fn finish(lock: &Lock, finish: &Finish) -> Step<FinishReport> {
    let (names, entry) = finish.prunes.unwrap_or_default();
    let (watch, intent) = finish.confirms.unzip();
    let script = lock
        .script(include_str!("sh/end.sh"))
        .with(LOCK)
        .with(DROP)
        .with(SWAP)
        .var("confirms", flag(finish.confirms.is_some()))
        .var("rollout", intent.map_or("", |intent| &intent.rollout))
        .var("watch", watch.map_or("", |watch| &watch.0))
        .var("to", intent.map(Intent::to).unwrap_or_default())
        .var("prunes", flag(finish.prunes.is_some()))
        .var("frees", flag(finish.releases_lock))
        .var("prune_command", finish.prune_command)
        .var("entry", entry)
        .rows("releases", names.iter().map(|name| [Word::from(name)]));
    Step::new("end", Effect::Writes, script, |answer| {
        let said = Fields::parse(&answer.stdout);
        if said.get("expired").is_some() {
            return Ok(FinishReport { is_expired: true, ..FinishReport::default() });
        }
        let fields = match said.get("ended") {
            Some(_) => said,
            None => Fields::read(answer, "ended")?,
        };
        let number = |name| fields.get(name).and_then(|n| n.trim().parse().ok()).unwrap_or_default();
        Ok(FinishReport {
            is_expired: false,
            removed: fields.list("pruned"),
            unmoved: fields.list("unmoved"),
            leftovers: PruneLeftovers {
                releases: fields.list("stayed"),
                n_files: number("rest_files"),
                users: fields.list("rest_user"),
                kib: number("rest_kib"),
                errors: fields.list("prune_error"),
            },
            occupied: fields.list("occupied"),
            unpruned: fields.get("refused"),
        })
    })
    .data_each("prunes", names)
}
