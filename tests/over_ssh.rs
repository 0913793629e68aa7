//! What holds on this machine holds on a server: the same tests again, with every site behind a real sshd.
//!
//! These are the ones that what is between may change; `over_ssh_more.rs` has the others.
//!
//! `tests/support/server.rs` starts one for each test. The program and what runs on the server are an unprivileged user's.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![allow(
    clippy::duplicate_mod,
    reason = "each file is a crate of its own as well, and has its own `support`"
)]

#[path = "commands.rs"]
mod commands;
#[path = "deploy.rs"]
mod deploy;
#[path = "flow.rs"]
mod flow;
#[path = "lock.rs"]
mod lock;
mod support;

use std::fs;

use support::Test;

#[test]
fn a_server_that_nobody_knows_is_refused_unless_the_project_takes_new_ones() {
    let test = Test::new().source("index", "one");
    fs::write(test.known_hosts(), "").unwrap();
    test.ends(1, &[]).says("is not known").says("run `echo '");
    assert!(!test.has("site"));
    test.ends(0, &["--set", "host_keys=accept-new"]);
    assert_eq!(test.serves("site", "index"), "one");
    // And from then on it is known.
    test.deploy();
}

/// Longer than a host waits, but shorter than a silent connection is left alone.
#[test]
fn an_idle_host_gets_heartbeats_whatever_another_one_or_this_machine_does() {
    let test = Test::with_sites(2).source("index", "one");
    for watch in [r#"|host| if host.name == "h2" { host.run("sleep 6") }"#, r#"|| local("sleep 6")"#] {
        fs::write(test.path("deploy.rhai"), format!("set(\"confirm_within\", 2); task(\"watch\", {watch});"))
            .unwrap();
        test.deploy();
    }
}
