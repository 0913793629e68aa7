//! What a release holds, how it is shared with the last one, and how little is sent: both strategies, any name.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use support::files::{below, files, hostile_names, same, stamps};
use support::userland::everywhere;
use support::{Test, tree};

const CACHE: [&str; 2] = ["--set", "strategy=cache"];

/// What is printed of `n` unpacked files.
fn unpacked(n: usize, test: &Test) -> String {
    format!("{n} of {} files unpacked", files(&test.path("source")).len())
}

#[test]
fn a_release_is_the_source_byte_for_byte_and_mode_for_mode() {
    everywhere(|test| {
        let test = test.hostile_source();
        test.deploy();
        test.serves_the_source("site");
        // And again, when nothing is sent.
        test.deploy().says(&format!("{}, 0 B", unpacked(0, &test)));
        test.serves_the_source("site");
    });
}

#[test]
fn a_release_of_the_cache_strategy_is_the_source_byte_for_byte_and_mode_for_mode() {
    everywhere(|test| {
        let test = test.hostile_source();
        test.ends(0, &CACHE);
        test.serves_the_source("site");
        same(&tree(&test.path("site/cache")), &test.wanted());
        test.ends(0, &CACHE).says(&format!("{}, 0 B", unpacked(0, &test)));
        test.serves_the_source("site");
        same(&tree(&test.path("site/cache")), &test.wanted());
    });
}

#[test]
fn only_changed_files_are_sent_and_the_last_release_is_left_as_it_was() {
    everywhere(|test| {
        let test = test.hostile_source();
        test.deploy();
        let first = test.path(test.current());
        let before = stamps(&first);

        // A fifth of them, under every kind of name; as long as it was, or longer.
        let source = test.path("source");
        let mut bytes = 0;
        let changed: BTreeSet<Vec<u8>> = files(&source).into_iter().step_by(5).collect();
        for path in &changed {
            let mut text = fs::read(below(&source, path)).unwrap();
            text.push(b'!');
            bytes += text.len();
            fs::write(below(&source, path), text).unwrap();
        }
        test.deploy().says(&format!("{}, {bytes} B", unpacked(changed.len(), &test)));
        test.serves_the_source("site");
        same(&stamps(&first), &before);
        let second = test.path(test.current());
        for path in files(&source) {
            let inode = |release: &Path| fs::metadata(below(release, &path)).unwrap().ino();
            let is_shared = inode(&first) == inode(&second);
            assert_eq!(is_shared, !changed.contains(&path), "{}", path.escape_ascii());
        }
    });
}

#[test]
fn a_fresh_copy_of_the_source_sends_no_file() {
    everywhere(|test| {
        let test = test.hostile_source();
        test.deploy();
        test.ends(0, &CACHE);
        let test = test.shell(
            "mv source old; cp -a old source; rm -rf old; find source -exec touch -h -d '2001-02-03 04:05:06' {} +",
        );
        test.deploy().says(&format!("{}, 0 B", unpacked(0, &test)));
        test.serves_the_source("site");
        test.ends(0, &CACHE).says(&format!("{}, 0 B", unpacked(0, &test)));
        test.serves_the_source("site");
    });
}

/// Turns files into directories and links, and so in all directions, under hostile names too.
fn change_kinds(test: Test, round: usize) -> Test {
    let kinds = test.path("source/kinds");
    let _ = fs::remove_dir_all(&kinds);
    fs::create_dir(&kinds).unwrap();
    for (n, name) in hostile_names().iter().enumerate() {
        for start in 0..5 {
            let path = below(&kinds, &[name, format!("{start}").as_bytes()].concat());
            if path.file_name().unwrap().len() > 250 {
                continue;
            }
            match (start + round * (1 + n % 4)) % 5 {
                0 => fs::write(&path, format!("{round}")).unwrap(),
                1 => fs::create_dir(&path).unwrap(),
                2 => {
                    fs::create_dir_all(path.join("sub/sub")).unwrap();
                    fs::write(below(&path, name), format!("{round}")).unwrap();
                    fs::write(path.join("sub/sub/file"), "same").unwrap();
                }
                3 => symlink(format!("{round}"), &path).unwrap(),
                _ => {}
            }
        }
    }
    test
}

#[test]
fn files_directories_and_links_turn_into_each_other_in_all_directions() {
    everywhere(|mut test| {
        for round in 0..5 {
            test = change_kinds(test, round);
            test.deploy();
            test.serves_the_source("site");
        }
        for round in 5..8 {
            test = change_kinds(test, round);
            test.ends(0, &CACHE);
            test.serves_the_source("site");
        }
    });
}

#[test]
fn a_removed_file_and_a_removed_directory_go() {
    everywhere(|test| {
        let test = test.hostile_source().source("keep", "x");
        test.deploy();
        test.ends(0, &CACHE);
        let test = test.remove("source/dirs").remove("source/links").remove("source/-rf");
        test.deploy().says("removed");
        test.serves_the_source("site");
        test.ends(0, &CACHE).says("removed");
        test.serves_the_source("site");
    });
}

#[test]
fn a_mode_alone_is_taken_over_and_the_old_release_keeps_the_old_one() {
    everywhere(|test| {
        let test = test.source("bin/tool", "x").source("-n\n", "y").mode("source/bin", 0o750);
        test.deploy();
        let first = test.path(test.current());
        let before = stamps(&first);
        let test = test.mode("source/bin/tool", 0o755).mode("source/-n\n", 0o600).mode("source/bin", 0o711);
        test.deploy().says("2 of 2 files unpacked, 2 B");
        test.serves_the_source("site");
        same(&stamps(&first), &before);
        let test = test.mode("source/bin/tool", 0o700);
        test.ends(0, &CACHE);
        let test = test.mode("source/bin/tool", 0o4755);
        test.ends(0, &CACHE).says("1 of 2 files unpacked, 1 B");
        test.serves_the_source("site");
    });
}

#[test]
fn a_release_of_the_cache_strategy_shares_no_inode_with_anything() {
    let test = Test::new().hostile_source();
    test.ends(0, &CACHE);
    test.ends(0, &CACHE);
    let releases = test.releases("site");
    assert_eq!(releases.len(), 2);
    for path in files(&test.path("source")) {
        for place in [&format!("releases/{}", releases[0]), &format!("releases/{}", releases[1]), "cache"] {
            let file = below(&test.path("site").join(place), &path);
            assert_eq!(fs::metadata(file).unwrap().nlink(), 1, "{}", path.escape_ascii());
        }
    }
}

#[test]
fn the_strategy_can_be_changed_on_a_live_site_and_back() {
    everywhere(|test| {
        let test = test.hostile_source().source("page", "1");
        test.deploy();
        let test = test.source("page", "2");
        test.ends(0, &CACHE);
        test.serves_the_source("site");
        let test = test.source("page", "3").remove("source/dirs");
        test.deploy().says("1 of ");
        test.serves_the_source("site");
        let test = test.source("page", "4").source("dirs", "a file now");
        test.ends(0, &CACHE).says("2 of ");
        test.serves_the_source("site");
        same(&tree(&test.path("site/cache")), &test.wanted());
    });
}

#[test]
fn a_cache_that_a_dead_run_left_dirty_is_repaired() {
    everywhere(|test| {
        let test = test
            .hostile_source()
            .source("dir/a", "one")
            .source("dir/b", "two")
            .source("other", "three")
            .link("dir", "source/way");
        test.ends(0, &CACHE);
        // As long and as old as it was, so that only a hash tells; gone; more; other modes, kinds and targets.
        let test = test.write("site/.runner/cache", "dirty\n").shell(
            "cd site/cache
             touch -r other ../stamp; printf THREE >other; touch -r ../stamp other; rm ../stamp
             rm dir/a; chmod 777 dir; chmod 600 dir/b; echo more >dir/more; mkdir -p new/sub; ln -s x new/l
             ln -sfn elsewhere way; rm -rf empty; mkdir binary.d; rm binary; mkdir binary; echo in >binary/it
             mv dirs dirs.moved; ln -s dirs.moved dirs",
        );
        test.ends(0, &CACHE);
        test.serves_the_source("site");
        same(&tree(&test.path("site/cache")), &test.wanted());
        assert_eq!(test.read("site/.runner/cache").trim().len(), 64);
        test.ends(0, &CACHE).says(&unpacked(0, &test));
    });
}

#[test]
fn a_lost_local_manifest_is_fetched_and_still_nothing_is_sent() {
    everywhere(|test| {
        let test = test.hostile_source();
        test.deploy();
        let test = test.remove("cache");
        test.deploy().says(&unpacked(0, &test)).says_not("manifest").says_not("changed on the server");
        test.ends(0, &CACHE);
        let test = test.remove("cache");
        test.ends(0, &CACHE).says(&unpacked(0, &test)).says_not("manifest").says_not("changed on the server");
        test.serves_the_source("site");
    });
}

/// Spoils a manifest on the server: everything is sent, and the release is right.
fn spoilt(what: &str, words: &[&str], file: impl Fn(&Test) -> String) {
    everywhere(|test| {
        let test = test.hostile_source().source("gone", "x");
        test.ends(0, words);
        for keeps_local in [true, false] {
            let file = file(&test);
            let spoil =
                std::process::Command::new("sh").args(["-ec", what, "sh"]).arg(test.path(&file)).status();
            assert!(spoil.unwrap().success());
            if !keeps_local {
                fs::remove_dir_all(test.path("cache")).unwrap();
            }
            let n = files(&test.path("source")).len();
            test.ends(0, words).says("is missing").says(&unpacked(n, &test));
            test.serves_the_source("site");
        }
        let test = test.remove("source/gone");
        test.ends(0, words).says(&unpacked(0, &test));
        test.serves_the_source("site");
    });
}

fn of_live(test: &Test) -> String {
    format!("site/.runner/manifests/{}", test.live("site").unwrap())
}

#[test]
fn a_missing_manifest_on_the_server_means_that_everything_is_sent() {
    spoilt("rm \"$1\"", &[], of_live);
}

#[test]
fn a_cut_off_manifest_on_the_server_means_that_everything_is_sent() {
    spoilt("head -c 1000 \"$1\" >\"$1.x\"; mv \"$1.x\" \"$1\"", &[], of_live);
}

#[test]
fn a_changed_manifest_on_the_server_means_that_everything_is_sent() {
    spoilt("sed 's/ 644 / 640 /' \"$1\" >\"$1.x\"; mv \"$1.x\" \"$1\"", &[], of_live);
}

#[test]
fn a_missing_manifest_of_the_cache_means_that_everything_is_sent() {
    spoilt("rm \"$1\"", &CACHE, |_| "site/.runner/manifests/.cache".to_owned());
}

#[test]
fn a_garbled_manifest_of_the_cache_means_that_everything_is_sent() {
    spoilt("echo garbage >\"$1\"", &CACHE, |_| "site/.runner/manifests/.cache".to_owned());
}

#[test]
fn a_garbled_state_of_the_cache_means_that_everything_is_sent() {
    spoilt("echo garbage >\"$1\"", &CACHE, |_| "site/.runner/cache".to_owned());
}

#[test]
fn what_commands_did_to_links_and_directories_is_not_inherited() {
    everywhere(|test| {
        let test = test
            .source("docs/a/b/page", "x")
            .source("keep/file", "x")
            .source("moved/file", "x")
            .source("file", "x")
            .source("there", "x")
            .link("there", "source/way")
            .mode("source/keep", 0o750)
            .shell("mkdir -p source/empty/sub outside; echo mine >outside/file");
        // A directory removed, moved away behind a link, opened up; a file that became a directory; a link re-pointed.
        let test = test.recipe(
            r#"task("prepare", |host| {
                if host.name != "" && host.test("test -e ../../.spoil") {
                    host.run("rm -rf docs empty; chmod 777 keep; mv moved ../../moved.away; ln -s ../../moved.away moved");
                    host.run("rm file; mkdir file; echo x >file/x; ln -sfn elsewhere way");
                }
            });"#,
        );
        let test = test.shell("mkdir site; touch site/.spoil");
        test.deploy();
        assert!(!test.has("site/current/docs"));
        let test = test.remove("site/.spoil");
        let outside = tree(&test.path("site/moved.away"));
        test.deploy().says_not("warning");
        test.serves_the_source("site");
        same(&tree(&test.path("site/moved.away")), &outside);

        // And where the source drops them as well.
        let test = test.shell("touch site/.spoil; rm -rf site/moved.away");
        test.deploy();
        let test = test.shell("rm site/.spoil; rm -rf source/moved source/docs; echo x >source/docs");
        let outside = tree(&test.path("site/moved.away"));
        test.deploy();
        test.serves_the_source("site");
        same(&tree(&test.path("site/moved.away")), &outside);
    });
}

#[test]
fn a_release_is_filled_without_stat_and_sha256sum_too() {
    let test = Test::new().busybox().hostile_source().remove("bin/stat").remove("bin/sha256sum");
    test.deploy();
    let test = test.source("nothing", "something");
    test.deploy();
    test.serves_the_source("site");
    test.ends(0, &CACHE);
    test.ends(0, &CACHE);
    test.serves_the_source("site");
}

#[test]
fn a_link_that_leads_elsewhere_on_the_server_is_put_right() {
    everywhere(|test| {
        let test = test.source("dir/a", "one").source("b", "two").link("dir", "source/way");
        for strategy in ["strategy=copy-previous", "strategy=cache"] {
            let run = || test.ends(0, &["--set", strategy]);
            run();
            let edited = if strategy == "strategy=cache" { "site/cache".to_owned() } else { test.current() };
            let link = test.path(edited).join("way");
            fs::remove_file(&link).unwrap();
            std::os::unix::fs::symlink("elsewhere", &link).unwrap();
            run().says_not("warning");
            test.serves_the_source("site");
            run().says(&unpacked(0, &test));
            test.serves_the_source("site");
        }
    });
}

#[test]
fn a_release_can_be_copied_instead_of_linked() {
    everywhere(|test| {
        let test = test.hostile_source();
        for copy in ["copy=copy", "copy=reflink"] {
            test.ends(0, &["--set", copy]);
            test.ends(0, &["--set", copy]).says(&unpacked(0, &test));
            test.serves_the_source("site");
            assert_eq!(test.meta(format!("{}/nothing", test.current())).nlink(), 1);
        }
    });
}

#[test]
fn all_of_it_works_for_a_user_without_privileges_and_a_narrow_umask() {
    everywhere(|test| {
        let test = test.hostile_source().source("dir-mode-555/file", "x").mode("source/dir-mode-555", 0o555);
        let test = test.unprivileged().around("umask 077; exec \"$@\"");
        test.deploy();
        test.serves_the_source("site");
        test.deploy().says(&unpacked(0, &test));
        let test = test.mode("source/dir-mode-711", 0o2750);
        test.ends(0, &CACHE);
        test.ends(0, &CACHE);
        test.serves_the_source("site");
        assert_eq!(test.meta(test.current()).mode() & 0o777, 0o755);
        let _ = test.mode("source/dir-mode-555", 0o755);
    });
}
