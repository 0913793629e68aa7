//! The way back: which releases are kept, where a rollback leads, and what a failure leaves.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use support::files::{chmod, same};
use support::userland::everywhere;
use support::{FLOW, Test, tree};

/// Deploys versions `1` to `n` of `index` and answers their names.
fn deployed(test: &Test, n: usize) -> Vec<String> {
    (1..=n)
        .map(|version| {
            fs::write(test.path("source/index"), version.to_string()).unwrap();
            test.ends(0, &["--set", "keep_releases=10"]);
            test.live("site").unwrap()
        })
        .collect()
}

/// All of a site but what only grows.
fn site(test: &Test) -> BTreeMap<Vec<u8>, String> {
    let mut all = tree(&test.path("site"));
    all.remove(&b".runner/history"[..]);
    all
}

#[test]
fn the_newest_releases_are_kept_with_their_records_and_manifests() {
    everywhere(|test| {
        let names = deployed(&test, 6);
        test.ends(0, &["--set", "keep_releases=2"]);
        let live = test.live("site").unwrap();
        let kept = vec![names[5].clone(), live];
        assert_eq!(test.releases("site"), kept);
        for place in ["site/.runner/records", "site/.runner/manifests"] {
            let mut files: Vec<String> = fs::read_dir(test.path(place))
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            assert_eq!(files, kept, "{place}");
        }
        let left = fs::read_dir(test.path("site/.runner")).unwrap();
        assert!(
            left.map(|file| file.unwrap().file_name())
                .all(|name| !name.to_string_lossy().starts_with("trash"))
        );
        test.ends(0, &["--set", "keep_releases=1"]);
        assert_eq!(test.releases("site").len(), 1);
    });
}

#[test]
fn failed_and_bad_releases_do_not_count_and_go() {
    everywhere(|test| {
        let test =
            test.recipe(r#"task("verify", |host| { if host.test("test -e fail") { fail("not well"); } });"#);
        let names = deployed(&test, 3);
        let test = test.source("fail", "");
        for _ in 0..3 {
            test.ends(1, &["--set", "keep_releases=10"]);
        }
        let failed: Vec<String> = test.releases("site").split_off(3);
        assert!(failed.iter().all(|name| test.record("site", name)["state"] == "failed"), "{failed:?}");
        assert_eq!(test.live("site").as_ref(), Some(&names[2]));
        let test = test.remove("source/fail");
        test.ends(0, &["rollback"]);
        test.ends(0, &["--set", "keep_releases=2"]);
        assert_eq!(test.releases("site"), [names[1].clone(), test.live("site").unwrap()]);
        // Two are kept, so there is one to go back to.
        test.ends(0, &["rollback"]);
        assert_eq!(test.live("site").as_ref(), Some(&names[1]));
    });
}

#[test]
fn the_live_release_is_never_pruned_however_old() {
    everywhere(|test| {
        let test =
            test.recipe(r#"task("tidy", |host| { host.prune(1); }); flow("clean", ["lock", "tidy"]);"#);
        let names = deployed(&test, 4);
        test.ends(0, &["rollback", "--release", &names[0]]);
        test.ends(0, &["clean"]);
        assert!(test.releases("site").contains(&names[0]));
        assert_eq!(test.serves("site", "index"), "1");
        test.deploy();
        assert_eq!(test.serves("site", "index"), "4");
        // Marked bad, the last one was no base; the deploy started from the live one.
        test.ends(0, &["rollback"]);
        test.live("site").unwrap();
    });
}

#[test]
fn releases_with_read_only_directories_are_pruned() {
    everywhere(|test| {
        let test = test
            .source("index", "x")
            .source("a/b/c", "x")
            .recipe(r#"task("prepare", |host| host.run("mkdir -p left/x/y; echo x >left/x/y/z; chmod 000 left/x/y; chmod 555 left/x left a/b a .; rm -f nothing"));"#)
            .unprivileged();
        for _ in 0..4 {
            test.ends(0, &["--set", "keep_releases=1", "--set", "generated=[\"left\"]"])
                .says_not("could not completely remove");
        }
        assert_eq!(test.releases("site").len(), 1);
        for dir in ["", "left", "left/x", "left/x/y", "a", "a/b"] {
            chmod(&test.path("site/current").join(dir), 0o755);
        }
    });
}

#[test]
fn a_release_that_cannot_be_removed_is_a_warning() {
    let test = Test::new().source("index", "x").unprivileged();
    test.deploy();
    // Another user's directory, which we may not write; as root's tools know no such thing, only root can make one.
    assert!(
        rustix::process::geteuid().is_root(),
        "only root can make what is another's: run this test as root"
    );
    let first = test.current();
    let test = test.shell(&format!(
        "mkdir {first}/web; echo x >{first}/web/x; chown -R 1:1 {first}/web; chmod 755 {first}/web"
    ));
    let ran = test.ends(0, &["--set", "keep_releases=1"]);
    ran.says("warning:").says("could not completely remove");
    assert_eq!(test.releases("site").len(), 1);
    test.ends(0, &["--set", "keep_releases=1"]).says("warning:");
    assert_eq!(test.releases("site").len(), 1);
}

#[test]
fn a_rollback_walks_back_one_release_at_a_time_and_marks_what_it_leaves() {
    everywhere(|test| {
        let names = deployed(&test, 3);
        test.ends(0, &["rollback"]).says(&format!("serves {}", names[1]));
        assert_eq!(test.serves("site", "index"), "2");
        assert_eq!(test.record("site", &names[2])["state"], "bad");
        test.ends(0, &["rollback"]);
        assert_eq!(test.serves("site", "index"), "1");
        assert_eq!(test.record("site", &names[1])["state"], "bad");
        let before = site(&test);
        test.ends(1, &["rollback"]).says("no earlier complete release").says(&format!("serves {}", names[0]));
        same(&site(&test), &before);
    });
}

#[test]
fn a_rollback_leads_to_the_release_that_is_asked_for() {
    everywhere(|test| {
        let names = deployed(&test, 4);
        test.ends(0, &["rollback", "--release", &names[1]]);
        assert_eq!(test.serves("site", "index"), "2");
        let before = site(&test);
        // Being served, unknown.
        test.ends(1, &["rollback", "--release", &names[1]]).says("already");
        test.ends(1, &["rollback", "--release", "20010101000000"]).says("does not exist").says(&names[0]);
        same(&site(&test), &before);
        // Forward again is a way as well.
        test.ends(0, &["rollback", "--release", &names[2]]);
        assert_eq!(test.serves("site", "index"), "3");
    });
}

#[test]
fn a_rollback_goes_to_what_was_live_before_not_to_what_an_earlier_one_skipped() {
    let test = Test::new();
    let names = deployed(&test, 4);
    test.ends(0, &["rollback", "--release", &names[1]]).says_not("is newer");
    let test = test.source("index", "5");
    test.ends(0, &["--set", "keep_releases=10"]);
    // The same is said of what a rollback would do.
    let skips = format!("`{}` was live before; `{}` is newer, but was last live earlier", names[1], names[2]);
    test.ends(0, &["rollback", "--plan"]).says(&skips);
    test.ends(0, &["rollback"]).says(&skips);
    assert_eq!(test.serves("site", "index"), "2");
    // From there it goes on to older ones.
    test.ends(0, &["rollback"]).says_not("is newer");
    assert_eq!(test.serves("site", "index"), "1");
    // What was live before is kept, however old.
    test.ends(0, &["--set", "keep_releases=2"]);
    test.ends(0, &["rollback"]);
    assert_eq!(test.live("site").as_ref(), Some(&names[0]));
}

#[test]
fn a_rollback_that_failed_is_none() {
    let recipe = r#"task("verify", |host| { if host.test("test -e ../../fail") { fail("no"); } });"#;
    let test = Test::new().recipe(recipe);
    let names = deployed(&test, 3);
    let test = test.write("site/fail", "");
    test.ends(1, &["rollback", "--release", &names[0]]);
    let test = test.remove("site/fail");
    test.ends(0, &["rollback"]).says_not("is newer");
    assert_eq!(test.live("site").as_ref(), Some(&names[1]));
}

#[test]
fn a_failed_release_is_no_way_back() {
    let test =
        Test::new().recipe(r#"task("verify", |host| { if host.test("test -e fail") { fail("no"); } });"#);
    let names = deployed(&test, 2);
    let test = test.source("fail", "");
    test.ends(1, &[]);
    let failed = test.releases("site").pop().unwrap();
    test.ends(1, &["rollback", "--release", &failed]).says("is failed").says(&names[0]);
    assert_eq!(test.live("site").as_ref(), Some(&names[1]));
}

#[test]
fn without_anything_to_go_back_to_a_rollback_fails_and_changes_nothing() {
    let test = Test::new().source("index", "x");
    test.ends(1, &["rollback"]).says("deploy first");
    test.deploy();
    let before = site(&test);
    test.ends(1, &["rollback"]).says("no earlier complete release");
    same(&site(&test), &before);
}

#[test]
fn a_rollback_needs_no_source_and_sends_nothing() {
    everywhere(|test| {
        let names = deployed(&test, 3);
        let test = test.remove("source").remove("cache");
        test.ends(0, &["rollback"]).says_not("unpacked");
        test.ends(0, &["rollback", "--release", &names[0]]).says_not("unpacked");
        assert_eq!(test.serves("site", "index"), "1");
        assert!(!test.has("cache"));
    });
}

#[test]
fn a_deploy_after_a_rollback_starts_from_the_live_release() {
    everywhere(|test| {
        let test = test.source("big", "the same in all");
        deployed(&test, 3);
        let test = test.write("site/current/left", "by a command of the bad one");
        test.ends(0, &["rollback"]);
        let test = test.write("site/current/kept", "by a command of the live one").source("index", "2");
        test.deploy().says("0 of 2 files unpacked").says_not("warning");
        assert!(test.has("site/current/kept") && !test.has("site/current/left"));
        test.ends(0, &["rollback"]);
        assert_eq!(test.serves("site", "index"), "2");
    });
}

#[test]
fn a_failing_rollback_goes_back_to_where_it_was() {
    let test = Test::new()
        .recipe(r#"task("verify", |host| { if host.test("test -e ../../fail") { fail("no"); } });"#);
    let names = deployed(&test, 2);
    let test = test.write("site/fail", "");
    let before = site(&test);
    test.ends(1, &["rollback"]).says(&format!("serves {}", names[1]));
    same(&site(&test), &before);
}

/// Three hosts that have deployed 1, then 2; then `bad` have missed 3, which the others serve.
fn apart(bad: &str) -> (Test, Vec<String>) {
    let mut test = Test::with_sites(3);
    let mut names = Vec::new();
    for version in ["1", "2", "3"] {
        let recipe =
            format!("task(\"preflight\", |host| {{ if host.name in {bad} {{ host.fail(\"away\"); }} }});");
        test = test.source("index", version).recipe(if version == "3" { &recipe } else { "" });
        test.ends(0, &["--set", "on_host_failure=continue", "--set", "keep_releases=9"]);
        let live = (1..=3).filter_map(|n| test.live(&format!("sites/h{n}"))).max();
        names.extend(live);
    }
    (test.recipe(""), names)
}

fn all_serve(test: &Test, version: &str) {
    for n in 1..=3 {
        assert_eq!(test.serves(&format!("sites/h{n}"), "index"), version, "h{n}");
    }
}

#[test]
fn hosts_that_are_apart_are_not_rolled_back_without_a_word_where_to() {
    let (test, names) = apart("[\"h1\"]");
    let ran = test.ends(1, &["rollback"]);
    ran.says("the hosts serve different releases");
    ran.says(&format!("`h1` serves `{}`", names[1])).says(&format!("`h2`, `h3` serve `{}`", names[2]));
    ran.says(&format!("hint: `runner rollback --release {}` makes all hosts serve that release", names[1]));
    ran.says("`--set allow_apart=true`").says(&format!("h2 serves {}", names[2]));
    assert_eq!(ran.err.matches("hint:").count(), 1, "{ran}");
    // By name: the one that serves it already stays as it is, and what the others leave is bad.
    test.ends(0, &["rollback", "--release", &names[1]]).says(&format!("h1 serves {}", names[1]));
    all_serve(&test, "2");
    assert_eq!(test.record("sites/h2", &names[2])["state"], "bad");
    assert_eq!(test.record("sites/h1", &names[1])["state"], "complete");
    test.ends(1, &["rollback", "--release", &names[1]]).says("is already live on all hosts");
    test.ends(0, &["rollback"]);
    all_serve(&test, "1");
}

#[test]
fn hosts_that_are_apart_go_back_to_what_is_older_than_all_when_that_is_asked_for() {
    let (test, names) = apart("[\"h1\", \"h3\"]");
    test.ends(0, &["rollback", "--set", "allow_apart=true"]).says(&format!("h2 serves {}", names[0]));
    all_serve(&test, "1");
    test.ends(2, &["rollback", "--set", "allow_apart=7"]).says("must be true or false");
}

#[test]
fn a_rollback_that_fails_takes_hosts_that_were_apart_to_where_each_was() {
    let (test, names) = apart("[\"h1\"]");
    let test = test.recipe("task(\"verify\", |host| { if host.name == \"h1\" { host.fail(\"no\"); } });");
    test.ends(1, &["rollback", "--release", &names[1]]).says("task `verify` failed on `h1`");
    let live: Vec<_> = (1..=3).map(|n| test.live(&format!("sites/h{n}")).unwrap()).collect();
    assert_eq!(live, [&names[1], &names[2], &names[2]].map(String::clone));
}

#[test]
fn the_way_back_is_one_that_all_hosts_have() {
    let (test, names) = apart("[]");
    // The second release is gone on one host.
    let test = test.remove(&format!("sites/h2/releases/{}", names[1]));
    test.ends(0, &["rollback"]).says(&format!("h1 serves {}", names[0]));
    all_serve(&test, "1");
    let before: Vec<_> = (1..=3).map(|n| tree(&test.path(format!("sites/h{n}/releases")))).collect();
    test.ends(1, &["rollback"])
        .says("no earlier complete release to roll back to")
        .says("`h1`, `h2`, `h3` have no earlier");
    for (n, before) in (1..=3).zip(&before) {
        same(&tree(&test.path(format!("sites/h{n}/releases"))), before);
    }
}

#[test]
fn a_deploy_says_when_it_leaves_no_way_back() {
    let test = Test::with_sites(2).source("index", "1");
    test.deploy().says("there is nothing to roll back to: `h1`, `h2` have no earlier complete release");
    test.deploy().says_not("nothing to roll back to");
    test.ends(0, &["--set", "keep_releases=1"]).says("nothing to roll back to");
    test.deploy().says_not("nothing to roll back to");
    // A rollback leaves where it is.
    test.ends(0, &["rollback"]).says_not("nothing to roll back to");
    test.ends(0, &["--plan"]).says_not("nothing to roll back to");
    let (test, names) = apart("[\"h1\"]");
    let test = test.remove(&format!("sites/h2/releases/{}", names[0]));
    let test = test.remove(&format!("sites/h2/releases/{}", names[1]));
    let recipe = "task(\"preflight\", |host| { if host.name == \"h3\" { host.fail(\"away\"); } });";
    test.recipe(recipe)
        .ends(0, &["--set", "on_host_failure=continue", "--set", "keep_releases=9"])
        .says("there is nothing to roll back to: the hosts have no earlier complete release in common");
}

#[test]
fn a_failing_task_at_each_position_leaves_what_was_before() {
    // All but the first and the last.
    let tasks = &FLOW[1..13];
    everywhere(|test| {
        let settings = "[settings]\nsource = \"source\"\nwritable = [\"var\"]\n";
        let stage = "[stage.local]\npath = \"site\"\ntransport = \"local\"\n";
        let test = test
            .toml(&format!("{settings}{stage}"))
            .source("dir/same", "x")
            .source("gone", "x")
            .source("index", "0");
        deployed(&test, 2);
        // Everything that a deploy can do to a site.
        let test = test
            .write("site/current/left", "x")
            .remove("source/gone")
            .source("new/file", "x")
            .source("seed/deep/x", "x")
            .source("index", "3")
            .mode("source/dir/same", 0o755)
            .toml(&format!("{settings}shared = [\"seed/deep/\", \"made/\"]\ngenerated = [\"gen\"]\n{stage}"));
        let before = site(&test);
        let live = test.live("site").unwrap();
        for &task in tasks {
            // After the task's own work, so that there is as much to undo as can be.
            let own = match task {
                "release" => "host.create_release();",
                "upload" => "host.fill(#{ strategy: host.get(\"strategy\") });",
                "share" => "host.link_shared(host.get(\"shared\")); host.writable(host.get(\"writable\"));",
                "seal" => "host.seal();",
                _ => "",
            };
            let test = Borrowed(&test);
            let recipe = match task {
                "swap" => "fn swap_all() { hosts().swap(); fail(\"on purpose\"); } task(\"swap\", swap_all);"
                    .to_owned(),
                "build" => "fn build() { fail(\"on purpose\"); } task(\"build\", build);".to_owned(),
                task => format!("task(\"{task}\", |host| {{ {own} fail(\"on purpose\"); }});"),
            };
            test.recipe(&format!(
                "{recipe} {}",
                if task == "prepare" {
                    ""
                } else {
                    "task(\"prepare\", |host| host.run(\"mkdir gen; echo x >gen/x; echo x >more\"));"
                }
            ));
            test.0.ends(1, &[]).says("on purpose").says(&format!("serves {live}"));
            let mut after = site(test.0);
            // What was served, however shortly, stays until the next prune.
            if let Some(failed) = test.0.releases("site").into_iter().find(|name| *name > live) {
                assert_eq!(test.0.record("site", &failed)["state"], "failed", "{task}");
                assert!(["swap", "reload", "verify", "watch"].contains(&task), "{task}");
                after.retain(|path, _| !String::from_utf8_lossy(path).contains(&failed));
                for place in ["records", "manifests"] {
                    fs::remove_file(test.0.path("site/.runner").join(place).join(&failed)).unwrap();
                }
                fs::remove_dir_all(test.0.path("site/releases").join(&failed)).unwrap();
            }
            same(&after, &before);
        }
    });
}

/// A test that is given another recipe in between.
struct Borrowed<'a>(&'a Test);

impl Borrowed<'_> {
    fn recipe(&self, text: &str) {
        fs::write(self.0.path("deploy.rhai"), text).unwrap();
    }
}

#[test]
fn a_directory_that_somebody_made_under_the_same_name_is_never_removed() {
    let test = Test::new().source("index", "one").recipe(
        "fn take() {
             local(`
                 now=$(date +%s)
                 for ago in $(seq 0 60); do
                     release=site/releases/$(date -u -d @$((now - ago)) +%Y%m%d%H%M%S)
                     mkdir $release && echo theirs >$release/file || exit
                 done`);
         }
         task(\"take\", take);
         after(\"release\", \"take\");",
    );
    test.ends(1, &[]).says("already exists");
    let taken = test.releases("site");
    assert_eq!(taken.len(), 61);
    for name in taken {
        assert_eq!(fs::read_to_string(test.path(format!("site/releases/{name}/file"))).unwrap(), "theirs\n");
    }
}

#[test]
fn a_large_release_is_removed_after_the_answer_and_a_prune_of_its_own_waits_for_it() {
    let test = Test::new().shell("for n in $(seq 2100); do echo \"$n\" >source/\"$n\"; done");
    let keep = ["--set", "keep_releases=1"];
    let trash = || {
        let names = fs::read_dir(test.path("site/.runner")).unwrap();
        names.filter(|name| name.as_ref().unwrap().file_name().to_string_lossy().starts_with("trash")).count()
    };
    test.ends(0, &keep);
    test.ends(0, &keep).says_not("warning");
    let limit = Instant::now() + Duration::from_secs(60);
    while trash() > 0 {
        assert!(Instant::now() < limit, "it is not removed");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(test.releases("site").len(), 1);
    test.deploy();
    test.ends(0, &["prune", "--set", "keep_releases=1"]).says_not("warning");
    assert_eq!((test.releases("site").len(), trash()), (1, 0));
}

#[test]
fn a_release_that_was_removed_by_hand_is_listed_as_gone_and_no_rollback_goes_there() {
    let mut test = Test::with_sites(2);
    for text in ["one", "two", "three"] {
        test = test.source("index", text);
        test.deploy();
    }
    let names = test.releases("sites/h1");
    fs::remove_dir_all(test.path(format!("sites/h2/releases/{}", names[1]))).unwrap();
    test.ends(0, &["releases"]).says("complete, gone");
    let told = test.ends(0, &["releases", "--json"]);
    assert_eq!(told.out.matches("\"is_gone\":true").count(), 1, "{told}");
    test.ends(1, &["rollback", "--release", &names[1]])
        .says(&format!("release `{}` is not there any more on `h2`", names[1]))
        .says(&format!("complete releases there: `{}`, `{}`", names[0], names[2]));
    assert_eq!(test.serves("sites/h1", "index"), "three");
    test.ends(0, &["rollback"]);
    assert_eq!([test.serves("sites/h1", "index"), test.serves("sites/h2", "index")], ["one", "one"]);
}

#[test]
fn a_rollback_on_a_host_without_a_complete_release_says_what_to_do() {
    let test = Test::new().source("index", "one");
    test.deploy();
    let name = test.live("site").unwrap();
    fs::remove_dir_all(test.path(format!("site/releases/{name}"))).unwrap();
    test.ends(1, &["rollback", "--release", &name]).says("is not there any more").says("deploy one");
}

/// The complete release before the live one was changed: it is refused by name, and nothing changes.
#[track_caller]
fn refused_as_changed(test: &Test, named: &str) {
    let live = test.live("site");
    let old = test.releases("site")[0].clone();
    let ran = test.ends(1, &["rollback"]);
    ran.says(&format!("release `{old}` was changed after it was deployed: {named}"));
    ran.says(&format!("rollback --release {old} --set allow_edited=true` rolls back to it anyway"));
    test.ends(1, &["rollback", "--plan"]).says("was changed after it was deployed");
    test.ends(1, &["rollback", "--release", &old]).says("was changed after it was deployed");
    assert_eq!(test.live("site"), live);
    test.ends(0, &["rollback", "--release", &old, "--set", "allow_edited=true"]).says("warning: release `");
    assert_eq!(test.live("site").as_ref(), Some(&old));
}

fn with_a_link(test: Test) -> Test {
    test.source("dir/file", "x").shell("ln -s dir source/link")
}

#[test]
fn a_release_that_was_edited_is_refused_by_name() {
    everywhere(|test| {
        let names = deployed(&test, 2);
        let test = test.shell(&format!("echo X >site/releases/{}/index", names[0]));
        refused_as_changed(&test, "`index`");
    });
}

#[test]
fn a_release_that_lost_files_or_links_is_refused_by_name() {
    let test = with_a_link(Test::new());
    let names = deployed(&test, 2);
    let test = test.shell(&format!("rm -rf site/releases/{}/*", names[0]));
    refused_as_changed(&test, "`dir`, `dir/file`, `index`, `link`");
    let test = with_a_link(Test::new());
    let names = deployed(&test, 2);
    let test = test.shell(&format!("ln -sfn /etc site/releases/{}/link", names[0]));
    refused_as_changed(&test, "`link`");
    // Without a copy of the manifest on this machine, and with the strategy `cache`.
    let test = Test::new();
    let test = test.toml("[settings]\nsource = \"source\"\nstrategy = \"cache\"\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n");
    let names = deployed(&test, 2);
    let test = test.remove("cache").shell(&format!("echo X >site/releases/{}/index", names[0]));
    refused_as_changed(&test, "`index`");
}

#[test]
fn a_release_that_was_changed_on_one_host_is_refused_on_all() {
    let test = Test::with_sites(2);
    let test = test.source("index", "1");
    test.deploy();
    let old = test.live("sites/h1").unwrap();
    let test = test.source("index", "2");
    test.deploy();
    let live = test.live("sites/h1");
    let test = test.shell(&format!("echo X >sites/h2/releases/{old}/index"));
    test.ends(1, &["rollback"]).says("on `h2`").says("was changed after it was deployed: `index`");
    assert_eq!([test.live("sites/h1"), test.live("sites/h2")], [live.clone(), live]);
}

/// Writes another text of the same length into a file of the live release, whose time stays.
fn write_unseen(test: Test, site: &str, file: &str) -> Test {
    test.shell(&format!(
        "cd {site}/current && cp -p {file} ../kept && printf X >{file} && touch -r ../kept {file} && rm -f ../kept"
    ))
}

#[test]
fn status_says_on_which_host_what_is_live_was_changed() {
    let test = Test::with_sites(2).source("index", "1").source("dir/other", "2");
    test.deploy();
    let live = test.live("sites/h1").unwrap();
    test.ends(0, &["status", "--verify"]).says("as deployed").says_not("changed");
    let test = write_unseen(test, "sites/h2", "index").shell("rm sites/h2/current/dir/other");
    test.ends(0, &["status"]).says_not("changed");
    let ran = test.ends(1, &["status", "--verify"]);
    ran.says(&format!(
        "error: `h2`: release `{live}` was changed after it was deployed: `dir/other`, `index`"
    ));
    ran.says("hint: `runner").says("as deployed").says("2 changed").says_not("error: `h1`");
    let lines = test.run(&["status", "--verify", "--json"]).out;
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["changed"], serde_json::json!([]));
    assert_eq!(lines[1]["changed"], serde_json::json!(["dir/other", "index"]));
    test.ends(2, &["releases", "--verify"]).says("`--verify` is an option of `status`");
    // A deploy whose way back it is says so, too.
    let test = test.source("index", "3");
    let ran = test.deploy();
    ran.says("`h2`: changed on the server since the last deploy: `dir/other`");
    ran.says("`rollback` will refuse to return to the changed one");
    test.ends(0, &["status", "--verify"]);
}

#[test]
fn the_doctor_compares_what_is_live() {
    let test = Test::with_sites(2).source("index", "1");
    test.ends(0, &["doctor"]).says_not("looked at the files");
    test.deploy();
    let live = test.live("sites/h1").unwrap();
    test.ends(0, &["doctor"]).says("`h2`: looked at the files of the live release");
    let test = test.shell("rm sites/h2/current/index && echo 'mine' >sites/h2/current/index");
    let ran = test.ends(1, &["doctor"]);
    ran.says("failed on `h2`: 1 problem found").says("was changed after it was deployed: `index`");
    // Where that ends a deployment, there are two.
    let ran = test.ends(1, &["doctor", "--set", "drift=fail"]);
    ran.says("failed on `h2`: 2 problems found").says("was changed after it was deployed: `index`");
    // Without a manifest there is nothing to compare with.
    let test = test.remove(&format!("sites/h2/.runner/manifests/{live}")).remove("cache");
    test.ends(0, &["status", "--verify"]).says("cannot be compared").says("as deployed");
    test.ends(0, &["doctor", "--host", "h2"]).says_not("looked at the files");
}

#[test]
fn what_its_own_deploy_replaced_does_not_count_as_changed() {
    let test = Test::new().recipe(r#"task("prepare", |host| host.run("echo made >n && mv -f n index"));"#);
    let names = deployed(&test, 2);
    test.ends(0, &["rollback"]);
    assert_eq!(test.live("site").as_ref(), Some(&names[0]));
}

#[test]
fn a_directory_with_another_mode_does_not_count_as_changed_and_one_that_is_gone_does() {
    let test = Test::new().source("dir/file", "x").shell("mkdir source/empty");
    let test = test.recipe(r#"task("prepare", |host| host.run("chmod 2775 dir"));"#);
    let names = deployed(&test, 2);
    test.ends(0, &["rollback"]).says_not("changed");
    test.ends(0, &["rollback", "--release", &names[1]]);
    let test = test.shell(&format!("rmdir site/releases/{}/empty", names[0]));
    refused_as_changed(&test, "`empty`");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let test = Test::new();
    let names = deployed(&test, 2);
    let test = test.remove(&format!("site/.runner/manifests/{}", names[0])).remove("cache");
    test.ends(0, &["rollback"]).says("could not be compared with what was deployed");
    assert_eq!(test.live("site").as_ref(), Some(&names[0]));
}

#[test]
fn a_bad_release_can_be_gone_to_by_its_name() {
    everywhere(|test| {
        let names = deployed(&test, 2);
        test.ends(0, &["rollback"]);
        assert_eq!(test.record("site", &names[1])["state"], "bad");
        let ran = test.ends(0, &["rollback", "--release", &names[1]]);
        ran.says(&format!("warning: release `{}` is marked as bad on `", names[1]));
        assert_eq!(test.live("site").as_ref(), Some(&names[1]));
        for name in &names {
            assert_eq!(test.record("site", name)["state"], "complete", "{name}");
        }
        // It goes back as any other.
        test.ends(0, &["rollback"]).says_not("warning");
        assert_eq!(test.live("site").as_ref(), Some(&names[0]));
    });
}

#[test]
fn a_complete_release_waits_until_it_is_named_or_pruned() {
    everywhere(|test| {
        let test = test.recipe(
            r#"flow("stage", ["lock", "preflight", "build", "release", "upload", "share", "prepare", "seal"]);"#,
        );
        let names = deployed(&test, 1);
        let test = test.source("index", "waits");
        test.ends(0, &["stage"]);
        let waiting = test.releases("site")[1].clone();
        // Neither a deploy of anybody nor a rollback removes it, and no rollback goes there unasked.
        let test = test.source("index", "other");
        test.deploy().says_not("cleaned up");
        test.ends(0, &["rollback"]);
        assert_eq!(test.live("site").as_ref(), Some(&names[0]));
        assert_eq!(test.record("site", &waiting)["state"], "complete");
        test.ends(0, &["rollback", "--release", &waiting]).says_not("warning");
        assert_eq!(test.serves("site", "index"), "waits");
        assert_eq!(test.record("site", &names[0])["state"], "complete", "one went on from it, not back");
        test.ends(0, &["rollback"]);
        assert_eq!(test.record("site", &waiting)["state"], "bad");
    });
}

#[test]
fn what_loads_the_live_release_after_the_swap_runs_once_after_a_rollback_too() {
    let recipe = "task(\"restart\", |host| host.note(\"restarted\")).repeat_on_swap_back();\n\
        task(\"warm\", |host| host.note(\"warmed\"));\n\
        task(\"schema\", |host| host.note(\"migrated\"));\n\
        after(\"swap\", \"warm\");\nafter(\"warm\", \"restart\");\n\
        before(\"swap\", \"schema\");\nbefore(\"restart\", \"schema\");\n";
    let test = Test::new().recipe(recipe);
    deployed(&test, 2);
    let ran = test.ends(0, &["rollback"]);
    assert_eq!(ran.err.matches("restarted").count(), 1, "{ran}");
    ran.says_not("warmed").says_not("migrated");
    // Hooked in there explicitly as well, it still runs once.
    let test = test.recipe(&(recipe.to_owned() + "after(\"revert\", \"restart\");\n"));
    deployed(&test, 2);
    let ran = test.ends(0, &["rollback"]);
    assert_eq!(ran.err.matches("restarted").count(), 1, "{ran}");
}

#[test]
fn a_hook_that_a_rollback_skips_is_a_line_of_check() {
    let recipe = "task(\"warm\", |host| host.run(\"true\"));\nafter(\"swap\", \"warm\");\n";
    let test = Test::new().recipe(recipe);
    test.ends(0, &["check"])
        .says("warning: `rollback` skips task `warm`, which is hooked in after `swap`")
        .says("deploy.rhai:2:");
    let repeated = recipe.replace("(\"true\"))", "(\"true\")).repeat_on_swap_back()");
    test.recipe(&repeated).ends(0, &["check"]).says_not("warning");
}
