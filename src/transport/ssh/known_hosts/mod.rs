//! `known_hosts` files: what they say of the key of a host, and how a host is remembered.

mod append;
mod file;
mod line;
mod name;

pub use append::append;
pub use file::{KeyVerdict, KnownHosts, LinePlace};
pub use name::KnownName;
