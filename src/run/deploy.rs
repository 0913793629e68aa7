//! The acts of a deployment that need more than one host knows: the source, the release's name, the undo log.

use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::release::fill::{Plan, Special, Strategy};
use crate::release::{Record, SharedPath};
use crate::run::undo::Undo;
use crate::run::{Mode, Run};
use crate::site::{Fill, Site, Standing};
use crate::tree::{Entry, Kind, Pack, Squeezed, Tree, TreePath};

impl Run {
    /// What an upload needs is made ready on all hosts as soon as they are connected to.
    pub fn foresee_upload(&self) {
        for host in self.all() {
            let source = Arc::clone(&self.source);
            self.site(host).foresee_pack(move |squeezed| source.n_parts(squeezed));
        }
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
            act: Box::new(move |run| act(run).map(|()| true)),
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
        let mut site = self.site(host);
        if self.fill_from(&mut site, strategy, false)? {
            return Ok(());
        }
        // Something on the server is not as the last run left it.
        site.look()?;
        match self.fill_from(&mut site, strategy, true)? {
            true => Ok(()),
            false => bail!("the last release changes while the new one is filled from it"),
        }
    }

    /// False when the server was not asked `ahead` and is not as it was thought to be.
    fn fill_from(&self, site: &mut Site, strategy: Strategy, ahead: bool) -> Result<bool> {
        let tree = self.source.tree()?;
        if site.release().is_none() {
            bail!("there is no release to fill: task `release` must come first");
        }
        let special = site.options.special.clone();
        let (managed, under) = special.split(&tree);
        let has = site.seen()?.shared.clone();
        let starting: Vec<TreePath> =
            special.shared.iter().filter(|path| !has.contains(&path.to_string())).cloned().collect();
        // What begins in `shared/` is chosen by what was written in the last release.
        let standing = site.standing(strategy, &self.store, ahead || !starting.is_empty())?;
        let Standing { last, cache, unchecked } = standing;
        let seeds: Vec<Entry> = under
            .into_iter()
            .filter(|entry| starting.iter().any(|top| entry.path.starts_with(top)))
            .filter(|entry| last.gives_way_to(entry))
            .collect();
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
            self.plan_fill(site, &plan, &sent, &send, with_diff);
        }
        let facts = &site.seen()?.facts;
        let pack = Pack::new(&sent, &self.source.contents, &send, &plan.prefix(&name), &plan.extra())?
            .in_parts(Squeezed::by(|program| facts.has(program)));
        site.fill(&Fill { plan: &plan, unchecked: &unchecked, pack: &pack, n_seeds })
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
}
