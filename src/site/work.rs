//! The release of a run on one host, until it is swapped to.

use anyhow::{Result, bail};

use crate::release::fill::DirectoryState;
use crate::release::linked::LinksBefore;
use crate::release::plan::Plan;
use crate::release::{Record, ReleaseName, SharedPath};
use crate::tree::Manifest;

pub(super) enum Work {
    None,
    /// Unfinished: it cannot go live.
    Building(Building),
    /// Sealed: it can go live.
    Complete(Complete),
}

pub(super) struct Building {
    pub(super) record: Record,
    pub(super) directory: DirectoryState,
    /// What it was filled with.
    pub(super) manifest: Option<Manifest>,
    pub(super) shared: Vec<SharedPath>,
    /// The links into `shared/` of the release before.
    pub(super) links: LinksBefore,
    /// The recipe's commands may have replaced files in it.
    pub(super) is_worked_in: bool,
}

pub(super) struct Complete {
    pub(super) record: Record,
    /// What it was filled with, as long as its files must be checked for writes in place.
    pub(super) manifest: Option<Manifest>,
    pub(super) shared: Vec<SharedPath>,
}

impl Work {
    pub(super) fn record(&self) -> Option<&Record> {
        match self {
            Work::None => None,
            Work::Building(Building { record, .. }) | Work::Complete(Complete { record, .. }) => Some(record),
        }
    }

    /// The release, and what it was filled with.
    pub(super) fn filled(&mut self) -> Option<(&mut Record, &Manifest)> {
        match self {
            Work::Building(Building { record, manifest: Some(manifest), .. })
            | Work::Complete(Complete { record, manifest: Some(manifest), .. }) => Some((record, manifest)),
            _ => None,
        }
    }

    /// The release that is being built. If there is none, the error says that there is none to `what`.
    pub(super) fn building(&mut self, what: &str) -> Result<&mut Building> {
        match self {
            Work::Building(building) => Ok(building),
            Work::None => bail!("there is no release to {what}: task `release` must come first"),
            Work::Complete(_) => bail!("the release is sealed: it must not change any more"),
        }
    }

    /// Whether the directory of the release may exist on the server, with files of commands in it.
    pub(super) fn is_made(&self) -> bool {
        !matches!(self, Work::Building(Building { directory: DirectoryState::Absent, .. }))
    }

    /// Notes that a command or the recipe is about to write in the release.
    pub(super) fn work_in(&mut self) {
        if let Work::Building(building) = self {
            building.is_worked_in = true;
        }
    }

    /// The name of the release that is being built.
    pub(super) fn building_name(&mut self, what: &str) -> Result<ReleaseName> {
        Ok(self.building(what)?.record.name.clone())
    }

    /// Records what the release is filled with. Returns its record, and how far an earlier fill has come.
    pub(super) fn begin_fill(&mut self, plan: &Plan) -> Result<(Record, DirectoryState)> {
        let Work::Building(Building { record, directory, manifest, links, .. }) = self else {
            bail!("there is no release to fill: task `release` must come first");
        };
        if manifest.is_some() {
            bail!("the release is already filled");
        }
        record.strategy = Some(plan.strategy.name().to_owned());
        record.manifest = Some(plan.manifest.digest().to_owned());
        *manifest = Some(plan.manifest.clone());
        *links = plan.links.clone();
        Ok((record.clone(), std::mem::replace(directory, DirectoryState::Created)))
    }

    /// Notes that the fill must start over, because the server was not as expected. With `is_stale`, the fill noticed
    /// that before it changed anything; otherwise, the next fill removes what this one left.
    pub(super) fn fill_anew(&mut self, is_stale: bool) {
        if let Work::Building(Building { directory, manifest, .. }) = self {
            *manifest = None;
            *directory = if is_stale { DirectoryState::Created } else { DirectoryState::HalfFilled };
        }
    }
}
