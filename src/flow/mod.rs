//! Runs tasks in order: hooks, the barrier after each task, failures, undo, the outcome.
//!
//! **Invariant:** no host starts a task before all hosts have finished the previous one.

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
