//! The settings of one host, read and checked before the run.

use anyhow::{Result, bail};

use crate::event::{Excerpt, Report};
use crate::host::Places;
use crate::release::fill::Duplicate;
use crate::release::plan::PathRules;
use crate::release::seen::Seen;
use crate::release::{Identity, SharedPath};
use crate::tree::TreePath;
use crate::web::Visit;

#[derive(Debug, Clone)]
pub struct Options {
    pub shared: Vec<SharedPath>,
    pub rules: PathRules,
    /// Where the settings of paths are set.
    pub places: Vec<(&'static str, Excerpt)>,
    pub env: Vec<(String, String)>,
    pub duplicate: Duplicate,
    pub drift: Drift,
    pub is_durable: bool,
    /// Whether the new release may lack links into `shared/` that another tool made.
    pub allows_unlinked: bool,
    /// How many seconds an unconfirmed swap may go without a heartbeat.
    pub confirm_within: u64,
    /// The command that the server runs after it has swapped back by itself.
    pub revert_command: String,
    /// The command that the host runs in a pruned release that cannot be removed.
    pub prune_command: String,
    /// What visitors request, unless a function of the recipe computes it.
    pub visit: Option<Visit>,
    /// Whether the key of an unknown host is accepted and remembered.
    pub accepts_new_keys: bool,
    /// The application of the run, if `runner.toml` names it.
    pub identity: Option<Identity>,
    /// Whether a site that belongs to another application becomes one of this application.
    pub takes_over: bool,
    /// Whether the site may be something that `runner adopt` has yet to make a site of.
    pub adopts: bool,
}

impl Options {
    /// The paths in a release that settings name.
    pub fn paths(&self) -> Vec<TreePath> {
        let rules = &self.rules;
        rules.shared.iter().chain(&rules.generated).chain(&rules.writable).cloned().collect()
    }

    /// Why no run can do anything with what a probe has found.
    pub(super) fn refusal(&self, seen: &Seen, places: &Places) -> Option<Report> {
        if !seen.facts.has("tar") {
            let report = Report::new("the server has no `tar`").at(places.host.clone());
            let report = report.note(format!("`PATH` is {}", seen.facts.path));
            return Some(report.hint("install it, or add its directory to `PATH` in the setting `env`"));
        }
        let refusal = seen.current.refusal(&seen.root).filter(|_| !self.adopts);
        refusal.map(|report| report.at(places.path.clone()))
    }
}

/// For verbs that only read.
impl Default for Options {
    fn default() -> Self {
        Self {
            shared: Vec::new(),
            rules: PathRules::default(),
            places: Vec::new(),
            env: Vec::new(),
            duplicate: Duplicate::Link,
            drift: Drift::Report,
            is_durable: false,
            allows_unlinked: false,
            confirm_within: 60,
            revert_command: String::new(),
            prune_command: String::new(),
            visit: None,
            accepts_new_keys: false,
            identity: None,
            takes_over: false,
            adopts: false,
        }
    }
}

/// What to do about managed files that were edited on the server. The new release always has the local content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    Report,
    Fail,
    Overwrite,
}

impl Drift {
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "report" => Ok(Self::Report),
            "fail" => Ok(Self::Fail),
            // The first versions called it so, although nothing was adopted.
            "overwrite" | "adopt" => Ok(Self::Overwrite),
            _ => bail!("`{text}` must be `report`, `fail` or `overwrite`"),
        }
    }
}
