//! Where a run may deploy: not over something else that is served, and not over another application.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::fs;

use support::{Test, tree};

/// Refused as it is by a run, a plan and `doctor`; nothing in it changes.
#[track_caller]
fn refused(test: &Test, texts: &[&str]) {
    let before = tree(&test.path("site"));
    for words in [&[][..], &["--plan"], &["doctor"], &["rollback"]] {
        let ran = test.ends(1, words);
        for text in texts {
            ran.says(text);
        }
    }
    assert_eq!(tree(&test.path("site")), before);
}

fn shop(name: &str) -> String {
    format!(
        "application = \"{name}\"\n[settings]\nsource = \"source\"\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n"
    )
}

#[test]
fn a_directory_that_is_served_as_it_is_is_no_site() {
    let test =
        Test::new().source("index", "new").write("site/index.html", "old").write("site/css/a.css", "x");
    refused(
        &test,
        &[
            "site` looks like a web root: it contains `index.html`",
            "visitors would go on seeing",
            "site-site/current` the root",
        ],
    );
    let test = test.toml(&shop("shop"));
    let path = test.path("shop");
    refused(&test, &[&format!("set `path = \"{}\"`", path.display())]);
    // With the layout beside it, too: a web server does not look at that.
    let test = test.write("site/shared/.env", "x");
    refused(&test, &["looks like a web root: it contains `index.html`"]);
}

#[test]
fn every_kind_of_application_in_a_directory_makes_it_no_site() {
    for (path, root) in [
        ("artisan", "current/public` the root"),
        ("public/index.html", "current/public` the root"),
        ("wp-login.php", "current` the root"),
        (".htaccess", "current` the root"),
        ("package.json", "current` the root"),
        ("about.htm", "current` the root"),
        ("x.php", "current` the root"),
        ("htdocs/index", "current` the root"),
    ] {
        let test = Test::new().source("index", "new").write(&format!("site/{path}"), "old");
        let first = path.split('/').next().unwrap();
        refused(&test, &[&format!("it contains `{first}`"), root]);
    }
}

#[test]
fn a_link_that_is_served_makes_it_no_site() {
    let test = Test::new().source("index", "new").shell("mkdir site").link("nowhere", "site/index.php");
    refused(&test, &["it contains `index.php`"]);
}

#[test]
fn any_part_of_the_layout_is_a_site() {
    for part in ["shared/.env", "releases/1/index.html", "cache/index.html", ".runner/x", "current.old"] {
        let test = Test::new().source("index", "new").write(&format!("site/{part}"), "old");
        test.deploy().says_not("in use");
        assert_eq!(test.serves("site", "index"), "new");
    }
}

#[test]
fn what_else_a_deploy_path_has_is_named_once() {
    let test =
        Test::new().source("index", "new").write("site/notes.txt", "").write("site/.old/index.php", "");
    test.deploy().says("also has `notes.txt`, `.old`; left alone");
    test.deploy().says_not("left alone");
    assert!(test.has("site/notes.txt") && test.has("site/.old/index.php"));
}

#[test]
fn a_site_with_a_current_is_one_whatever_lies_beside() {
    let test = Test::new().source("index", "new");
    test.deploy();
    let test = test.write("site/index.php", "old");
    test.deploy();
}

#[test]
fn another_application_is_refused_until_it_is_said_that_it_is_meant() {
    let test = Test::new().source("index", "shop").toml(&shop("shop"));
    test.deploy();
    let test = test.source("index", "blog").toml(&shop("blog"));
    refused(
        &test,
        &["site` belongs to application `shop`, not to `blog`", "path = \"site\"", "`--adopt-application`"],
    );
    assert_eq!(test.serves("site", "index"), "shop");
    test.ends(0, &["--plan", "--adopt-application"]);
    refused(&test, &["belongs to application `shop`"]);
    test.ends(0, &["--adopt-application"]).says("belonged to application `shop` before");
    assert_eq!(test.serves("site", "index"), "blog");
    test.ends(0, &["rollback"]).says_not("belonged");
    let test = test.toml(&shop("shop"));
    refused(&test, &["belongs to application `blog`, not to `shop`"]);
    test.ends(1, &["smoke"]).says("belongs to application `blog`");
}

#[test]
fn another_name_of_the_checkout_is_no_other_application() {
    let test = Test::new().source("index", "one");
    test.deploy();
    assert!(!test.has("site/.runner/site"), "a directory's name says nothing");
    let test = test.toml(&shop("shop"));
    test.deploy();
    let text = fs::read_to_string(test.path("site/.runner/site")).unwrap();
    assert_eq!(text, "{\"application\":\"shop\"}\n");
    // A checkout whose `runner.toml` does not say it yet.
    let test = test.toml(&shop("shop").replace("application = \"shop\"\n", ""));
    test.deploy();
}

#[test]
fn a_site_that_does_not_say_what_it_is_belongs_to_the_first_that_says_it() {
    let test = Test::new().source("index", "one");
    test.deploy();
    let test = test.toml(&shop("shop"));
    test.ends(0, &["--plan"]).says_not("belong");
    test.deploy().says_not("belong");
    let test = test.toml(&shop("blog"));
    refused(&test, &["belongs to application `shop`"]);
}

#[test]
fn a_name_of_the_application_that_cannot_be_read_is_told_with_its_cure() {
    let test = Test::new().source("index", "one").toml(&shop("shop"));
    test.deploy();
    let test = test.write("site/.runner/site", "half a na");
    test.ends(1, &[]).says("failed to read `.runner/site`").says("hint: remove that file");
    let test = test.remove("site/.runner/site");
    test.deploy();
}
