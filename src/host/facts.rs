//! What a probe reads of a server.

use std::collections::BTreeSet;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    pub user: String,
    pub os: String,
    /// The search path that commands run with.
    pub path: String,
    /// Those of the programs that runner makes use of which are there.
    pub programs: BTreeSet<String>,
    /// Room on the site's file system, in KiB.
    pub free_kib: Option<u64>,
    /// How many files can still be made there; not known of file systems that have no such limit.
    pub n_free_inodes: Option<u64>,
    /// The nearest directory above or at the deploy path that exists, and whether it can be written to.
    pub nearest: String,
    pub is_writable: bool,
}

impl Facts {
    pub fn has(&self, program: &str) -> bool {
        self.programs.contains(program)
    }
}
