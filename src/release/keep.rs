//! Which release a rollback goes to, and which ones a prune removes: pure decisions over the records.

use std::cmp::Reverse;
use std::num::NonZeroUsize;

use anyhow::{Result, bail};

use crate::event::Report;
use crate::release::seen::Seen;
use crate::release::{Record, ReleaseName, State};

/// The complete releases that are older than the live one and were served, the last served one first. A rollback
/// without a name goes to the first: a release that an earlier rollback skipped was skipped on purpose.
pub fn earlier_releases(seen: &Seen) -> Result<Vec<ReleaseName>> {
    let live = seen.live().and_then(|name| seen.record(name));
    let Some(live) = live else {
        bail!(Report::new("no release is live, so there is nothing to roll back").hint("deploy first"));
    };
    let is_older = |record: &&Record| (record.created, &record.name) < (live.created, &live.name);
    let mut earlier: Vec<&Record> = seen.complete().filter(is_older).collect();
    earlier.retain(|record| record.served().is_some());
    earlier.sort_by_key(|record| Reverse((record.served(), record.created)));
    Ok(earlier.into_iter().map(|record| record.name.clone()).collect())
}

/// All but the `keep` complete releases that were served last; one that was never served counts from its creation, but does
/// not displace the one that a rollback would go to. The live release stays, whatever its state. Failed and bad releases are
/// removed and not counted. A release that is being built belongs to a run and stays. So does the directory that `runner
/// adopt` made a release: uploads of many years may be there and nowhere else.
pub fn to_prune(seen: &Seen, keep: NonZeroUsize) -> Vec<ReleaseName> {
    let mut complete: Vec<&Record> = seen.complete().collect();
    complete.sort_by_key(|record| Reverse((record.served().unwrap_or(record.created), record.created)));
    let mut kept: Vec<&ReleaseName> = complete.iter().take(keep.get()).map(|record| &record.name).collect();
    let rollback_target = earlier_releases(seen).unwrap_or_default().into_iter().next();
    if let Some(target) = rollback_target.as_ref().filter(|target| keep.get() > 1 && !kept.contains(target))
        && let Some(place) = kept.iter_mut().rev().find(|name| seen.live() != Some(name))
    {
        *place = target;
    }
    seen.records
        .iter()
        .filter(|record| record.state != State::Building && !record.moved)
        .map(|record| &record.name)
        .filter(|name| !kept.contains(name) && seen.live() != Some(name))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::current::Current;

    /// Releases as `name+state`, oldest first; `*` marks the live one, `s` one that was served when it was made, `r` one that
    /// a rollback went to.
    #[track_caller]
    fn case(releases: &str, keep: usize, want: &str) {
        let mut seen = Seen::default();
        for (n, word) in releases.split_whitespace().enumerate() {
            let name = ReleaseName::new(&word[..1]).unwrap();
            let created = jiff::Timestamp::from_second(n as i64).unwrap();
            let state = match word.chars().nth(1) {
                Some('f') => State::Failed,
                Some('b') => State::Bad,
                Some('u') => State::Building,
                _ => State::Complete,
            };
            seen.directories.insert(name.to_string());
            if word.ends_with('*') {
                seen.current = Current::Release { link: String::new(), name: name.clone() };
            }
            let mut record = Record::building(name, created, "me").with_state(state);
            let rolled_back_at = jiff::Timestamp::from_second(100 + n as i64).unwrap();
            record.first_served = word.contains('s').then_some(created);
            record.last_served = word.contains('r').then_some(rolled_back_at);
            record.moved = word.contains('m');
            seen.records.push(record);
        }
        let pruned = to_prune(&seen, NonZeroUsize::new(keep).unwrap());
        let names: Vec<&str> = pruned.iter().map(ReleaseName::as_str).collect();
        assert_eq!(names.join(" "), want);
    }

    #[test]
    fn the_newest_complete_releases_and_the_live_one_stay() {
        case("1 2 3 4*", 3, "1");
        case("1 2*", 3, "");
        case("1* 2 3 4", 2, "2");
        case("1 2f 3f 4b 5*", 2, "2 3 4");
        case("1 2 3u 4*", 1, "1 2");
        case("1 2 3b*", 1, "1");
        case("1r 2 3 4b 5*", 3, "2 4");
    }

    #[test]
    fn a_directory_that_was_served_before_is_never_pruned() {
        case("1m 2 3 4 5*", 2, "2 3");
        case("1mb 2 3*", 1, "2");
    }

    /// Runs that die between `seal` and `swap` leave such releases.
    #[test]
    fn unserved_releases_do_not_displace_the_rollback_target() {
        case("1s 2 3 4s*", 3, "2");
        case("1s 2s 3 4 5 6s*", 3, "1 3 4");
        case("1s 2 3s*", 1, "1 2");
        case("1s 2 3s*", 2, "2");
    }
}
