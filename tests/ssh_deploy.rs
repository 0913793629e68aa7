//! The main job on a real server: the same program, a real sshd on loopback, a user without any right elsewhere.

#[path = "support/project.rs"]
mod project;
#[path = "support/sshd.rs"]
mod sshd;
mod support;

use project::project;
use sshd::Sshd;

#[test]
fn a_server_is_deployed_to_changed_and_rolled_back() {
    let server = Sshd::openssh();
    let (test, site) = project(&server);
    let test = test.source("index.html", "one").source("other", "same").source("-odd 'name'\n", "x");
    test.deploy().says("3 of 3 files unpacked").says("web1 serves");
    assert_eq!(site.serves("index.html"), "one");
    let test = test.source("index.html", "two");
    test.deploy().says("1 of 3 files unpacked, 3 B");
    assert_eq!(site.serves("index.html"), "two");
    test.ends(0, &["rollback"]);
    assert_eq!(site.serves("index.html"), "one");
    test.ends(0, &["releases"]).says("bad").says("<- live");
}

#[test]
fn a_failing_task_on_a_server_is_undone_and_a_command_ends_with_its_words() {
    let server = Sshd::openssh();
    let (test, site) = project(&server);
    let test = test.source("index.html", "one");
    test.deploy();
    let recipe = "task(\"verify\", |host| host.run(\"echo broken >&2; exit 3\"));\n";
    let test = test.source("index.html", "two").recipe(recipe);
    test.ends(1, &[]).says("exited with status 3").says("= broken").says("swapped back on web1");
    assert_eq!(site.serves("index.html"), "one");
}

#[test]
fn a_server_that_nobody_knows_is_refused_and_nothing_is_done() {
    let server = Sshd::openssh();
    let (test, site) = project(&server);
    let test = test.source("index.html", "one");
    test.ends(1, &["--set", "host_keys=strict"]).says("ssh-keyscan");
    assert!(!site.path().exists());
}
