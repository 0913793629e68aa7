//! What cannot work is said clearly, and leaves everything as it was.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixListener;

use support::files::same;
use support::userland::{everywhere, tools_without};
use support::{Test, tree};

/// A site that serves something already.
fn live(test: Test) -> Test {
    let test = test.source("index", "live");
    test.deploy();
    test
}

/// All of a site but what only grows.
fn site(test: &Test) -> BTreeMap<Vec<u8>, String> {
    let mut all = tree(&test.path("site"));
    all.remove(&b".runner/history"[..]);
    all
}

/// The next deploy ends with `code`, says `words`, and changes nothing.
#[track_caller]
fn fails(test: &Test, code: i32, words: &[&str]) {
    fails_with(test, &[], code, words);
}

#[track_caller]
fn fails_with(test: &Test, args: &[&str], code: i32, words: &[&str]) {
    let before = site(test);
    let ran = test.ends(code, args);
    for word in words {
        ran.says(word);
    }
    same(&site(test), &before);
}

#[test]
fn without_a_project_file_no_host_is_touched() {
    let test = Test::new();
    test.deploy_nothing().says("runner.toml").says("hint:");
}

impl Test {
    /// Runs where no `runner.toml` is.
    fn deploy_nothing(self) -> support::Ran {
        self.remove("runner.toml").ends(2, &[])
    }
}

#[test]
fn an_unknown_stage_is_an_error_that_names_those_there_are() {
    let test = live(Test::new());
    fails_with(&test, &["--stage", "locl"], 2, &["locl", "local"]);
}

#[test]
fn a_site_that_may_not_be_written_is_an_error_that_names_user_and_path() {
    everywhere(|test| {
        let test = live(test);
        let test = test.unprivileged();
        assert!(
            rustix::process::geteuid().is_root(),
            "only root can make what is another's: run this test as root"
        );
        for dir in ["site", "site/.runner"] {
            let path = test.path(dir);
            chown(&path, Some(1), None).unwrap();
            fails(&test, 1, &["not writable by", path.to_str().unwrap(), "hint:"]);
            chown(&path, Some(0), None).unwrap();
        }
        test.deploy();
    });
}

#[test]
fn a_site_that_may_not_be_made_is_an_error_that_names_the_nearest_directory() {
    assert!(
        rustix::process::geteuid().is_root(),
        "only root can make what is another's: run this test as root"
    );
    let test = Test::new()
        .toml(
            "[settings]\nsource = \"source\"\n[stage.local]\npath = \"another's/a/b\"\ntransport = \"local\"\n",
        )
        .source("index", "x")
        .unprivileged()
        .shell("mkdir \"another's\"; chmod 755 \"another's\"; chown 1 \"another's\"");
    test.ends(1, &[]).says("another's` is not writable by").says("sudo install -d");
    assert!(fs::read_dir(test.path("another's")).unwrap().next().is_none());
}

#[test]
fn a_missing_source_is_named() {
    let test = live(Test::new()).remove("source");
    fails(&test, 1, &["source"]);
}

#[test]
fn an_empty_source_is_refused() {
    let test = live(Test::new()).remove("source/index");
    fails(&test, 1, &["empty", "hint:"]);
}

#[test]
fn a_socket_and_a_fifo_in_the_source_are_named() {
    let test = live(Test::new());
    let socket = UnixListener::bind(test.path("source/app.sock")).unwrap();
    let test = test.shell("mkfifo 'source/a fifo'");
    fails(&test, 1, &["`app.sock` (socket)", "`a fifo` (fifo)", "exclude"]);
    drop(socket);
    test.ends(0, &["--set", "exclude=[\"*.sock\", \"a fifo\"]"]);
}

#[test]
fn an_unreadable_file_of_the_source_is_named() {
    let test = live(Test::new()).source("secret", "x").unprivileged().mode("source/secret", 0o000);
    fails(&test, 1, &["`secret`", "ermission denied"]);
}

/// Two hosts get different packs of one walk; between the two the source is changed.
fn between(index: &str, change: &str) -> Test {
    let recipe = |between: &str| {
        format!(
            r#"task("upload", |host| {{
                host.fill(#{{ strategy: host.get("strategy") }});
                {between}
            }}).limit(1);"#
        )
    };
    let test = Test::with_sites(2).source("index", "one").source("other", "x").recipe(&recipe(""));
    test.deploy();
    // From here on they differ in what they have, so that each gets a pack of its own.
    test.ends(0, &["--host", "h2", "--set", "source=\"source\""]);
    let test = test.source("other", "two");
    test.ends(0, &["--host", "h2"]);
    let change = change.replace('"', "\\\"");
    test.source("index", index).recipe(&recipe(&format!("local(\"{change}\");")))
}

#[test]
fn a_file_that_changes_while_it_is_sent_fails_the_deploy_on_all_hosts() {
    for change in
        ["echo 'not walked' >source/index", "rm -f source/index", "rm source/index; ln -s other source/index"]
    {
        // Too large to be kept from the walk.
        let test = between(&"as walked".repeat(200_000), change);
        let before = [tree(&test.path("sites/h1/current/")), tree(&test.path("sites/h2/current/"))];
        let names = [test.releases("sites/h1"), test.releases("sites/h2")];
        let ran = test.ends(1, &[]);
        ran.says("`index` changed while it was being packed").says("hint:");
        same(&tree(&test.path("sites/h1/current/")), &before[0]);
        same(&tree(&test.path("sites/h2/current/")), &before[1]);
        assert_eq!([test.releases("sites/h1"), test.releases("sites/h2")], names, "{change}");
    }
}

#[test]
fn all_hosts_get_the_file_as_it_was_walked() {
    let test = between("as walked", "echo 'not walked' >source/index");
    test.ends(0, &[]);
    for host in ["h1", "h2"] {
        assert_eq!(test.read(format!("sites/{host}/current/index")), "as walked");
    }
}

#[test]
fn a_full_disk_fails_the_deploy_and_leaves_nothing() {
    everywhere(|test| {
        let test = live(test).shell("head -c 3000000 /dev/zero >source/large");
        let before = site(&test);
        // As large as a file may be; the shell counts in blocks of 512 bytes.
        let test = test.around("trap '' XFSZ; ulimit -f 2000; exec \"$@\"");
        test.ends(1, &[]).says("task `upload` failed").says("failed to unpack");
        let test = test.around("exec \"$@\"");
        same(&site(&test), &before);
        test.deploy();
    });
}

#[test]
fn a_server_without_tar_is_named_with_the_path_that_was_searched() {
    // Not busybox's tools: it may be built to prefer its own whatever the path says.
    let test = Test::new();
    let tools = tools_without(&test, &["git"]);
    let test = live(test.env("PATH", &tools)).remove("tools/tar");
    fails(&test, 1, &["no `tar`", "`PATH` is", "hint:"]);
}

#[test]
fn what_is_tampered_with_in_the_site_is_a_clear_error() {
    everywhere(|test| {
        let test = live(test);
        let name = test.live("site").unwrap();
        let record = format!("site/.runner/records/{name}");
        for (file, text, words) in [
            ("site/.runner/format", "99\n", vec!["layout 99", "newer"]),
            ("site/.runner/format", "garbage\n", vec!["layout garbage"]),
            (record.as_str(), "garbage\n", vec![name.as_str(), "record", "hint:"]),
            (record.as_str(), "", vec![name.as_str(), "record"]),
            (
                record.as_str(),
                "{\"name\":\"../../etc\",\"state\":\"complete\"}\n",
                vec![name.as_str(), "record"],
            ),
        ] {
            let right = test.read(file);
            fs::write(test.path(file), text).unwrap();
            fails(&test, 1, &words);
            fails_with(&test, &["rollback"], 1, &words);
            fs::write(test.path(file), right).unwrap();
        }
        test.deploy().says_not("warning");
    });
}

#[test]
fn parts_of_the_site_that_are_gone_are_made_again() {
    for gone in [
        "site/.runner/format",
        "site/.runner/history",
        "site/shared",
        "site/.runner/manifests",
        "site/.runner/records",
        "site/.runner",
    ] {
        everywhere(|test| {
            let test = live(test).remove(gone);
            test.deploy();
            test.serves_the_source("site");
            test.deploy().says_not("warning").says_not("adopted").says("0 of 1 file unpacked");
        });
    }
}

#[test]
fn wrong_values_of_settings_are_errors_before_any_host_is_touched() {
    let test = live(Test::new());
    for (set, word) in [
        ("strategy=fast", "fast"),
        ("copy=clone", "clone"),
        ("drift=ignore", "ignore"),
        ("keep_releases=0", "keep_releases"),
        ("shared=[\"../x\"]", "../x"),
        ("shared=[\"a\", \"a/b\"]", "a/b"),
        ("generated=[\"/etc\"]", "/etc"),
    ] {
        fails_with(&test, &["--set", set], 2, &[word]);
    }
}

#[test]
fn a_shared_path_behind_a_link_of_the_release_is_refused() {
    everywhere(|test| {
        let test = live(test).shell("ln -s /tmp source/way");
        fails_with(&test, &["--set", "shared=[\"way/storage/\"]"], 1, &["way/storage", "is a link"]);
        assert!(!std::path::Path::new("/tmp/storage").exists());
    });
}

#[test]
fn a_release_of_the_same_name_that_is_there_already_is_left_alone() {
    // Times of tomorrow: every name comes after them.
    let test = live(Test::new()).write("site/releases/20991231235959/mine", "x");
    test.deploy().says("21000101000000");
    assert_eq!(test.read("site/releases/20991231235959/mine"), "x");
    test.ends(0, &["rollback"]);
}
