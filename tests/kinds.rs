//! Files where directories should be, and the other way round: in `shared/`, in the source and in settings.

mod support;

use support::Test;
use support::userland::everywhere;

/// A project with such settings.
fn with(test: Test, settings: &str) -> Test {
    test.toml(&format!(
        "[settings]\nsource = \"source\"\n{settings}\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n"
    ))
}

/// The plan warns, the run is refused before the swap, and what is live stays live.
#[track_caller]
fn refused(test: &Test, words: &str) {
    let live = test.live("site");
    test.ends(0, &["--plan"]).says("a deploy would fail").says(words);
    test.ends(1, &[]).says(words).says("hint:").says_not("mkdir:");
    assert_eq!(test.live("site"), live);
    assert!(test.releases("site").len() <= 1);
}

/// `check` finds it, too.
#[track_caller]
fn refused_by_check(test: &Test, words: &str) {
    test.ends(2, &["check"]).says(words).says("--> runner.toml:").says("hint:");
    refused(test, words);
}

#[test]
fn a_shared_file_that_is_a_directory_on_the_server_is_refused() {
    everywhere(|test| {
        let test = with(test, r#"shared = ["env.txt"]"#).source("index", "x").source("env.txt", "x");
        let test = test.shell("mkdir -p site/shared/env.txt");
        test.ends(0, &["check"]);
        refused(&test, "site/shared/env.txt` is a directory");
    });
    everywhere(|test| {
        let test = with(test, r#"shared = ["up/"]"#).source("index", "x").write("site/shared/up", "x");
        refused(&test, "site/shared/up` is a file");
    });
}

#[test]
fn a_kind_that_the_source_contradicts_is_refused_by_check() {
    everywhere(|test| {
        let test = with(test, r#"shared = ["up/"]"#).source("index", "x").source("up", "x");
        refused_by_check(&test, "lists the directory `up/`, but `up` in the source is a file");
        // What the server has makes no difference.
        refused_by_check(
            &test.shell("mkdir -p site/shared/up"),
            "lists the directory `up/`, but `up` in the source is a file",
        );
    });
    let test = with(Test::new(), r#"shared = ["storage"]"#).source("storage/x", "x");
    refused_by_check(&test, "lists the file `storage`, but `storage` in the source is a directory");
    let test = with(test, r#"shared = ["storage/"]"#);
    test.ends(0, &["check"]);
    test.deploy();
}

#[test]
fn a_path_below_a_file_or_a_link_is_refused() {
    everywhere(|test| {
        let test = with(test, r#"shared = ["data/up/"]"#).source("index", "x").source("data", "x");
        refused_by_check(&test, "lists the directory `data/up/`, but `data` in the source is a file");
    });
    for setting in ["shared", "generated", "writable"] {
        let test = with(Test::new(), &format!("{setting} = [\"public/up/\"]")).source("web/index", "x");
        let test = test.link("web", "source/public");
        refused_by_check(&test, "but `public` in the source is a link");
    }
    for setting in ["generated", "writable"] {
        let test = with(Test::new(), &format!("{setting} = [\"a/b\"]")).source("a", "x");
        refused_by_check(&test, "lists `a/b`, but `a` in the source is a file");
    }
    let test = with(Test::new(), "writable = [\"a\"]").source("a", "x");
    refused_by_check(&test, "lists `a`, but `a` in the source is a file");
}

#[test]
fn what_is_not_sent_contradicts_nothing() {
    let test = with(Test::new(), "shared = [\"data/up/\", \"env/\"]\nexclude = [\"/data\", \"/env\"]");
    let test = test.source("index", "x").source("data", "x").source("env", "x");
    test.ends(0, &["check"]);
    test.deploy().says("created `shared/env`, an empty directory");
}

#[test]
fn a_link_to_nothing_in_shared_is_refused_and_one_to_something_counts_as_that() {
    everywhere(|test| {
        let test = with(test, r#"shared = ["uploads/"]"#).source("index", "x");
        let test = test.shell("mkdir -p site/shared; ln -s ../../disk/uploads site/shared/uploads");
        refused(&test, "site/shared/uploads` is a link to `../../disk/uploads`, which does not exist");
        let test = test.write("disk/uploads", "x");
        refused(&test, "site/shared/uploads` is a file");
        let test = test.remove("disk/uploads").write("disk/uploads/photo", "mine");
        test.deploy().says_not("warning");
        assert_eq!(test.serves("site", "uploads/photo"), "mine");
    });
    let test = with(Test::new(), r#"shared = [".env"]"#).source("index", "x");
    let test = test.shell("mkdir -p site/shared; ln -s /dev/null site/shared/.env");
    test.deploy().says_not("warning");
}

#[test]
fn a_link_of_the_source_begins_no_shared_path() {
    everywhere(|test| {
        let test = with(test, r#"shared = ["uploads/"]"#).source("data/photo", "x");
        let test = test.link("data", "source/uploads");
        test.ends(0, &["check"]);
        refused(&test, "`uploads` in the source is a link, which cannot be copied to `shared/`");
        // On this machine it may well be one.
        let test = test.write("site/shared/uploads/photo", "mine");
        test.deploy().says_not("warning");
        assert_eq!(test.serves("site", "uploads/photo"), "mine");
    });
}

#[test]
fn what_is_no_directory_above_a_path_in_shared_is_named() {
    everywhere(|test| {
        let test = with(test, r#"shared = ["a/b/c/", "a/d"]"#).source("index", "x").source("a/d", "x");
        let test = test.write("site/shared/a", "x");
        refused(&test, "site/shared/a` is not a directory");
    });
    let test = with(Test::new(), r#"shared = ["a/b/"]"#).source("index", "x");
    let test = test.shell("mkdir -p site/shared; ln -s nowhere site/shared/a");
    refused(&test, "site/shared/a` is not a directory");
}

#[test]
fn what_the_live_release_has_is_asked_before_it_begins_a_shared_path() {
    everywhere(|test| {
        let test = test.source("index", "x").write("disk/photo", "mine");
        test.deploy();
        // An operator's own link: what it leads to must not vanish behind an empty directory.
        let mut test = test.shell(
            "ln -s ../../../disk site/current/uploads; echo x >site/current/up; echo x >site/current/way",
        );
        for (shared, words) in [
            ("uploads/", "is a link, which cannot be copied to `shared/`"),
            ("up/", "is a file"),
            ("way/up/", "`way` in the"),
        ] {
            test = with(test, &format!("shared = [\"{shared}\"]"));
            refused(&test, words);
        }
    });
}

#[test]
fn one_path_of_two_kinds_or_of_two_settings_is_refused_by_check() {
    for (settings, words) in [
        (
            "shared = [\"up\", \"up/\"]",
            "shared path `up` is listed as a file (`up`) and as a directory (`up/`)",
        ),
        ("shared = [\"a/\", \"a/b/\"]", "must not contain each other"),
        (
            "shared = [\"storage/\"]\ngenerated = [\"storage/cache/\"]",
            "generated path `storage/cache/` is in the shared path `storage/`",
        ),
        ("shared = [\"x/\"]\ngenerated = [\"x\"]", "generated path `x` is in the shared path `x/`"),
        ("shared = [\"x\"]\nwritable = [\"x/\"]", "writable path `x/` must be a directory"),
    ] {
        let test = with(Test::new(), settings).source("index", "x");
        test.ends(2, &["check"]).says(words).says("runner.toml:");
        test.ends(2, &[]).says(words);
        assert!(!test.has("site"));
    }
}

#[test]
fn a_writable_path_below_a_shared_one_and_a_shared_one_below_a_generated_one_work() {
    everywhere(|test| {
        let test = with(
            test,
            "shared = [\"storage/\", \"var/up/\"]\nwritable = [\"storage/\", \"storage/logs/\"]\ngenerated = [\"var/\"]",
        );
        let test =
            test.source("index", "x").recipe(r#"task("prepare", |host| { host.run("echo x >var/made"); });"#);
        for _ in 0..2 {
            test.ends(0, &["check"]);
            test.deploy().says_not("warning");
            assert!(test.path("site/shared/storage/logs").is_dir());
            assert!(test.path("site/current/var/up/").is_dir() && test.has("site/current/var/made"));
        }
    });
}

#[test]
fn a_path_that_a_recipe_links_by_itself_keeps_to_the_same_table() {
    let recipe = r#"task("share", |host| { host.link_shared(["up/", "a"]); });"#;
    let test = Test::new().source("index", "x").source("up", "x").source("a/b", "x").recipe(recipe);
    test.ends(1, &[])
        .says("lists the directory `up/`, but `up` in the release is a file")
        .says("`a` in the release");
    assert_eq!(test.live("site"), None);
}
