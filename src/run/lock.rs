//! The locks of a run's sites: the first host's first, the rest at once, or one by one where another run is met; what
//! dead runs left is put right under them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::event::{Event, Report};
use crate::release::heal::{self, Healing};
use crate::release::lock::{Held, Owner};
use crate::run::Run;
use crate::run::parallel::combined;

/// How often a run that waits for a lock asks for it.
const AGAIN: Duration = Duration::from_secs(1);
/// How long another run may take to notice that it has to give way.
const GIVING_WAY: Duration = Duration::from_secs(3);
/// How long an interrupt may go unnoticed meanwhile.
const TICK: Duration = Duration::from_millis(50);

impl Run {
    /// Takes the locks of hosts: that of the first in the file alone, so that of two runs on the same hosts one always
    /// proceeds, then the rest at once. All are connected to and looked at meanwhile. A first one that is dropped leaves
    /// its turn to the next.
    pub fn lock_all(self: &Arc<Self>, hosts: &[usize]) -> Result<()> {
        loop {
            let left = self.left_of(hosts);
            let first = left.iter().min().copied();
            self.dropping_the_bad(self.on_each(&left, |host| match Some(host) == first {
                true => self.lock(host, Duration::ZERO),
                false => self.site(host).look().map(drop),
            }))?;
            if first.is_none_or(|first| !self.is_dropped(first)) {
                break;
            }
        }
        let rest = self.left_of(hosts);
        let failures = self.on_each(&rest, |host| self.try_lock(host));
        self.dropping_the_bad(self.in_turn(&rest, failures))?;
        self.dropping_the_bad(self.heal(&self.left_of(hosts)))
    }

    /// Connects to hosts and reads what stands in their sites, which must be fit for a deployment.
    pub fn connect_all(&self, hosts: &[usize]) -> Result<()> {
        let failures = self.on_each(hosts, |host| {
            let mut site = self.site(host);
            site.look()?;
            site.is_fit()
        });
        combined(failures, |host| &self.hosts[host].name).map_or(Ok(()), Err)
    }

    /// A run on some of these hosts has another first one, and may have met this one half-way. Nobody keeps what comes
    /// later in the file while asking for what comes earlier, so neither two waits nor two failures can meet.
    fn in_turn(&self, hosts: &[usize], failures: Vec<(usize, anyhow::Error)>) -> Vec<(usize, anyhow::Error)> {
        let (held, mut failures): (Vec<_>, Vec<_>) =
            failures.into_iter().partition(|(_, error)| error.downcast_ref::<Held>().is_some());
        let Some(met) = held.iter().map(|(host, _)| *host).min() else {
            return failures;
        };
        let mut later: Vec<usize> = hosts.iter().copied().filter(|host| *host >= met).collect();
        later.retain(|host| failures.iter().all(|(bad, _)| bad != host));
        later.sort_unstable();
        failures.extend(self.on_each(&later, |host| self.site(host).let_go()));
        for host in later {
            if let Err(error) = self.lock(host, GIVING_WAY) {
                failures.push((host, error));
                if self.met_lock() {
                    break;
                }
            }
        }
        failures
    }

    fn dropping_the_bad(self: &Arc<Self>, failures: Vec<(usize, anyhow::Error)>) -> Result<()> {
        let failures = self.drop_hosts("lock", failures);
        combined(failures, |host| &self.hosts[host].name).map_or(Ok(()), Err)
    }

    fn try_lock(&self, host: usize) -> Result<()> {
        let owner = Owner {
            run: self.id.clone(),
            host: self.hosts[host].name.clone(),
            by: self.by.clone(),
            since: Some(self.began),
            flow: self.flow.clone(),
        };
        self.site(host).lock(&owner, self.now(), &self.by)
    }

    /// Takes the lock of one host; waits for it for so long, or as long as it takes if that is asked for.
    fn lock(&self, host: usize, patience: Duration) -> Result<()> {
        let until = Instant::now() + patience;
        let mut is_told = false;
        loop {
            let locked = self.try_lock(host);
            let Some(held) = locked.as_ref().err().and_then(|error| error.downcast_ref::<Held>()) else {
                return locked;
            };
            let is_patient = self.waits || Instant::now() < until;
            if !is_patient || self.interrupt.is_raised() {
                self.met_lock.store(true, Ordering::SeqCst);
                return Err(held.report().into());
            }
            if self.waits && !is_told {
                is_told = true;
                let text = format!("waiting: {}", held.report().message);
                self.events.event(Event::Note { host: None, text });
            }
            self.pause(if self.waits { AGAIN } else { TICK });
        }
    }

    fn pause(&self, mut left: Duration) {
        while !left.is_zero() && !self.interrupt.is_raised() {
            thread::sleep(TICK);
            left = left.saturating_sub(TICK);
        }
    }

    /// Whether this run found a lock that another has.
    pub fn met_lock(&self) -> bool {
        self.met_lock.load(Ordering::SeqCst)
    }

    /// Puts right what dead runs left: a swap that was cut goes the same way on all hosts. What was waited for may have
    /// left more meanwhile than was seen before, which is put right as well.
    fn heal(&self, hosts: &[usize]) -> Vec<(usize, anyhow::Error)> {
        if self.mode.is_plan() {
            return Vec::new();
        }
        let mut done = BTreeMap::new();
        loop {
            let plans = self.plan_healing(hosts);
            let ill: Vec<usize> = plans
                .iter()
                .filter(|(host, plan)| done.get(*host) != Some(*plan))
                .map(|(host, _)| *host)
                .collect();
            let failures = self.on_each(&ill, |host| match plans.get(&host) {
                Some(healing) => self.site(host).heal(healing, self.now(), &self.by),
                None => Ok(()),
            });
            if ill.is_empty() || !failures.is_empty() {
                return failures;
            }
            done.extend(plans);
        }
    }

    /// What is wrong on which hosts.
    fn plan_healing(&self, hosts: &[usize]) -> BTreeMap<usize, Healing> {
        let all: Vec<_> =
            hosts.iter().filter_map(|&host| Some((host, self.site(host).seen().ok()?.clone()))).collect();
        let ways = heal::ways(all.iter().map(|(host, seen)| (self.hosts[*host].name.as_str(), seen)));
        for (_, seen) in &all {
            for cut in &seen.intents {
                let elsewhere: Vec<&str> = cut
                    .hosts
                    .iter()
                    .map(String::as_str)
                    .filter(|name| !hosts.iter().any(|&host| self.hosts[host].name == *name))
                    .collect();
                if !elsewhere.is_empty() {
                    self.warn(format!(
                        "the swap to `{}` that was cut was also to be made on {}, which this run does not look after",
                        cut.release,
                        elsewhere.join(", ")
                    ));
                }
            }
        }
        all.iter()
            .map(|(host, seen)| (*host, heal::plan(seen, &ways)))
            .filter(|(_, healing)| healing.is_needed())
            .collect()
    }

    /// The release is found good: no server takes its swap back by itself any more. A single host hears it with the next
    /// step. Several are told one right after the other, before any answer is waited for: if this program dies between
    /// the first and the last, they stay apart until the next run.
    pub fn confirm(&self) -> Result<()> {
        let hosts = self.all();
        let at_once = hosts.len() > 1;
        if at_once {
            for &host in &hosts {
                self.site(host).begin_confirm();
            }
        }
        let failures = self.on_each(&hosts, |host| self.site(host).confirm(at_once));
        combined(failures, |host| &self.hosts[host].name).map_or(Ok(()), Err)
    }

    /// Does what was left for the last step, and lets all locks go.
    pub fn finish(&self) -> Result<()> {
        let failures = self.on_each(&self.all(), |host| self.site(host).finish());
        combined(failures, |host| &self.hosts[host].name).map_or(Ok(()), Err)
    }

    /// The same after a failure: what is left of a lock frees itself when the program ends, so nothing is said.
    pub fn let_go(&self) {
        if let Err(error) = self.finish() {
            let Report { message, .. } = Report::of(&error);
            self.warn(format!("the lock was not let go, and frees itself: {message}"));
        }
    }
}

/// Gives signs of life while no act runs on a host, and notices when there is no answer.
pub struct Heart {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Heart {
    pub fn of(run: &Arc<Run>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (run, over) = (run.clone(), is_over.clone());
        // Without it, swaps on hosts that nothing is asked of for a minute are taken back: the safe side.
        let thread = thread::Builder::new()
            .name("heart".to_owned())
            .spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    for (host, site) in run.sites().iter().enumerate() {
                        // While an act runs there, it gives them itself.
                        if let Ok(mut site) = site.try_lock() {
                            site.beat();
                            if site.is_out_of_touch() {
                                run.contact.lose(host, &run.interrupt);
                            }
                        }
                    }
                    thread::park_timeout(TICK);
                }
            })
            .ok();
        Self { is_over, thread }
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}
