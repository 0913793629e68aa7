//! A branch, a tag or a commit is deployed: what is built and sent is a clean export of it.

mod support;

use std::process::Command;

use support::Test;
use support::sshd::program;

/// What shell text says in the project's directory.
fn sh(test: &Test, text: &str) -> String {
    let git = "git() { command git -c user.name=n -c user.email=e \"$@\"; }";
    let said = Command::new("sh")
        .arg("-ec")
        .arg(format!("{git}\n{text}"))
        .current_dir(test.root())
        .output()
        .unwrap();
    assert!(said.status.success(), "{text}: {}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// A repository with two versions, of which the first is tagged `1.10`, and a work tree that nobody should deploy.
fn shop() -> Test {
    let test = Test::new()
        .source("app/index", "one")
        .source("app/package-lock.json", "lock 1")
        .source("tests/big", "x")
        .source(".gitattributes", "/tests export-ignore\n");
    sh(
        &test,
        "cd source && git init -qb main . && git add . && git commit -qm one && git tag 1.10 && printf two >app/index \
         && git commit -qam two && printf dirty >app/index && touch app/new",
    );
    test
}

#[test]
fn a_tag_is_sent_clean_and_recorded_and_the_work_tree_stays_as_it_is() {
    let test = shop();
    test.deploy().says("uncommitted");
    assert_eq!(test.serves("site", "app/index"), "dirty");

    let commit = sh(&test, "git -C source rev-parse 1.10");
    let ran = test.ends(0, &["--set", "ref=1.10"]);
    ran.says(&format!("revision {} (`1.10`)", &commit[..10])).says_not("uncommitted");
    assert_eq!(test.serves("site", "app/index"), "one");
    for gone in ["app/new", "tests"] {
        assert!(!test.path("site/current").join(gone).exists(), "{gone}");
    }
    assert_eq!(
        sh(&test, "cat source/app/index; git -C source status --porcelain"),
        "dirty M app/index\n?? app/new"
    );
    test.ends(0, &["status"]).says(&commit[..10]);
    test.ends(0, &["--set", "ref=\"1.10\""]).says("(`1.10`)");
    test.ends(2, &["--set", "ref.add=1.10"]).says("cannot add to setting `ref`");
    // Nothing but what differs between the two travels.
    test.ends(0, &["--set", "ref=main"]).says("1 of ");
    assert_eq!(test.serves("site", "app/index"), "two");
    // A variable of a pipeline may have been empty.
    test.ends(0, &["--set", "ref="]).says("`ref` is empty; deploying the work tree").says("uncommitted");
    assert_eq!(test.serves("site", "app/index"), "dirty");
    test.ends(0, &["rollback"]);
    // A rollback has no use for it.
    test.ends(0, &["rollback", "--set", "ref=none"]);
    assert_eq!(test.serves("site", "app/index"), "one");

    test.ends(2, &["--set", "ref=nonne"])
        .says("has no branch, tag or commit `nonne`")
        .says("git fetch --tags");
    test.ends(2, &["--set", "ref=--all"]).says("has no branch, tag or commit `--all`");
}

#[test]
fn what_builds_works_in_the_export_and_has_what_an_earlier_one_made() {
    let toml = "[settings]\nsource = \"source/app\"\nref = \"main\"\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n";
    let test = shop().toml(toml).recipe(
        r#"
        task("build", || {
            let source = get("source");
            if glob(`${source}/index`).is_empty() { fail("no index"); }
            local("mkdir -p modules/bin && echo made >modules/made && ln -s ../made modules/bin/it && echo ran >>$HOME/ran", #{
                cwd: source, cache: #{ key: ["package-lock.json"], paths: ["modules/"], version: get("tool") },
            });
            local("cat index modules/bin/it >out; git rev-parse HEAD >git 2>&1 || :", #{ cwd: source });
            note(`built ${revision()}`);
        });
        set("tool", "1");
        set("release_file", "release.env");
        "#,
    );
    let commit = sh(&test, "git -C source rev-parse main");
    let runs = || sh(&test, "wc -l <ran");
    test.deploy().says(&format!("built {commit}")).says_not("from an earlier build");
    assert_eq!(test.serves("site", "out"), "twomade\n");
    let name = test.live("site").unwrap();
    assert_eq!(test.serves("site", "release.env"), format!("RELEASE={name}\nREVISION={commit}\n"));
    test.deploy()
        .says("reused `modules` from an earlier build: `package-lock.json` did not change")
        .says("0 of ");
    assert_eq!(runs(), "1");
    // Neither what is built here nor the lock of the work tree counts.
    assert!(!test.path("source/app/out").exists());
    sh(&test, "echo other >source/app/package-lock.json");
    test.deploy();
    assert_eq!(runs(), "1");
    sh(&test, "cd source && git commit -qam three");
    test.deploy().says_not("from an earlier build");
    assert_eq!(runs(), "2");
    test.ends(0, &["--set", "tool=\"2\""]).says_not("from an earlier build");
    assert_eq!(runs(), "3");
    // A plan shows the commit, and builds nothing.
    test.ends(0, &["--plan"]).says("run `mkdir -p modules/bin").says("remove `out`");
    assert_eq!(runs(), "3");
    assert_eq!(sh(&test, "ls cache/exports"), "");
}

/// One that another commit is checked out in, and changes lie about.
#[test]
fn whatever_sends_or_works_here_does_so_from_the_export() {
    let test = shop().recipe(
        r#"
        task("rolling", || { for batch in hosts().batches(1) { batch.perform(["upload", "share", "seal"]); } });
        flow("deploy", ["lock", "build", "release", "rolling", "swap"]);
        task("look", || note(local("cat source/app/index; git rev-parse HEAD 2>&1 || :"))).alone();
        task("pack", |host| note(host.run("cat app/index"))).alone();
        set("release_file", "app/release");
        "#,
    );
    let old = ["--set", "ref=1.10"];
    let toml = std::fs::read_to_string(test.path("runner.toml")).unwrap();
    sh(&test, "mv runner.toml deploy.rhai source/ && git init -q . && git add runner.tml 2>/dev/null || :");
    let test = test
        .write("source/runner.toml", &toml.replace("\"source\"", "\".\"").replace("\"site\"", "\"../site\""));
    let run = |code, words: &[&str]| test.ends(code, &[&["-C", "source"], words].concat());
    run(0, &old).says_not("not in the repository");
    assert_eq!(test.serves("site", "app/index"), "one");
    run(0, &["look", old[0], old[1]]).says("one").says("not a git repository").says("the export was removed");
    // What needs nothing of it does without.
    run(0, &["pack", "--set", "ref=none"]).says("one");
    run(1, &["look", "--set", "ref=none"]).says("has no branch, tag or commit `none`");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let test = shop().recipe("set(\"ref\", || \"main\");");
    test.ends(2, &[]).says("setting `ref` must be text, not a function");
    let mut test = test;
    for (file, why) in
        [("../out", "`../out`"), ("/out", "`/out`"), ("up/x", "must not be in the shared path `up`")]
    {
        test = test.recipe(&format!("set(\"release_file\", \"{file}\"); set(\"shared\", [\"up/\"]);"));
        test.ends(2, &[]).says("setting `release_file`").says(why);
    }
    let build = |cache: &str| format!("task(\"build\", || local(\"true\", #{{ cache: #{{ {cache} }} }}));");
    for (cache, why) in [
        ("key: [\"a\"]", "must have `key` and `paths`"),
        ("key: [\"a\"], paths: [\"m\", \"m/b\"]", "has overlapping `paths`: `m` and `m/b`"),
        ("key: [\"a\"], paths: [\"../m\"]", "invalid path `../m` in `cache`"),
        ("key: [\"a\"], paths: [\"m\"], keys: 1", "has no field `keys` (did you mean `key`?)"),
    ] {
        test = test.recipe(&build(cache));
        test.ends(1, &[]).says(why);
    }
}

#[test]
fn a_build_is_taken_again_only_whole_and_where_the_same_would_be_made() {
    let stages = ["one", "two"].map(|name| {
        format!("[stage.{name}]\npath = \"{name}\"\ntransport = \"local\"\n[stage.{name}.settings]\nenv = {{ API = \"{name}\" }}\n")
    });
    let toml = format!("[settings]\nsource = \"source/app\"\nref = \"main\"\n{}", stages.concat());
    let test = shop().toml(&toml).recipe(
        r#"
        task("build", || for part in ["a", "b"] {
            local("mkdir m; echo $API ${PWD##*/} >m/made; printf 1 >m/file; chmod a-w m", #{
                cwd: `${get("source")}/${part}`, cache: #{ key: ["lock"], paths: ["m/made", "m/file"], unless: ["never"] },
            });
        });
        "#,
    );
    sh(
        &test,
        "cd source/app && git checkout -q . && mkdir a b && touch a/lock b/lock && git add . && git commit -qm three",
    );
    let deploy = |stage| test.ends(0, &["--stage", stage]);
    let made = |stage: &str| ["a", "b"].map(|part| test.serves(stage, &format!("{part}/m/made")));
    for stage in ["one", "two"] {
        deploy(stage).says_not("from an earlier build");
        assert_eq!(made(stage), [format!("{stage} a\n"), format!("{stage} b\n")]);
        deploy(stage).says("reused `m/made`, `m/file` from an earlier build");
        assert_eq!(made(stage), [format!("{stage} a\n"), format!("{stage} b\n")]);
    }
    // A half of one is none, and is replaced.
    assert_eq!(sh(&test, "ls cache/builds | wc -l"), "4");
    sh(&test, "rm cache/builds/*/tree/m/file");
    deploy("one").says_not("from an earlier build");
    assert_eq!(test.serves("one", "a/m/file"), "1");
    deploy("one").says("from an earlier build");
    // What is read-only goes as well.
    assert_eq!(sh(&test, "ls cache/exports cache/builds | grep -c run- || :"), "0");
    sh(&test, "cd source/app && echo never >a/lock && git commit -qam four");
    deploy("one");
    deploy("one");
    assert_eq!(sh(&test, "ls cache/builds | wc -l"), "4");
}

/// By Debian's composer, from a package that is in the source: nothing is fetched.
#[test]
fn packages_of_a_lock_file_are_installed_once() {
    program("composer", "composer");
    let test = Test::new()
        .source(
            "packages/hello/composer.json",
            r#"{"name": "shop/hello", "version": "1.0.0", "autoload": {"psr-4": {"Hello\\": "src/"}}}"#,
        )
        .source("packages/hello/src/Hi.php", "<?php namespace Hello; class Hi { const WORD = 'hi'; }")
        .source("app/Page.php", "<?php namespace App; class Page { const WORD = \\Hello\\Hi::WORD . ' there'; }")
        .source("app.php", "<?php require 'vendor/autoload.php'; echo App\\Page::WORD;")
        .source(".gitignore", "/vendor/")
        .source(
            "composer.json",
            r#"{"name": "shop/shop", "require": {"shop/hello": "1.0.0"}, "autoload": {"psr-4": {"App\\": "app/"}},
                "repositories": [{"type": "path", "url": "packages/hello", "options": {"symlink": false}}, {"packagist.org": false}]}"#,
        )
        .toml("[settings]\nsource = \"source\"\nref = \"main\"\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n")
        .recipe("import \"packages\" as packages;\ntask(\"build\", || packages::composer());");
    sh(
        &test,
        "cd source && COMPOSER_ALLOW_SUPERUSER=1 composer update -q -n && rm -r vendor && git init -qb main . && git add . \
         && git commit -qm one",
    );
    let says = || sh(&test, "cd site/current && php app.php");
    test.deploy().says_not("from an earlier build");
    assert_eq!(says(), "hi there");
    // What it holds is not told by the lock file: nothing of it is kept.
    test.deploy().says_not("from an earlier build");
    sh(&test, "cd source && sed -i s/hi\\\'/hello\\\'/ packages/hello/src/Hi.php && git commit -qam two");
    test.deploy().says_not("from an earlier build");
    assert_eq!(says(), "hello there");
    // As from elsewhere; a class of the application is found that was not there before.
    sh(
        &test,
        "cd source && sed -i 's/\"type\": \"path\"/\"type\":\"path\"/' composer.lock composer.json && mv app/Page.php app/Other.php \
         && sed -i s/Page/Other/ app/Other.php app.php && git add -A && git commit -qm three",
    );
    test.deploy().says_not("from an earlier build");
    assert_eq!(says(), "hello there");
    test.deploy()
        .says("reused `vendor` from an earlier build: `composer.lock`, `composer.json` did not change");
    assert_eq!(says(), "hello there");
}
