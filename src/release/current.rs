//! What `current` points to, and what it should point to.

use std::fmt;

use crate::event::{Hint, Report};
use crate::release::ReleaseName;

/// What `current` points to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Current {
    #[default]
    Absent,
    /// A link to a directory under `releases/`; `link` is its text.
    Release { link: String, name: ReleaseName },
    /// A link to nothing.
    Dangling { link: String },
    /// No link, but a directory. Only `runner adopt` makes something of it.
    Directory,
}

impl Current {
    /// The text of the link.
    pub fn link(&self) -> Option<String> {
        match self {
            Current::Absent | Current::Directory => None,
            Current::Release { link, .. } | Current::Dangling { link } => Some(link.clone()),
        }
    }

    /// Why nothing can be swapped here.
    pub fn refusal(&self, root: &str) -> Option<Report> {
        let report = Report::new(format!("`{root}/current` is a directory, not a link to a release"));
        let hint = Hint::runner(["adopt"], " makes it the first release; visitors notice nothing");
        (*self == Self::Directory).then(|| report.hint(hint))
    }
}

/// What `current` should point to: a release or, when a first deploy is undone, nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Release(ReleaseName),
    /// A link text as it was found, another tool's absolute one for example.
    Link(String),
    /// The text of a link to nothing, as it was found.
    Dangling(String),
    Nothing,
}

impl Target {
    pub fn of(current: &Current) -> Self {
        match current {
            Current::Absent | Current::Directory => Target::Nothing,
            Current::Release { link, .. } => Target::Link(link.clone()),
            Current::Dangling { link } => Target::Dangling(link.clone()),
        }
    }

    /// The release that the link points to, by its last part.
    pub fn release_name(&self) -> Option<ReleaseName> {
        match self {
            Target::Release(name) => Some(name.clone()),
            Target::Link(link) => {
                let last = link.trim_end_matches('/').rsplit('/').next();
                ReleaseName::new(last.unwrap_or_default()).ok()
            }
            Target::Dangling(_) | Target::Nothing => None,
        }
    }

    pub fn link(&self) -> String {
        match self {
            Target::Release(name) => format!("releases/{name}"),
            Target::Link(link) | Target::Dangling(link) => link.clone(),
            Target::Nothing => String::new(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Target::Nothing => f.write_str("nothing"),
            target => f.write_str(&target.link()),
        }
    }
}
