//! Commands that write a file which releases share: found by name, put right in every release; and drift.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/gate.rs"]
mod gate;
mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;

use gate::{Gate, Running};
use support::files::{same, stamps};
use support::userland::everywhere;
use support::{Test, tree};

/// A recipe whose `prepare` runs the script `prepare.sh` of the project, in the release.
const RECIPE: &str = r#"task("prepare", |host| { if host.test("test -e ../../../prepare.sh") { host.run("sh -e ../../../prepare.sh"); } });"#;

/// Two releases that share everything, and a third whose `prepare` runs `script`.
fn third(test: Test, script: &str) -> Test {
    let test = test
        .source("shared.txt", "old bytes")
        .source("a b/-x", "old too")
        .source("other", "another!!")
        .source("weird \\ '\n", "odd")
        .mode("source/shared.txt", 0o4755)
        .recipe(RECIPE);
    test.deploy();
    test.deploy();
    test.write("prepare.sh", script)
}

/// All of a site but what only grows.
fn site(test: &Test) -> std::collections::BTreeMap<Vec<u8>, String> {
    let mut all = tree(&test.path("site"));
    all.remove(&b".runner/history"[..]);
    all
}

/// With busybox only the first few of many: what differs between the tools is in them.
fn mostly_here(n: usize, test: impl Fn(Test)) {
    match n < 3 {
        true => everywhere(test),
        false => test(Test::new()),
    }
}

#[test]
fn a_command_that_writes_in_place_fails_by_name_and_is_undone_in_every_release() {
    for (n, (script, names)) in [
        ("chmod u+w shared.txt; echo more >>shared.txt", vec!["`shared.txt`"]),
        ("chmod 600 'a b/-x'", vec!["`a b/-x`"]),
        ("chmod u+w shared.txt; cp other shared.txt", vec!["`shared.txt`"]),
        ("chmod u+w shared.txt; printf 'new bytes' >shared.txt", vec!["`shared.txt`"]),
        ("chmod u+w shared.txt; printf X | dd of=shared.txt conv=notrunc", vec!["`shared.txt`"]),
        ("chmod u+w shared.txt 'a b/-x'; touch shared.txt; truncate -s 0 'a b/-x'", vec!["`shared.txt`", "`a b/-x`"]),
        (
            "printf y >\"$(printf 'weird \\\\ \\047\\nx')\" || :; for f in weird*; do chmod u+w \"$f\"; echo y >>\"$f\"; done",
            vec!["weird"],
        ),
        ("mv shared.txt moved; chmod u+w moved; echo more >>moved", vec!["`shared.txt`"]),
        ("ln shared.txt second; chmod u+w second; echo more >>second; rm shared.txt", vec!["`shared.txt`"]),
        ("chmod u+w shared.txt; echo more >>shared.txt; exit 3", vec!["`shared.txt`", "3"]),
        (
            "chmod u+w shared.txt; echo more >>shared.txt; chmod u+w other; echo more >>\"../$(ls .. | head -n 1)/other\"",
            vec!["`shared.txt`", "`other`"],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        mostly_here(n, |test| {
            let test = third(test, script);
            let before = site(&test);
            let live = test.live("site");
            let ran = test.ends(1, &[]);
            for name in &names {
                ran.says(name);
            }
            ran.says("in place").says("hint:").says("generated");
            assert_eq!(test.live("site"), live, "{script}");
            same(&site(&test), &before);
            // And that was all: the next deploy finds nothing changed.
            let test = test.remove("prepare.sh");
            test.deploy().says("0 of 4 files unpacked").says_not("warning");
        });
    }
}

#[test]
fn a_command_that_was_cut_off_while_it_wrote_is_undone_as_well() {
    everywhere(|test| {
        let test = third(test, "chmod u+w shared.txt; echo more >>shared.txt; kill -9 $PPID");
        let before = site(&test);
        test.ends(1, &[]);
        same(&site(&test), &before);
    });
}

#[test]
fn what_a_command_of_a_dead_run_wrote_is_not_gone_back_to() {
    let test = third(Test::new(), "");
    let mut gate = Gate::new(&test, "gate");
    let recipe = format!(
        "task(\"prepare\", |host| host.run(`chmod u+w shared.txt; echo more >>shared.txt; {}`));\n",
        gate.text()
    );
    let test = test.recipe(&recipe);
    let run = Running::start(&test, "tester", &[]);
    gate.is_reached(1, &run);
    run.dies();
    gate.opens(1);
    let before = test.releases("site");
    let test = test.recipe("");
    let ran = test.ends(0, &["--wait"]);
    ran.says("warning").says("in place").says(&before[0]).says(&before[1]);
    test.serves_the_source("site");
    for name in &before[..2] {
        assert!(
            !test.has(format!("site/.runner/records/{name}")) || test.record("site", name)["state"] == "bad"
        );
    }
    test.ends(1, &["rollback"]);
    test.serves_the_source("site");
}

#[test]
fn a_time_limit_in_a_command_that_wrote_is_undone_as_well() {
    let test = third(Test::new(), "chmod u+w shared.txt; echo more >>shared.txt; exec sleep 1000")
        .recipe(r#"task("prepare", |host| host.run("sh ../../../prepare.sh", #{ timeout: 1 }));"#);
    let before = site(&test);
    test.ends(1, &[]);
    same(&site(&test), &before);
}

#[test]
fn a_command_that_replaces_a_file_is_fine_and_no_drift() {
    for (n, script) in [
        "sed -i s/old/new/ shared.txt",
        "printf new >x; mv x shared.txt",
        "mv other shared.txt",
        "rm shared.txt",
        "cp -p shared.txt x; rm shared.txt; mv x shared.txt; chmod 600 shared.txt",
        "rm -rf 'a b'; mv shared.txt third",
        "rm weird*; echo x >\"$(printf 'weird \\\\ \\047\\nx')\"",
    ]
    .into_iter()
    .enumerate()
    {
        mostly_here(n, |test| {
            let test = third(test, script);
            let old = test.path(test.current());
            let before = stamps(&old);
            test.deploy().says_not("warning");
            same(&stamps(&old), &before);
            // Every time: the command finds the local content again.
            test.deploy().says_not("warning").says_not("0 of 4 files");
            let test = test.remove("prepare.sh");
            test.deploy().says_not("warning").says_not("0 of 4 files");
            for (path, text) in [("shared.txt", "old bytes"), ("a b/-x", "old too"), ("other", "another!!")] {
                assert_eq!(test.serves("site", path), text, "{script}");
            }
            test.deploy().says("0 of 4 files unpacked").says_not("warning");
        });
    }
}

#[test]
fn a_command_after_one_that_replaced_a_file_is_still_watched() {
    everywhere(|test| {
        let test = third(test, "").recipe(
            r#"task("prepare", |host| {
                host.run("sed -i s/old/new/ shared.txt");
                host.run("chmod u+w shared.txt; echo fine >>shared.txt");
                host.run("chmod u+w other; echo bad >>other");
            });"#,
        );
        let before = site(&test);
        test.ends(1, &[]).says("`other`").says("echo bad").says_not("`shared.txt`");
        same(&site(&test), &before);
    });
}

#[test]
fn a_write_in_place_that_the_recipe_caught_is_undone_all_the_same() {
    everywhere(|test| {
        let test = third(test, "").recipe(
            r#"task("prepare", |host| {
                try { host.run("chmod u+w shared.txt; echo bad >>shared.txt"); } catch { }
                try { host.run("chmod u+w shared.txt; echo bad >>shared.txt"); } catch { }
            });"#,
        );
        let old = test.path(test.current());
        test.deploy();
        assert_eq!(fs::read_to_string(old.join("shared.txt")).unwrap(), "old bytes");
        // Once it was put back, the new release has one of its own.
        assert_eq!(test.serves("site", "shared.txt"), "old bytesbad\n");
        let test = test.recipe("");
        test.deploy().says_not("warning");
        test.serves_the_source("site");
    });
}

#[test]
fn a_write_in_the_same_second_and_of_the_same_size_is_noticed() {
    everywhere(|test| {
        // The source is as new as can be, and so is what the command writes.
        let test = third(test, "").recipe(
            r#"task("prepare", |host| host.run("chmod u+w shared.txt; printf 'new bytes' >shared.txt"));"#,
        );
        let test = test.shell("touch source/shared.txt");
        let before = site(&test);
        test.ends(1, &[]).says("`shared.txt`");
        same(&site(&test), &before);
    });
}

#[test]
fn what_is_sealed_is_watched_until_it_is_served() {
    everywhere(|test| {
        let test = third(test, "").recipe(
            r#"task("smoke", |host| { host.run("chmod u+w shared.txt; echo more >>shared.txt"); });"#,
        );
        let before = site(&test);
        test.ends(1, &[]).says("task `smoke`").says("`shared.txt`").says("generated");
        same(&site(&test), &before);
        // What is replaced is remembered as what a command did, and no drift.
        let test = test.recipe(r#"task("smoke", |host| { host.run("sed -i s/old/new/ shared.txt"); });"#);
        let old = test.path(test.current());
        test.deploy().says_not("warning");
        assert_eq!(fs::read_to_string(old.join("shared.txt")).unwrap(), "old bytes");
        assert_eq!(test.serves("site", "shared.txt"), "new bytes");
        let test = test.recipe("");
        test.deploy().says_not("warning");
        test.serves_the_source("site");
        assert!(!test.path("site/.runner/guard").exists());
    });
}

/// The recipe's own steps, no command of it.
#[test]
fn a_link_in_the_place_of_a_managed_file_is_no_drift() {
    let link =
        r#"task("link", |host| host.link_shared(["config/db.php", "media/"])); after("share", "link");"#;
    let mut test = Test::new().source("config/db.php", "1").source("media/a", "2").recipe(link);
    for version in ["one", "two"] {
        test = test.source("index", version);
        test.deploy().says_not("warning").says_not("drift");
        assert_eq!(test.serves("site", "index"), version);
        assert_eq!(test.serves("site", "config/db.php") + &test.serves("site", "media/a"), "12");
    }
}

#[test]
fn what_nobody_of_this_run_wrote_into_the_release_is_found_before_it_is_served() {
    // Behind the last command.
    let newest = "site/releases/$(ls site/releases | tail -n 1)";
    let behind = |test: &str| format!(r#"before("swap", "behind"); task("behind", || local("{test}"));"#);
    let test = third(Test::new(), "")
        .recipe(&behind(&format!("chmod u+w {newest}/shared.txt; echo more >>{newest}/shared.txt")));
    let before = site(&test);
    test.ends(1, &[]).says("task `swap`").says("`shared.txt` in place").says("restored in every release");
    same(&site(&test), &before);
    let test = test.recipe(&behind(&format!("rm {newest}/shared.txt")));
    test.ends(1, &[]).says("task `swap`").says("`shared.txt`").says("after the release was sealed");
    same(&site(&test), &before);
}

#[test]
fn a_file_that_was_just_sent_has_no_write_bits_either_but_is_the_only_one() {
    everywhere(|test| {
        let script = "chmod u+w new shared.txt; echo more >>new; echo more >>shared.txt";
        let test = third(test, script).source("shared.txt", "newer").source("new", "x");
        test.deploy().says_not("warning");
        assert_eq!(test.serves("site", "shared.txt"), "newermore\n");
    });
}

#[test]
fn commands_of_the_cache_strategy_may_write_what_they_like() {
    everywhere(|test| {
        let test = third(test, "echo more >>shared.txt; chmod 600 other");
        for _ in 0..2 {
            test.ends(0, &["--set", "strategy=cache"]).says_not("warning");
            assert_eq!(test.serves("site", "shared.txt"), "old bytesmore\n");
        }
        let test = test.remove("prepare.sh");
        test.ends(0, &["--set", "strategy=cache"]);
        test.serves_the_source("site");
        test.deploy().says_not("warning");
        test.serves_the_source("site");
    });
}

#[test]
fn a_file_edited_on_the_server_is_reported_and_the_new_release_has_the_local_content() {
    for strategy in ["strategy=copy-previous", "strategy=cache"] {
        everywhere(|test| {
            let test = test.source("page", "local").source("odd\nname", "local").source("gone", "x");
            test.ends(0, &["--set", strategy]);
            let edit = |test: Test| {
                test.shell(
                    "cd site/current; echo hot fix >page; for f in odd*; do echo x >>\"$f\"; done; rm gone",
                )
            };
            let test = edit(test);
            let old = test.path(test.current());
            let before = tree(&old);
            let ran = test.ends(0, &["--set", strategy]);
            ran.says("warning:")
                .says("changed on the server")
                .says("`page`")
                .says("`odd\\nname`")
                .says("`gone`");
            test.serves_the_source("site");
            same(&tree(&old), &before);
            test.ends(0, &["--set", strategy]).says_not("warning");

            let test = edit(test);
            let before = site(&test);
            let ran = test.ends(1, &["--set", strategy, "--set", "drift=fail"]);
            ran.says("error:").says("`page`").says("hint:");
            if strategy == "strategy=copy-previous" {
                same(&site(&test), &before);
            }
            let ran = test.ends(0, &["--set", strategy, "--set", "drift=overwrite"]);
            ran.says_not("warning").says("`page`");
            test.serves_the_source("site");
        });
    }
}

#[test]
fn a_hundred_written_files_are_put_back_at_once() {
    everywhere(|test| {
        let test = (0..100).fold(test, |test, n| test.source(&format!("many/{n}"), &format!("{n}")));
        let test = third(test, "chmod -R g+w .");
        let before = site(&test);
        test.ends(1, &[]).says("and 99 more").says("restored in every release").says_not("warning");
        same(&site(&test), &before);
        let inode = |n: usize| {
            let names = test.releases("site");
            test.meta(format!("site/releases/{}/many/7", names[n])).ino()
        };
        assert_ne!(inode(0), inode(1), "each was given a file of its own");
    });
}

/// A recipe with one task that writes in the live release, run as a user without privileges.
fn writes_in_the_live_release(test: Test, command: &str) -> Test {
    let test = test.source("index", "one").unprivileged();
    test.deploy();
    let test = test.source("other", "x");
    test.deploy();
    test.recipe(&format!(
        r#"task("reload", |host| host.run("{command}")); task("alone", |host| host.run("{command}")); flow("work", ["lock", "alone"]);"#
    ))
}

#[test]
fn what_a_command_writes_in_the_live_release_changes_no_release() {
    let test = writes_in_the_live_release(Test::new(), "echo X >index");
    let live = test.live("site");
    let before = tree(&test.path("site/releases"));
    test.ends(1, &["alone"]).says("Permission denied");
    same(&tree(&test.path("site/releases")), &before);
    test.ends(1, &[]).says("task `reload` failed");
    assert_eq!(test.live("site"), live);
    for name in test.releases("site") {
        assert_eq!(test.read(format!("site/releases/{name}/index")), "one", "{name}");
    }
}

/// As WordPress' `copy_dir` writes a file: `copy()`, then `chmod` and `copy()` again.
const COPY_DIR: &str = "cp ../../../new index 2>/dev/null || { chmod 644 index; cp ../../../new index; }";

/// Two releases that share `index`, and a project whose user has no privileges.
fn two_that_share(test: Test) -> Test {
    let test = test.source("index", "one").source("sp ace", "two").unprivileged().write("new", "X");
    test.deploy();
    let test = test.source("other", "x");
    test.deploy();
    test
}

/// The other releases than the live one still have the content that was deployed.
#[track_caller]
fn only_the_live_release_has(test: &Test, file: &str, written: &str, before: &str) {
    let live = test.live("site").unwrap();
    for name in test.releases("site") {
        let want = if name == live { written } else { before };
        assert_eq!(test.read(format!("site/releases/{name}/{file}")), want, "{name}");
    }
}

#[test]
fn what_a_command_writes_in_place_after_the_swap_is_restored_in_the_other_releases() {
    everywhere(|test| {
        let test = two_that_share(test).recipe(&format!(
            r#"task("reload", |host| {{ host.run("{COPY_DIR}"); host.run("true"); }}); task("verify", |host| host.run("chmod 644 'sp ace'; echo Y >>'sp ace'"));"#
        ));
        let old = test.live("site").unwrap();
        let test = test.source("third", "x");
        let ran = test.deploy();
        ran.says(&format!(
            "warning: `localhost`: `{COPY_DIR}` wrote `index` of the live release in place; releases `"
        ));
        ran.says("`sp ace` of the live release in place")
            .says("had the same files, which were restored there");
        assert_eq!(ran.err.matches("in place").count(), 2, "{ran}");
        only_the_live_release_has(&test, "index", "X", "one");
        only_the_live_release_has(&test, "sp ace", "twoY\n", "two");
        let index = test.meta(format!("site/releases/{old}/index"));
        assert_eq!(index.mode() & 0o222, 0);
        let test = test.recipe("");
        test.ends(0, &["rollback"]).says_not("changed");
        assert_eq!(test.serves("site", "index"), "one");
    });
}

#[test]
fn what_a_task_alone_or_a_rollback_writes_in_place_is_restored_in_the_other_releases() {
    let recipe = format!(
        r#"task("alone", |host| host.run("{COPY_DIR}")); task("reads", |host| host.output("cat index")); task("harmless", |host| host.run("touch new-file; rm new-file")); task("reload", |host| if host.test("test -e ../../../rolls") {{ host.run("{COPY_DIR}"); }}); flow("work", ["lock", "reads", "harmless", "alone"]);"#
    );
    for words in ["alone", "work", "rollback"] {
        let test = two_that_share(Test::new()).recipe(&recipe);
        test.ends(0, &["harmless"]).says_not("in place");
        let test = if words == "rollback" { test.write("rolls", "") } else { test };
        test.ends(0, &[words]).says("wrote `index` of the live release in place; release `");
        only_the_live_release_has(&test, "index", "X", "one");
        assert!(!test.has("site/.runner/guard"), "{words}");
        // What was written is a change of the live release and of no other.
        test.ends(1, &["status", "--verify"]).says("was changed after it was deployed: `index`");
    }
}

#[test]
fn what_cannot_be_restored_is_named_with_its_releases() {
    let recipe = format!(r#"task("alone", |host| host.run("{COPY_DIR}")); flow("work", ["lock", "alone"]);"#);
    let test = two_that_share(Test::new()).recipe(&recipe);
    let [old, live] = [0, 1].map(|n| test.releases("site")[n].clone());
    // The source has moved on, and this machine has forgotten the manifest.
    let test = test.source("index", "three").remove("cache");
    let ran = test.ends(0, &["alone"]);
    ran.says(&format!(
        "this changed `index` in release `{old}`, too, since the original is not in the source"
    ));
    ran.says("a rollback refuses");
    assert_eq!(test.live("site"), Some(live));
    test.ends(1, &["rollback"]).says("was changed after it was deployed: `index`");
}

#[test]
fn what_a_task_alone_of_a_dead_run_wrote_is_not_gone_back_to() {
    let test = two_that_share(Test::new());
    let mut gate = Gate::new(&test, "gate");
    let recipe = format!("task(\"alone\", |host| host.run(`{COPY_DIR}; {}`));\n", gate.text());
    let test = test.shell("chmod 666 gate/*").recipe(&recipe);
    let run = Running::start(&test, "tester", &["alone"]);
    gate.is_reached(1, &run);
    run.dies();
    gate.opens(1);
    let before = test.releases("site");
    let test = test.recipe("");
    let ran = test.ends(0, &["--wait"]);
    ran.says("warning").says("in place").says(&before[0]).says(&before[1]);
    test.serves_the_source("site");
    test.ends(1, &["rollback"]);
    test.serves_the_source("site");
}

#[test]
fn what_releases_do_not_share_may_be_written_after_the_swap() {
    let recipe = format!(
        r#"set("copy", "copy"); task("reload", |host| host.run("{COPY_DIR}; echo x >gen")); add("generated", ["gen"]);"#
    );
    let test = two_that_share(Test::new().recipe(r#"set("copy", "copy"); add("generated", ["gen"]);"#))
        .recipe(&recipe);
    test.deploy().says_not("in place");
    only_the_live_release_has(&test, "index", "X", "one");
}

#[test]
fn no_file_that_releases_share_can_be_written_and_nothing_else_is_sealed() {
    let test = Test::new()
        .toml("[settings]\nsource = \"source\"\nwritable = [\"var/\"]\ngenerated = [\"gen/\"]\nshared = [\"up/\"]\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n")
        .source("index", "x")
        .source("bin/tool", "x")
        .source("spare\nname", "x")
        .source("var/log", "x")
        .source("gen/cache", "x")
        .source("up/photo", "x")
        .mode("source/bin/tool", 0o775)
        .mode("source/index", 0o666);
    for _ in 0..2 {
        test.deploy().says_not("warning");
        let mode = |path: &str| test.meta(format!("{}/{path}", test.current())).mode() & 0o7777;
        assert_eq!([mode("index"), mode("bin/tool"), mode("spare\nname")], [0o444, 0o555, 0o444]);
        assert_eq!([mode("var/log") & 0o200, mode("gen/cache") & 0o200], [0o200; 2]);
        assert_eq!(test.meta("site/shared/up/photo").mode() & 0o200, 0o200);
    }
}

#[test]
fn a_site_of_an_earlier_version_is_sealed_and_nothing_of_it_is_called_edited_or_sent_anew() {
    everywhere(|test| {
        let test = test.source("index", "x").source("a b/-x", "x").source("spare\nname", "x");
        test.deploy();
        test.deploy();
        let test = test.shell("find site/releases -type f -exec chmod 664 {} +; chmod 755 site/.runner; rm -f site/.runner/site");
        test.ends(0, &["rollback"]).says_not("changed");
        let test = test.shell("find site/releases -type f -exec chmod u+w {} +");
        test.deploy().says_not("warning").says_not("changed").says("0 of 3 files unpacked");
        for name in test.releases("site") {
            assert_eq!(test.meta(format!("site/releases/{name}/index")).mode() & 0o222, 0, "{name}");
        }
        test.ends(0, &["--set", "copy=copy"]).says_not("warning");
        test.deploy().says_not("warning").says("0 of 3 files unpacked");
    });
}

/// As WordPress updates itself: `copy()`, then `chmod` and `copy()` again.
#[test]
fn an_application_that_may_change_its_own_code_changes_one_release() {
    let test = Test::new().source("index", "one").unprivileged();
    let test = test.recipe(r#"set("copy", "copy"); task("update", |host| host.run("cp /etc/hostname index || { chmod 644 index; cp /etc/hostname index; }")); flow("work", ["lock", "update"]);"#);
    test.deploy();
    let old = test.current();
    let test = test.source("other", "x");
    test.deploy();
    test.ends(0, &["update"]);
    assert_eq!(test.read(format!("{old}/index")), "one");
    assert_ne!(test.serves("site", "index"), "one");
    test.ends(0, &["rollback"]);
    assert_eq!(test.serves("site", "index"), "one");
}
