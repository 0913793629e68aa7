//! What can be done to a site, as values: typed input becomes a `Step`; nothing is sent from here.

pub mod adoption;
pub mod answer;
mod by_hand;
pub mod command;
pub mod contents;
pub mod contradiction;
pub mod current;
pub mod file;
pub mod fill;
pub mod guard;
pub mod heal;
pub mod history;
pub mod identity;
pub mod intent;
pub mod keep;
pub mod lifecycle;
pub mod linked;
pub mod lock;
#[cfg(test)]
mod manifest_lib;
pub mod name;
pub mod old_log;
pub mod origins;
pub mod path_kinds;
pub mod plan;
pub mod probe;
pub mod record;
pub mod room;
mod scripts;
pub mod seen;
pub mod share;
pub mod shared_path;
pub mod sharing;
pub mod surroundings;
pub mod survey;
pub mod swap;
pub mod take;
pub mod takeover;
pub mod unfit;
pub mod unsourced;

pub use identity::Identity;
pub use lock::Lock;
pub use name::ReleaseName;
pub use record::{Record, State};
pub use shared_path::{SharedKind, SharedPath};
