//! Several hosts at the same time, and their failures as one.

use std::sync::atomic::Ordering;

use anyhow::Result;

use crate::event::Report;
use crate::run::Run;

impl Run {
    /// Does something on several hosts at the same time, and collects every failure.
    pub fn on_each(
        &self,
        hosts: &[usize],
        act: impl Fn(usize) -> Result<()> + Sync,
    ) -> Vec<(usize, anyhow::Error)> {
        self.n_acted.fetch_add(hosts.len(), Ordering::SeqCst);
        in_parallel(hosts, hosts.len(), |host| act(host).err())
            .into_iter()
            .filter_map(|(host, error)| Some((host, error?)))
            .collect()
    }
}

/// A thread a host, not a core: they wait for servers. At most `limit` at a time. The answers are in the hosts' order.
pub fn in_parallel<A: Send>(
    hosts: &[usize],
    limit: usize,
    act: impl Fn(usize) -> A + Sync,
) -> Vec<(usize, A)> {
    use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

    if let [host] = *hosts {
        return vec![(host, act(host))];
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(hosts.len().min(limit).clamp(1, 256))
        // Recipes nest calls on these threads.
        .stack_size(8 << 20)
        .build();
    match pool {
        Ok(pool) => pool.install(|| {
            let each = hosts.par_iter().with_max_len(1);
            each.map(|&host| (host, act(host))).collect()
        }),
        Err(_) => hosts.iter().map(|&host| (host, act(host))).collect(),
    }
}

/// One error for the failures of several hosts.
pub fn combined<'a>(
    mut failures: Vec<(usize, anyhow::Error)>,
    name: impl Fn(usize) -> &'a String,
) -> Option<anyhow::Error> {
    if failures.len() <= 1 {
        return failures.pop().map(|(host, error)| error.context(format!("on `{}`", name(host))));
    }
    let mut report = Report::new(format!("{} hosts failed", failures.len()));
    for (host, error) in failures {
        report = report.note(format!("`{}`: {error:#}", name(host)));
    }
    Some(report.into())
}
