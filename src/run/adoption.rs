//! Adopts the sites of all hosts, or takes that back. A failure on one host takes back what was done on the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use crate::event::{Event, Report, few};
use crate::release::adoption::Adoption;
use crate::run::Run;
use crate::run::lock::{lock_all, release_locks};
use crate::site::{check_undo, forget_adoption, record_adopted};

/// What each host adopts.
pub type Adoptions = BTreeMap<usize, Adoption>;

/// Adopts under the locks of all hosts. `settle` does what remains to be done here, before the locks are released.
pub fn adopt(run: &Arc<Run>, adoptions: &Adoptions, settle: impl FnOnce() -> Result<()>) -> Result<()> {
    let hosts: Vec<usize> = adoptions.keys().copied().collect();
    let adopted = lock_all(run, &hosts).and_then(|()| {
        let exchanged = Mutex::new(Vec::new());
        let failures = run.on_each(&hosts, |host| {
            let mut site = run.fleet.site(host);
            let changed = || exchanged.lock().unwrap_or_else(PoisonError::into_inner).push(host);
            site.exchange(&adoptions[&host], changed)?;
            record_adopted(&mut site, &adoptions[&host], run.now(), &run.by)
        });
        let has_failed = !failures.is_empty();
        let failed = run.fleet.none_failed(failures);
        if has_failed {
            let mut exchanged = exchanged.into_inner().unwrap_or_else(PoisonError::into_inner);
            exchanged.sort_unstable();
            take_back(run, adoptions, &exchanged);
        }
        failed
    });
    let settled = adopted.and_then(|()| settle());
    release_locks(run);
    settled
}

/// After a failure or Ctrl-C, on the hosts that this run has changed. What cannot be reached stays as it is: it serves what
/// it served before either way.
fn take_back(run: &Run, adoptions: &Adoptions, hosts: &[usize]) {
    if hosts.is_empty() {
        return;
    }
    let is_cancelled = run.cancel_token.is_cancelled();
    run.cancel_token.clear();
    let names: Vec<String> = hosts.iter().map(|&host| run.fleet.name(host).to_string()).collect();
    let failures = run.on_each(hosts, |host| {
        let mut site = run.fleet.site(host);
        site.session.begin_undo();
        check_undo(&site)?;
        site.undo_adoption(&adoptions[&host], run.now(), &run.by)?;
        forget_adoption(&mut site, &adoptions[&host], run.now(), &run.by)
    });
    match run.fleet.none_failed(failures) {
        Ok(()) => run.warn(format!("what this run had adopted on {} was taken back", few(&names))),
        Err(error) => {
            let error = error.context("could not take back what was done; visitors see what they saw before");
            run.events.event(Event::Failed { report: Report::of(&error).warning() });
        }
    }
    if is_cancelled {
        run.cancel_token.cancel();
    }
}

/// Takes adoptions back under the locks of all hosts.
pub fn undo(run: &Arc<Run>, adoptions: &Adoptions, settle: impl FnOnce() -> Result<()>) -> Result<()> {
    let hosts: Vec<usize> = adoptions.keys().copied().collect();
    let undone = lock_all(run, &hosts).and_then(|()| {
        let refused = run.on_each(&hosts, |host| check_undo(&run.fleet.site(host)));
        run.fleet.none_failed(refused)?;
        let failures = run.on_each(&hosts, |host| {
            run.fleet.site(host).undo_adoption(&adoptions[&host], run.now(), &run.by)
        });
        run.fleet.none_failed(failures)
    });
    // What was taken back is forgotten last: until then, the next run goes on with it.
    let settled = undone.and_then(|()| settle()).and_then(|()| {
        let failures = run.on_each(&hosts, |host| {
            forget_adoption(&mut run.fleet.site(host), &adoptions[&host], run.now(), &run.by)
        });
        run.fleet.none_failed(failures)
    });
    release_locks(run);
    settled
}
