//! Hosts that a run goes on without: who may be dropped, and what is done on them then.
//!
//! **Invariant:** from the swap on, and for what runs once, no host is dropped: a fleet is never split behind the user's
//! back.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Error, Result, bail};

use crate::event::{Event, Report};
use crate::run::Run;
use crate::run::parallel::in_parallel;

/// What one bad host means for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnHostFailure {
    /// The run fails, on all hosts.
    #[default]
    Abort,
    /// The run goes on without the host, if enough are left.
    Continue(MinHealthy),
}

/// How many hosts of a run must be left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinHealthy {
    Hosts(NonZeroUsize),
    /// 1 to 100.
    Percent(usize),
}

impl Default for MinHealthy {
    fn default() -> Self {
        Self::Hosts(NonZeroUsize::MIN)
    }
}

impl MinHealthy {
    pub fn of_number(number: i64) -> Result<Self> {
        match usize::try_from(number).ok().and_then(NonZeroUsize::new) {
            Some(number) => Ok(Self::Hosts(number)),
            None => bail!("at least one host must be left, not {number}"),
        }
    }

    /// `75%`, or a number as text.
    pub fn parse(text: &str) -> Result<Self> {
        let Some(percent) = text.strip_suffix('%') else {
            return match text.parse() {
                Ok(number) => Self::of_number(number),
                Err(_) => bail!("`{text}` is neither a number of hosts nor a share of them, as `75%`"),
            };
        };
        match percent.trim_end().parse() {
            Ok(percent @ 1..=100) => Ok(Self::Percent(percent)),
            _ => bail!("`{text}` is no share of the hosts: `1%` to `100%`"),
        }
    }

    /// Of so many hosts.
    fn of(self, n_hosts: usize) -> usize {
        match self {
            Self::Hosts(number) => number.get(),
            Self::Percent(percent) => (n_hosts * percent).div_ceil(100),
        }
    }
}

/// Which hosts of a run are left.
#[derive(Default)]
pub struct Dropping {
    policy: OnHostFailure,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    dropped: Vec<usize>,
    /// Hosts that a task runs on once, and that task.
    once: BTreeMap<usize, String>,
    /// From here on a host that fails is everybody's failure.
    is_over: bool,
}

impl Dropping {
    pub fn new(policy: OnHostFailure) -> Self {
        Self { policy, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    pub fn is_dropped(&self, host: usize) -> bool {
        self.dropping.lock().dropped.contains(&host)
    }

    /// The hosts of the run that were not dropped.
    pub fn all(&self) -> Vec<usize> {
        self.left_of(&self.everyone())
    }

    /// All hosts of the run, the dropped ones too.
    pub fn everyone(&self) -> Vec<usize> {
        (0..self.hosts.len()).collect()
    }

    /// Those of `hosts` that were not dropped.
    pub fn left_of(&self, hosts: &[usize]) -> Vec<usize> {
        let state = self.dropping.lock();
        hosts.iter().copied().filter(|host| !state.dropped.contains(host)).collect()
    }

    /// Says that `task` runs once, on `host`. What it does there (a migration) is the whole run's: undone on a dropped
    /// host it would be missing on the others, and elsewhere it might meet another database.
    pub fn keep_for(&self, host: usize, task: &str) {
        self.dropping.lock().once.entry(host).or_insert_with(|| task.to_owned());
    }

    /// No host is dropped from here on.
    pub fn end_dropping(&self) {
        self.dropping.lock().is_over = true;
    }

    /// Drops the hosts on which `task` failed, if that leaves a run that may go on. Answers the failures that stand.
    pub fn drop_hosts(self: &Arc<Self>, task: &str, failures: Vec<(usize, Error)>) -> Vec<(usize, Error)> {
        let OnHostFailure::Continue(min) = self.dropping.policy else {
            return failures;
        };
        if failures.is_empty()
            || self.interrupt.is_raised()
            || self.met_lock()
            || self.dropping.lock().is_over
        {
            return failures;
        }
        let names =
            |hosts: &[usize]| hosts.iter().map(|&h| format!("`{}`", self.hosts[h].name)).collect::<Vec<_>>();
        let failed: Vec<usize> = failures.iter().map(|(host, _)| *host).collect();
        let kept = failed.iter().find_map(|host| Some((*host, self.dropping.lock().once.get(host)?.clone())));
        if let Some((host, once)) = kept {
            let name = &self.hosts[host].name;
            self.warn(format!("`{name}` is not dropped: task `{once}` runs once, and there"));
            return failures;
        }
        let n_left = self.all().iter().filter(|host| !failed.contains(host)).count();
        let n_min = min.of(self.hosts.len());
        if n_left < n_min {
            let verb = if failed.len() == 1 { "is" } else { "are" };
            self.warn(format!(
                "{} {verb} not dropped: {n_left} of {} hosts would be left, and `min_healthy` asks for {n_min}",
                names(&failed).join(", "),
                self.hosts.len()
            ));
            return failures;
        }
        self.dropping.lock().dropped.extend(&failed);
        for (host, error) in &failures {
            let mut report = Report::of(error);
            let host = self.hosts[*host].name.clone();
            report.message = format!("`{host}` is dropped: task `{task}` failed: {}", report.message);
            self.events.event(Event::Dropped { host, report });
        }
        in_parallel(&failed, failed.len(), |host| self.take_back(host));
        Vec::new()
    }

    /// Undoes what this run did on one host, the latest first. What cannot be undone is told.
    fn take_back(self: &Arc<Self>, host: usize) {
        self.site(host).begin_undo();
        for undo in self.undo.take_of(host) {
            let what = undo.what;
            match (undo.act)(self) {
                Ok(_) => {
                    let hosts = vec![self.hosts[host].name.clone()];
                    self.events.event(Event::Undone { what, hosts });
                }
                Err(error) => {
                    let name = &self.hosts[host].name;
                    self.warn(format!("undo on `{name}`: this was not done: {what}: {error:#}"));
                }
            }
        }
        // A lock that cannot be let go frees itself.
        let _ = self.site(host).finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(text: &str, n_hosts: usize, want: usize) {
        assert_eq!(MinHealthy::parse(text).unwrap().of(n_hosts), want, "{text}");
    }

    #[test]
    fn a_share_of_the_hosts_is_rounded_up() {
        case("2", 5, 2);
        case("75%", 4, 3);
        case("75%", 5, 4);
        case("1%", 3, 1);
        case("100%", 7, 7);
    }

    #[test]
    fn what_leaves_no_host_or_means_nothing_is_refused() {
        for text in ["0", "-1", "0%", "101%", "1.5", "half", "%", ""] {
            assert!(MinHealthy::parse(text).is_err(), "{text}");
        }
    }
}
