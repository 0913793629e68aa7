//! What outlives releases, what commands write in them, and what is carried from one to the next.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;

use support::files::{same, stamps};
use support::userland::everywhere;
use support::{Test, tree};

/// A project whose settings say more, such as `shared = [...]`.
fn with(test: Test, settings: &str) -> Test {
    test.toml(&format!(
        "[settings]\nsource = \"source\"\n{settings}\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n"
    ))
}

#[test]
fn shared_paths_are_seeded_from_the_first_release_and_never_overwritten() {
    everywhere(|test| {
        let test = with(test, r#"shared = ["live.env", "storage/", "a/b/deep/", "odd '$x\\ \n*/"]"#)
            .source("live.env", "seed")
            .source("storage/logs/keep", "")
            .source("storage/with \\ \n'", "odd")
            .source("odd '$x\\ \n*/f", "x")
            .mode("source/storage", 0o775)
            .mode("source/live.env", 0o640);
        let ran = test.deploy();
        ran.says_not("warning");
        assert_eq!(test.read("site/shared/live.env"), "seed");
        assert_eq!(test.meta("site/shared/live.env").mode() & 0o777, 0o640);
        assert_eq!(test.meta("site/shared/storage").mode() & 0o777, 0o755);
        assert!(test.path("site/shared/a/b/deep").is_dir());
        let test = test.mode("source/storage", 0o755);
        same(&tree(&test.path("site/shared/storage")), &tree(&test.path("source/storage")));
        assert_eq!(test.read("site/current/odd '$x\\ \n*/f"), "x");
        for (link, target) in [
            ("live.env", "../../shared/live.env"),
            ("storage", "../../shared/storage"),
            ("a/b/deep", "../../../../shared/a/b/deep"),
        ] {
            let link = fs::read_link(test.path("site/current").join(link)).unwrap();
            assert_eq!(link.to_str(), Some(target));
        }
        let test = test
            .write("site/shared/live.env", "mine")
            .write("site/shared/storage/logs/keep", "log")
            .source("live.env", "newer")
            .source("storage/logs/keep", "newer");
        let before = stamps(&test.path("site/shared"));
        test.deploy();
        test.ends(0, &["--set", "strategy=cache"]);
        same(&stamps(&test.path("site/shared")), &before);
        assert_eq!(test.serves("site", "live.env"), "mine");
    });
}

#[test]
fn a_seed_is_no_inode_of_a_release() {
    let test = Test::new().source("storage/file", "x");
    test.deploy();
    let test = with(test, r#"shared = ["storage/"]"#);
    test.deploy();
    assert_eq!(test.meta("site/shared/storage/file").nlink(), 1);
}

#[test]
fn a_missing_shared_file_is_an_error_with_a_way_forward_and_changes_nothing() {
    everywhere(|test| {
        let test = test.source("index", "one");
        test.deploy();
        let before = site(&test);
        let test = with(test, r#"shared = ["storage/", "config.php", "conf/other.ini"]"#);
        let ran = test.ends(1, &[]);
        ran.says("`config.php`, `conf/other.ini`").says("hint:").says("site/shared/config.php");
        ran.says("serves ");
        same(&site(&test), &before);
        let test = test.write("site/shared/config.php", "x").write("site/shared/conf/other.ini", "y");
        test.deploy();
        assert_eq!(test.serves("site", "conf/other.ini"), "y");
    });
}

/// All of a site but what only grows.
fn site(test: &Test) -> std::collections::BTreeMap<Vec<u8>, String> {
    let mut all = tree(&test.path("site"));
    all.remove(&b".runner/history"[..]);
    all
}

#[test]
fn a_path_shared_later_begins_with_what_the_live_release_has_there() {
    for strategy in ["copy-previous", "cache"] {
        everywhere(|test| {
            let settings = format!("strategy = \"{strategy}\"");
            let test = with(test, &settings)
                .source("up/sent", "as sent")
                .source("up/edited", "as sent")
                .source("up/newer", "old")
                .source("up/gone", "x")
                .source("db.sqlite", "empty")
                .source("other", "x");
            test.deploy();
            // The application wrote these.
            let test = test
                .write("site/current/up/user.jpg", "users")
                .write("site/current/up/a b/c", "users")
                .write("site/current/up/edited", "by a user")
                .write("site/current/db.sqlite", "filled")
                .source("up/newer", "new")
                .source("up/brought", "new")
                .remove("source/up/gone");
            let old = test.path(test.current());
            let before = tree(&old);
            let test = with(test, &format!("{settings}\nshared = [\"up/\", \"db.sqlite\"]"));
            let ran = test.deploy();
            ran.says_not("where it is hidden");
            let shared = |path: &str| test.read(format!("site/shared/{path}"));
            assert_eq!(shared("up/user.jpg"), "users");
            assert_eq!(shared("up/a b/c"), "users");
            assert_eq!(shared("up/edited"), "by a user", "{ran}");
            assert_eq!(shared("db.sqlite"), "filled");
            assert_eq!(shared("up/sent"), "as sent");
            assert_eq!(shared("up/newer"), "new");
            assert_eq!(shared("up/brought"), "new");
            same(&tree(&old), &before);
            assert_eq!(test.meta("site/shared/up/sent").nlink(), 1);
            assert_eq!(test.serves("site", "up/user.jpg"), "users");
        });
    }
}

#[test]
fn what_the_source_brings_under_a_shared_path_is_named() {
    everywhere(|test| {
        let test = with(test, r#"shared = ["storage/"]"#).source("storage/a", "x").source("index", "x");
        test.deploy().says_not("warning");
        let test = test.source("storage/late", "x").source("storage/a", "newer");
        test.deploy().says("warning").says("`storage/late`").says_not("`storage/a`");
        assert!(!test.has("site/shared/storage/late"));
        let test = test.write("site/shared/storage/late", "x");
        test.deploy().says_not("warning");
    });
}

#[test]
fn a_path_that_is_no_longer_shared_leaves_no_link() {
    for strategy in ["strategy=copy-previous", "strategy=cache"] {
        everywhere(|test| {
            let test = with(test, r#"shared = ["storage/", "conf/app.ini", "kept/"]"#)
                .source("index", "x")
                .write("site/shared/conf/app.ini", "x");
            test.ends(0, &["--set", strategy]);
            let test = with(test, r#"shared = ["kept/"]"#);
            let lacks = "has links into `shared/` that the new release lacks: `storage/`, `conf/app.ini`";
            let line = "shared = [\"kept/\", \"storage/\", \"conf/app.ini\"]";
            test.ends(0, &["--plan", "--set", strategy]).says("warning").says(lacks).says(line);
            test.ends(0, &["--set", strategy]).says("warning").says(lacks).says(line);
            test.ends(0, &["--set", strategy]).says_not("lacks");
            assert!(!test.has("site/current/storage") && !test.has("site/current/conf/app.ini"));
            assert!(test.has("site/current/kept") && test.has("site/shared/storage"));
            // And the source may bring something there.
            let test = with(test, "").source("kept/file", "mine");
            test.ends(0, &["--set", strategy]);
            assert_eq!(test.serves("site", "kept/file"), "mine");
            assert!(!test.has("site/shared/kept/file"));
        });
    }
}

#[test]
fn a_shared_path_that_is_moved_below_or_above_another_or_generated_is_not_lost() {
    let test = with(Test::new(), "shared = [\"a/x/\", \"b/\", \"gen/\"]").source("index", "x");
    test.deploy();
    let test = with(test, "shared = [\"a/\", \"b/x/\"]\ngenerated = [\"gen/\"]");
    let ran = test.deploy();
    ran.says("lacks: `b/`; only what the setting `shared` lists below is linked")
        .says_not("`a/x")
        .says_not("`gen");
}

#[test]
fn a_setting_that_is_spelt_wrong_is_named_in_the_plan_and_the_run() {
    everywhere(|test| {
        let test = with(test, r#"shared = ["uploads/"]"#).source("index", "x");
        test.deploy();
        let test = with(test, r#"shared = ["upload/"]"#);
        let lacks =
            "lacks: `uploads/`; to keep them, write in `runner.toml`: shared = [\"upload/\", \"uploads/\"]";
        test.ends(0, &["--plan"]).says(lacks);
        test.deploy().says(lacks);
    });
}

#[test]
fn a_path_that_a_recipe_links_by_itself_is_not_missed() {
    let test = with(Test::new(), r#"shared = ["up/"]"#).source("index", "x");
    test.deploy();
    let test = with(test, "")
        .recipe("task(\"link\", |host| host.link_shared([\"up/\"]));\nbefore(\"share\", \"link\");");
    test.ends(0, &["--plan"]).says_not("lacks");
    test.deploy().says_not("lacks");
}

const FAILS: &str = r#"task("prepare", |host| host.run("test ! -e ../../fail"));"#;

#[test]
fn a_failed_first_deploy_takes_its_seeds_back_and_the_next_one_seeds_anew() {
    everywhere(|test| {
        let test = with(test, r#"shared = ["a/b/c/", "storage/", "conf"]"#)
            .source("storage/x", "old")
            .source("conf", "old")
            .recipe(FAILS)
            .write("site/fail", "")
            .write("site/shared/mine", "kept");
        test.ends(1, &[]).says("serves nothing");
        assert_eq!(tree(&test.path("site/shared")).len(), 1, "{:?}", tree(&test.path("site/shared")));
        assert!(test.releases("site").is_empty());
        assert!(!test.has("site/current"));
        let test = test.source("storage/x", "new").source("conf", "new").remove("site/fail");
        test.deploy();
        assert_eq!(test.serves("site", "storage/x"), "new");
        assert_eq!(test.serves("site", "conf"), "new");
        assert!(test.path("site/shared/a/b/c").is_dir());
    });
}

#[test]
fn a_seed_that_was_written_since_is_not_taken_back() {
    everywhere(|test| {
        // A file of tomorrow: what is written in the instant of the seeding may be of its time.
        let test = with(test, r#"shared = ["storage/", "other/"]"#).source("storage/x", "x").recipe(
            r#"task("prepare", |host| { host.run("touch -d '2099-01-01 00:00' storage/precious"); fail("no"); });"#,
        );
        test.ends(1, &[]).says("shared/storage");
        assert!(test.has("site/shared/storage/precious"));
        assert!(!test.has("site/shared/other"));
    });
}

#[test]
fn writable_directories_are_made_and_opened_on_every_deploy() {
    everywhere(|test| {
        let test = with(test, "writable = [\"var/cache\", \"new dir/x\"]").source("var/cache/keep", "x");
        for _ in 0..2 {
            test.deploy().says_not("warning");
            for dir in ["var/cache", "new dir/x"] {
                assert_eq!(test.meta(test.path("site/current").join(dir)).mode() & 0o7777, 0o2775, "{dir}");
            }
        }
        // What the application wrote there is carried, never linked.
        let test =
            test.write("site/current/var/cache/made", "x").write("site/current/var/cache/keep", "written");
        test.deploy().says_not("warning");
        assert_eq!(test.serves("site", "var/cache/made"), "x");
        assert_eq!(test.meta("site/current/var/cache/keep").nlink(), 1);
        assert_eq!(test.serves("site", "var/cache/keep"), "x");
    });
}

#[test]
fn generated_paths_are_real_and_made_anew_in_each_release() {
    for strategy in ["strategy=copy-previous", "strategy=cache"] {
        everywhere(|test| {
            let test = with(test, r#"generated = ["var/cache/", "conf.php", "vendor"]"#)
                .source("var/cache/keep", "sent")
                .source("conf.php", "sent")
                .source("other", "x")
                .recipe(
                    r#"task("prepare", |host| {
                        host.run("echo more >>conf.php; echo x >>var/cache/keep; mkdir vendor; echo $RELEASE >vendor/x");
                    });"#,
                );
            for _ in 0..3 {
                test.ends(0, &["--set", strategy]).says_not("warning");
                assert_eq!(test.serves("site", "conf.php"), "sentmore\n");
                assert_eq!(test.serves("site", "var/cache/keep"), "sentx\n");
                assert_eq!(test.serves("site", "vendor/x").trim(), test.live("site").unwrap());
                for file in ["conf.php", "var/cache/keep", "vendor/x"] {
                    assert_eq!(test.meta(test.path("site/current").join(file)).nlink(), 1, "{file}");
                }
                let test = &test;
                fs::write(test.path("site/current/var/cache/stale"), "x").unwrap();
            }
            assert!(!test.path(test.current()).join("var/cache/keep/stale").exists());
        });
    }
}

#[test]
fn what_commands_left_is_carried_by_copy() {
    everywhere(|test| {
        let test = with(
            test,
            r#"generated = ["left/sub/gen"]
shared = ["left/sub/shared/"]"#,
        )
        .source("dir/file", "x")
        .source("gone/file", "x");
        test.deploy();
        let left = [
            "alone",
            "dir/beside",
            "gone/kept",
            "left/sub/a b",
            "left/-rf",
            "left/new\nline",
            "left/last\n",
            "left/\u{1}",
            "left/q'\"\\u{5c}",
            "left/sub/deeper/x",
        ];
        let test = left.iter().fold(test, |test, path| test.write(&format!("site/current/{path}"), path));
        let test = test
            .write("site/current/left/sub/gen/x", "not carried")
            .shell("cd site/current; chmod 2750 left/sub; chmod 4711 alone; mkdir left/empty; ln -s nowhere left/link")
            .remove("source/gone");
        for _ in 0..2 {
            let old = test.path(test.current());
            let before = stamps(&old);
            let plan = test.ends(0, &["--plan"]);
            let ran = test.ends(0, &["-v"]);
            ran.says("copied from the previous release").says_not("warning");
            for path in ["alone", "dir/beside", "left/empty", "left/sub/a b", "left/sub/deeper"] {
                plan.says(&format!("copy `{path}` from the previous release"));
                ran.says(&format!("copied `{path}` from the previous release"));
                assert!(!ran.err.contains('\u{1}'), "{ran}");
            }
            // What is made, sent, or inside of one that is named, is not named.
            for path in ["left", "left/sub", "dir", "left/sub/gen", "left/sub/deeper/x", "dir/file"] {
                plan.says_not(&format!("copy `{path}`"));
                ran.says_not(&format!("copied `{path}`"));
            }
            same(&stamps(&old), &before);
            for path in left {
                assert_eq!(test.serves("site", path), path);
                assert_eq!(test.meta(test.path("site/current").join(path)).nlink(), 1, "{path:?}");
            }
            assert_eq!(test.meta("site/current/left/sub").mode() & 0o7777, 0o2750);
            assert_eq!(test.meta("site/current/alone").mode() & 0o7777, 0o4711);
            assert!(test.has("site/current/left/empty") && test.has("site/current/left/link"));
            assert!(!test.has("site/current/left/sub/gen"));
            assert!(!test.has("site/current/gone/file"));
        }
    });
}

#[test]
fn a_thousand_files_that_commands_left_cost_no_process_each() {
    let count = |test: &Test| {
        // Every program that a script starts is a line of this log.
        let log = test.path("log");
        let _ = fs::remove_file(&log);
        test.deploy();
        fs::read_to_string(log).unwrap().lines().count()
    };
    let Some(test) = counting(Test::new().source("dir/file", "x")) else {
        return;
    };
    count(&test);
    let few = count(&test);
    let test = test.shell(
        "cd site/current; mkdir whole; for n in $(seq 1000); do echo $n >whole/$n; echo $n >dir/$n; done",
    );
    let many = count(&test);
    assert_eq!(test.serves("site", "whole/777"), "777\n");
    assert_eq!(test.serves("site", "dir/777"), "777\n");
    assert!(many < few + 60, "{few} processes for none, {many} for two thousand files");
}

/// Wrappers first in `PATH` that write down each start.
fn counting(test: Test) -> Option<Test> {
    let bin = test.path("counted");
    fs::create_dir(&bin).unwrap();
    let path = std::env::var("PATH").unwrap();
    for tool in
        ["rm", "cp", "mkdir", "chmod", "stat", "mv", "ln", "find", "sed", "awk", "tr", "sort", "xargs"]
    {
        let real =
            path.split(':').map(|dir| std::path::Path::new(dir).join(tool)).find(|file| file.is_file())?;
        let log = test.path("log");
        let text =
            format!("#!/bin/sh\necho {tool} >>'{}'\nexec '{}' \"$@\"\n", log.display(), real.display());
        fs::write(bin.join(tool), text).unwrap();
        support::files::chmod(&bin.join(tool), 0o755);
    }
    let path = format!("{}:{path}", bin.display());
    Some(test.env("PATH", &path))
}

#[test]
fn what_cannot_be_read_is_skipped_and_named() {
    everywhere(|test| {
        let test = test.source("dir/file", "x").unprivileged();
        test.deploy();
        let test = test
            .write("site/current/secret", "x")
            .write("site/current/dir/secret", "x")
            .write("site/current/left/deep/secret", "x")
            .write("site/current/left/open", "x")
            .write("site/current/closed/file", "x");
        // Somebody else's, as the web server's often are. Where we are nobody ourselves, unreadable ones of our own.
        let test = test.shell(
            "cd site/current; chmod 000 secret dir/secret left/deep/secret closed
             if [ $(id -u) = 0 ]; then chown 1:1 secret dir/secret left/deep/secret closed; fi
             chmod 777 . dir left left/deep",
        );
        // A plan has only names, which it reads as far as it may.
        test.ends(0, &["--plan"]).says("copy `dir/secret`").says("copy `left`").says_not("could not");
        let ran = test.deploy();
        for path in ["`secret`", "`dir/secret`", "`left/deep/secret`", "`closed`"] {
            ran.says(path);
        }
        ran.says("could not read").says_not("`left`").says_not("`left/open`");
        assert_eq!(test.serves("site", "left/open"), "x");
        assert!(!test.has("site/current/left/deep/secret") && !test.has("site/current/dir/secret"));
    });
}

#[test]
fn where_the_source_brings_something_it_wins_over_what_commands_left() {
    everywhere(|test| {
        let test = test.source("index", "x");
        test.deploy();
        let test = test
            .write("site/current/file-file", "left")
            .write("site/current/file-dir", "left")
            .write("site/current/dir-file/in/it", "left")
            .write("site/current/dir-link/in/it", "left")
            .write("site/current/dir-dir/left", "left")
            .write("site/current/dir-dir/both", "left")
            .write("site/current/dir-dir/sub/left", "left")
            .write("outside/file", "mine")
            .source("file-file", "sent")
            .source("file-dir/x", "sent")
            .source("dir-file", "sent")
            .source("dir-dir/both", "sent")
            .source("dir-dir/sub/sent", "sent")
            .shell("ln -s ../../../outside source/dir-link; ln -s /etc site/current/link-dir")
            .source("link-dir/x", "sent");
        test.deploy();
        for path in ["file-file", "file-dir/x", "dir-file", "dir-dir/both", "dir-dir/sub/sent", "link-dir/x"]
        {
            assert_eq!(test.serves("site", path), "sent", "{path}");
        }
        assert_eq!(test.serves("site", "dir-dir/left"), "left");
        assert_eq!(test.serves("site", "dir-dir/sub/left"), "left");
        assert_eq!(tree(&test.path("outside")).len(), 1);
        assert!(!test.has("site/current/link-dir/passwd"));
    });
}
