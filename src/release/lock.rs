//! The lock of a site: taken for a run, held by the shell that performs its steps, let go, taken by force.
//!
//! **Invariant:** a step that writes is made from a `Lock`, and its script does nothing if the site is another run's by then.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::Report;
use crate::release::answer::Fields;
use crate::release::probe::{self, FORMAT, Seen};
use crate::release::{LIB, LOCK, Record, SharedPath, flag};
use crate::shell::{Effect, Script, Step, Word};
use crate::transport::Pulse;

/// A site that this run has the lock of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    pub root: String,
    /// Of the run that holds it.
    pub run: String,
}

impl Lock {
    /// A script that works in the site, if the lock is still held.
    pub(super) fn script(&self, body: &'static str) -> Script {
        Script::new(body).var("root", &self.root).var("holder", &self.run).with(LIB)
    }
}

/// Who holds a lock, as its file says. The server adds which process that is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Owner {
    pub run: String,
    /// The name of the host in that run.
    pub host: String,
    pub by: String,
    pub since: Option<Timestamp>,
    pub flow: String,
}

impl Owner {
    /// `None` when it is free, or was taken a moment ago.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text.trim()).ok()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.by)?;
        if let Some(since) = self.since {
            write!(f, " since {}", since.strftime("%Y-%m-%d %H:%M:%S UTC"))?;
        }
        write!(f, " (`{}`)", self.flow)
    }
}

/// The lock is another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub host: String,
    pub owner: Option<Owner>,
    /// Its owner is gone, and these processes of it are not: as numbers, with blanks between.
    pub ending: Option<String>,
}

impl Held {
    pub fn report(&self) -> Report {
        let by = match &self.owner {
            Some(owner) => format!("the lock of `{}` is held by {owner}", self.host),
            None => format!("the lock of `{}` is held, and nobody said by whom", self.host),
        };
        let mut report = Report::new(by);
        if let Some(processes) = &self.ending {
            report = report.note(match processes.as_str() {
                "" => "that run is over, and something of it still works".to_owned(),
                processes => format!("that run is over, and of what it started still work: {processes}"),
            });
        }
        report.hint("`--wait` waits for it; `runner unlock` ends it, whatever it is doing")
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.report().fmt(f)
    }
}

impl std::error::Error for Held {}

/// How a lock is asked for.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    pub owner: &'a Owner,
    /// This run had it on a connection that was lost: what that left running is ended.
    pub is_again: bool,
    /// For what a dead run left to end.
    pub patience: Duration,
}

/// The directories of a site are made where they are missing, and what another tool serves is recorded.
#[derive(Debug, Default)]
pub struct Making<'a> {
    pub adopt: Option<&'a Record>,
    pub entry: &'a str,
}

/// What came of asking for a lock.
#[derive(Debug)]
pub enum Asked {
    /// Whatever is wrong with what stands there.
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
    /// The same run has it under this host's name: two entries are one site.
    Same(String),
}

/// Asks for the lock, and what stands in the site. The first step to a host: it may travel with the connection.
pub fn take(root: &str, shared: &[SharedPath], claim: &Claim, making: Option<&Making>) -> Step<Asked> {
    let is_making = flag(making.is_some());
    let record = making.and_then(|making| making.adopt);
    // Strings only; the server puts what it knows behind them.
    let owner = serde_json::to_string(claim.owner).unwrap_or_default();
    let tenths = u64::try_from(claim.patience.as_millis() / 100).unwrap_or(u64::MAX);
    let script = Script::new(TAKE)
        .var("root", root)
        .var("make", is_making)
        .var("holder", &claim.owner.run)
        .var("host", &claim.owner.host)
        .var("claim", owner.trim_end_matches('}'))
        .var("again", flag(claim.is_again))
        .var("patience", tenths);
    let script = match making {
        None => script,
        Some(making) => script
            .var("format", u64::from(FORMAT))
            .var("adopt", record.map_or("", |record| record.name.as_str()))
            .var("adopted", record.map_or(Word::from(""), Word::from))
            .var("entry", making.entry),
    };
    let script = probe::places(script, shared).with(super::SAY).with(PUT).with(LOCK);
    let step = Step::new("lock", Effect::Writes, script, |answer| {
        let said = Fields::parse(&answer.stdout);
        if let Some(host) = said.get("same") {
            return Ok(Asked::Same(host));
        }
        let fields = Fields::read(answer, "nearest")?;
        let seen = probe::read(&fields);
        if let Some(owner) = said.get("held") {
            return Ok(Asked::Held { owner: Owner::parse(&owner), ending: said.get("ending"), seen });
        }
        Ok(match fields.get("taken") {
            Some(_) => Asked::Taken { root: fields.get("root").unwrap_or_default(), seen },
            None => Asked::Absent(seen?),
        })
    });
    step.keeping(keep(root, is_making)).public()
}

const TAKE: &str = concat!(include_str!("sh/lock.sh"), include_str!("sh/probe.sh"));
const PUT: &str = include_str!("sh/put.sh");

/// Opens descriptor 9 on the lock's file, in the shell that will hold it.
fn keep(root: &str, making: &'static str) -> Script {
    Script::new(include_str!("sh/keep.sh")).var("root", root).var("make", making)
}

/// Ends whoever holds the lock. Answers whose it was.
pub fn unlock(root: &str) -> Step<Option<Owner>> {
    let script =
        Script::new(include_str!("sh/unlock.sh")).var("root", root).with(super::SAY).with(PUT).with(LOCK);
    Step::new("unlock", Effect::Writes, script, |answer| {
        let fields = Fields::read(answer, "unlocked")?;
        Ok(fields.get("ended").map(|text| Owner::parse(&text).unwrap_or_default()))
    })
    .keeping(keep(root, ""))
}

/// How a site hears that the run that holds its lock is alive.
pub fn pulse(lock: &Lock, every: Duration) -> Pulse {
    let step = |body| {
        let script = Script::new(body).var("root", &lock.root);
        Step::new("beat", Effect::Writes, script, |_| -> Result<()> { Ok(()) }).act
    };
    Pulse {
        each_line: step("while IFS= read -r line; do touch -c -- \"$root/.runner/lock\" && echo; done\n"),
        once: step("touch -c -- \"$root/.runner/lock\"\n"),
        every,
    }
}
