//! The other tests of sites behind a real sshd: see `over_ssh.rs`. `cargo test` leaves them out; `.ci/long ssh` runs them.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![allow(
    clippy::duplicate_mod,
    reason = "each file is a crate of its own as well, and has its own `support`"
)]

#[path = "adopt.rs"]
mod adopt;
#[path = "adopt_shares.rs"]
mod adopt_shares;
#[path = "bad_host.rs"]
mod bad_host;
#[path = "bad_input.rs"]
mod bad_input;
#[path = "fill.rs"]
mod fill;
#[path = "fleet.rs"]
mod fleet;
#[path = "guard.rs"]
mod guard;
#[path = "hostile.rs"]
mod hostile;
#[path = "kinds.rs"]
mod kinds;
#[path = "neighbour.rs"]
mod neighbour;
#[path = "outcome.rs"]
mod outcome;
#[path = "recipes.rs"]
mod recipes;
#[path = "rollback.rs"]
mod rollback;
#[path = "shared.rs"]
mod shared;
mod support;
#[path = "swap.rs"]
mod swap;
#[path = "visitors.rs"]
mod visitors;
#[path = "web.rs"]
mod web;
