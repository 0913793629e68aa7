//! What is deployed to: the inventory (`runner.toml`), the choice of hosts for a run, and what it takes to reach each.

mod document;
mod list;

pub mod deploy_path;
pub mod facts;
pub mod inventory;
pub mod kind;
pub mod selection;
pub mod settings;

use crate::event::{Excerpt, Report};

pub use deploy_path::DeployPath;
pub use inventory::{Inventory, Stage};
pub use kind::TransportKind;
pub use selection::{HostSelection, Selected};
pub use settings::{Setting, SettingChange, Settings};

/// A target server: all that `runner.toml` says of it, with its stage's `path`, `user`, `port` and `transport` filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// Unique within its stage.
    pub name: String,
    /// What to connect to: a name, an IP address without brackets, or an alias of `~/.ssh/config`. A label only if local.
    pub address: String,
    /// `None` leaves it to `~/.ssh/config`, then 22.
    pub port: Option<u16>,
    /// `None` leaves it to `~/.ssh/config`, then the user of this machine.
    pub user: Option<String>,
    pub path: DeployPath,
    /// `None` is a host that has every role.
    pub roles: Option<Vec<String>>,
    pub transport: TransportKind,
    /// The host's own settings only; those of its stage and file are layers below.
    pub settings: Settings,
    pub places: Places,
}

/// Where `runner.toml` says of a host what may turn out wrong when it is met.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Places {
    /// Its address, or its name where it needs no address.
    pub host: Excerpt,
    /// Its `path`, or its stage's.
    pub path: Excerpt,
}

impl Host {
    /// What is wrong with its site is shown where `runner.toml` says where that is.
    pub fn at_path(&self, error: anyhow::Error) -> anyhow::Error {
        match error.downcast_ref::<Report>() {
            Some(_) => Report::of(&error).at_least(&self.places.path).into(),
            None => error,
        }
    }

    /// A host that names no roles has them all, so that a stage of one host needs none.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.as_ref().is_none_or(|roles| roles.iter().any(|r| r == role))
    }
}
