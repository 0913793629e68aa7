//! `runner`: zero-downtime deployment, scripted in Rhai. The layers, from the top down; each uses only those below it.

// Not in Cargo.toml: there it would hold for the helpers of tests as well.
#![deny(clippy::unwrap_used)]

pub mod cli;
pub mod event;
pub mod fleet;
pub mod flow;
pub mod here;
pub mod host;
pub mod recipe;
pub mod release;
pub mod run;
pub mod shell;
pub mod site;
pub mod transport;
pub mod tree;
pub mod web;
