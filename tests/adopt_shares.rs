//! `runner adopt` and `shared/`: what is proposed, what moves without a gap, what stays and why, and the way back.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/readers.rs"]
mod readers;
mod support;
#[path = "support/trap.rs"]
mod trap;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use readers::Readers;
use support::files::{same, stamps};
use support::{Ran, Test, tree};
use trap::{At, Then, Trap, Victim};

const FILES: [&str; 5] = ["index", "a", "b", "deep/er/c", "deep/d"];

/// What visitors see in `directory`: uploads at two places, a script and settings that the source does not have.
fn served(directory: &str) -> Test {
    let test =
        FILES.into_iter().fold(Test::new(), |test, file| test.write(&format!("{directory}/{file}"), "old"));
    test.write(&format!("{directory}/index.html"), "old")
        .source("index.html", "new")
        .write(&format!("{directory}/uploads/it's a photo.jpg"), "photo")
        .write(&format!("{directory}/deep/up/b.pdf"), "paper")
        .write(&format!("{directory}/admin/x.php"), "<?php")
        .write(&format!("{directory}/.env"), "SECRET=1")
        .mode(&format!("{directory}/uploads"), 0o775)
        .version("new")
}

fn inode(test: &Test, path: &str) -> u64 {
    fs::metadata(test.path(path)).unwrap().ino()
}

fn link(test: &Test, path: &str) -> String {
    fs::read_link(test.path(path)).unwrap().to_str().unwrap().to_owned()
}

#[test]
fn what_only_visitors_have_is_proposed_moved_and_written_and_taken_back() {
    for (seen, site, is_root) in [("site/current", "site", true), ("site", "site.site", false)] {
        let test = if is_root { served(seen) } else { served(seen).unprivileged() };
        let before = stamps(&test.path(seen));
        let moved = ["uploads", "deep/up", ".env"];
        let inodes = moved.map(|path| inode(&test, &format!("{seen}/{path}")));
        let words = ["adopt", "--share", ".env"];
        let ran = test.ends(2, &words);
        ran.says("`uploads/` becomes `shared/uploads`; a link takes its place in the same instant")
            .says("`deep/up/` becomes `shared/deep/up`")
            .says("`.env` becomes `shared/.env`")
            .says("the source lacks `admin/`: it stays in the adopted release alone; for all releases, add `--share admin`")
            .says("`settings` get `shared.add = [\".env\", \"deep/up/\", \"uploads/\"]`");
        same(&stamps(&test.path(seen)), &before);
        for _ in 0..2 {
            test.ends(0, &[&words[..], &["--yes"]].concat());
            for (path, inode_before) in moved.iter().zip(inodes) {
                assert_eq!(inode(&test, &format!("{seen}/{path}")), inode_before);
                assert_eq!(inode(&test, &format!("{site}/shared/{path}")), inode_before);
            }
            assert_eq!(link(&test, &format!("{seen}/deep/up")), "../../../shared/deep/up");
            let toml = fs::read_to_string(test.path("runner.toml")).unwrap();
            assert_eq!(
                toml.matches("shared.add = [\".env\", \"deep/up/\", \"uploads/\"]").count(),
                1,
                "{toml}"
            );
            test.ends(0, &["check"]);
            test.ends(0, &["adopt", "--undo", "--yes"]);
            same(&stamps(&test.path(seen)), &before);
            assert!(!test.has(format!("{site}/shared")) && !test.has(format!("{site}/releases")));
        }
        // Now the settings name them.
        test.ends(0, &["adopt", "--yes"]).says_not("lacks `uploads");
        // A visitor of the adopted release.
        fs::write(test.path(format!("{seen}/uploads/late.jpg")), "late").unwrap();
        test.ends(1, &[])
            .says("only the adopted release")
            .says("shared = [\".env\", \"deep/up/\", \"uploads/\", \"admin/\"]");
        test.ends(0, &["--set", "allow_unlinked=true"]);
        for path in ["uploads/late.jpg", "uploads/it's a photo.jpg", "deep/up/b.pdf", ".env"] {
            assert!(test.has(format!("{site}/current/{path}")), "{path}");
        }
        assert_eq!(test.serves(site, "index"), "new");
        test.ends(1, &["adopt", "--undo"]).says("was deployed after the site was adopted");
        test.ends(0, &["rollback"]);
        assert_eq!(test.serves(site, "index"), "old");
        assert!(test.has(format!("{site}/current/uploads/late.jpg")));
        test.ends(1, &["adopt", "--undo"]).says("visitors see what was adopted").says_not("go back to it");
    }
}

#[test]
fn what_cannot_move_stays_and_says_why() {
    let test = served("site/current").unprivileged();
    let test = test.write("site/current/linked/a.txt", "").link("../index", "site/current/linked/up");
    fs::set_permissions(test.path("site/current/uploads"), fs::Permissions::from_mode(0o555)).unwrap();
    // Whoever runs the program is given the project when it starts.
    let before = stamps(&test.path("site"));
    test.ends(1, &["adopt", "--yes", "--share", "uploads"])
        .says("`uploads/` cannot move to `shared/`: it belongs to `")
        .says("sudo chgrp");
    test.ends(2, &["adopt", "--yes", "--share", "nowhere"])
        .says("no host has `nowhere`, which `--share` names");
    test.ends(2, &["adopt", "--yes", "--share", "../x"]).says("not a valid shared path");
    same(&stamps(&test.path("site")), &before);
    let ran = test.ends(0, &["adopt", "--yes"]);
    ran.says("`uploads/`, which the source does not have, stays, because it belongs to `")
        .says("`linked/`, which the source does not have, stays, because it has a relative link that would lead elsewhere: up -> ../index");
    assert!(!test.has("site/shared/uploads") && !test.has("site/shared/linked"));
    assert!(test.has("site/shared/deep/up"));
    test.ends(1, &[]).says("visitors would lose");
}

#[test]
fn what_the_settings_share_moves_too_unless_both_have_it() {
    let toml = |shared: &str| {
        format!(
            "[settings]\nsource = \"source\"\nshared = [{shared}]\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n"
        )
    };
    let test = served("site/current").toml(&toml("\"uploads/\", \".env\""));
    let test = test.write("site/shared/.env", "SECRET=2");
    let before = stamps(&test.path("site"));
    test.ends(1, &["adopt", "--yes"]).says("`.env` cannot move to `shared/`").says("exists already");
    same(&stamps(&test.path("site")), &before);
    let test = test.remove("site/shared/.env");
    test.ends(0, &["adopt", "--yes"]);
    assert_eq!(fs::read_to_string(test.path("site/shared/.env")).unwrap(), "SECRET=1");
    let toml = fs::read_to_string(test.path("runner.toml")).unwrap();
    assert!(toml.contains("shared = [\"uploads/\", \".env\", \"deep/up/\"]"), "{toml}");
}

#[test]
fn a_list_that_hides_the_settings_is_not_added_to_in_vain() {
    let test = served("site/current");
    let toml = "[settings]\nsource = \"source\"\n[stage.local]\npath = \"site\"\ntransport = \"local\"\nsettings = { shared = [\".env\"] }\n";
    let test = test.toml(toml);
    let before = tree(test.root());
    test.ends(2, &["adopt", "--yes"])
        .says("this list replaces what `[settings]` share, and lacks [\"deep/up/\", \"uploads/\"]");
    assert_eq!(tree(test.root()), before);
}

#[test]
fn without_a_source_nothing_is_proposed() {
    let test = served("site/current");
    fs::rename(test.path("source"), test.path("away")).unwrap();
    test.ends(0, &["adopt", "--yes"]).says("nothing is proposed for `shared`").says("refuses to lose");
    assert!(fs::symlink_metadata(test.path("site/current/uploads")).unwrap().is_dir());
}

#[test]
fn links_into_shared_are_written_into_runner_toml() {
    let test = Test::new().version("new").shell(
        r#"mkdir -p site/shared/log site/shared/other site/releases/1; cd site/releases/1; echo old >index
           mkdir media; echo 1 >media/1.jpg; ln -s ../../shared/log log; ln -s ../../shared/other elsewhere; ln -s "$OLDPWD/site/releases/1" ../../current"#,
    );
    test.ends(0, &["adopt", "--yes", "--share", "media"])
        .says("`media/` becomes `shared/media`")
        .says("`settings` get `shared.add = [\"log/\", \"media/\"]`");
    test.deploy();
    assert!(test.has("site/current/media/1.jpg"));
    assert_eq!(link(&test, "site/current/log"), "../../shared/log");
}

#[test]
fn the_diff_of_the_first_deployment_compares_with_what_was_adopted() {
    let test = Test::new()
        .write("site/current/index", "old\n")
        .write("site/current/same", "same\n")
        .write("site/current/b", "b\n");
    let test =
        test.source("index", "new\n").source("same", "same\n").source("b", "b\n").source("more", "more\n");
    test.ends(0, &["adopt", "--yes"]);
    let ran = test.ends(0, &["--plan", "--diff"]);
    ran.says("-old").says("+new").says("+more").says_not("+same").says_not("+b\n");
    test.deploy();
    test.ends(0, &["rollback"]).says("was adopted: nothing says whether it was changed since");
}

#[test]
fn what_one_host_shares_all_share() {
    let test = Test::with_sites(3);
    let test = (1..=3).fold(test, |test, n| test.write(&format!("sites/h{n}/current/index"), "old"));
    let test = test
        .write("sites/h1/current/uploads/1.jpg", "1")
        .write("sites/h2/current/uploads/2.jpg", "2")
        .link("../index", "sites/h2/current/uploads/out")
        .version("new");
    let ran = test.ends(0, &["adopt", "--yes"]);
    ran.says("`uploads/` becomes `shared/uploads`").says(
        "`uploads/` stays, because it has a relative link that would lead elsewhere: out -> ../index: the first deployment copies it",
    );
    assert!(test.has("sites/h1/shared/uploads/1.jpg") && !test.has("sites/h2/shared/uploads"));
    test.deploy();
    for (n, file) in [(1, "uploads/1.jpg"), (2, "uploads/2.jpg"), (3, "uploads")] {
        assert!(test.has(format!("sites/h{n}/current/{file}")), "{n}");
        assert_eq!(link(&test, &format!("sites/h{n}/current/uploads")), "../../shared/uploads");
    }
    test.ends(0, &["rollback"]);
    assert!(test.has("sites/h1/current/uploads/1.jpg") && test.has("sites/h2/current/uploads/2.jpg"));
}

/// Three servers of Capistrano 3, as it leaves them: absolute links, `revisions.log`, a release that is shared in parts.
#[test]
fn three_servers_of_capistrano_are_taken_over() {
    let hosts = (1..=3).fold(Test::with_sites(3), |test, n| {
        test.shell(&format!(
            r#"mkdir -p sites/h{n}/shared/log sites/h{n}/shared/config sites/h{n}/shared/public/system; cd sites/h{n}; here=$PWD
               echo secret >shared/config/database.yml
               for r in 20240101000001 20240101000002; do
                 mkdir -p releases/$r/public releases/$r/config; echo $r >releases/$r/index; echo $r >releases/$r/REVISION
                 ln -s "$here/shared/log" releases/$r/log; ln -s "$here/shared/public/system" releases/$r/public/system
                 ln -s "$here/shared/config/database.yml" releases/$r/config/database.yml
                 echo "Branch main (at beef) deployed as release $r by ann" >>revisions.log
               done; ln -s "$here/releases/20240101000002" current"#
        ))
    });
    let test = hosts.version("new").source("public/a", "1").source("config/app.yml", "1");
    test.ends(0, &["adopt", "--yes"])
        .says("record the older releases `20240101000001`")
        .says("`settings` get `shared.add = [\"config/database.yml\", \"log/\", \"public/system/\"]`");
    test.deploy().says_not("warning");
    for n in 1..=3 {
        assert_eq!(test.serves(&format!("sites/h{n}"), "index"), "new");
        assert_eq!(test.serves(&format!("sites/h{n}"), "config/database.yml"), "secret\n");
        assert!(test.has(format!("sites/h{n}/current/public/system")));
    }
    test.ends(0, &["rollback"]).says("serves 20240101000002");
    test.ends(0, &["rollback", "--release", "20240101000001"]);
    assert_eq!(test.serves("sites/h3", "index"), "20240101000001\n");
}

/// Whoever can write in a directory of the site can put a link in its place.
#[test]
fn no_directory_is_moved_through_a_link() {
    let test = served("site/current").write("private/keys/key", "key");
    fs::remove_dir_all(test.path("site/current/deep")).unwrap();
    symlink(test.path("private"), test.path("site/current/deep")).unwrap();
    let before = stamps(&test.path("private"));
    let ran = test.ends(1, &["adopt", "--yes", "--share", "deep/keys"]);
    ran.says("refused to follow").says("was taken back");
    same(&stamps(&test.path("private")), &before);
    assert!(fs::symlink_metadata(test.path("site/current")).unwrap().is_dir());
    assert!(fs::symlink_metadata(test.path("site/current/uploads")).unwrap().is_dir());
}

/// Ends an adoption, or taking it back, at the n-th tool. Whether there was an n-th tool.
#[track_caller]
fn killed_at(n: usize, victim: Victim, (seen, site): (&str, &str), undo: bool) -> bool {
    let test = served(seen);
    let uploads = inode(&test, &format!("{seen}/uploads"));
    let begin: &[&str] = if undo { &["adopt", "--undo", "--yes"] } else { &["adopt", "--yes"] };
    if undo {
        test.ends(0, &["adopt", "--yes"]);
    }
    fs::create_dir(test.path("trap.d")).unwrap();
    fs::create_dir(test.path("seen")).unwrap();
    symlink(test.path(seen), test.path("seen/current")).unwrap();
    let trap = Trap::new(&test.path("trap.d"));
    let path = trap.path().into_string().unwrap();
    let test = test.env("PATH", &path);
    trap.arm(victim, At::Start(n));
    let readers = Readers::start(&test.path("seen"));
    let mut child = test.command(begin).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    trap.wait(&mut child, Then::Goes, Duration::from_secs(100)).unwrap();
    let sprung = trap.sprung();
    trap.disarm();
    let at = format!("{victim:?} {n} {sprung:?} {undo}");
    assert_eq!(inode(&test, &format!("{seen}/uploads")), uploads, "{at}");
    for words in [&["adopt", "--undo", "--yes"][..], &["adopt", "--yes"]] {
        if undo || words.len() == 2 {
            let again = test.run(words);
            assert_eq!(again.code, Some(0), "{at}\n{again}");
            assert_eq!(inode(&test, &format!("{seen}/uploads")), uploads, "{at}");
        }
    }
    let reads = readers.stop();
    // Who has read the link while it is taken away does not yet know what it leads to (docs/existing-site.md).
    let n_allowed = if undo { 2 } else { usize::from(!matches!(victim, Victim::Client)) };
    assert!(reads.faults.len() <= n_allowed && reads.n_reads > 0, "{at}: {reads:?}");
    assert!(test.has(format!("{site}/shared/uploads")), "{at}");
    assert_eq!(inode(&test, &format!("{site}/shared/uploads")), uploads, "{at}");
    test.ends(0, &["--set", "allow_unlinked=true"]);
    assert_eq!(test.serves(site, "index"), "new");
    assert_eq!(inode(&test, &format!("{site}/current/uploads")), uploads, "{at}");
    sprung.is_some()
}

#[test]
fn whatever_is_killed_uploads_stay_and_the_next_run_shares_them() {
    let apart = support::repeats(24, 1);
    let places = [("site/current", "site"), ("site", "site.site")];
    let mut from = 0;
    for victim in [Victim::Client, Victim::Step, Victim::Shell] {
        for (place, undo) in [(places[0], false), (places[1], false), (places[1], true)] {
            from += 1;
            let mut n = 1 + from % apart;
            while killed_at(n, victim, place, undo) {
                n += apart;
            }
        }
    }
}

#[test]
fn a_docroot_that_only_an_administrator_can_give_back_gets_lines_and_they_work() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let test = served("www/html").unprivileged();
    let test = test
        .toml("[settings]\nsource = \"source\"\n[stage.local]\npath = \"www/html\"\ntransport = \"local\"\n")
        .write("bin/sudo", "#!/bin/sh\nexec \"$@\"\n")
        .mode("bin/sudo", 0o755);
    let before = stamps(&test.path("www/html"));
    test.ends(0, &["adopt", "--yes"]);
    let as_root = || {
        let mut command = test.command(&["adopt", "--undo", "--yes"]);
        std::os::unix::fs::chown(test.path("www"), Some(0), Some(0)).unwrap();
        command.uid(65534).gid(65534);
        Ran::of(command.output().unwrap())
    };
    let ran = as_root();
    assert_eq!(ran.code, Some(1), "{ran}");
    ran.says("www` is not writable by `").says("nothing was changed");
    let lines: Vec<&str> = ran.err.lines().map(str::trim).filter(|line| line.starts_with("sudo ")).collect();
    assert!(lines.len() >= 6, "{ran}");
    let path = format!("{}:{}", test.path("bin").display(), std::env::var("PATH").unwrap());
    let status = Command::new("sh").args(["-ec", &lines.join("\n")]).env("PATH", path).status().unwrap();
    assert!(status.success());
    same(&stamps(&test.path("www/html")), &before);
    let ran = as_root();
    assert_eq!(ran.code, Some(0), "{ran}");
    same(&stamps(&test.path("www/html")), &before);
    assert!(!test.has("www/html.site/.runner/adoption"));
}
