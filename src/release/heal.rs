//! Cleans up after an interrupted run, before anything else is done. The records of the site show what the run left.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::release::answer::Fields;
use crate::release::history::{HistoryEntry, HistoryEvent};
use crate::release::intent::Intent;
use crate::release::lock::Lock;
use crate::release::scripts::{DROP, INSPECT, LITTER, LOCK, REACH, UNSEED, flag};
use crate::release::seen::Seen;
use crate::release::{Record, ReleaseName, State};
use crate::shell::{Effect, Step, Word};

/// How an interrupted swap ends: in the same way on all of its hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealDirection {
    /// No host has confirmed it: every host swaps back.
    Back,
    /// Some host has confirmed it: every host swaps.
    Forward,
}

/// What must be done to clean up one site.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Healing {
    /// The interrupted swaps, and what `current` must point to after each.
    pub interrupted: Vec<(Intent, String)>,
    /// The new texts of records.
    pub records: Vec<Record>,
    /// Releases that are not complete.
    pub leftovers: Vec<ReleaseName>,
    /// There are temporary files to remove.
    pub has_litter: bool,
    /// `records` already mark the releases that have files which were written in place: no need to look for them.
    pub has_marked: bool,
}

impl Healing {
    pub fn is_needed(&self) -> bool {
        *self != Self::default()
    }
}

/// The direction of each interrupted swap, by its rollout. A host that serves the release and has no intent has confirmed
/// the swap. A swap whose old release is gone on some host can only go forward.
pub fn directions<'a>(
    fleet: impl Iterator<Item = (&'a str, &'a Seen)> + Clone,
) -> BTreeMap<String, HealDirection> {
    let interrupted = fleet.clone().flat_map(|(_, seen)| seen.intents.iter());
    interrupted
        .map(|intent| {
            let has_confirmed = |(host, seen): (&str, &Seen)| {
                intent.hosts.iter().any(|name| name == host)
                    && seen.live() == Some(&intent.release)
                    && !seen.intents.iter().any(|other| other.rollout == intent.rollout)
            };
            let cannot_go_back = |(_, seen): (&str, &Seen)| {
                let mine = seen.intents.iter().filter(|other| other.rollout == intent.rollout);
                // The probe does not look for a release elsewhere, such as another tool's.
                let mut left = mine.filter_map(|other| other.from.strip_prefix("releases/"));
                left.any(|left| !seen.directories.contains(left))
            };
            let direction = match fleet.clone().any(has_confirmed) || fleet.clone().any(cannot_go_back) {
                true => HealDirection::Forward,
                false => HealDirection::Back,
            };
            (intent.rollout.clone(), direction)
        })
        .collect()
}

/// What must be done on one host.
pub fn plan(seen: &Seen, directions: &BTreeMap<String, HealDirection>) -> Healing {
    let mut healing = Healing { has_litter: seen.has_litter, ..Healing::default() };
    let mut kept: Vec<&ReleaseName> = seen.live().into_iter().collect();
    for intent in &seen.intents {
        let record = seen.record(&intent.release);
        // A rollback may go to a release that is marked as bad.
        let can_go_on = record.is_some_and(|record| match intent.is_new {
            true => seen.is_complete(record),
            false => seen.can_return_to(record),
        });
        let left = intent.left().and_then(|left| seen.record(&left).cloned());
        let is_live = seen.live() == Some(&intent.release);
        match directions.get(&intent.rollout) {
            Some(HealDirection::Forward) if can_go_on => {
                healing.interrupted.push((intent.clone(), intent.to()));
                let served = |record: &Record| Record {
                    state: State::Complete,
                    first_served: record.first_served.or(Some(intent.at)),
                    last_served: record.first_served.and(Some(intent.at)),
                    ..record.clone()
                };
                healing.records.extend(record.map(served));
                let is_left_bad = |left: &Record| record.is_some_and(|record| left.is_bad_after(record));
                if !intent.is_new {
                    healing.records.extend(left.filter(is_left_bad).map(|left| left.with_state(State::Bad)));
                }
                kept.push(&intent.release);
            }
            _ => {
                // Swap back only if the swap was made. If somebody pointed `current` elsewhere, they meant to.
                let now = seen.current.link().unwrap_or_default();
                healing.interrupted.push((intent.clone(), if is_live { intent.from.clone() } else { now }));
                // It is live, or was until a swap back that ended right after it had changed `current`.
                let was_served = is_live || record.is_some_and(|record| record.first_served.is_some());
                if was_served && intent.is_new {
                    healing.records.extend(record.map(|record| record.with_state(State::Failed)));
                }
                let before = intent.back.iter().filter(|record| seen.record(&record.name).is_some());
                match intent.back.is_empty() {
                    false => healing.records.extend(before.cloned()),
                    true if intent.is_new => {}
                    true => healing.records.extend(left.map(|left| left.with_state(State::Complete))),
                }
            }
        }
    }
    // A complete release that was not served yet may be waiting for a rollout of its own.
    let is_unfinished = |record: &&Record| record.state == State::Building;
    let leftovers = seen.records.iter().filter(is_unfinished).map(|record| &record.name);
    healing.leftovers = leftovers.filter(|name| !kept.contains(name)).cloned().collect();
    healing.records.retain(|record| !healing.leftovers.contains(&record.name));
    healing
}

/// Returns the releases that have files which a command of the interrupted run wrote in place.
pub fn heal(lock: &Lock, healing: &Healing, now: Timestamp, by: &str) -> Step<Vec<String>> {
    let interrupted = healing
        .interrupted
        .iter()
        .map(|(intent, target)| [&intent.rollout, &intent.from, &intent.to(), target].map(Word::from));
    let entry = |event, name| [Word::from(&HistoryEntry::new(now, event, name, by))];
    let entries = healing.interrupted.iter().map(|(intent, _)| entry(HistoryEvent::Heal, &intent.release));
    let entries = entries.chain(healing.leftovers.iter().map(|name| entry(HistoryEvent::Discard, name)));
    let script = lock
        .script(include_str!("sh/heal.sh"))
        .with(LOCK)
        .with(DROP)
        .with(UNSEED)
        .with(REACH)
        .with(INSPECT)
        .rows("cut", interrupted)
        .rows("records", healing.records.iter().map(Record::row))
        .rows("releases", healing.leftovers.iter().map(|name| [Word::from(name)]))
        .rows("entries", entries)
        .var("marked", flag(healing.has_marked))
        .var("litter", LITTER);
    Step::new("heal", Effect::Writes, script, |answer| Ok(Fields::read(answer, "healed")?.list("written")))
        .data("cuts", healing.interrupted.len())
        .data("leftovers", healing.leftovers.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::current::Current;

    fn name(text: &str) -> ReleaseName {
        ReleaseName::new(text).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Releases as `name+state`, oldest first: `u` is being built, `c` complete and never served, else it was served.
    fn seen(releases: &str, live: &str, has_intent: bool) -> Seen {
        let mut seen = Seen::default();
        for (n, word) in (0_i64..).zip(releases.split_whitespace()) {
            let mut record = Record::building(name(&word[..1]), at(n), "me");
            record.state = match &word[1..] {
                "u" => State::Building,
                "f" => State::Failed,
                _ => State::Complete,
            };
            record.first_served = (!["u", "c"].contains(&&word[1..])).then(|| at(n));
            seen.directories.insert(record.name.to_string());
            seen.records.push(record);
        }
        if !live.is_empty() {
            seen.current = Current::Release { link: format!("releases/{live}"), name: name(live) };
        }
        if has_intent {
            seen.intents.push(Intent {
                rollout: "r.1".to_owned(),
                release: name("2"),
                is_new: true,
                from: "releases/1".to_owned(),
                at: at(9),
                by: "me".to_owned(),
                hosts: vec!["h1".to_owned(), "h2".to_owned()],
                back: Vec::new(),
            });
        }
        seen
    }

    /// Two hosts. `want` is what changes on the first: `current`, records, and releases that are removed.
    #[track_caller]
    fn case(first: Seen, second: Seen, want: &str) {
        let directions = directions([("h1", &first), ("h2", &second)].into_iter());
        let healing = plan(&first, &directions);
        let interrupted = healing.interrupted.iter().map(|(_, target)| target.clone());
        let records = healing.records.iter().map(|record| format!("{}={}", record.name, record.state));
        let leftovers = healing.leftovers.iter().map(|name| format!("-{name}"));
        assert_eq!(interrupted.chain(records).chain(leftovers).collect::<Vec<_>>().join(" "), want);
    }

    #[test]
    fn an_interrupted_rollout_goes_back_unless_a_host_has_confirmed() {
        // Both were swapped, neither was confirmed.
        case(seen("1 2", "2", true), seen("1 2", "2", true), "releases/1 2=failed");
        // One was armed and not swapped.
        case(seen("1 2c", "1", true), seen("1 2", "2", true), "releases/1");
        // The other one has confirmed: this one goes on, whether it was swapped or not.
        case(seen("1 2", "2", true), seen("1 2", "2", false), "releases/2 2=complete");
        case(seen("1 2c", "1", true), seen("1 2", "2", false), "releases/2 2=complete");
        // The first host has swapped back, but its record does not say so yet.
        case(seen("1 2", "1", true), seen("1 2", "2", true), "releases/1 2=failed");
        // The other one was never armed.
        case(seen("1 2", "2", true), seen("1 2c", "1", false), "releases/1 2=failed");
    }

    #[test]
    fn who_serves_it_without_having_swapped_has_confirmed_nothing() {
        let mut first = seen("1 2", "2", true);
        first.intents[0].hosts = vec!["h1".to_owned()];
        case(first, seen("1 2", "2", false), "releases/1 2=failed");
    }

    #[test]
    fn after_an_interrupted_rollback_went_back_its_records_are_as_before() {
        let mut first = seen("1 2", "1", true);
        let intent = &mut first.intents[0];
        (intent.release, intent.from, intent.is_new) = (name("1"), "releases/2".to_owned(), false);
        let before = first.records.clone();
        first.records[0].last_served = Some(intent.at);
        first.records[1].state = State::Bad;
        first.intents[0].back = before.clone();
        let healing = plan(&first, &directions([("h1", &first)].into_iter()));
        assert_eq!(healing.records, before);
    }

    #[test]
    fn what_is_not_complete_goes() {
        case(seen("1 2u", "1", false), seen("1", "1", false), "-2");
        case(seen("1 2c", "1", false), seen("1", "1", false), "");
        case(seen("1 2f", "1", false), seen("1", "1", false), "");
        assert!(!plan(&seen("1 2f", "1", false), &BTreeMap::new()).is_needed());
    }
}
