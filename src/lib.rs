//! `runner`: zero-downtime deployment, scripted in Rhai. The layers, from the top down; each uses only those below it.

pub mod flow;
pub mod run;
pub mod site;
pub mod release;
pub mod host;
pub mod transport;
pub mod tree;
pub mod shell;
pub mod event;
