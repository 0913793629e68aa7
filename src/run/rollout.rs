//! The rollouts of a run. In each, a group of hosts swaps together. The run confirms all of its rollouts, or undoes all.
//!
//! **Invariant:** from the first rollout on, no host is dropped, so that hosts never serve different releases unnoticed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::transport::CancelToken;

/// Hosts that swap together. If the run dies, the next one swaps all of them back, or none.
#[derive(Debug)]
struct Rollout {
    /// RUN.N. It names the intent on every host.
    id: String,
    hosts: Vec<usize>,
    /// When the run sent the swap to its hosts. `None` until all of them have swapped.
    began: Option<Instant>,
    /// Every host has received the confirmation.
    is_settled: bool,
}

/// Contact with the hosts between a swap and its confirmation. If it is lost, that server swaps back by itself. Then
/// everything that runs on the others must end, so that they can swap back as well.
#[derive(Debug, Clone, Copy, Default)]
enum Contact {
    #[default]
    Kept,
    /// With this host.
    Lost(usize),
    /// Losing contact no longer matters.
    Settled,
}

#[derive(Debug, Default)]
struct RolloutState {
    all: Vec<Rollout>,
    contact: Contact,
    is_settled: bool,
}

#[derive(Debug, Default)]
pub struct Rollouts(Mutex<RolloutState>);

impl Rollouts {
    /// Begins a rollout of `run` on `hosts`, and returns its id. A host that swaps again before its first swap is settled
    /// stays in its rollout: the server has only one intent, which says what to swap back to.
    pub fn begin(&self, run: &str, hosts: &[usize]) -> String {
        let mut state = self.lock();
        let has_one = |rollout: &&mut Rollout| hosts.iter().any(|host| rollout.hosts.contains(host));
        if let Some(rollout) = state.all.iter_mut().filter(|rollout| !rollout.is_settled).find(has_one) {
            let new: Vec<usize> =
                hosts.iter().copied().filter(|host| !rollout.hosts.contains(host)).collect();
            rollout.hosts.extend(new);
            return rollout.id.clone();
        }
        let id = format!("{run}.{}", state.all.len() + 1);
        state.all.push(Rollout { id: id.clone(), hosts: hosts.to_vec(), began: None, is_settled: false });
        id
    }

    /// Notes that all hosts of a rollout have swapped. The run sent them the swap at `began`.
    pub fn swapped(&self, id: &str, began: Instant) {
        if let Some(rollout) = self.lock().all.iter_mut().find(|rollout| rollout.id == id) {
            rollout.began.get_or_insert(began);
        }
    }

    /// How long any of `hosts` has served what it swapped to, counting only rollouts whose hosts have all swapped.
    pub fn served_for(&self, hosts: &[usize]) -> Option<Duration> {
        let state = self.lock();
        let of_hosts = state.all.iter().filter(|one| one.hosts.iter().any(|host| hosts.contains(host)));
        of_hosts.filter_map(|rollout| rollout.began).min().map(|began| began.elapsed())
    }

    /// Settles all rollouts, except those with a host that did not receive the confirmation.
    pub fn settle(&self, unreached: &[usize]) {
        let mut state = self.lock();
        state.is_settled = true;
        for rollout in &mut state.all {
            rollout.is_settled |= !rollout.hosts.iter().any(|host| unreached.contains(host));
        }
    }

    /// Whether a host that fails may still be dropped.
    pub fn allow_dropping(&self) -> bool {
        let state = self.lock();
        state.all.is_empty() && !state.is_settled
    }

    /// Notes that contact with `host` is lost. This cancels running acts, unless everything is settled.
    pub fn lose_contact(&self, host: usize, cancel_token: &CancelToken) {
        let mut state = self.lock();
        if let Contact::Kept = state.contact {
            state.contact = Contact::Lost(host);
            cancel_token.cancel();
        }
    }

    /// From now on, losing contact cancels nothing. Returns the host with which contact was lost before.
    pub fn settle_contact(&self) -> Option<usize> {
        match std::mem::replace(&mut self.lock().contact, Contact::Settled) {
            Contact::Lost(host) => Some(host),
            Contact::Kept | Contact::Settled => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, RolloutState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_loss_before_all_is_settled_ends_what_runs() {
        let cancel_token = CancelToken::default();
        let rollouts = Rollouts::default();
        rollouts.lose_contact(2, &cancel_token);
        rollouts.lose_contact(1, &cancel_token);
        assert!(cancel_token.is_cancelled());
        assert_eq!(rollouts.settle_contact(), Some(2));
        cancel_token.clear();
        rollouts.lose_contact(1, &cancel_token);
        assert!(!cancel_token.is_cancelled());
        assert_eq!(rollouts.settle_contact(), None);
    }

    #[test]
    fn each_rollout_has_an_intent_of_its_own_and_a_host_one_that_is_not_settled() {
        let rollouts = Rollouts::default();
        assert!(rollouts.allow_dropping());
        assert_eq!(rollouts.begin("r", &[0, 1]), "r.1");
        assert!(!rollouts.allow_dropping());
        assert_eq!(rollouts.begin("r", &[2]), "r.2");
        assert_eq!(rollouts.begin("r", &[1]), "r.1");
        rollouts.settle(&[2]);
        assert_eq!(rollouts.begin("r", &[0]), "r.3");
        assert_eq!(rollouts.begin("r", &[2]), "r.2");
    }

    #[test]
    fn a_rollout_is_served_from_when_all_its_hosts_have_swapped() {
        let rollouts = Rollouts::default();
        let id = rollouts.begin("r", &[0, 1]);
        assert_eq!(rollouts.served_for(&[0]), None);
        rollouts.swapped(&id, Instant::now());
        assert!(rollouts.served_for(&[0]).is_some());
        assert_eq!(rollouts.served_for(&[2]), None);
    }
}
