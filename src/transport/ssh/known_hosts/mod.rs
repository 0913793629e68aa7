//! `known_hosts` files: checks host keys, and adds hosts.

mod append;
mod file;
mod line;
mod name;

pub use append::append;
pub use file::{KeyVerdict, KnownHosts, LinePlace, algorithms};
pub use name::KnownName;
