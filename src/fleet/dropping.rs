//! Dropping: which hosts a run may continue without, and which it has dropped.
//!
//! **Invariant:** a host on which a task runs once is never dropped.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};

use crate::host::Host;

/// What to do when a host fails before the swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnHostFailure {
    /// The run fails, on all hosts.
    #[default]
    Abort,
    /// The run continues without the host, if enough hosts remain.
    Continue(MinHealthy),
}

impl OnHostFailure {
    /// How many of `n_hosts` must remain.
    fn min_healthy(self, n_hosts: usize) -> usize {
        match self {
            Self::Abort => n_hosts,
            Self::Continue(min) => min.of(n_hosts),
        }
    }
}

/// How many hosts of a run must remain.
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
            None => bail!("at least 1 host must remain, not {number}"),
        }
    }

    /// `75%`, or a number as text.
    pub fn parse(text: &str) -> Result<Self> {
        let Some(percent) = text.strip_suffix('%') else {
            return match text.parse() {
                Ok(number) => Self::of_number(number),
                Err(_) => bail!("`{text}` must be a number of hosts, or a percentage such as `75%`"),
            };
        };
        match percent.trim_end().parse() {
            Ok(percent @ 1..=100) => Ok(Self::Percent(percent)),
            _ => bail!("`{text}` must be between `1%` and `100%`"),
        }
    }

    /// The number, in a run of `n_hosts`.
    fn of(self, n_hosts: usize) -> usize {
        match self {
            Self::Hosts(number) => number.get(),
            Self::Percent(percent) => (n_hosts * percent).div_ceil(100),
        }
    }
}

/// Tracks which hosts remain.
#[derive(Default)]
pub struct Dropping {
    policy: OnHostFailure,
    state: Mutex<DroppingState>,
}

#[derive(Default)]
struct DroppingState {
    dropped: Vec<usize>,
    /// Each host on which a task runs once, with the name of that task.
    once: BTreeMap<usize, String>,
}

impl Dropping {
    pub fn new(policy: OnHostFailure) -> Self {
        Self { policy, state: Mutex::default() }
    }

    pub fn is_allowed(&self) -> bool {
        self.policy != OnHostFailure::Abort
    }

    pub fn is_dropped(&self, host: usize) -> bool {
        self.lock().dropped.contains(&host)
    }

    pub fn left_of(&self, hosts: &[usize]) -> Vec<usize> {
        let state = self.lock();
        hosts.iter().copied().filter(|host| !state.dropped.contains(host)).collect()
    }

    pub fn keep_for(&self, host: usize, task: &str) {
        self.lock().once.entry(host).or_insert_with(|| task.to_owned());
    }

    /// Drops the hosts that failed. Drops none, and returns the reason, if one of them must be kept or too few of
    /// `hosts` would remain.
    pub fn drop_hosts(&self, failed: &[usize], hosts: &[Host]) -> Result<(), String> {
        let name = |host: usize| format!("`{}`", hosts[host].name);
        let mut state = self.lock();
        if let Some((host, task)) = failed.iter().find_map(|&host| Some((host, state.once.get(&host)?))) {
            return Err(format!("cannot drop {}: task `{task}` runs once, on that host", name(host)));
        }
        let is_left = |host: &usize| !state.dropped.contains(host) && !failed.contains(host);
        let n_left = (0..hosts.len()).filter(is_left).count();
        let n_min = self.policy.min_healthy(hosts.len());
        if n_left < n_min {
            return Err(format!(
                "cannot drop {}: {n_left} of {} hosts would remain, and `min_healthy` requires {n_min}",
                failed.iter().map(|&host| name(host)).collect::<Vec<_>>().join(", "),
                hosts.len()
            ));
        }
        state.dropped.extend(failed);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, DroppingState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
