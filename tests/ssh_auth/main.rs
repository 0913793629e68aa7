//! Who is let in, who is believed, and what is said otherwise: against real ssh servers on loopback.

#![allow(clippy::unwrap_used)]

mod keys;
mod lab;
mod passwords;
#[path = "../support/proxy.rs"]
mod proxy;
mod restrictions;
mod routes;
#[path = "../support/sshd.rs"]
mod sshd;
mod strangers;
