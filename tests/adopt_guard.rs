//! What `runner adopt` must not do, whoever prepared the directory: move what others name, lose a deployed site or uploads,
//! break links, write through links.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};

use support::Test;

/// A docroot with an upload that the source does not have.
fn docroot() -> Test {
    Test::new()
        .write("site/index.html", "old")
        .write("site/uploads/p.jpg", "photo")
        .source("index.html", "new")
}

fn page(test: &Test) -> String {
    fs::read_to_string(test.path("site/index.html")).unwrap()
}

fn toml(path: &str) -> String {
    format!(
        "[settings]\nsource = \"source\"\nshared = [\"uploads/\"]\n[stage.local]\npath = \"{path}\"\ntransport = \"local\"\n"
    )
}

/// Whoever can write in a docroot can put a file there that says how the site was adopted.
#[test]
fn what_somebody_else_wrote_names_no_directory() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: there is nobody else");
        return;
    }
    for owned in [&["site/.runner", "site/.runner/adoption"][..], &["site/.runner/adoption"], &["site"]] {
        let test = docroot().write("private/key", "key").write("site/evil/key", "theirs");
        let at = test.root().display().to_string();
        let forged = format!(
            "{{\"release\":\"1\",\"kind\":\"docroot\",\"directory\":\"{at}/private\",\"link\":\"{at}/site/evil\",\"path\":\"/x\"}}\n"
        );
        let test = test.write("site/.runner/adoption", &forged).write("site/releases/1/index.html", "theirs");
        symlink("releases/1", test.path("site/current")).unwrap();
        for path in owned {
            chown(test.path(path), Some(33), Some(33)).unwrap();
        }
        let key = fs::metadata(test.path("private/key")).unwrap().ino();
        for words in [&["adopt", "--yes"][..], &["adopt", "--undo", "--yes"]] {
            let ran = test.run(words);
            assert!(!fs::symlink_metadata(test.path("private")).unwrap().is_symlink(), "{owned:?} {ran}");
            assert_eq!(fs::metadata(test.path("private/key")).unwrap().ino(), key, "{owned:?} {ran}");
        }
    }
}

#[test]
fn a_second_adoption_takes_nothing_back_that_was_deployed() {
    let test = docroot().toml(&toml("site"));
    test.ends(0, &["adopt", "--yes"]);
    test.deploy();
    assert_eq!(page(&test), "new");
    // A colleague who has not pulled.
    let test = test.toml(&toml("site"));
    test.ends(0, &["adopt", "--yes"]).says("is adopted already: its site is");
    assert_eq!(page(&test), "new");
    assert!(fs::read_to_string(test.path("runner.toml")).unwrap().contains("path = \"site.site\""));
    let test = test.source("index.html", "newer");
    test.deploy();
    assert_eq!(page(&test), "newer");
}

#[test]
fn a_path_may_end_in_a_slash_and_the_site_may_not_lie_in_the_docroot() {
    let test = docroot().toml(&toml("site/"));
    let at = test.root().display().to_string();
    for to in [format!("{at}/site"), format!("{at}/site/x"), at.clone(), format!("{at}/")] {
        test.ends(1, &["adopt", "--yes", "--to", &to]).says("lie in each other");
    }
    assert_eq!(page(&test), "old");
    test.ends(0, &["adopt", "--yes"]);
    assert!(fs::read_to_string(test.path("runner.toml")).unwrap().contains("path = \"site.site\""));
    test.deploy();
    assert_eq!(page(&test), "new");

    let test = docroot().toml(&toml("site"));
    let to = format!("{}/else/", test.root().display());
    fs::create_dir(test.path("else")).unwrap();
    test.ends(0, &["adopt", "--yes", "--to", &to]);
    test.deploy();
    assert_eq!(page(&test), "new");
    assert_eq!(fs::read_link(test.path("site")).unwrap().to_str(), Some("else/current"));
}

#[test]
fn links_that_lead_out_of_the_directory_are_named_and_nothing_is_moved() {
    for directory in ["site", "site/current"] {
        let test = Test::new().write(&format!("{directory}/index.html"), "old").source("index.html", "new");
        let test = test.write(&format!("{directory}/deep/er/x"), "x");
        symlink("../../index.html", test.path(directory).join("deep/er/inside")).unwrap();
        symlink("/etc/hostname", test.path(directory).join("absolute")).unwrap();
        test.ends(0, &["adopt", "--plan"]).says("becomes");
        symlink("../../../data", test.path(directory).join("deep/er/out")).unwrap();
        symlink("../data", test.path(directory).join("uploads")).unwrap();
        test.ends(1, &["adopt", "--yes"])
            .says("relative links that would lead elsewhere")
            .says("uploads -> ../data")
            .says("deep/er/out -> ../../../data")
            .says_not("inside");
        assert!(fs::symlink_metadata(test.path(directory)).unwrap().is_dir());
    }
}

#[test]
fn a_deploy_does_not_leave_uploads_behind_and_no_prune_removes_them() {
    // A page of its own is code: nobody but the user can tell what it is.
    let test = docroot().write("site/uploads/index.php", "<?php");
    test.ends(0, &["adopt", "--yes"]).says("the source lacks `uploads/`");
    test.ends(1, &[])
        .says("visitors would lose what only the adopted release")
        .says("write in `runner.toml`: shared.add = [\"uploads/\"]");
    assert_eq!(page(&test), "old");
    let adopted = test.releases("site.site").into_iter().next().unwrap();
    for n in 0..5 {
        fs::write(test.path("source/index.html"), n.to_string()).unwrap();
        test.ends(0, &["--set", "allow_unlinked=true", "--set", "keep_releases=2"]);
    }
    let photo = test.path(format!("site.site/releases/{adopted}/uploads/p.jpg"));
    assert_eq!(fs::read_to_string(photo).unwrap(), "photo");
}

#[test]
fn nothing_is_written_through_a_link_beside_runner_toml() {
    let test = docroot().toml(&toml("site")).write("precious", "mine");
    symlink("precious", test.path("runner.toml.new")).unwrap();
    test.ends(0, &["adopt", "--yes"]);
    assert_eq!(fs::read_to_string(test.path("precious")).unwrap(), "mine");
    assert!(!fs::symlink_metadata(test.path("runner.toml")).unwrap().is_symlink());
}

#[test]
fn a_pipe_instead_of_a_log_holds_nothing_up() {
    for name in ["revisions.log", ".dep/releases_log", ".runner/adoption"] {
        let test = docroot().shell(&format!("mkdir -p site/.dep site/.runner; mkfifo site/{name}"));
        let ran = test.run(&["adopt", "--plan"]);
        assert!(ran.code.is_some(), "{name} {ran}");
    }
}
