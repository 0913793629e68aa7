//! The state of a site when it was probed.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::facts::Facts;
use crate::release::current::Current;
use crate::release::identity::Identity;
use crate::release::intent::Intent;
use crate::release::lock::Owner;
use crate::release::path_kinds::FoundShared;
use crate::release::{Record, ReleaseName, State};
use crate::tree::TreePath;

/// The state of a site when it was probed.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The deploy path with `~` resolved.
    pub root: String,
    pub facts: Facts,
    /// Whether all directories of the layout are there.
    pub is_open: bool,
    /// By `created`, oldest first.
    pub records: Vec<Record>,
    /// Directories under `releases/`, whether recorded or not.
    pub directories: BTreeSet<String>,
    pub current: Current,
    /// What `shared/` has at the shared paths.
    pub shared: BTreeMap<TreePath, FoundShared>,
    pub cache: Cache,
    /// Swaps that were not confirmed.
    pub intents: Vec<Intent>,
    /// Whether `runner adopt` has made a directory that was served a release.
    pub was_moved: bool,
    /// Whether an interrupted run left temporary files.
    pub has_litter: bool,
    /// What a web server would serve from the deploy path itself, if that has no `current`.
    pub webroot: Vec<String>,
    /// What else the deploy path has then that is no part of a site; at most 100 names.
    pub foreign: Vec<String>,
    /// The directories of the layout.
    pub parts: Vec<SitePart>,
    /// The application that the site belongs to, if a run has said so.
    pub identity: Option<Identity>,
    /// The owner that the lock's file names.
    pub owner: Option<Owner>,
}

/// A directory of the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePart {
    /// Below the deploy path; `.` for that itself.
    pub name: String,
    pub owner: String,
    /// As `ls` shows it.
    pub mode: String,
    /// Whether others than its owner can write in it.
    pub is_open: bool,
}

impl SitePart {
    /// Reads a line of `ls -l`.
    pub fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [mode, owner, name] =
            [words.first()?, words.get(2)?, words.last()?].map(|word| (*word).to_owned());
        // A link has all bits, and they mean nothing.
        let has = |at: usize| !mode.starts_with('l') && mode.as_bytes().get(at) == Some(&b'w');
        Some(Self { is_open: has(5) || has(8), name, owner, mode })
    }

    /// Whether its owner can write in it.
    pub fn is_owners(&self) -> bool {
        self.mode.as_bytes().get(2) == Some(&b'w')
    }
}

/// The clean copy of the cache strategy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Cache {
    #[default]
    Absent,
    /// A run was interrupted while it changed the cache.
    Dirty,
    /// Exactly what the manifest with this digest says.
    Clean(String),
}

impl Seen {
    pub fn path_of(&self, part: &SitePart) -> String {
        match part.name.as_str() {
            "." => self.root.clone(),
            name => format!("{}/{name}", self.root),
        }
    }

    /// Whether root itself deploys.
    pub fn is_roots(&self) -> bool {
        self.facts.user == "root"
    }

    pub fn record(&self, name: &ReleaseName) -> Option<&Record> {
        self.records.iter().find(|record| record.name == *name)
    }

    pub fn live(&self) -> Option<&ReleaseName> {
        match &self.current {
            Current::Release { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether `shared/` has something at a shared path.
    pub fn has_shared(&self, path: &TreePath) -> bool {
        self.shared.get(path).is_some_and(FoundShared::is_there)
    }

    /// Whether a release can be swapped to: it is recorded as complete, and its directory exists.
    pub fn is_complete(&self, record: &Record) -> bool {
        record.state == State::Complete && self.directories.contains(record.name.as_str())
    }

    /// Whether a rollback that names the release can swap to it: it may also be marked as bad.
    pub fn can_return_to(&self, record: &Record) -> bool {
        let is_sent = matches!(record.state, State::Complete | State::Bad);
        is_sent && self.directories.contains(record.name.as_str())
    }

    /// Whether something other than a run removed the directory of a release.
    pub fn is_gone(&self, record: &Record) -> bool {
        record.state != State::Building && !self.directories.contains(record.name.as_str())
    }

    /// The releases that can be swapped to, oldest first.
    pub fn complete(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.records.iter().filter(|record| self.is_complete(record))
    }

    /// The live release, if it has no record yet.
    pub fn to_adopt(&self) -> Option<&ReleaseName> {
        self.live().filter(|name| self.record(name).is_none())
    }

    /// Directories that other tools or people made. They are left alone, but reported.
    pub fn unknown_directories(&self) -> Vec<&str> {
        let is_known = |name: &str| self.records.iter().any(|r| r.name.as_str() == name);
        self.directories
            .iter()
            .map(String::as_str)
            .filter(|name| !is_known(name) && self.live().is_none_or(|live| live.as_str() != *name))
            .collect()
    }
}
