//! Sites that were laid out by another tool or by hand: taken over as they are, or refused with a way forward.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;

use support::files::{files, same, stamps};
use support::userland::everywhere;
use support::{Test, tree};

fn capistrano(test: Test) -> Test {
    test.shell(
        r#"mkdir -p site/releases/20200101000000/public site/releases/20210101000000/public site/repo site/shared/config
        echo old >site/releases/20200101000000/index; echo live >site/releases/20210101000000/index
        echo css >site/releases/20210101000000/public/app.css; echo deadbeef >site/releases/20210101000000/REVISION
        echo secret >site/shared/config/db.yml; mkdir site/releases/20210101000000/config
        ln -s "$PWD/site/shared/config/db.yml" site/releases/20210101000000/config/db.yml
        echo HEAD >site/repo/HEAD; echo log >site/revisions.log
        ln -s "$PWD/site/releases/20210101000000" site/current"#,
    )
    .source("index", "new")
    .source("public/app.css", "css\n")
}

fn deployer(test: Test) -> Test {
    test.shell(
        r#"mkdir -p site/releases/1 site/releases/2 site/releases/3 site/.dep site/shared/storage
        for n in 1 2 3; do echo $n >site/releases/$n/index; done; echo x >site/.dep/latest_release
        ln -s ../../shared/storage site/releases/2/storage
        ln -s releases/2 site/current; ln -s releases/3 site/release"#,
    )
    .source("index", "new")
}

/// Deploys on a site of another tool, and rolls back to what it served.
fn taken_over(test: &Test, live: &str, left_alone: &[&str], index: &str) {
    let old = tree(&test.path("site"));
    let before = stamps(&test.path("site"));
    let ran = test.deploy();
    ran.says("adopted").says(&format!("`{live}`"));
    for name in left_alone {
        ran.says(name);
    }
    assert_eq!(test.serves("site", "index"), "new");
    // All that was there is there still, byte for byte, inode for inode.
    let after = stamps(&test.path("site"));
    for path in old.keys().filter(|path| path.as_slice() != b"current") {
        assert_eq!(after.get(path), before.get(path), "{}", path.escape_ascii());
    }
    for path in files(&test.path("site/current/")) {
        let file = support::files::below(&test.path("site/current"), &path);
        assert_eq!(fs::metadata(&file).unwrap().nlink(), 1, "{}", file.display());
    }
    test.ends(0, &["rollback"]).says(&format!("serves {live}"));
    assert_eq!(test.serves("site", "index"), format!("{index}\n"));
    assert_eq!(test.live("site").as_deref(), Some(live));
    // From here on it is a site like any other.
    test.deploy().says_not("adopted").says_not("warning");
    test.deploy().says_not("warning").says("0 of ");
    for name in left_alone {
        assert!(test.path("site/releases").join(name).is_dir(), "{name}");
    }
}

#[test]
fn a_site_of_capistrano_is_taken_over() {
    everywhere(|test| taken_over(&capistrano(test), "20210101000000", &["20200101000000"], "live"));
}

#[test]
fn a_site_of_deployer_is_taken_over() {
    everywhere(|test| taken_over(&deployer(test), "2", &["1", "3"], "2"));
}

#[test]
fn a_site_laid_out_by_hand_is_taken_over() {
    everywhere(|test| {
        let test = test
            .shell(
                r#"mkdir -p "site/releases/my site v1.0" "site/releases/it's -x" site/releases/.hidden
                echo mine >"site/releases/my site v1.0/index"; ln -s "releases/my site v1.0/" site/current"#,
            )
            .source("index", "new");
        taken_over(&test, "my site v1.0", &["it's -x", ".hidden"], "mine");
    });
}

#[test]
fn what_the_old_tool_shared_can_be_shared_on() {
    everywhere(|test| {
        let test = capistrano(test).toml(
            "[settings]\nsource = \"source\"\nshared = [\"config/db.yml\"]\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n",
        );
        test.deploy();
        assert_eq!(test.serves("site", "config/db.yml"), "secret\n");
        let link = fs::read_link(test.path("site/current/config/db.yml")).unwrap();
        assert_eq!(link.to_str(), Some("../../../shared/config/db.yml"));
    });
}

#[test]
fn a_link_that_the_old_tool_made_into_shared_is_kept_while_nobody_says_otherwise() {
    everywhere(|test| {
        let test = deployer(test);
        for _ in 0..3 {
            test.deploy();
            assert!(test.path("site/current/storage/").is_dir());
        }
    });
}

/// A project of one local stage with such settings.
fn with(test: Test, settings: &str) -> Test {
    test.toml(&format!(
        "[settings]\nsource = \"source\"\n{settings}\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n"
    ))
}

#[test]
fn a_link_of_the_old_tool_is_kept_whatever_the_strategy() {
    everywhere(|test| {
        let test = capistrano(test);
        for _ in 0..3 {
            test.ends(0, &["--set", "strategy=cache"]).says_not("lacks");
            assert_eq!(test.serves("site", "config/db.yml"), "secret\n");
        }
    });
}

#[test]
fn a_link_of_the_old_tool_is_not_lost_to_what_the_source_has_in_its_place() {
    for strategy in ["copy-previous", "cache"] {
        everywhere(|test| {
            let set = format!("strategy = \"{strategy}\"");
            let test = with(deployer(test), &set).write("site/shared/storage/photo", "mine");
            let test = test.source("storage/.keep", "");
            let words = "release `2` has links into `shared/` that the new release lacks: `storage/`";
            let line = "shared.add = [\"storage/\"]";
            test.ends(0, &["--plan"]).says(&format!("a deploy would fail: {words}")).says(line);
            test.ends(1, &[]).says(words).says(line).says("allow_unlinked=true").says("serves 2");
            let test = with(test, &format!("{set}\nshared = [\"logs/\"]"));
            test.ends(1, &[]).says("shared = [\"logs/\", \"storage/\"]");
            // The line works as it is.
            let test = with(test, &format!("{set}\nshared = [\"logs/\", \"storage/\"]"));
            test.deploy().says_not("lacks");
            assert_eq!(test.serves("site", "storage/photo"), "mine");
        });
    }
}

#[test]
fn a_link_of_the_old_tool_can_be_given_up_on_purpose() {
    let test = deployer(Test::new()).source("storage/.keep", "");
    test.ends(1, &[]);
    test.ends(0, &["--set", "allow_unlinked=true"]).says("as `allow_unlinked` allows");
    assert!(test.has("site/current/storage/.keep") && test.has("site/shared/storage"));
    test.deploy().says_not("lacks");
}

#[test]
fn a_link_of_the_old_tool_is_not_lost_later_either() {
    for strategy in ["copy-previous", "cache"] {
        everywhere(|test| {
            let test = with(deployer(test), &format!("strategy = \"{strategy}\""));
            let test = test.write("site/shared/storage/photo", "mine");
            for _ in 0..2 {
                test.deploy();
                assert_eq!(test.serves("site", "storage/photo"), "mine");
            }
            let test = test.source("storage/.keep", "");
            test.ends(1, &[])
                .says("that the new release lacks: `storage/`")
                .says("shared.add = [\"storage/\"]");
            assert_eq!(test.serves("site", "storage/photo"), "mine");
        });
    }
}

#[test]
fn a_link_of_the_old_tool_whose_parts_are_shared_is_only_named() {
    everywhere(|test| {
        let test = with(deployer(test), "shared = [\"storage/app/\", \"storage/logs/\"]");
        let test = test.write("site/shared/storage/app/photo", "mine");
        test.deploy().says("lacks: `storage/`; only what the setting `shared` lists below is linked");
        assert_eq!(test.serves("site", "storage/app/photo"), "mine");
        test.deploy().says_not("lacks");
    });
}

#[test]
fn a_link_to_another_place_is_no_link_into_shared() {
    let test = deployer(Test::new())
        .shell("cd site/releases/2; ln -s ../../../other/shared/x x; ln -s lib/shared y");
    let test = test.source("x/a", "x").source("y/a", "x");
    test.deploy().says_not("lacks");
}

#[test]
fn a_failed_first_deploy_leaves_the_old_site_as_it_was() {
    everywhere(|test| {
        let test = capistrano(test).recipe(r#"task("verify", |host| fail("no"));"#);
        let before = stamps(&test.path("site"));
        test.ends(1, &[]).says("serves 20210101000000");
        let after = stamps(&test.path("site"));
        for (path, what) in &before {
            // The link is a new one that says the same.
            if path != b"current" {
                assert_eq!(after.get(path), Some(what), "{}", path.escape_ascii());
            }
        }
        assert_eq!(tree(&test.path("site"))[&b"current"[..]], {
            let target = test.path("site/releases/20210101000000");
            format!("link to {target:?}")
        });
    });
}

#[test]
fn an_adopted_release_is_pruned_when_its_time_has_come() {
    let test = deployer(Test::new());
    for _ in 0..3 {
        test.ends(0, &["--set", "keep_releases=2"]);
    }
    assert!(!test.has("site/releases/2") && test.has("site/releases/1") && test.has("site/releases/3"));
}

/// A site that cannot be deployed to as it is: nothing in it changes.
#[track_caller]
fn refused(test: &Test, words: &[&str]) {
    fs::write(test.path("source/index"), "new").unwrap();
    let before = stamps(&test.path("site"));
    let ran = test.ends(1, &[]);
    for word in words.iter().chain(&["hint:"]) {
        ran.says(word);
    }
    same(&stamps(&test.path("site")), &before);
}

/// `tests/adopt_verb.rs` goes the way forward.
#[test]
fn a_current_that_is_a_directory_is_refused() {
    everywhere(|test| {
        let test = test.write("site/current/index", "live");
        refused(
            &test,
            &[
                "is a directory",
                "`runner adopt` makes it the first release",
                "what it serves could not be read",
            ],
        );
    });
}

#[test]
fn a_current_that_is_a_file_is_refused() {
    everywhere(|test| {
        refused(&test.write("site/current", "x"), &["is a file"]);
    });
}

#[test]
fn a_current_that_leads_elsewhere_is_refused() {
    everywhere(|test| {
        let test = test.write("elsewhere/index", "x").shell("mkdir site; ln -s ../elsewhere site/current");
        refused(&test, &["elsewhere", "not under `releases/`"]);
    });
    everywhere(|test| {
        let test = test.write("site/releases/1/public/index", "x").link("releases/1/public", "site/current");
        refused(&test, &["releases/1/public"]);
    });
}

#[test]
fn a_current_that_leads_to_nothing_is_replaced_and_put_back_by_a_failure() {
    everywhere(|test| {
        let test = test.shell("mkdir site; ln -s releases/gone site/current").source("index", "new");
        let test =
            test.recipe(r#"task("verify", |host| { if host.test("test -e ../../fail") { fail("no"); } });"#);
        let test = test.write("site/fail", "");
        test.ends(1, &[]).says("points to nothing").says("serves nothing");
        assert_eq!(fs::read_link(test.path("site/current")).unwrap().to_str(), Some("releases/gone"));
        let test = test.remove("site/fail");
        test.deploy().says("points to nothing");
        assert_eq!(test.serves("site", "index"), "new");
    });
}

#[test]
fn a_releases_directory_that_is_a_link_is_followed() {
    let test = Test::new().shell(
        "mkdir -p disk/releases/1 site; echo live >disk/releases/1/index; ln -s ../disk/releases site/releases; ln -s releases/1 site/current",
    );
    let test = test.source("index", "new");
    test.deploy().says("adopted `1`");
    test.ends(0, &["rollback"]);
    assert_eq!(test.serves("site", "index"), "live\n");
}

#[test]
fn a_plan_tells_what_would_be_adopted_and_does_not_adopt_it() {
    let test = capistrano(Test::new());
    let before = tree(&test.path("site"));
    test.ends(0, &["--plan"]).says("adopt `20210101000000`, which is live").says_not("adopted");
    assert_eq!(tree(&test.path("site")), before);
}

#[test]
fn a_plan_of_an_adopted_site_knows_that_its_own_files_become_shared() {
    let toml = "[settings]\nsource = \"source\"\nshared = [\".env\", \"missing.ini\"]\n[stage.local]\npath = \"site\"\n\
                transport = \"local\"\n";
    let test = Test::new().source("a", "1").toml(toml).write("site/releases/1/.env", "secret");
    let test = test.link("releases/1", "site/current");
    test.ends(0, &["--plan"])
        .says("`shared/missing.ini` is missing: a deploy would fail")
        .says_not("`shared/.env` is missing");
    test.ends(1, &["doctor"])
        .says("looked at the source and the free space, `shared/.env`, `shared/missing.ini`")
        .says("site/shared/missing.ini` not found: a deployment would fail")
        .says_not("shared/.env` not found");
    test.ends(1, &[]).says("missing.ini");
    test.write("site/shared/missing.ini", "x").deploy();
}

/// Beside those of settings, those that tasks have as constant texts, whoever runs them.
#[test]
fn the_doctor_finds_a_command_that_sudo_refuses() {
    let toml = "[settings]\nsource = \"source\"\nrevert_command = \"sudo -n systemctl reload none\"\n[stage.local]\n\
                path = \"site\"\ntransport = \"local\"\n";
    let recipe = r#"
        task("reload", |host| host.run("sudo systemctl reload app"));
        task("verify", |host| if host.test("sudo -n may do") { host.run("sudo -n x y", #{ user: "other" }) });
        task("build", || local("sudo -n here"));
    "#;
    let sudo = "#!/bin/sh\n[ \"$*\" = '-n -l may do' ]\n";
    let test = Test::new().source("a", "1").toml(toml).recipe(recipe).write("bin/sudo", sudo);
    let test = test.mode("bin/sudo", 0o755);
    let path = format!("{}:/usr/bin:/bin", test.path("bin").display());
    test.env("PATH", &path)
        .ends(1, &["doctor"])
        .says("2 problems found")
        .says("`sudo -n systemctl reload none` would fail")
        .says("/systemctl reload none")
        .says("`sudo systemctl reload app` would fail")
        .says(" ALL=(root) NOPASSWD: /")
        .says("`sudo -n may do`")
        .says_not("x y")
        .says_not("here");
}

#[test]
fn the_doctor_runs_nothing_of_a_command_that_it_looks_at() {
    for command in [
        "sudo -n true && touch ran",
        "sudo -n true; touch ran",
        "sudo -n true $(touch ran)",
        "sudo -n true\ntouch ran",
    ] {
        let toml = format!(
            "[settings]\nsource = \"source\"\nrevert_command = {command:?}\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n"
        );
        let test = Test::new()
            .source("a", "1")
            .toml(&toml)
            .write("bin/sudo", "#!/bin/sh\nexit 0\n")
            .mode("bin/sudo", 0o755);
        let marker = format!("{}/ran", test.root().display());
        let test = test.toml(&toml.replace("touch ran", &format!("touch {marker}")));
        let path = format!("{}:/usr/bin:/bin", test.path("bin").display());
        let test = test.env("PATH", &path);
        test.ends(0, &["doctor"]);
        assert!(!test.has("ran"), "{command}");
    }
}

#[test]
fn only_what_a_setting_names_is_copied_from_a_release_of_another_tool() {
    everywhere(|test| {
        let test = capistrano(test)
            .toml(
                "[settings]\nsource = \"source\"\nwritable = [\"var/\"]\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n",
            )
            .shell(
                "cd site/releases/20210101000000; mkdir -p admin var; echo x >admin/install.php; echo x >runner.toml
                 echo x >public/old.php; echo kept >var/cache; echo x >\"odd name\"",
            );
        let says = "not copied from `20210101000000`, which `runner` did not make: `REVISION`, `admin/`, `odd name`, `public/old.php`, `runner.toml`;";
        test.ends(0, &["--plan"]).says(says);
        test.deploy().says(says);
        for gone in ["admin", "REVISION", "runner.toml", "public/old.php", "odd name"] {
            assert!(!test.has(format!("site/current/{gone}")), "{gone}");
        }
        assert_eq!(test.serves("site", "var/cache"), "kept\n");
        // What the old tool linked into `shared/` goes on working.
        assert_eq!(test.serves("site", "config/db.yml"), "secret\n");
        test.deploy().says_not("not copied");
        test.ends(0, &["--set", "strategy=cache"]).says_not("not copied");
    });
}

#[test]
fn a_release_of_another_tool_is_not_the_source_of_what_a_cache_lacks() {
    let test = deployer(Test::new()).write("site/releases/2/admin/install.php", "x");
    test.ends(0, &["--set", "strategy=cache"])
        .says("not copied from `2`, which `runner` did not make: `admin/`;");
    assert!(!test.has("site/current/admin"));
}
