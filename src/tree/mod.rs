//! The files to send: walks the local tree, describes it in a manifest, compares it with an older one, and packs it.
//!
//! **Invariant:** names are bytes everywhere. This layer never follows a symlink below the root, and never writes into
//! the tree.

pub mod builds;
pub mod change;
pub mod choice;
mod compress;
pub mod contents;
pub mod edit;
pub mod entry;
pub mod hash;
pub mod ignore_rules;
pub mod include;
pub mod index;
pub mod left;
pub mod manifest;
pub mod member;
pub mod owner;
pub mod pack;
pub mod path;
pub mod problems;
pub mod source;
mod stamped;
pub mod store;
pub mod text_diff;
pub mod walk;

#[cfg(test)]
pub(crate) mod sample;

pub use builds::Scratch;
pub use change::Change;
pub use choice::GitRules;
pub use compress::{CompressionMode, Packing};
pub use contents::Contents;
pub use edit::EDIT_AWK;
pub use entry::{Entry, Kind, Tree};
pub use hash::Hash;
pub use index::Index;
pub use left::{IgnoredPath, Left};
pub use manifest::Manifest;
pub use pack::{PARTS_MAX, Pack, Queue, parts_of};
pub use path::{TreePath, tops};
pub use source::canonical;
pub use store::Store;
pub use text_diff::text_diff;
pub use walk::{Selection, Walked, walk};
