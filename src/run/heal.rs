//! Cleans up after interrupted runs, in the same way on all hosts of this run.

use std::collections::BTreeMap;

use crate::fleet::parallel::Failures;
use crate::release::heal::{self, Healing};
use crate::run::Run;

/// Cleans up after interrupted runs; an interrupted swap ends in the same way on all hosts. Processes of such a run may
/// leave more while this waits for them to end, so it repeats until there is nothing new to clean up.
pub fn heal(run: &Run, hosts: &[usize]) -> Failures {
    if run.mode.is_plan() {
        return Failures::new();
    }
    let mut done = BTreeMap::new();
    loop {
        let plans = plan_healing(run, hosts);
        let new: Vec<usize> = plans
            .iter()
            .filter(|(host, plan)| done.get(*host) != Some(*plan))
            .map(|(host, _)| *host)
            .collect();
        let failures = run.on_each(&new, |host| match plans.get(&host) {
            Some(healing) => run.fleet.site(host).heal(healing, run.now(), &run.by),
            None => Ok(()),
        });
        if new.is_empty() || !failures.is_empty() {
            return failures;
        }
        done.extend(plans);
    }
}

/// What must be cleaned up, for each host that needs it.
fn plan_healing(run: &Run, hosts: &[usize]) -> BTreeMap<usize, Healing> {
    let all: Vec<_> =
        hosts.iter().filter_map(|&host| Some((host, run.fleet.site(host).seen().ok()?.clone()))).collect();
    let directions = heal::directions(all.iter().map(|(host, seen)| (run.fleet.name(*host), seen)));
    for (_, seen) in &all {
        for intent in &seen.intents {
            let elsewhere: Vec<&str> = intent
                .hosts
                .iter()
                .map(String::as_str)
                .filter(|name| !hosts.iter().any(|&host| run.fleet.name(host) == *name))
                .collect();
            if !elsewhere.is_empty() {
                run.warn(format!(
                    "the interrupted swap to `{}` also concerned {}, which this run does not include",
                    intent.release,
                    elsewhere.join(", ")
                ));
            }
        }
    }
    all.iter()
        .map(|(host, seen)| (*host, heal::plan(seen, &directions)))
        .filter(|(_, healing)| healing.is_needed())
        .collect()
}
