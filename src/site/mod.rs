//! One host of a run: the session with it, the result of the last probe, and the state of its release.
//!
//! **Invariant:** `current` is only re-pointed to a release whose record a probe has found complete.

mod access;
mod adoption;
mod base;
mod build;
pub mod command;
mod ending;
pub mod file;
pub mod guard;
mod lease;
mod linked;
pub mod listener;
mod lock;
mod options;
mod plan;
mod serve;
mod session;
mod shared;
mod state;
pub mod surroundings;
mod swapping;
pub mod verify;
mod view;
pub mod visit;
mod visited;
pub mod web;
mod work;

pub use access::check_access;
pub use adoption::{adopted_contents, check_undo, docroot_of, forget_adoption, record_adopted, share_facts};
pub use base::{BaseState, base_state, carried, manifest_of};
pub use build::Fill;
pub use command::CommandRequest;
pub use lease::unlock;
pub use linked::shared_line;
pub use options::{Drift, Options};
pub use serve::SwapRequest;
pub use shared::{check_kinds, kind_problems};
pub use state::Site;
pub use verify::{Comparison, compare};
pub use visit::VisitOutcome;
pub use visited::Visited;
pub use web::RequestOutcome;
