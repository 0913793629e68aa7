//! Tasks in order: hooks, the barrier after each task, failures collected, the undo log at work, the outcome.
//!
//! **Invariant:** no host enters a task before all hosts left the one before.

pub mod execute;
pub mod notice;
pub mod outcome;
pub mod playbook;
pub mod task;
pub mod unwind;

pub use execute::{Doing, execute};
pub use outcome::{Outcome, Serving};
pub use playbook::Playbook;
pub use task::{Body, Call, Task};
