//! Takes the lock of a site for a run, keeps it by heartbeats, or breaks it by force.

use std::time::Duration;

use anyhow::Result;

use crate::release::answer::Fields;
use crate::release::history::HistoryEntry;
use crate::release::identity::Identity;
use crate::release::lock::{Lock, Owner};
use crate::release::probe::{self, FORMAT};
use crate::release::scripts::{LOCK, OURS, PUT, SAY, flag};
use crate::release::seen::Seen;
use crate::release::{Record, SharedPath};
use crate::shell::{Answer, Effect, Script, Step, Word};
use crate::transport::Heartbeat;

const TAKE: &str = concat!(include_str!("sh/lock.sh"), include_str!("sh/probe.sh"));

/// A run's request for the lock.
#[derive(Debug, Clone)]
pub struct LockRequest<'a> {
    pub owner: &'a Owner,
    /// This run had the lock on a connection that was lost. Its processes from then are ended.
    pub is_again: bool,
    /// The application that the site is to belong to. It is stored unless another one is; `renames` replaces that.
    pub identity: Option<&'a Identity>,
    pub renames: bool,
    /// How long to wait for processes of an interrupted run to end.
    pub timeout: Duration,
}

/// Creates the directories of a site that are missing, and the record of a live release that another tool made.
#[derive(Debug, Default)]
pub struct SiteSetup<'a> {
    pub adopts: Option<(&'a Record, &'a HistoryEntry)>,
}

/// The reply to a request for the lock.
#[derive(Debug)]
pub enum LockReply {
    /// The run has the lock; `seen` may still be an error.
    Taken {
        root: String,
        seen: Result<Seen>,
    },
    /// There is no site yet.
    Absent(Seen),
    Held {
        owner: Option<Owner>,
        ending: Option<String>,
        seen: Result<Seen>,
    },
    /// This run has it already, under this host's name: two hosts of the inventory are one site.
    Same(String),
}

/// Requests the lock, and probes the site. As the first step on a host, it can be a part of the command that opens the
/// shell.
pub fn take(
    root: &str,
    shared: &[SharedPath],
    request: &LockRequest,
    setup: Option<&SiteSetup>,
) -> Step<LockReply> {
    let makes = flag(setup.is_some());
    let script = requested(root, request, makes);
    let script = match setup {
        None => script,
        Some(SiteSetup { adopts }) => script
            .var("format", u64::from(FORMAT))
            .var("adopt", adopts.map_or("", |(record, _)| record.name.as_str()))
            .var("adopted", adopts.map_or(Word::from(""), |(record, _)| Word::from(record)))
            .var("entry", adopts.map(|(_, entry)| entry)),
    };
    let script = probe::places(script, shared).with(SAY).with(PUT).with(LOCK);
    let adopted = setup.and_then(|setup| setup.adopts).map(|(record, _)| &record.name);
    let step = Step::new("lock", Effect::Writes, script, read).data_each("adopt", adopted);
    step.prelude(keep(root, makes)).public()
}

fn requested(root: &str, request: &LockRequest, makes: &'static str) -> Script {
    // Strings only; the server adds its own fields at the end.
    let owner = serde_json::to_string(request.owner).unwrap_or_default();
    let tenths = u64::try_from(request.timeout.as_millis() / 100).unwrap_or(u64::MAX);
    Script::new(TAKE)
        .with(OURS)
        .var("root", root)
        .var("make", makes)
        .var("holder", &request.owner.run)
        .var("host", &request.owner.host)
        .var("claim", owner.trim_end_matches('}'))
        .var("again", flag(request.is_again))
        .var("identity", request.identity.map_or(Word::from(""), Word::from))
        .var("renames", flag(request.renames))
        .var("patience", tenths)
}

fn read(answer: &Answer) -> Result<LockReply> {
    let said = Fields::parse(&answer.stdout);
    if let Some(host) = said.get("same") {
        return Ok(LockReply::Same(host));
    }
    let fields = Fields::read(answer, "nearest")?;
    let seen = probe::read(&fields);
    if let Some(owner) = said.get("held") {
        return Ok(LockReply::Held { owner: Owner::parse(&owner), ending: said.get("ending"), seen });
    }
    Ok(match fields.get("taken") {
        Some(_) => LockReply::Taken { root: fields.get("root").unwrap_or_default(), seen },
        None => LockReply::Absent(seen?),
    })
}

/// Opens descriptor 9 on the lock's file, in the shell that will hold the lock.
fn keep(root: &str, makes: &'static str) -> Script {
    Script::new(include_str!("sh/keep.sh")).with(OURS).var("root", root).var("make", makes)
}

/// Ends the run that holds the lock. Returns its owner.
pub fn unlock(root: &str) -> Step<Option<Owner>> {
    let script = Script::new(include_str!("sh/unlock.sh")).var("root", root).with(SAY).with(PUT).with(LOCK);
    Step::new("unlock", Effect::Writes, script, |answer| {
        let fields = Fields::read(answer, "unlocked")?;
        Ok(fields.get("ended").map(|text| Owner::parse(&text).unwrap_or_default()))
    })
    .prelude(keep(root, ""))
}

/// Tells a site that the run that holds its lock is alive.
pub fn heartbeat(lock: &Lock, every: Duration) -> Heartbeat {
    let step = |body| {
        let script = Script::new(body).var("root", &lock.root);
        Step::new("beat", Effect::Writes, script, |_| -> Result<()> { Ok(()) }).act
    };
    Heartbeat {
        each_line: step("while IFS= read -r line; do touch -c -- \"$root/.runner/lock\" && echo; done\n"),
        once: step("touch -c -- \"$root/.runner/lock\"\n"),
        every,
    }
}
