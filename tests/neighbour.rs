//! What the web application, or another login of the server, puts where a deploy looks: none of it makes the deploy open,
//! make, change or remove something elsewhere.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;
use std::process::Command;

use support::Test;
use support::userland::{everywhere, tools_without};

/// The web application.
const POOL: u32 = 33;

fn settings(more: &str) -> String {
    format!(
        "[settings]\nsource = \"source\"\n{more}\n[stage.local]\npath = \"site\"\ntransport = \"local\"\n"
    )
}

/// Makes a link as the pool would, by a name that may be there: what it was lies beside it then.
fn links(test: &Test, path: &str, target: &str) {
    let path = test.path(path);
    if fs::symlink_metadata(&path).is_ok() {
        fs::rename(&path, path.with_extension("was")).unwrap();
    }
    symlink(target, &path).unwrap();
    lchown(&path, Some(POOL), Some(POOL)).unwrap();
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Something of the deploy user's that is nobody else's business.
fn victim(test: Test) -> Test {
    test.write("victim/views/own", "mine").write("victim/notes", "mine").mode("victim", 0o700)
}

#[track_caller]
fn is_untouched(test: &Test) {
    for file in ["victim/views/own", "victim/notes"] {
        assert_eq!(fs::read_to_string(test.path(file)).unwrap(), "mine");
    }
    assert_eq!(mode(test.path("victim")), 0o700);
    let names = |dir: &str| fs::read_dir(test.path(dir)).unwrap().count();
    assert_eq!((names("victim"), names("victim/views")), (2, 1));
}

#[test]
fn a_directory_that_became_a_link_is_not_made_writable() {
    for target in ["../../releases", "../../../victim", "/"] {
        everywhere(|test| {
            let toml = settings("shared = [\"storage/\"]\nwritable = [\"storage/\", \"storage/logs/\"]");
            let test = victim(test.source("index", "1").toml(&toml));
            test.deploy();
            assert_eq!(mode(test.path("site/shared/storage/logs")), 0o2775);
            let before = [mode(test.path("site/releases")), mode("/")];
            links(&test, "site/shared/storage/logs", target);
            let ran = test.ends(1, &[]);
            ran.says("task `share` failed").says("refused to follow `").says("can replace `logs`");
            assert_eq!([mode(test.path("site/releases")), mode("/")], before, "{ran}");
            is_untouched(&test);
        });
    }
}

#[test]
fn nothing_is_made_behind_a_link_in_the_middle_of_a_path() {
    everywhere(|test| {
        let toml = settings("shared = [\"storage/\"]\nwritable = [\"storage/\", \"storage/framework/new/\"]");
        let test = victim(test.source("index", "1").toml(&toml));
        test.deploy();
        links(&test, "site/shared/storage/framework", "../../../victim");
        test.ends(1, &[]).says("refused to follow `").says("storage/framework/new`");
        is_untouched(&test);
    });
}

#[test]
fn nothing_is_removed_behind_a_link() {
    everywhere(|test| {
        let toml = settings("writable = [\"st/\", \"st/fw/\"]\ngenerated = [\"st/fw/views/\"]");
        let test = victim(test.source("index", "1").toml(&toml));
        test.deploy();
        test.deploy();
        let live = test.live("site").unwrap();
        links(&test, &format!("site/releases/{live}/st/fw"), "../../../../victim");
        test.run(&[]);
        is_untouched(&test);
        assert_eq!(test.serves("site", "index"), "1");
    });
}

#[test]
fn what_a_failed_run_put_into_shared_is_not_removed_behind_a_link() {
    everywhere(|test| {
        let toml = settings("shared = [\"up/\", \"up/views/\"]\nwritable = [\"up/\"]");
        let test = victim(test.source("up/views/own", "sent").toml(&toml));
        let attack = "mv up ../../up.was && ln -s ../../../victim ../../shared/up; false";
        let recipe = format!("task(\"prepare\", |host| host.run(\"{attack}\"));\n");
        test.recipe(&recipe).run(&[]);
    });
}

/// A pull request must not reach further than the release.
#[test]
fn a_link_that_came_with_the_source_leads_nowhere_else() {
    everywhere(|test| {
        let recipe = "task(\"prepare\", |host| host.write(\"data/notes\", \"new\"));\n";
        let test = test.source("index", "1").toml(&settings("include = [\"/data\"]")).recipe(recipe);
        for target in ["../../../victim".to_owned(), test.path("victim").display().to_string()] {
            let test = &test;
            symlink(&target, test.path("source/data")).unwrap();
            fs::create_dir_all(test.path("victim/views")).unwrap();
            fs::write(test.path("victim/views/own"), "mine").unwrap();
            fs::write(test.path("victim/notes"), "mine").unwrap();
            fs::set_permissions(test.path("victim"), fs::Permissions::from_mode(0o700)).unwrap();
            test.ends(1, &[]).says("refused to follow `").says("/data`");
            is_untouched(test);
            fs::remove_file(test.path("source/data")).unwrap();
        }
        // Within the release it may.
        let test = test.source("real/.keep", "").link("real", "source/data");
        test.deploy();
        assert_eq!(test.serves("site", "real/notes"), "new");
    });
}

#[test]
fn a_link_that_nobody_else_can_have_made_is_followed() {
    everywhere(|test| {
        let toml = settings("shared = [\"uploads/\"]\nwritable = [\"uploads/\", \"uploads/new/\"]");
        let test = test.source("index", "1").toml(&toml);
        test.deploy();
        // As an administrator does it who has a disk for that.
        let test = test
            .shell("mkdir mnt && mv site/shared/uploads mnt/")
            .link("../../mnt/uploads", "site/shared/uploads");
        test.deploy();
        test.deploy();
        assert_eq!(mode(test.path("mnt/uploads/new")), 0o2775);
        // But not where others can put something in its way.
        let test = test.mode("mnt", 0o777);
        test.ends(1, &[]).says("refused to follow").says("can replace `uploads`");
    });
}

/// A link has all bits for everybody, and says nothing of what it leads to.
#[test]
fn a_directory_of_the_layout_may_be_a_link_of_the_administrator() {
    let test = Test::new()
        .unprivileged()
        .source("index", "1")
        .toml(&settings("shared = [\"up/\"]\nwritable = [\"up/\"]"));
    test.deploy();
    let test = test.shell("mkdir disk && mv site/shared disk/").link("../disk/shared", "site/shared");
    lchown(test.path("site/shared"), Some(0), Some(0)).unwrap();
    std::os::unix::fs::chown(test.path("site"), Some(65534), Some(65534)).unwrap();
    let ran = test.deploy();
    ran.says_not("can replace what is deployed").says_not("do not belong");
    assert_eq!(mode(test.path("disk/shared/up")), 0o2775);
}

#[test]
fn a_file_is_written_over_no_link_that_somebody_put_there() {
    everywhere(|test| {
        let toml = settings("shared = [\"up/\"]\nwritable = [\"up/\"]");
        let recipe = r#"
            task("prepare", |host| {
                host.write("up/version.txt", "new");
                host.write(host.path + "/shared/up/absolute.txt", "new");
            });
        "#;
        let test = victim(test.source("index", "1").toml(&toml).recipe(recipe));
        test.deploy();
        let test = test.mode("site/shared/up/version.txt", 0o640);
        for name in ["version.txt.new", "absolute.txt.new", "absolute.txt"] {
            links(&test, &format!("site/shared/up/{name}"), "../../../victim/notes");
        }
        test.deploy();
        is_untouched(&test);
        for name in ["version.txt", "absolute.txt"] {
            let path = test.path("site/shared/up").join(name);
            assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{name}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        }
        // The mode of what was there stays.
        assert_eq!(mode(test.path("site/shared/up/version.txt")), 0o640);
        // And not behind one.
        let test = test.recipe("task(\"prepare\", |host| host.write(\"up/deep/notes\", \"new\"));\n");
        links(&test, "site/shared/up/deep", "../../../victim");
        test.ends(1, &[]).says("failed to write `up/deep/notes`").says("refused to follow");
        is_untouched(&test);
    });
}

#[test]
fn a_file_is_read_through_no_link_that_somebody_put_there() {
    everywhere(|test| {
        let toml = settings("shared = [\"up/\"]\nwritable = [\"up/\"]");
        let test = victim(test.source("index", "1").toml(&toml));
        test.deploy();
        links(&test, "site/shared/up/notes", "../../../victim/notes");
        let test = test.recipe("task(\"prepare\", |host| print(host.read(\"up/notes\")));\n");
        test.ends(1, &[]).says("failed to read `up/notes`").says("refused to follow").says_not("mine");
        let test = test.shell("mkfifo site/shared/up/fifo; chmod 666 site/shared/up/fifo");
        let test = test.recipe("task(\"prepare\", |host| print(host.read(\"up/fifo\")));\n");
        test.ends(1, &[]).says("it is not a regular file");
        // What is ours is read through ours.
        let test = test.write("site/shared/own.ini", "ours").link("../own.ini", "site/shared/up.ini");
        let test =
            test.recipe("task(\"prepare\", |host| print(host.read(host.path + \"/shared/up.ini\")));\n");
        let test = test.shell("rm site/shared/up.ini && ln -s own.ini site/shared/up.ini");
        test.ends(0, &[]).says("ours");
    });
}

#[test]
fn a_file_gets_the_mode_that_is_asked_for_and_one_with_a_secret_is_private() {
    let recipe = r#"
        task("prepare", |host| {
            host.write("open", "x");
            host.write("asked", "x", #{ mode: "0751" });
            let key = secret("KEY");
            host.write("private", `key=${key}`);
            host.write("given", `key=${key}`, #{ mode: "0640" });
        });
    "#;
    let test = Test::new()
        .source("index", "1")
        .recipe(recipe)
        .env("RUNNER_SECRET_KEY", "hidden away")
        .env("KEY", "hidden away");
    test.deploy();
    for (name, want) in [("open", 0o644), ("asked", 0o751), ("private", 0o600), ("given", 0o640)] {
        assert_eq!(mode(test.path("site/current").canonicalize().unwrap().join(name)), want, "{name}");
    }
    let test = test.recipe("task(\"prepare\", |host| host.write(\"a\", \"b\", #{ mode: \"rw\" }));\n");
    test.ends(1, &[]).says("option `mode` must be 3 or 4 octal digits in quotes");
}

/// Whatever the umask of the login, and also on a site that was made before.
#[test]
fn nobody_else_can_write_in_a_site() {
    everywhere(|test| {
        let toml = settings("writable = [\"open/\"]\nshared = [\"up/\"]");
        let test =
            test.source("index", "1").source("deep/er", "1").toml(&toml).around("umask 002; exec \"$@\"");
        test.deploy();
        let is_closed = |test: &Test| {
            for part in ["", "releases", "shared"] {
                assert_eq!(mode(test.path("site").join(part)) & 0o7022, 0, "{part}");
            }
            assert_eq!(mode(test.path("site/.runner")), 0o700);
            let known = fs::read_dir(test.path("site/.runner")).unwrap().map(|entry| entry.unwrap().path());
            for file in known.filter(|path| path.is_file()) {
                assert_eq!(mode(&file) & 0o077, 0, "{}", file.display());
            }
            let release = test.path("site/current").canonicalize().unwrap();
            assert_eq!(mode(&release) & 0o022, 0);
            assert_eq!(mode(release.join("deep")), 0o755);
            assert_eq!(mode(release.join("deep/er")) & 0o222, 0);
            assert_eq!(mode(release.join("open")), 0o2775);
        };
        is_closed(&test);
        let before = "chmod 775 site site/releases site/shared site/.runner site/releases/*; chmod 664 site/.runner/history";
        let test = test.shell(before);
        test.deploy().says_not("edited").says_not("changed on the server");
        is_closed(&test);
    });
}

/// The developer's umask may be 002, too.
#[test]
fn nothing_of_the_work_tree_can_be_written_by_others() {
    for copy in ["link", "copy"] {
        everywhere(|test| {
            let test = test.toml(&settings(&format!("copy = \"{copy}\"")));
            let test = test.source("dir/file", "1").source("dir/run", "1").source("open", "1");
            let test =
                test.mode("source/dir", 0o777).mode("source/dir/file", 0o664).mode("source/dir/run", 0o775);
            let test = test.mode("source/open", 0o666);
            test.deploy();
            test.deploy().says_not("changed on the server");
            let release = test.path("site/current").canonicalize().unwrap();
            for path in ["dir", "dir/file", "dir/run", "open"] {
                assert_eq!(mode(release.join(path)) & 0o022, 0, "{copy}: {path}");
            }
            assert_eq!(mode(release.join("dir/run")) & 0o111, 0o111);
        });
    }
}

/// A line in a log is what the pool adds to what a command began, and the other way round.
#[test]
fn the_pool_can_append_to_what_a_command_wrote_first() {
    let toml = settings("shared = [\"storage/\"]\nwritable = [\"storage/logs/\"]");
    let recipe = "task(\"prepare\", |host| host.run(\"echo begun >storage/logs/app.log\"));\n";
    let test = Test::new().unprivileged().source("index", "1").toml(&toml).recipe(recipe);
    let test = test.around("umask 022; exec \"$@\"").shell("mkdir lists");
    let lists =
        Command::new("setfacl").args(["-d", "-m", "g::rwx"]).arg(test.path("lists")).status().unwrap();
    test.deploy();
    let log = test.path("site/shared/storage/logs/app.log");
    let group = fs::metadata(&log).unwrap().gid();
    // A member of the group of the deploy user, as `www-data` is in the documents.
    // Where the file system has no such lists, it can at least begin a log of its own.
    let append = if lists.success() { format!("echo more >>{} && ", log.display()) } else { String::new() };
    let words = format!("{append}echo new >{}.1", log.display());
    let status = Command::new("setpriv")
        .args([
            &format!("--reuid={POOL}"),
            &format!("--regid={POOL}"),
            &format!("--groups={group}"),
            "sh",
            "-c",
            &words,
        ])
        .status()
        .unwrap();
    assert!(status.success());
    let more = if lists.success() { "begun\nmore\n" } else { "begun\n" };
    assert_eq!(fs::read_to_string(&log).unwrap(), more);
}

#[test]
fn a_directory_of_the_pool_is_left_as_it_is_and_told() {
    let toml = settings("shared = [\"logs/\"]\nwritable = [\"logs/\"]");
    let test = Test::new().unprivileged().source("index", "1").toml(&toml);
    test.deploy();
    let logs = test.path("site/shared/logs");
    lchown(&logs, Some(POOL), Some(POOL)).unwrap();
    let test = test.mode("site/shared/logs", 0o755);
    test.deploy().says("left the mode of `logs` unchanged (drwxr-xr-x").says("it belongs to `www-data`");
    // Where not even its owner can write, nobody gets what was asked for.
    let test = test.mode("site/shared/logs", 0o555);
    let ran = test.ends(1, &[]);
    ran.says("`logs` cannot be made writable: it belongs to `www-data`, and its mode is dr-xr-xr-x");
    ran.says("sudo chown nobody ").says("/site/shared/logs`");
}

#[test]
fn a_site_of_several_logins_is_refused_with_the_cure() {
    for part in ["releases", "shared", "."] {
        let test = Test::new().unprivileged().source("index", "1");
        test.deploy();
        lchown(test.path("site").join(part), Some(POOL), Some(POOL)).unwrap();
        let test = test.mode(&format!("site/{part}"), 0o777);
        for words in [&[][..], &["--plan"], &["rollback"]] {
            let ran = test.ends(1, words);
            ran.says("these directories of the site do not belong to `nobody`").says("(`www-data`)");
            ran.says("sudo chown nobody /").says("log in as `www-data`");
        }
        assert_eq!(test.releases("site").len(), 1);
    }
}

#[test]
fn the_doctor_names_what_too_many_can_read_or_change() {
    let test = Test::new().source("index", "1").toml(&settings("shared = [\"app.env\"]"));
    let test = test.write("site/shared/app.env", "KEY=x").mode("site/shared/app.env", 0o644);
    test.ends(0, &["doctor"]).says("every user of the server can read `").says("chmod 640 ");
    let test = test.mode("site/shared/app.env", 0o646);
    test.ends(1, &["doctor"]).says("every user of the server can change `").says("chmod o-w ");
    let test = test.mode("site/shared/app.env", 0o640);
    let test = test.mode("", 0o700);
    test.ends(0, &["doctor"])
        .says_not("every user")
        .says("can enter it; if the web server is neither: chmod o+x ");
    // A deploy path below a web root.
    let test = test.write("index.php", "");
    test.ends(1, &["doctor"]).says("looks like a web root, and `").says("lies below it");
}

/// Else the pool could put links into what a fill writes, copies and opens.
#[test]
fn nobody_else_enters_a_release_before_it_is_whole() {
    for strategy in ["copy-previous", "cache"] {
        let toml = settings(&format!("strategy = \"{strategy}\"\nwritable = [\"up/\"]"));
        let tar = "#!/bin/sh\nstat -c '%a %n' ../../releases/* ./releases/* 2>/dev/null >>\"$HOME/seen\"\nexec /usr/bin/tar \"$@\"\n";
        let test = Test::new().unprivileged().source("up/.keep", "").source("index", "1").toml(&toml);
        let test = test.write("bin/tar", tar).mode("bin/tar", 0o755);
        let path = format!("{}:/usr/bin:/bin", test.path("bin").display());
        let test = test.env("PATH", &path);
        test.deploy();
        // What a command or the pool left is copied.
        let test = test.shell("echo x >site/current/up/left").source("index", "2");
        test.deploy();
        let live = test.live("site").unwrap();
        let seen = fs::read_to_string(test.path("seen")).unwrap();
        let modes: Vec<&str> = seen.lines().filter(|line| line.ends_with(&live)).collect();
        assert!(!modes.is_empty(), "{seen}");
        assert!(modes.iter().all(|line| line.starts_with("700 ")), "{seen}");
        assert_eq!(mode(test.path("site/releases").join(&live)), 0o755);
        assert_eq!(mode(test.path("site/releases").join(&live).join("up")), 0o2775);
        assert!(test.has(format!("site/releases/{live}/up/left")) || strategy == "cache");
    }
}

#[test]
fn the_mode_of_a_file_of_the_pool_says_nothing() {
    everywhere(|test| {
        let toml = settings("shared = [\"up/\"]\nwritable = [\"up/\"]");
        let recipe =
            "task(\"prepare\", |host| { host.write(\"up/a\", \"x\"); host.write(\"up/b\", \"x\"); });\n";
        let test = test.source("index", "1").toml(&toml).recipe(recipe);
        test.deploy();
        lchown(test.path("site/shared/up/a"), Some(POOL), Some(POOL)).unwrap();
        let test = test.mode("site/shared/up/a", 0o4777).mode("site/shared/up/b", 0o4777);
        test.deploy();
        assert_eq!(mode(test.path("site/shared/up/a")), 0o644);
        assert_eq!(mode(test.path("site/shared/up/b")) & 0o7022, 0);
        let left = fs::read_dir(test.path("site/shared/up")).unwrap().count();
        assert_eq!(left, 2, "a temporary directory is left");
    });
}

/// A link of root's on the way makes no difference.
#[test]
fn a_link_of_the_source_leads_nowhere_else_by_way_of_links_of_the_system() {
    let test = victim(Test::new().source("index", "1").toml(&settings("include = [\"/data\"]")));
    let outside = format!("/bin/../..{}", test.path("victim").display());
    let test = test.link(&outside, "source/data");
    let test = test.recipe("task(\"prepare\", |host| host.write(\"data/notes\", \"new\"));\n");
    test.ends(1, &[]).says("refused to follow `");
    is_untouched(&test);
}

/// Whoever could write in a deploy path before the first run here may have made a `.runner`.
#[test]
fn nothing_of_a_site_that_somebody_else_prepared_is_opened() {
    let trap = "mkdir -p site/.runner site/releases site/shared && echo 1 >site/.runner/format && ln -s ../../victim/notes site/.runner/lock \
                && ln -s ../../victim/made site/.runner/site.new && chmod -R 777 site";
    for is_theirs in [true, false] {
        let test = victim(Test::new().unprivileged().source("index", "1").shell(trap));
        if is_theirs {
            lchown(test.path("site/.runner"), Some(POOL), Some(POOL)).unwrap();
        }
        if is_theirs {
            test.ends(1, &[]).says("do not belong to `nobody`");
        } else {
            test.deploy();
        }
        is_untouched(&test);
    }
}

/// What the pool left in a release that it may write in.
fn left_by_the_pool(test: &Test, release: &str) {
    let dir = test.path("site/releases").join(release).join("cache/page");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("a"), "x").unwrap();
    for path in [dir.join("a"), dir] {
        lchown(path, Some(POOL), Some(POOL)).unwrap();
    }
}

#[test]
fn one_warning_lists_releases_with_files_of_others_and_prune_command_removes_them() {
    let text = |more: &str| {
        settings(&format!("keep_releases = 1\ngenerated = [\"cache/\"]\nwritable = [\"cache/\"]\n{more}"))
    };
    let test = Test::new().unprivileged().source("index", "1").toml(&text(""));
    test.deploy();
    let first = test.live("site").unwrap();
    left_by_the_pool(&test, &first);
    let test = test.source("index", "2");
    let root = test.path("site").canonicalize().unwrap().display().to_string();
    let how = format!(
        "on the host, run `sudo sh -c 'rm -rf {root}/.runner/trash.*'`; the setting `prune_command` can"
    );
    test.deploy().says(&format!(
        "could not completely remove release `{first}`: 2 files or directories of `www-data` are left ("
    ));
    let second = test.live("site").unwrap();
    left_by_the_pool(&test, &second);
    let test = test.source("index", "3");
    let ran = test.deploy();
    ran.says(&format!("could not completely remove releases `{first}`, `{second}`: 4 files ")).says(&how);
    assert_eq!(ran.err.matches("could not completely remove").count(), 1, "{ran}");

    // A failing command is quoted; one with the right to delete the files, as with `sudo -u www-data`, empties both.
    let test =
        test.toml(&text("prune_command = \"echo 'a password is required' >&2; false\"")).source("index", "4");
    test.deploy().says(
        " KiB); `prune_command` failed: a password is required, exit status 1; on the host, run `sudo ",
    );
    let (asks, answers) = (test.path("asks"), test.path("answers"));
    for fifo in [&asks, &answers] {
        let status = Command::new("mkfifo").args(["-m", "666"]).arg(fifo).status().unwrap();
        assert!(status.success());
    }
    let command = format!("pwd >{}; cat {}", asks.display(), answers.display());
    let test = test.toml(&text(&format!("prune_command = \"{command}\""))).source("index", "5");
    let owner = std::thread::spawn(move || {
        for _ in 0..2 {
            let dir = fs::read_to_string(&asks).unwrap();
            assert!(dir.contains("/.runner/trash."), "{dir}");
            fs::remove_dir_all(Path::new(dir.trim()).join("cache/page")).unwrap();
            fs::write(&answers, "").unwrap();
        }
    });
    test.deploy().says_not("could not completely remove");
    owner.join().unwrap();
    let is_trash = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("trash");
    let rest = fs::read_dir(test.path("site/.runner"))
        .unwrap()
        .filter(|entry| is_trash(&entry.as_ref().unwrap().file_name()));
    assert_eq!((rest.count(), test.releases("site").len()), (0, 1));
}

/// With processes of its own, so that pools of other tests are not seen.
#[test]
fn the_doctor_says_which_set_up_a_site_has() {
    let toml = settings("writable = [\"up/\"]");
    for (pools, deployer, want) in [
        (
            &[POOL][..],
            0,
            "PHP-FPM or Apache runs as `www-data`, not as `root`, the user who deploys. If it serves this site, the site is *locked*",
        ),
        (
            &[POOL],
            POOL,
            "PHP-FPM or Apache runs as `www-data`, the user who deploys. If it serves this site, the site is *self-updating*",
        ),
        (
            &[POOL, 1],
            POOL,
            "PHP-FPM or Apache runs as `daemon`, `www-data`. If this site is served as `www-data`",
        ),
        (&[], 0, ""),
    ] {
        let test = Test::new().source("index", "1").toml(&toml);
        fs::copy("/bin/sleep", test.path("php-fpm8.2")).unwrap();
        let test = test.shell(&format!("chown -R {deployer} ."));
        let by = |user: u32| format!("setpriv --reuid {user} --regid {user} --clear-groups");
        let start: String = pools.iter().map(|pool| format!("{} ./php-fpm8.2 600 & ", by(*pool))).collect();
        let inner = format!("{start} {} \"$@\"", by(deployer));
        let test = test.around(&format!("exec unshare -fp --mount-proc sh -c '{inner}' sh \"$@\""));
        let ran = test.ends(0, &["doctor"]);
        ran.says(want).says_not("setfacl");
        assert_eq!(ran.err.matches("docs/security.md").count(), usize::from(!want.is_empty()), "{ran}");
    }
    let test = Test::new().source("index", "1").toml(&toml);
    let path = tools_without(&test, &["setfacl"]);
    let test = test.env("PATH", &path);
    test.ends(0, &["doctor"]).says("`setfacl` not found").says("install the package `acl`");
    test.ends(0, &["--plan"]).says("`setfacl` not found: in `writable`");
}

/// busybox' `rm` goes by path, so it must not be used where the pool owns a directory.
#[test]
fn a_release_that_the_pool_has_left_directories_in_is_removed_without_following_its_links() {
    for userland in [Test::busybox, |test| test] as [fn(Test) -> Test; 2] {
        let toml = settings("keep_releases = 1\ngenerated = [\"cache/\"]\nwritable = [\"cache/\"]");
        let test = userland(victim(Test::new().unprivileged().source("index", "1").toml(&toml)));
        test.deploy();
        let cache = test.path("site/releases").join(test.live("site").unwrap()).join("cache");
        let deep = cache.join("page/deep/.hidden");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("-rf"), "x").unwrap();
        for (link, target) in [("views", "victim/views"), ("deep/views", "victim")] {
            symlink(test.path(target), cache.join("page").join(link)).unwrap();
        }
        for dir in ["page", "page/deep", "page/deep/.hidden"] {
            lchown(cache.join(dir), Some(POOL), Some(POOL)).unwrap();
            fs::set_permissions(cache.join(dir), fs::Permissions::from_mode(0o777)).unwrap();
        }
        let test = test.source("index", "2");
        test.deploy().says_not("could not completely remove");
        is_untouched(&test);
        assert_eq!(test.releases("site").len(), 1);
    }
}
