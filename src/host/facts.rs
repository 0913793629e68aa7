//! Facts about a server, as a probe reads them.

use std::collections::BTreeSet;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    pub user: String,
    pub os: String,
    /// The `PATH` of commands.
    pub path: String,
    /// The installed programs, among those that runner can use.
    pub programs: BTreeSet<String>,
    /// The tools that every script may need and that are not there.
    pub lacks: Vec<String>,
    /// Free space of the site's file system, in KiB.
    pub free_kib: Option<u64>,
    /// How many more files it can hold; `None` if it has no such limit.
    pub n_free_inodes: Option<u64>,
    /// The deploy path, or its nearest existing parent, and whether the user can write to it.
    pub nearest: String,
    pub is_writable: bool,
}

impl Facts {
    pub fn has(&self, program: &str) -> bool {
        self.programs.contains(program)
    }
}
