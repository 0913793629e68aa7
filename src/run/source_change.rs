//! How the source differs from what hosts have: computed once for all hosts whose fills start from the same.

use std::sync::Arc;

use crate::event::Event;
use crate::here::once::OncePer;
use crate::release::ReleaseName;
use crate::release::plan::{Base, Last, PathRules, Plan, Strategy};
use crate::tree::{CompressionMode, Kind, Pack, Tree, TreePath};

/// The changes of this run, one for each group of hosts whose fills start from the same.
pub type SourceChanges = OncePer<FillStart, SourceChange>;

/// Everything besides the source that decides what is sent to a host.
#[derive(Clone, PartialEq)]
pub struct FillStart {
    pub release: ReleaseName,
    pub last: Last,
    /// For the cache strategy.
    pub cache: Option<Base>,
    pub rules: PathRules,
    /// The shared paths that `shared/` does not have yet.
    pub starting: Vec<TreePath>,
}

/// How the source differs from what hosts have.
pub struct SourceChange {
    pub plan: Plan,
    /// The entries of the release, then those that start shared paths: they are sent with it, but do not belong to it.
    pub tree: Arc<Tree>,
    /// Indices of the entries that are sent.
    pub send: Vec<usize>,
    /// How many files among them start shared paths.
    pub n_seeds: usize,
    pub packs: OncePer<CompressionMode, Pack>,
}

impl SourceChange {
    pub fn new(source: &Tree, start: &FillStart) -> Self {
        let FillStart { last, cache, rules, starting, .. } = start;
        let (managed, under) = rules.split(source);
        let seeds = under
            .into_iter()
            .filter(|entry| starting.iter().any(|top| entry.path.starts_with(top)))
            .filter(|entry| last.gives_way_to(entry));
        let plan = Plan::new(last.clone(), cache.clone(), &managed, rules, starting.clone());
        let Tree { root, mut entries } = managed;
        let n_managed = entries.len();
        entries.extend(seeds);
        let n_seeds = entries[n_managed..].iter().filter(|seed| seed.kind == Kind::File).count();
        let send = plan.change.send.iter().copied().chain(n_managed..entries.len()).collect();
        let tree = Arc::new(Tree { root, entries });
        Self { plan, tree, send, n_seeds, packs: OncePer::default() }
    }

    pub fn event(&self) -> Event {
        let files = self.send.iter().map(|&index| &self.tree.entries[index]);
        let files = files.filter(|entry| entry.kind != Kind::Directory);
        let (n_files, bytes) = files.fold((0, 0), |(n, bytes), file| (n + 1, bytes + file.size));
        let base = match self.plan.strategy {
            Strategy::Cache => Some("cache".to_owned()),
            Strategy::CopyPrevious => self.plan.base.release.as_ref().map(ToString::to_string),
        };
        Event::Compared { base, n_files, bytes, n_removed: self.plan.change.remove.len() }
    }
}
