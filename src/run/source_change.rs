//! How the source differs from what hosts have: computed once for all hosts whose fills start from the same state.

use std::sync::Arc;

use crate::event::Event;
use crate::here::once::OncePer;
use crate::release::ReleaseName;
use crate::release::plan::{Base, Last, PathRules, Plan, Strategy};
use crate::tree::{CompressionMode, Kind, Pack, Tree, TreePath};

/// The changes of this run, one for each group of hosts whose fills start from the same state.
pub type SourceChanges = OncePer<FillStart, SourceChange>;

/// The state that a fill starts from: with the source, it determines what is sent to a host.
#[derive(Clone, PartialEq)]
pub struct FillStart {
    pub release: ReleaseName,
    pub last: Last,
    /// Only for the strategy `cache`.
    pub cache: Option<Base>,
    pub rules: PathRules,
    /// The shared paths that `shared/` does not have yet.
    pub starting: Vec<TreePath>,
}

/// How the source differs from what hosts have.
pub struct SourceChange {
    pub plan: Plan,
    /// The entries of the release, then the files of the source that seed shared paths. These are sent with the
    /// release, but are not part of it.
    pub tree: Arc<Tree>,
    /// The entries to send, as indices.
    pub send: Vec<usize>,
    /// How many files of them seed shared paths.
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
