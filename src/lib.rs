//! `runner`: zero-downtime deployment, scripted in Rhai. The layers, from the top down; each uses only those below it.

// Not in Cargo.toml: there it would hold for the helpers of tests as well.
#![deny(clippy::unwrap_used)]

mod cli;
mod event;
mod fleet;
mod flow;
mod here;
mod host;
mod recipe;
mod release;
mod run;
mod shell;
mod site;
mod transport;
mod tree;
mod web;

pub mod parts;

pub use cli::main;
