//! The acts of a deployment that need more than one host knows: the source, the release's name, the undo log.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use crate::event::{Event, Report};
use crate::release::command::Place;
use crate::release::fill::{Plan, Special, Strategy};
use crate::release::{Record, ReleaseName, SharedPath};
use crate::run::undo::Undo;
use crate::run::{Mode, Run};
use crate::site::Fill;
use crate::tree::{Entry, Kind, Tree, TreePath, text_diff};

/// How many changed files a plan names.
const PLANNED_FILES: usize = 200;
/// How many changed files a plan shows the difference of, and how large a file it reads for that.
const DIFF_FILES: usize = 100;
const DIFF_BYTES: u64 = 1 << 20;

impl Run {
    pub fn lock(&self, host: usize) -> Result<()> {
        self.site(host).lock(self.now(), &self.by)
    }

    /// Opens all sites: the first of the fleet alone, so that of two runs one always proceeds, then the rest at once.
    pub fn lock_all(&self, hosts: &[usize]) -> Result<()> {
        let (first, rest) = hosts.split_at(hosts.len().min(1));
        let mut failures = self.on_each(first, |host| self.lock(host));
        if failures.is_empty() {
            failures = self.on_each(rest, |host| self.lock(host));
        }
        combined(failures, |host| &self.hosts[host].name).map_or(Ok(()), Err)
    }

    pub fn create_release(self: &Arc<Self>, host: usize) -> Result<()> {
        let name = self.release_name()?;
        let mut record = Record::building(name, self.now(), &self.by);
        record.revision = self.revision.commit.clone();
        record.dirty = self.revision.is_dirty;
        self.site(host).create_release(record)?;
        self.on_undo(host, "gave up the new release", move |run| {
            let mended = run.mend(host);
            run.site(host).discard(run.now(), &run.by)?;
            mended
        });
        Ok(())
    }

    fn on_undo(&self, host: usize, what: &str, act: impl FnOnce(&Arc<Run>) -> Result<()> + Send + 'static) {
        if self.mode.is_plan() {
            return;
        }
        self.undo.enter(Undo {
            order: self.order(),
            host,
            what: what.to_owned(),
            is_swap: false,
            act: Box::new(act),
        });
    }

    /// Lets a task's own undo be run, should a later step fail.
    pub fn enter_undo(
        &self,
        host: usize,
        what: &str,
        act: impl FnOnce(&Arc<Run>) -> Result<()> + Send + 'static,
    ) {
        self.on_undo(host, what, act);
    }

    pub fn fill(&self, host: usize, strategy: Strategy) -> Result<()> {
        let tree = self.source.tree()?;
        let mut site = self.site(host);
        if site.release().is_none() {
            bail!("there is no release to fill: task `release` must come first");
        }
        let special = site.options.special.clone();
        let (managed, under) = special.split(&tree);
        let has = site.seen()?.shared.clone();
        let starting: Vec<TreePath> =
            special.shared.iter().filter(|path| !has.contains(&path.to_string())).cloned().collect();
        let last = site.last(&self.store)?;
        let seeds: Vec<Entry> = under
            .into_iter()
            .filter(|entry| starting.iter().any(|top| entry.path.starts_with(top)))
            .filter(|entry| last.gives_way_to(entry))
            .collect();
        let cache = match strategy {
            Strategy::CopyPrevious => None,
            Strategy::Cache => Some(site.cache(&self.store)?),
        };
        let plan = Plan::new(last, cache, &managed, &special, starting);
        for manifest in [&plan.manifest, &plan.change.next] {
            if let Some(warning) = self.store.put(manifest) {
                self.warn(warning);
            }
        }

        // What will seed `shared/` travels with the release, but is not of it.
        let n_seeds = seeds.iter().filter(|seed| seed.kind == Kind::File).count();
        let mut entries = managed.entries;
        let mut send = plan.change.send.clone();
        for seed in seeds {
            send.push(entries.len());
            entries.push(seed);
        }
        let sent = Tree { root: tree.root.clone(), entries };
        let name = site.release().cloned().context("there is no release")?;
        if let Mode::Plan { with_diff } = self.mode {
            self.plan_fill(&mut site, &plan, &sent, &send, with_diff);
        }
        let pack = self.source.pack(&sent, &send, &plan.prefix(&name), &plan.extra())?;
        site.fill(&Fill { plan: &plan, pack: &pack, n_seeds })
    }

    fn plan_fill(
        &self,
        site: &mut crate::site::Site,
        plan: &Plan,
        sent: &Tree,
        send: &[usize],
        with_diff: bool,
    ) {
        let host = site.host.name.clone();
        let planned = |text: String| {
            self.events.event(Event::Planned { host: host.clone(), text });
        };
        let sends = send.iter().map(|&index| &sent.entries[index]).filter(|e| e.kind != Kind::Directory);
        let mut changes: Vec<String> = sends
            .map(|entry| {
                let is_known = plan.base.manifest.get(&entry.path).is_some();
                let verb = if is_known { "change" } else { "add" };
                format!("{verb} `{}`", entry.path)
            })
            .collect();
        changes.extend(plan.change.remove.iter().map(|path| format!("remove `{path}`")));
        let n_more = changes.len().saturating_sub(PLANNED_FILES);
        changes.into_iter().take(PLANNED_FILES).for_each(&planned);
        if n_more > 0 {
            planned(format!("and {n_more} more"));
        }
        let Some(base) = plan.base.release.as_ref().filter(|_| with_diff) else {
            return;
        };
        let place = Place::Release(base.clone());
        let files = send.iter().map(|&index| &sent.entries[index]);
        let files = files.filter(|entry| entry.kind == Kind::File && entry.size <= DIFF_BYTES);
        for entry in files.take(DIFF_FILES) {
            let old = match plan.base.manifest.get(&entry.path) {
                None => Vec::new(),
                Some(line) if line.entry.size > DIFF_BYTES => continue,
                Some(_) => {
                    let path = String::from_utf8_lossy(entry.path.as_bytes()).into_owned();
                    site.read_from(&place, &path).unwrap_or_default()
                }
            };
            let new = std::fs::read(entry.local_path(&sent.root)).unwrap_or_default();
            if let Some(text) = text_diff(&entry.path.to_string(), &old, &new) {
                self.events.event(Event::Diff { host: host.clone(), text });
            }
        }
    }

    pub fn link_shared(self: &Arc<Self>, host: usize, paths: &[SharedPath]) -> Result<()> {
        let tree = self.source.tree()?;
        let tops: Vec<TreePath> = paths.iter().map(|path| path.path.clone()).collect();
        let special = Special { shared: tops, ..Special::default() };
        let (_, under) = special.split(&tree);
        let brought: Vec<TreePath> = under
            .into_iter()
            .filter(|entry| entry.kind != Kind::Directory)
            .take(1000)
            .map(|entry| entry.path)
            .collect();
        let mut site = self.site(host);
        let name = site.release().cloned().context("there is no release")?;
        let has = &site.seen()?.shared;
        if special.shared.iter().any(|path| !has.contains(&path.to_string())) {
            // Entered before: an answer that never came may have been a half.
            self.on_undo(host, "took back what was put into `shared/`", move |run| {
                run.site(host).unseed(&name)
            });
        }
        site.link_shared(paths, &brought, self.now())?;
        Ok(())
    }

    /// Swaps the release of this run in on `hosts`: all are asked whether they are ready before any is told to.
    pub fn swap(self: &Arc<Self>, hosts: &[usize]) -> Result<()> {
        for &host in hosts {
            self.site(host).is_ready().with_context(|| format!("`{}` cannot swap", self.hosts[host].name))?;
        }
        self.point(hosts, |run, host, now| run.site(host).swap(now, &run.by))
    }

    /// Takes this run's swap back on `hosts`, as its undo would.
    pub fn swap_back(&self, hosts: &[usize]) -> Result<()> {
        let failures = self.on_each(hosts, |host| self.site(host).swap_back(self.now(), &self.by));
        combined(failures, |host| &self.hosts[host].name).map_or(Ok(()), Err)
    }

    /// Rolls `hosts` back to `wanted`, else to the newest complete release before the live one that all of them have.
    pub fn roll_back(self: &Arc<Self>, hosts: &[usize], wanted: Option<&ReleaseName>) -> Result<ReleaseName> {
        let name = match wanted {
            Some(name) => name.clone(),
            None => self.common_earlier(hosts)?,
        };
        for &host in hosts {
            let site = self.site(host);
            let seen = site.seen()?;
            let known = seen.record(&name).filter(|record| seen.is_complete(record));
            if known.is_none() {
                let complete: Vec<String> = seen.complete().map(|r| format!("`{}`", r.name)).collect();
                let what = match seen.record(&name) {
                    Some(record) => format!("is {}", record.state),
                    None => "is not there".to_owned(),
                };
                bail!(
                    Report::new(format!("release `{name}` {what} on `{}`", site.host.name))
                        .hint(format!("complete there: {}", complete.join(", ")))
                );
            }
            if seen.live() == Some(&name) {
                bail!("release `{name}` is being served by `{}` already", site.host.name);
            }
        }
        let target = name.clone();
        self.point(hosts, move |run, host, now| run.site(host).roll_back(&target, now, &run.by))?;
        let _ = self.release.set(name.clone());
        Ok(name)
    }

    fn common_earlier(&self, hosts: &[usize]) -> Result<ReleaseName> {
        let mut common: Option<Vec<ReleaseName>> = None;
        for &host in hosts {
            let earlier = self.site(host).earlier()?;
            common = Some(match common {
                None => earlier,
                Some(names) => names.into_iter().filter(|name| earlier.contains(name)).collect(),
            });
        }
        common.and_then(|names| names.into_iter().next()).ok_or_else(|| {
            Report::new("there is no earlier complete release to go back to")
                .hint("`runner releases` shows what each host has")
                .into()
        })
    }

    /// Re-points `current` on all hosts at once. What some did is in the undo log before it is known whether all did.
    fn point(
        self: &Arc<Self>,
        hosts: &[usize],
        act: impl Fn(&Arc<Run>, usize, Timestamp) -> Result<()> + Sync,
    ) -> Result<()> {
        let began = std::time::Instant::now();
        let now = self.now();
        let failures = self.on_each(hosts, |host| {
            self.enter_swap_back(host);
            act(self, host, now)
        });
        if let Some(error) = combined(failures, |host| &self.hosts[host].name) {
            return Err(error);
        }
        let release = hosts.first().and_then(|&host| self.site(host).release().map(ToString::to_string));
        if !self.mode.is_plan() {
            self.events.event(Event::Swapped {
                release: release.unwrap_or_default(),
                hosts: hosts.iter().map(|&h| self.hosts[h].name.clone()).collect(),
                took: began.elapsed(),
            });
        }
        Ok(())
    }

    /// Entered before the swap is asked for: an answer that never came may have been a yes.
    fn enter_swap_back(self: &Arc<Self>, host: usize) {
        if self.mode.is_plan() {
            return;
        }
        self.undo.enter(Undo {
            order: self.order(),
            host,
            what: "swapped back".to_owned(),
            is_swap: true,
            act: Box::new(move |run| run.site(host).swap_back(run.now(), &run.by)),
        });
    }

    pub fn prune(&self, host: usize, keep: NonZeroUsize) -> Result<Vec<String>> {
        self.site(host).prune(keep, self.now(), &self.by)
    }

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
fn combined<'a>(
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
