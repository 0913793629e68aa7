//! Where to deploy: the inventory (`runner.toml`), the selection of hosts for a run, and how to reach each of them.

mod document;
mod list;

pub mod deploy_path;
pub mod facts;
pub mod inventory;
pub mod kind;
pub mod rewrite;
pub mod selection;
pub mod settings;

use crate::event::{Excerpt, Report};

pub use deploy_path::DeployPath;
pub use inventory::{Inventory, Stage};
pub use kind::TransportKind;
pub use selection::{HostSelection, SelectedHosts};
pub use settings::{ListEdit, Setting, SettingChange, Settings};

/// A host: its keys in `runner.toml`, with `path`, `user`, `port` and `transport` of its stage as defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// Unique within its stage.
    pub name: String,
    /// Where to connect: a host name, an IP address without brackets, or an alias in `~/.ssh/config`. Only a label if
    /// the host is local.
    pub address: String,
    /// `None`: the port in `~/.ssh/config`, else 22.
    pub port: Option<u16>,
    /// `None`: the user in `~/.ssh/config`, else the local user.
    pub user: Option<String>,
    /// The fingerprints of keys that the host may have. If empty, `known_hosts` decides.
    pub host_keys: Vec<String>,
    pub path: DeployPath,
    /// `None`: the host has every role.
    pub roles: Option<Vec<String>>,
    pub transport: TransportKind,
    /// Only the host's own settings. Those of its stage and of the file are separate layers.
    pub settings: Settings,
    pub places: Places,
}

/// Places in `runner.toml`, for errors that occur when the host is contacted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Places {
    /// The host's address, or its name if it needs no address.
    pub host: Excerpt,
    /// The `path` of the host or its stage.
    pub path: Excerpt,
    /// One for each of the host's roles.
    pub roles: Vec<Excerpt>,
}

impl Host {
    /// Makes an error about the site point at its `path` in `runner.toml`.
    pub fn at_path(&self, error: anyhow::Error) -> anyhow::Error {
        match error.downcast_ref::<Report>() {
            Some(_) => Report::of(&error).or_at(&self.places.path).into(),
            None => error,
        }
    }

    /// A host that lists no roles has every role, so that a stage with one host needs none.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.as_ref().is_none_or(|roles| roles.iter().any(|r| r == role))
    }
}
