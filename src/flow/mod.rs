//! Tasks in order: hooks, the barrier after each task, failures collected, the undo log at work, the outcome.
//!
//! **Invariant:** no host enters a task before all hosts left the one before.

mod ending;
pub mod execute;
mod failure;
pub mod notice;
pub mod outcome;
pub mod perform;
pub mod playbook;
pub mod task;
pub mod unwind;

pub use execute::{Goal, execute};
pub use outcome::{Outcome, Serving};
pub use playbook::Playbook;
pub use task::{Body, Call, Task};
