//! The main job on this machine: deploy, deploy again, go back.

mod support;

use support::Test;

#[test]
fn a_deploy_serves_the_source_and_a_rollback_the_release_before() {
    let test = Test::new().source("index.html", "one");
    test.deploy();
    assert_eq!(test.serves("site", "index.html"), "one");
    let first = test.live("site").unwrap();

    let test = test.source("index.html", "two");
    test.deploy().says("1 of 1 file unpacked, 3 B");
    assert_eq!(test.serves("site", "index.html"), "two");

    test.ends(0, &["rollback"]).says(&format!("serves {first}"));
    assert_eq!(test.serves("site", "index.html"), "one");
}
