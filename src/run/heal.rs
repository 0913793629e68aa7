//! What dead runs left on the hosts of a run is put right, the same way on all of them.

use std::collections::BTreeMap;

use crate::fleet::parallel::Failures;
use crate::release::heal::{self, Healing};
use crate::run::Run;

/// Puts right what dead runs left: a swap that was cut goes the same way on all hosts. What was waited for may have
/// left more meanwhile than was seen before, which is put right as well.
pub fn heal(run: &Run, hosts: &[usize]) -> Failures {
    if run.mode.is_plan() {
        return Failures::new();
    }
    let mut done = BTreeMap::new();
    loop {
        let plans = plan_healing(run, hosts);
        let ill: Vec<usize> = plans
            .iter()
            .filter(|(host, plan)| done.get(*host) != Some(*plan))
            .map(|(host, _)| *host)
            .collect();
        let failures = run.on_each(&ill, |host| match plans.get(&host) {
            Some(healing) => run.fleet.site(host).heal(healing, run.now(), &run.by),
            None => Ok(()),
        });
        if ill.is_empty() || !failures.is_empty() {
            return failures;
        }
        done.extend(plans);
    }
}

/// What is wrong on which hosts.
fn plan_healing(run: &Run, hosts: &[usize]) -> BTreeMap<usize, Healing> {
    let all: Vec<_> =
        hosts.iter().filter_map(|&host| Some((host, run.fleet.site(host).seen().ok()?.clone()))).collect();
    let directions = heal::directions(all.iter().map(|(host, seen)| (run.fleet.name(*host), seen)));
    for (_, seen) in &all {
        for cut in &seen.intents {
            let elsewhere: Vec<&str> = cut
                .hosts
                .iter()
                .map(String::as_str)
                .filter(|name| !hosts.iter().any(|&host| run.fleet.name(host) == *name))
                .collect();
            if !elsewhere.is_empty() {
                run.warn(format!(
                    "the interrupted swap to `{}` also concerned {}, which this run does not include",
                    cut.release,
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
