//! `runner adopt`: sites that are served already become sites of ours, under visitors, and are taken back again.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/load.rs"]
mod load;
#[path = "support/readers.rs"]
mod readers;
#[path = "support/web.rs"]
mod servers;
mod support;
#[path = "support/trap.rs"]
mod trap;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use load::Load;
use readers::Readers;
use runner::parts::web::Response;
use servers::Nginx;
use support::files::{same, stamps};
use support::userland::{program, tools_without};
use support::{Ran, Test, tree};
use trap::{At, Then, Trap, Victim};

const FILES: [&str; 5] = ["index", "a", "b", "deep/er/c", "deep/d"];

/// A directory of a server that visitors see, with a link, a mode and an upload of its own.
fn served(test: Test, directory: &str) -> Test {
    let test = FILES.into_iter().fold(test, |test, file| test.write(&format!("{directory}/{file}"), "old"));
    let test =
        test.write(&format!("{directory}/index.html"), "old").link("index", &format!("{directory}/link"));
    let test = test
        .write(&format!("{directory}/uploads/it's a photo.jpg"), "photo")
        .mode(&format!("{directory}/uploads"), 0o775)
        .version("new")
        .source("index.html", "new")
        .source("uploads/it's a photo.jpg", "photo");
    // Several hosts have the same source.
    if test.has("source/link") { test } else { test.link("index", "source/link") }
}

/// `current` is a directory.
fn with_current() -> Test {
    served(Test::new(), "site/current")
}

/// The deploy path itself is what visitors see.
fn docroot() -> Test {
    served(Test::new(), "site")
}

/// The name of the one release.
#[track_caller]
fn only_release(test: &Test, site: &str) -> String {
    let names = test.releases(site);
    assert_eq!(names.len(), 1, "{names:?}");
    names.into_iter().next().unwrap()
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn without_a_terminal_and_a_yes_only_the_plan_is_shown() {
    let test = with_current();
    let before = stamps(test.root());
    let ran = test.ends(2, &["adopt"]);
    ran.says("site/current` becomes `releases/")
        .says("nothing was changed")
        .says("`runner adopt --yes` does it");
    test.ends(0, &["adopt", "--plan"]).says("takes its place in the same instant");
    same(&stamps(test.root()), &before);
}

#[test]
fn a_current_that_is_a_directory_becomes_the_first_release() {
    for is_root in [true, false] {
        let test = if is_root { with_current() } else { with_current().unprivileged() };
        let (before, directory) = (stamps(&test.path("site/current")), inode(&test.path("site/current")));
        test.ends(1, &[]).says("is a directory, not a link").says("`runner adopt` makes it");
        test.ends(0, &["adopt", "--yes"]).says("adopted `").says("serves 2");
        let name = only_release(&test, "site");
        let link = fs::read_link(test.path("site/current")).unwrap();
        assert_eq!(link.to_str(), Some(format!("releases/{name}").as_str()));
        // Not copied: the same files.
        assert_eq!(inode(&test.path("site/current/")), directory);
        same(&stamps(&test.path("site/current/")), &before);
        let record = test.record("site", &name);
        assert_eq!((&record["state"], &record["adopted"]), (&"complete".into(), &true.into()));
        test.ends(0, &["adopt", "--yes"]).says("is adopted already");
        test.deploy().says_not("warning").says_not("adopted");
        assert_eq!(test.serves("site", "index"), "new");
        test.ends(0, &["rollback"]).says(&format!("serves {name}"));
        assert_eq!(test.serves("site", "index"), "old");
        test.ends(1, &["adopt", "--undo", "--yes"]).says("was deployed after the site was adopted");
        assert_eq!(test.live("site"), Some(name));
    }
}

#[test]
fn an_adoption_is_taken_back() {
    let test = with_current();
    let (before, directory) = (stamps(&test.path("site/current")), inode(&test.path("site/current")));
    for _ in 0..2 {
        test.ends(0, &["adopt", "--yes"]);
        let name = only_release(&test, "site");
        test.ends(2, &["adopt", "--undo"]).says("becomes the directory `current` again");
        test.ends(0, &["adopt", "--undo", "--yes"]).says("again that it was");
        assert!(fs::symlink_metadata(test.path("site/current")).unwrap().is_dir());
        assert_eq!(inode(&test.path("site/current")), directory);
        same(&stamps(&test.path("site/current")), &before);
        assert!(!test.has(format!("site/.runner/records/{name}")) && !test.has("site/releases"));
        test.ends(0, &["adopt", "--undo", "--yes"]).says("was not adopted with `runner adopt`");
    }
}

#[test]
fn where_nothing_can_exchange_names_the_lines_to_type_are_shown_and_they_work() {
    let test = with_current();
    // The system's, whatever its `mv` can.
    let mv = "#!/bin/sh\n[ \"$1\" != --help ] || exit 0\nexec /usr/bin/mv \"$@\"\n";
    let tools = tools_without(&test, &["perl", "python3"]);
    fs::remove_file(test.path("tools/mv")).unwrap();
    let test = test.write("tools/mv", mv).mode("tools/mv", 0o755).env("PATH", &tools);
    let before = stamps(&test.path("site"));
    let ran = test.ends(1, &["adopt", "--yes"]);
    ran.says("no program on the server can exchange").says("install perl or python3");
    same(&stamps(&test.path("site")), &before);
    let lines: Vec<&str> = ran.err.lines().filter(|line| is_command(line)).map(str::trim).collect();
    let test = test.shell(&lines.join("\n"));
    test.deploy().says("adopted `");
    test.ends(0, &["rollback"]);
    assert_eq!(test.serves("site", "index"), "old");
}

fn is_command(line: &str) -> bool {
    ["mkdir ", "mv ", "ln ", "install ", "chown ", "perl ", "sudo "]
        .iter()
        .any(|word| line.trim().starts_with(word))
}

#[test]
fn each_program_that_can_exchange_names_does() {
    for left in ["perl", "python3", "mv"] {
        let test = with_current();
        let others: Vec<&str> = ["perl", "python3"].into_iter().filter(|name| *name != left).collect();
        let tools = tools_without(&test, &others);
        if left == "mv" {
            // As coreutils 9.5 has it.
            let perl = program("perl").unwrap();
            let text = format!(
                "#!/bin/sh\n[ \"$1\" != --help ] || {{ echo --exchange; exit; }}\n[ \"$1\" = --exchange ] || exec /usr/bin/mv \"$@\"\n\
                 [ \"$2 $3\" = '-T --' ] && exec {} -e 'exit(syscall(316, -100, $ARGV[0], -100, $ARGV[1], 2) != 0)' \"$4\" \"$5\"\n",
                perl.display()
            );
            fs::remove_file(test.path("tools/mv")).unwrap();
            let test = test.write("tools/mv", &text).mode("tools/mv", 0o755).env("PATH", &tools);
            adopts(&test);
        } else {
            let test = match (left, program("python3.11").or_else(|| program("python3"))) {
                ("python3", Some(python)) => {
                    fs::remove_file(test.path("tools/python3")).unwrap();
                    test.link(python.to_str().unwrap(), "tools/python3")
                }
                _ => test,
            };
            adopts(&test.env("PATH", &tools));
        }
    }
}

#[track_caller]
fn adopts(test: &Test) {
    test.ends(0, &["adopt", "--yes"]);
    assert_eq!(test.serves("site", "index"), "old");
    only_release(test, "site");
}

#[test]
fn a_directory_of_somebody_else_is_not_adopted() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let test = with_current().unprivileged();
    // Whoever runs the program is given the project when it starts.
    test.run(&["status"]);
    std::os::unix::fs::chown(test.path("site/current"), Some(1), Some(1)).unwrap();
    let mut command = test.command(&["adopt", "--yes"]);
    std::os::unix::fs::chown(test.path("site/current"), Some(1), Some(1)).unwrap();
    command.uid(65534).gid(65534);
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(ran.code, Some(1), "{ran}");
    ran.says("site/current` belongs to `").says("sudo chown ");
    assert!(!test.has("site/releases"));
}

#[test]
fn all_hosts_are_adopted_or_none() {
    let test = (1..=3).fold(Test::with_sites(3), |test, n| served(test, &format!("sites/h{n}/current")));
    let test = test
        .write("sites/h3/current/x", "")
        .shell("rm -r sites/h3/current; mkdir -p sites/h3; echo x >sites/h3/current");
    test.ends(1, &["adopt", "--yes"]).says("is a file");
    for n in 1..=2 {
        assert!(!test.has(format!("sites/h{n}/releases")));
    }
    let test = served(test.remove("sites/h3/current"), "sites/h3/current");
    // What cannot be foreseen: the exchange fails on one of them.
    let perl = program("perl").unwrap();
    let text = format!(
        "#!/bin/sh\ncase \"$PWD $*\" in */h2*syscall*) echo 'No such luck' >&2; exit 1 ;; esac\nexec {} \"$@\"\n",
        perl.display()
    );
    let path = format!("{}:{}", test.path("bin").display(), std::env::var("PATH").unwrap());
    let test = test.write("bin/perl", &text).mode("bin/perl", 0o755).env("PATH", &path);
    let ran = test.ends(1, &["adopt", "--yes"]);
    ran.says("`h2`").says("No such luck").says("what this run had adopted on `h1`, `h3` was taken back");
    for n in 1..=3 {
        let current = test.path(format!("sites/h{n}/current"));
        assert!(fs::symlink_metadata(&current).unwrap().is_dir(), "{}", current.display());
        assert!(!test.has(format!("sites/h{n}/.runner/adoption")));
        assert_eq!(fs::read_dir(test.path(format!("sites/h{n}/.runner/records"))).unwrap().count(), 0);
    }
    let test = test.remove("bin/perl");
    test.ends(0, &["adopt", "--yes"]);
    // One name on all hosts.
    let names: Vec<String> = (1..=3).map(|n| only_release(&test, &format!("sites/h{n}"))).collect();
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    test.ends(0, &["adopt", "--undo", "--yes"]);
}

#[test]
fn a_site_whose_lock_another_run_holds_is_not_adopted() {
    let test = with_current();
    test.ends(0, &["adopt", "--yes"]);
    test.ends(0, &["adopt", "--undo", "--yes"]);
    let mut held = Command::new("flock")
        .arg("-n")
        .arg(test.path("site/.runner/lock"))
        .arg("cat")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    trap::until(Duration::from_secs(60), || trap::is_locked(&test.path("site/.runner/lock")), String::new)
        .unwrap();
    test.ends(3, &["adopt", "--yes"]).says("the lock of `localhost` is held");
    drop(held.stdin.take());
    held.wait().unwrap();
    assert!(fs::symlink_metadata(test.path("site/current")).unwrap().is_dir());
}

#[test]
fn a_docroot_becomes_a_link_to_the_site_beside_it() {
    for is_root in [true, false] {
        let toml = "# Ours.\n[settings]\nsource = \"source\" # what\n\n[stage.local]\npath   =  'site' # where\ntransport = \"local\"\n";
        let test = if is_root { docroot() } else { docroot().unprivileged() }.toml(toml);
        let (before, directory) = (stamps(&test.path("site")), inode(&test.path("site")));
        test.ends(1, &[])
            .says("looks like a web root")
            .says("`runner adopt` makes these files")
            .says("no site yet; what lies there is as it was");
        let ran = test.ends(2, &["adopt"]);
        ran.says("make the site `")
            .says("/site.site`")
            .says("`path = \"site\"` becomes `path = \"site.site\"`");
        test.ends(0, &["adopt", "--yes"]).says("adopted `").says("serves 2");
        only_release(&test, "site.site");
        assert_eq!(fs::read_link(test.path("site")).unwrap().to_str(), Some("site.site/current"));
        assert_eq!(inode(&test.path("site/")), directory);
        same(&stamps(&test.path("site/")), &before);
        let changed = toml.replace("'site'", "\"site.site\"");
        assert_eq!(fs::read_to_string(test.path("runner.toml")).unwrap(), changed);
        test.ends(0, &["adopt", "--yes"]).says("is adopted already");
        test.ends(0, &["adopt", "--undo", "--yes"]);
        assert_eq!(inode(&test.path("site")), directory);
        same(&stamps(&test.path("site")), &before);
        assert_eq!(
            fs::read_to_string(test.path("runner.toml")).unwrap(),
            changed.replace("site.site", "site")
        );
        test.ends(0, &["adopt", "--yes"]);
        let name = only_release(&test, "site.site");
        test.deploy().says_not("warning");
        // The web server's root is what it was.
        assert_eq!(fs::read_to_string(test.path("site/index.html")).unwrap(), "new");
        test.ends(0, &["rollback"]);
        assert_eq!(fs::read_to_string(test.path("site/index.html")).unwrap(), "old");
        assert!(test.releases("site.site").contains(&name));
    }
}

#[test]
fn the_site_of_a_docroot_can_be_elsewhere() {
    let test = docroot();
    let elsewhere = test.path("else/where");
    let elsewhere = elsewhere.to_str().unwrap();
    fs::create_dir(test.path("else")).unwrap();
    test.ends(2, &["adopt", "--to", "else/where"]).says("`--to` must be absolute");
    test.ends(0, &["adopt", "--yes", "--to", elsewhere]);
    let link = fs::read_link(test.path("site")).unwrap();
    assert_eq!(link.to_str().unwrap(), format!("{elsewhere}/current"));
    test.deploy();
    assert_eq!(fs::read_to_string(test.path("site/index.html")).unwrap(), "new");
}

#[test]
fn a_site_that_is_there_already_is_not_adopted_into() {
    let test = docroot().write("site.site/current/x", "theirs");
    let before = stamps(test.root());
    test.ends(1, &["adopt", "--yes"]).says("exists already").says("`--to`");
    same(&stamps(test.root()), &before);
}

#[test]
fn a_docroot_whose_parent_cannot_be_written_gets_lines_for_an_administrator_and_they_work() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let test = served(Test::new(), "www/html").unprivileged();
    let test = test
        .toml("[settings]\nsource = \"source\"\n[stage.local]\npath = \"www/html\"\ntransport = \"local\"\n");
    // `sudo` of a test: it is root that runs the lines.
    let test = test.write("bin/sudo", "#!/bin/sh\nexec \"$@\"\n").mode("bin/sudo", 0o755);
    let as_root = |test: &Test| {
        let mut command = test.command(&["adopt", "--yes"]);
        std::os::unix::fs::chown(test.path("www"), Some(0), Some(0)).unwrap();
        std::os::unix::fs::chown(test.path("www/html"), Some(0), Some(0)).unwrap();
        command.uid(65534).gid(65534);
        Ran::of(command.output().unwrap())
    };
    let before = tree(&test.path("www"));
    let ran = as_root(&test);
    assert_eq!(ran.code, Some(1), "{ran}");
    ran.says("www` is not writable by `").says("nothing was changed");
    assert_eq!(tree(&test.path("www")), before);
    let lines: Vec<&str> = ran.err.lines().filter(|line| is_command(line)).map(str::trim).collect();
    assert!(lines.len() >= 5, "{ran}");
    let path = format!("{}:{}", test.path("bin").display(), std::env::var("PATH").unwrap());
    let status = Command::new("sh").args(["-ec", &lines.join("\n")]).env("PATH", path).status().unwrap();
    assert!(status.success());
    assert_eq!(fs::read_to_string(test.path("www/html/index.html")).unwrap(), "old");
    let ran = test.ends(0, &["adopt", "--yes"]);
    ran.says("is a link to `html.site/current` already").says("adopted `");
    test.deploy();
    assert_eq!(fs::read_to_string(test.path("www/html/index.html")).unwrap(), "new");
    test.ends(0, &["rollback"]);
    assert_eq!(fs::read_to_string(test.path("www/html/index.html")).unwrap(), "old");
}

#[test]
fn a_line_of_runner_toml_that_is_for_other_hosts_too_is_not_changed_for_one() {
    let test = docroot();
    let path = test.path("site").display().to_string();
    let test = test.toml(&format!(
        "[settings]\nsource = \"source\"\n[stage.prod]\npath = \"{path}\"\nhosts = [\n  {{ name = \"a\", transport = \"local\" }},\n  \"b\",\n]\n"
    ));
    let before = tree(test.root());
    test.ends(2, &["adopt", "--yes", "--host", "a"]).says("is also that of `b`");
    assert_eq!(tree(test.root()), before);
}

#[test]
fn what_capistrano_has_laid_out_is_adopted_and_taken_back() {
    let test = Test::new()
        .shell("mkdir -p site/releases/20200101000000 site/shared; echo old >site/releases/20200101000000/index; ln -s \"$PWD/site/releases/20200101000000\" site/current")
        .version("new");
    let before = stamps(&test.path("site"));
    test.ends(0, &["adopt", "--yes"]).says("adopted `20200101000000`");
    test.ends(0, &["adopt", "--undo", "--yes"]);
    let after = stamps(&test.path("site"));
    assert!(before.iter().all(|(path, what)| after.get(path) == Some(what)));
    assert_eq!(fs::read_dir(test.path("site/.runner/records")).unwrap().count(), 0);
    test.ends(0, &["adopt", "--yes"]);
    test.deploy().says_not("adopted");
}

/// Releases 1 to 4 of Capistrano, of which the third failed and the fourth is live; 5 is being made.
#[test]
fn older_releases_of_capistrano_are_recorded_with_their_people_and_pruned_first() {
    let test = Test::new()
        .shell(
            r#"mkdir site; cd site; for n in 1 2 3 4 5; do
              mkdir -p releases/2021010100000$n; echo $n >releases/2021010100000$n/index
              [ $n = 3 ] || [ $n = 5 ] || echo "Branch main (at beef$n) deployed as release 2021010100000$n by ann" >>revisions.log
            done; echo 'ann rolled back to release 20210101000002' >>revisions.log; ln -s "$PWD/releases/20210101000004" current"#,
        )
        .version("new");
    test.ends(2, &["adopt"]).says("record the older releases `20210101000001`, `20210101000002`");
    test.ends(0, &["adopt", "--yes"])
        .says("left alone, because no log says that they are complete: `20210101000003`");
    let record = test.record("site", "20210101000002");
    for (key, want) in
        [("by", "ann"), ("revision", "beef2"), ("created", "2021-01-01T00:00:02Z"), ("state", "complete")]
    {
        assert_eq!(record[key], want, "{record}");
    }
    assert_eq!(test.record("site", "20210101000004")["by"], "ann");
    for n in [3, 5] {
        assert!(!test.has(format!("site/.runner/records/2021010100000{n}")));
    }
    test.ends(0, &["rollback"]).says("serves 20210101000002");
    test.ends(0, &["rollback", "--release", "20210101000004"]);
    for _ in 0..3 {
        test.ends(0, &["--set", "keep_releases=2"]);
    }
    for n in [1, 2, 4] {
        assert!(!test.has(format!("site/releases/2021010100000{n}")), "{n}");
    }
    for n in [3, 5] {
        assert!(test.has(format!("site/releases/2021010100000{n}/index")));
    }
}

#[test]
fn older_releases_of_deployer_can_be_gone_to_by_name() {
    let line = |n: u8| {
        format!(
            r#"{{"created_at":"2021-01-0{n}T10:00:00+0000","release_name":"{n}","user":"bob","target":"main"}}"#
        )
    };
    let log: Vec<String> = (1..=4).map(line).collect();
    let test = Test::new()
        .write("site/.dep/releases_log", &format!("{}\n", log.join("\n")))
        .shell("cd site; for n in 1 2 3 4; do mkdir -p releases/$n; echo $n >releases/$n/index; done; ln -s releases/3 current; ln -s releases/4 release")
        .version("new");
    test.ends(0, &["adopt", "--yes"]).says("record the older releases `1`, `2`");
    assert!(!test.has("site/.runner/records/4") && test.has("site/.runner/records/3"));
    assert_eq!(test.record("site", "2")["by"], "bob");
    // It is not known whether it ever worked.
    test.ends(1, &["rollback"]);
    test.deploy();
    test.ends(0, &["rollback"]).says("serves 3");
    test.ends(0, &["rollback", "--release", "2"]).says("serves 2");
    assert_eq!(test.serves("site", "index"), "2\n");
}

#[test]
fn where_nothing_is_there_is_nothing_to_adopt() {
    let test = Test::new().version("new");
    test.ends(0, &["adopt", "--yes"]).says("has nothing to adopt");
    assert!(!test.has("site"));
    test.deploy();
    test.ends(0, &["adopt", "--yes"]).says("is adopted already");
    test.ends(2, &["status", "--undo"]).says("options of `adopt`");
}

/// Ends an adoption at the n-th tool: visitors and the next run must find all well. Whether there was an n-th tool.
#[track_caller]
fn killed_at(n: usize, victim: Victim, test: Test, seen: &str, site: &str) -> bool {
    fs::create_dir(test.path("trap.d")).unwrap();
    let trap = Trap::new(&test.path("trap.d"));
    let path = trap.path().into_string().unwrap();
    let test = linked(test, seen).env("PATH", &path);
    let directory = inode(&test.path(seen));
    trap.arm(victim, At::Start(n));
    let readers = Readers::start(&test.path("seen"));
    let mut child =
        test.command(&["adopt", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    trap.wait(&mut child, Then::Goes, Duration::from_secs(100)).unwrap();
    let sprung = trap.sprung();
    trap.disarm();
    assert_eq!(inode(&test.path(seen)), directory, "{n} {sprung:?}: visitors see something else");
    let again = test.run(&["adopt", "--yes"]);
    assert_eq!(again.code, Some(0), "{victim:?} {n} {sprung:?}\n{again}");
    let reads = readers.stop();
    // A client that lives takes back what it has done: who has read the link and not yet what it leads to then finds nothing.
    let n_allowed = usize::from(!matches!(victim, Victim::Client));
    assert!(reads.faults.len() <= n_allowed && reads.n_reads > 0, "{victim:?} {n} {sprung:?}: {reads:?}");
    assert_eq!(test.serves(site, "index"), "old", "{victim:?} {n} {sprung:?}");
    only_release(&test, site);
    test.deploy();
    assert_eq!(test.serves(site, "index"), "new");
    sprung.is_some()
}

/// Readers go by `current` of a site; here that is a link to what visitors see.
fn linked(test: Test, seen: &str) -> Test {
    fs::create_dir(test.path("seen")).unwrap();
    symlink(test.path(seen), test.path("seen/current")).unwrap();
    test
}

/// Every eighth point, another one in each case, or with `RUNNER_LONG` all.
fn killed_everywhere((from, victim): (usize, Victim), prepare: fn() -> Test, seen: &str, site: &str) {
    let apart = support::repeats(8, 1);
    let mut n = 1 + from % apart;
    while killed_at(n, victim, prepare(), seen, site) {
        n += apart;
    }
}

#[test]
fn whatever_is_killed_visitors_see_the_whole_site_and_the_next_run_adopts_it() {
    for (from, victim) in [Victim::Client, Victim::Step, Victim::Shell].into_iter().enumerate() {
        killed_everywhere((from, victim), with_current, "site/current", "site");
    }
}

#[test]
fn whatever_is_killed_visitors_of_a_docroot_see_it_whole_and_the_next_run_adopts_it() {
    for (from, victim) in [Victim::Client, Victim::Step, Victim::Shell].into_iter().enumerate() {
        killed_everywhere((from + 2, victim), docroot, "site", "site.site");
    }
}

/// The system call itself: the program that makes it dies with all that waits for it, just before and just after.
#[test]
fn a_power_cut_around_the_exchange_leaves_the_whole_site() {
    let perl = program("perl").unwrap();
    for (when, before, after) in [("before", "cut", ":"), ("after", ":", "cut")] {
        for (prepare, seen, site) in
            [(with_current as fn() -> Test, "site/current", "site"), (docroot, "site", "site.site")]
        {
            let test = prepare();
            // All from the program on, as far as it is one of this test.
            let text = format!(
                "#!/bin/sh\ncut() {{\n  [ -e {armed} ] || return\n  rm {armed}\n  p=$PPID; all=\n  while read -r _ name _ q _ <\"/proc/$p/stat\"; do\n    \
                 all=\"$all $p\"; [ \"$name\" != '(runner)' ] || break; p=$q\n  done\n  kill -9 ${{all#* }} $$\n}}\n\
                 case \"$*\" in *syscall*) {before}; {perl} \"$@\"; s=$?; {after}; exit $s ;; esac\nexec {perl} \"$@\"\n",
                armed = test.path("armed").display(),
                perl = perl.display()
            );
            let path = format!("{}:{}", test.path("bin").display(), std::env::var("PATH").unwrap());
            let test =
                test.write("bin/perl", &text).mode("bin/perl", 0o755).write("armed", "").env("PATH", &path);
            let directory = inode(&test.path(seen));
            let ran = test.run(&["adopt", "--yes"]);
            assert!(ran.code.is_none() && !test.has("armed"), "{when} {ran}");
            assert_eq!(fs::symlink_metadata(test.path(seen)).unwrap().is_symlink(), when == "after");
            assert_eq!(inode(&test.path(seen)), directory);
            test.ends(0, &["adopt", "--yes"]).says("adopted `");
            assert_eq!(inode(&test.path(seen)), directory);
            only_release(&test, site);
            // The same for the way back.
            let test = test.write("armed", "");
            assert_eq!(test.run(&["adopt", "--undo", "--yes"]).code, None);
            assert_eq!(inode(&test.path(seen)), directory);
            test.ends(0, &["adopt", "--undo", "--yes"]);
            assert!(!fs::symlink_metadata(test.path(seen)).unwrap().is_symlink());
            assert!(!test.has(format!("{site}/releases")) && !test.has(format!("{site}/.runner/adoption")));
        }
    }
}

fn judge(response: &Response) -> Option<String> {
    let body = String::from_utf8_lossy(&response.body).into_owned();
    match (response.status, body.as_str()) {
        (200, "old" | "new") => None,
        (status, _) => Some(format!("{status} {body}")),
    }
}

/// Adopts, takes back, adopts again, deploys, rolls back: all that while visitors ask.
fn under_load(test: &Test, root: &str, site: &str) {
    fs::set_permissions(test.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let nginx = Nginx::start(&format!("root {};", test.path(root).display()));
    let load = Load::start_by(2, nginx.port, "/index.html", judge);
    let reads = |want: &str| assert_eq!(load::Visitor::new(nginx.port, false).reads("/index.html"), want);
    for _ in 0..2 {
        test.ends(0, &["adopt", "--yes"]);
        reads("old");
        test.ends(0, &["adopt", "--undo", "--yes"]);
        reads("old");
    }
    test.ends(0, &["adopt", "--yes"]);
    test.deploy();
    reads("new");
    test.ends(0, &["rollback"]);
    reads("old");
    let heard = load.end();
    println!("{site}: {} requests, {} failed, slowest {:?}", heard.n, heard.wrong.len(), heard.slowest);
    assert!(heard.wrong.is_empty(), "{} of {}: {:?}", heard.wrong.len(), heard.n, &heard.wrong[..1]);
    assert!(heard.n > 1000, "only {} requests", heard.n);
}

#[test]
fn no_request_fails_while_a_docroot_is_adopted_and_taken_back() {
    under_load(&docroot(), "site", "docroot");
}

#[test]
fn no_request_fails_while_a_current_that_is_a_directory_is_adopted_and_taken_back() {
    under_load(&with_current(), "site/current", "current");
}

#[test]
fn no_request_fails_while_a_site_of_capistrano_is_adopted_and_taken_back() {
    let test = served(Test::new(), "site/releases/20200101000000");
    let test = test.shell("ln -s \"$PWD/site/releases/20200101000000\" site/current");
    under_load(&test, "site/current", "capistrano");
}

#[test]
fn no_request_fails_while_a_site_of_deployer_is_adopted_and_taken_back() {
    let test = served(Test::new(), "site/releases/2").write("site/.dep/latest_release", "2");
    under_load(&test.link("releases/2", "site/current"), "site/current", "deployer");
}

/// What only visitors have moves to `shared/` and back, under those who ask for it.
#[test]
fn no_request_for_an_upload_fails_while_it_moves_to_shared_and_back() {
    let judge = |response: &Response| match (response.status, response.body.as_slice()) {
        (200, b"photo") => None,
        (status, body) => Some(format!("{status} {}", String::from_utf8_lossy(body))),
    };
    for (seen, site) in [("site", "site.site"), ("site/current", "site")] {
        let test = Test::new()
            .write(&format!("{seen}/index.html"), "old")
            .write(&format!("{seen}/uploads/a/photo.jpg"), "photo")
            .source("index.html", "new");
        fs::set_permissions(test.root(), fs::Permissions::from_mode(0o755)).unwrap();
        let nginx = Nginx::start(&format!("root {};", test.path(seen).display()));
        let load = Load::start_by(2, nginx.port, "/uploads/a/photo.jpg", judge);
        for _ in 0..2 {
            test.ends(0, &["adopt", "--yes"]);
            assert!(test.has(format!("{site}/shared/uploads/a/photo.jpg")));
            test.ends(0, &["adopt", "--undo", "--yes"]);
        }
        test.ends(0, &["adopt", "--yes"]);
        test.deploy();
        test.ends(0, &["rollback"]);
        let heard = load.end();
        println!("{site}: {} requests for an upload, {} failed", heard.n, heard.wrong.len());
        assert!(heard.wrong.is_empty(), "{} of {}: {:?}", heard.wrong.len(), heard.n, &heard.wrong[..1]);
        assert!(heard.n > 1000, "only {} requests", heard.n);
    }
}
