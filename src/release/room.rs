//! Checks, before anything is sent, whether the server has room for a release.

use crate::event::Report;
use crate::host::facts::Facts;
use crate::release::fill::Duplicate;
use crate::release::plan::{Plan, Strategy};
use crate::tree::{Kind, Pack};

/// What a fill needs on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub bytes: u64,
    pub n_inodes: u64,
}

impl Room {
    /// A lower bound. It does not count files that commands left, partly used blocks, records, or what may be shared
    /// with other releases.
    pub fn needed(plan: &Plan, duplicate: Duplicate, pack: &Pack) -> Self {
        let count = |n: usize| n as u64;
        let entries = || plan.manifest.entries().iter().map(|line| &line.entry);
        let all = count(plan.manifest.entries().len());
        match (plan.strategy, duplicate) {
            (Strategy::CopyPrevious, Duplicate::Copy) => {
                Self { bytes: entries().map(|entry| entry.size).sum(), n_inodes: all }
            }
            (Strategy::CopyPrevious, Duplicate::Reflink) => Self { bytes: pack.content_bytes, n_inodes: all },
            // Directories cannot be hard links.
            (Strategy::CopyPrevious, Duplicate::Link) => {
                let directories = entries().filter(|entry| entry.kind == Kind::Directory).count();
                Self { bytes: pack.content_bytes, n_inodes: count(directories + pack.n_files) }
            }
            (Strategy::Cache, _) => {
                let next = plan.change.next.entries().iter();
                let mut find = plan.base.manifest.finder();
                let new = next.filter(|line| find(&line.entry.path).is_none()).count();
                Self { bytes: pack.content_bytes, n_inodes: all + count(new) }
            }
        }
    }

    /// The error if there is less room than needed. Facts that are not known are not checked.
    pub fn lacking(&self, facts: &Facts, root: &str) -> Option<Report> {
        let need_kib = self.bytes.div_ceil(1024);
        let what = match (facts.free_kib, facts.n_free_inodes) {
            (Some(free), _) if free < need_kib => {
                format!(
                    "the release needs {need_kib} KiB, but the file system of `{root}` has only {free} KiB free"
                )
            }
            (_, Some(free)) if free < self.n_inodes => format!(
                "the release needs {} inodes, but the file system of `{root}` has only {free} free",
                self.n_inodes
            ),
            _ => return None,
        };
        let hint = "free disk space on the server; `runner prune --set keep_releases=1` removes old releases";
        Some(Report::new(what).hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(need: (u64, u64), free_kib: Option<u64>, n_free_inodes: Option<u64>, want: Option<&str>) {
        let facts = Facts { free_kib, n_free_inodes, ..Facts::default() };
        let room = Room { bytes: need.0, n_inodes: need.1 };
        assert_eq!(room.lacking(&facts, "/srv").map(|report| report.message).as_deref(), want);
    }

    #[test]
    fn what_is_lacking_is_named_and_what_is_unknown_is_enough() {
        case((2048, 7), Some(2), Some(7), None);
        case((1 << 40, 1 << 40), None, None, None);
        let bytes = "the release needs 3 KiB, but the file system of `/srv` has only 2 KiB free";
        case((2049, 7), Some(2), Some(0), Some(bytes));
        let inodes = "the release needs 8 inodes, but the file system of `/srv` has only 7 free";
        case((2048, 8), Some(2), Some(7), Some(inodes));
    }
}
