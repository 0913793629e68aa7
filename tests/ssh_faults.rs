//! What breaks under a deploy over ssh: the line, the server's tar, its disk. Told, undone, and no obstacle afterwards.

#![allow(clippy::unwrap_used)]

#[path = "support/gate.rs"]
mod gate;
#[path = "support/project.rs"]
mod project;
#[path = "support/proxy.rs"]
mod proxy;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gate::{Gate, Running};
use project::{Site, at_port, project_at};
use proxy::{Fault, Proxy};
use support::files::noise;
use support::sshd::Sshd;
use support::{Ran, Test, repeats};
use tempfile::TempDir;

const N_FILES: usize = 40;

/// Replaces the source: a pack in parts; every file another than in other versions.
fn version(test: Test, version: &str) -> Test {
    (0..N_FILES).fold(test.source("index.html", version), |test, n| {
        test.source(&format!("part {}/{n}", n % 4), &noise(&format!("{version} {n}"), 230_000))
    })
}

/// What `current` leads to is whole: the version that its index names, and nothing of another.
#[track_caller]
fn serves_whole(site: &Site) -> String {
    // By itself it may go back at any moment.
    let release = site.path().join(fs::read_link(site.path().join("current")).unwrap());
    let served = fs::read_to_string(release.join("index.html")).unwrap();
    let wanted = version(Test::new(), &served);
    let wanted = support::tree(&wanted.path("source"));
    let got = support::tree(&release);
    support::files::same(&support::files::sealed(got), &support::files::sealed(wanted));
    served
}

/// A run of the program, timed.
struct Timed {
    ran: Ran,
    took: Duration,
    /// When it first said `error:`.
    told: Option<Instant>,
}

fn timed(test: &Test) -> Timed {
    let start = Instant::now();
    let mut child = test.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut err = String::new();
    let mut told = None;
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok) {
        if line.starts_with("error:") {
            told.get_or_insert_with(Instant::now);
        }
        err.push_str(&line);
        err.push('\n');
    }
    let output = child.wait_with_output().unwrap();
    let ran = Ran { err, ..Ran::of(output) };
    Timed { ran, took: start.elapsed(), told }
}

/// What came of a deploy on a line that broke.
struct Broken {
    at: u64,
    fault: Fault,
    ran: Ran,
    took: Duration,
    /// From the break to the first error.
    told: Option<Duration>,
    served: String,
}

/// Deploys the first version on a sound line, the second one on one that breaks, and a third on a sound one.
fn breaks(server: &Sshd, at: u64, fault: Fault, config: &str) -> Broken {
    let site = Site(server.home().join(format!("faults-{}-{at}-{fault:?}", server.port)));
    let path = site.path().display().to_string();
    let paths = [path.as_str()];
    let test = version(project_at(server, server.port, &paths), "one");
    let text = fs::read_to_string(test.path("ssh_config")).unwrap();
    let test = test.write("ssh_config", &format!("{config}{text}"));
    test.deploy();

    let proxy = Proxy::new(server.port, Duration::ZERO).after(at, fault);
    let test = version(at_port(test, server, proxy.port, &paths), "two");
    let Timed { ran, took, told } = timed(&test);
    let struck = proxy.struck().unwrap_or_else(|| panic!("the line did not break at {at}\n{ran}"));
    drop(proxy);
    let served = serves_whole(&site);

    let test = version(at_port(test, server, server.port, &paths), "three");
    test.deploy();
    assert_eq!(serves_whole(&site), "three");
    let told = told.map(|told| told.saturating_duration_since(struck));
    Broken { at, fault, ran, took, told, served }
}

impl Broken {
    /// The run failed, said how far it came, and what it said of the host is right.
    fn is_told(&self) {
        let Self { at, fault, ran, served, .. } = self;
        let is_known = !ran.out.contains("no answer since the swap");
        match ran.code {
            // It struck before hello, which is tried again, or what was live already was to be cleared up after.
            Some(0) => assert_eq!(served, "two", "{at} {fault:?}\n{ran}"),
            // Whatever was swapped was swapped back.
            Some(1) => assert_eq!(served, "one", "{at} {fault:?}\n{ran}"),
            Some(4) => assert!(!is_known, "{at} {fault:?}\n{ran}"),
            _ => panic!("{at} {fault:?}\n{ran}"),
        }
        if ran.code != Some(0) {
            ran.says("error: task `").says("web1").says("failed after");
        }
        if ran.err.contains("task `upload` failed") {
            let steps = ["fill", "complete"];
            let words =
                |step| format!(" bytes were sent: step `{step}` on `web1` was cut off: connection lost");
            assert!(steps.iter().any(|step| ran.err.contains(&words(step))), "{at} {fault:?}\n{ran}");
        }
    }
}

/// Does `act` for each of `all`, `n` at a time; the answers are in order.
fn each<T: Sync, A: Send>(all: &[T], n: usize, act: impl Fn(&T) -> A + Sync) -> Vec<A> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..n {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    let Some(one) = all.get(n) else { return };
                    let answer = act(one);
                    done.lock().unwrap().insert(n, answer);
                }
            });
        }
    });
    done.into_inner().unwrap().into_values().collect()
}

/// The bytes that a whole redeploy takes.
fn whole(server: &Sshd) -> u64 {
    let site = Site(server.home().join(format!("faults-{}-whole", server.port)));
    let path = site.path().display().to_string();
    let test = version(project_at(server, server.port, &[&path]), "one");
    test.deploy();
    let proxy = Proxy::new(server.port, Duration::ZERO);
    let test = version(at_port(test, server, proxy.port, &[&path]), "two");
    test.deploy();
    proxy.bytes()
}

#[test]
fn a_line_that_is_cut_anywhere_is_told_and_the_next_deploy_is_well() {
    let server = Sshd::openssh();
    let total = whole(&server);
    // Where one connects and asks, along the pack, and what follows it: the last ones behind the swap.
    let early = (0..14).map(|n| 1 + n * 1_100);
    let pack = (0..18).map(|n| 20_000 + n * (total - 80_000) / 17);
    let late = (0..18).map(|n| total - 36_000 + n * 1_950);
    let points: Vec<(u64, Fault)> = early
        .chain(pack)
        .chain(late)
        .enumerate()
        .map(|(n, at)| (at, if n % 2 == 0 { Fault::Cut } else { Fault::Blip }))
        .step_by(repeats(3, 1))
        .collect();
    assert_eq!(points.len(), repeats(17, 50));
    let all = each(&points, 8, |&(at, fault)| breaks(&server, at, fault, ""));
    let mut tasks: BTreeMap<&str, usize> = BTreeMap::new();
    for broken in &all {
        broken.is_told();
        let Broken { at, fault, ran, took, told, served } = broken;
        let task = ran.err.split_once("error: task `").and_then(|(_, text)| text.split('`').next());
        *tasks.entry(task.unwrap_or("none")).or_default() += 1;
        let code = ran.code;
        eprintln!(
            "cut at {at} of {total} ({fault:?}): exit {code:?}, in {task:?}, told after {told:?}, over after {took:?}, serves {served}"
        );
        // Nobody waited for a line that was known to be cut: silence is given up after 45 s. A server that hangs up
        // before it has said anything may be too busy, and is asked again, for 8 s at most.
        let limit = Duration::from_secs(40);
        assert!(told.is_none_or(|told| told < limit) && *took < 3 * limit, "{at}: {told:?}, {took:?}\n{ran}");
    }
    eprintln!("failed tasks: {tasks:?}");
    eprintln!("longest until told: {:?}", all.iter().filter_map(|broken| broken.told).max());
    eprintln!("longest until over: {:?}", all.iter().map(|broken| broken.took).max());
    for task in ["lock", "upload", "swap"] {
        assert!(tasks.contains_key(task), "{tasks:?}");
    }
}

#[test]
fn a_line_that_freezes_is_told_within_a_minute_and_the_next_deploy_is_well() {
    let server = Sshd::openssh();
    let total = whole(&server);
    // Patience as it is where nobody says otherwise, and as ssh would be told of it.
    let usual = "ConnectTimeout 5\n";
    let short = "ConnectTimeout 5\nServerAliveInterval 2\nServerAliveCountMax 3\n";
    let points = [
        (total / 2, usual),
        (1_000, short),
        (4_000, short),
        (9_000, short),
        (total / 3, short),
        (total - 60_000, short),
        (total - 18_000, short),
    ];
    let all = each(&points, points.len(), |&(at, config)| breaks(&server, at, Fault::Freeze, config));
    for (broken, (_, config)) in all.iter().zip(points) {
        broken.is_told();
        let Broken { at, ran, took, told, served, .. } = broken;
        let told = told.expect("an error");
        let code = ran.code;
        eprintln!(
            "frozen at {at} of {total}: exit {code:?}, told after {told:?}, over after {took:?}, serves {served}"
        );
        match ran.err.contains("the host sent nothing for ") {
            true => {}
            false => assert!(ran.err.contains("no answer within "), "{at}\n{ran}"),
        }
        // By its reason, and not by the patience of another. The figure itself is printed.
        let limit = if config == usual { 90 } else { 40 };
        assert!(told < Duration::from_secs(limit), "{at}: {told:?}\n{ran}");
    }
    eprintln!("longest until told: {:?}", all.iter().filter_map(|broken| broken.told).max());
    eprintln!("longest until over: {:?}", all.iter().map(|broken| broken.took).max());
}

/// A server whose `tar` is this script, if any.
struct Tar(TempDir);

impl Tar {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("runner-tar-").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self(dir)
    }

    fn is(&self, script: &str) {
        let tar = self.0.path().join("tar");
        fs::write(&tar, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&tar, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn is_the_systems(&self) {
        fs::remove_file(self.0.path().join("tar")).unwrap();
    }
}

/// One of two hosts goes out of reach behind the swap, while a command that does not end runs on the other.
#[test]
fn a_host_out_of_touch_behind_the_swap_ends_what_runs_elsewhere_and_all_go_back() {
    let server = Sshd::openssh();
    for is_for_good in [false, true] {
        let sites: Vec<Site> =
            (1..=2).map(|n| Site(server.home().join(format!("apart-{is_for_good}-{n}")))).collect();
        let paths: Vec<String> = sites.iter().map(|site| site.path().display().to_string()).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let test = version(project_at(&server, server.port, &paths), "one");
        test.deploy();

        let proxy = Proxy::new(server.port, Duration::ZERO);
        let [toml, config] = ["runner.toml", "ssh_config"].map(|f| fs::read_to_string(test.path(f)).unwrap());
        let [first, port] = ["name = \"web2\", port = ", &server.port.to_string()];
        let toml = toml.replace(&format!("{first}{port}"), &format!("{first}{}", proxy.port));
        let toml = toml.replace("[settings]\n", "[settings]\nconfirm_within = 2\n");
        let config = format!("ServerAliveInterval 1\nServerAliveCountMax 2\nConnectTimeout 2\n{config}");
        let mut gate = Gate::new(&test, "gate");
        fs::set_permissions(test.root(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["here", "go"] {
            fs::set_permissions(test.path("gate").join(name), fs::Permissions::from_mode(0o666)).unwrap();
        }
        let recipe = gate.task("verify", &["web1"]);
        let test = version(test.toml(&toml).write("ssh_config", &config).recipe(&recipe), "two");
        let run = Running::start(&test, "the run", &[]);
        gate.is_reached(1, &run);
        for site in &sites {
            assert_eq!(site.serves("index.html"), "two");
        }
        match is_for_good {
            true => proxy.freeze(),
            false => proxy.cut(),
        }
        // Nobody opens the gate.
        let ran = run.over();
        ran.says("error: task `verify` failed on `web2`: no heartbeat reached the server for 2 s");
        ran.says("`confirm_within`");
        assert_eq!(ran.code, Some(if is_for_good { 4 } else { 1 }), "{ran}");
        assert_eq!(serves_whole(&sites[0]), "one", "{ran}");
        let limit = Instant::now() + Duration::from_secs(60);
        while serves_whole(&sites[1]) != "one" {
            assert!(Instant::now() < limit, "it does not go back by itself\n{ran}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A host is cut off while its own command or request runs, which does not end; nobody says anything of how long a line may
/// be silent.
#[test]
fn a_host_that_is_cut_off_during_its_own_step_is_noticed_as_soon_as_it_swaps_back() {
    let server = Sshd::openssh();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let asks = format!("host.http(\"http://{}/\", #{{ timeout: 90 }})", silent.local_addr().unwrap());
    for (name, n_hosts, step) in [("one", 1, ""), ("two", 2, ""), ("asks", 2, asks.as_str())] {
        let sites: Vec<Site> =
            (1..=n_hosts).map(|n| Site(server.home().join(format!("cut-{name}-{n}")))).collect();
        let paths: Vec<String> = sites.iter().map(|site| site.path().display().to_string()).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let test = version(project_at(&server, server.port, &paths), "one");
        test.deploy();

        let proxy = Proxy::new(server.port, Duration::ZERO);
        let last = format!("name = \"web{n_hosts}\", port = ");
        let [toml, config] = ["runner.toml", "ssh_config"].map(|f| fs::read_to_string(test.path(f)).unwrap());
        let toml = toml.replace(&format!("{last}{}", server.port), &format!("{last}{}", proxy.port));
        let toml = toml.replace("[settings]\n", "[settings]\nconfirm_within = 5\n");
        let mut gate = Gate::new(&test, "gate");
        fs::set_permissions(test.root(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["here", "go"] {
            fs::set_permissions(test.path("gate").join(name), fs::Permissions::from_mode(0o666)).unwrap();
        }
        let waits = format!("host.run(`{}`)", gate.text());
        let step = match step {
            "" => waits.clone(),
            asks => format!("if host.name == \"web1\" {{ {waits} }} else {{ {asks} }}"),
        };
        let n_waiting = if step == waits { n_hosts } else { 1 };
        let test = test.write("ssh_config", &format!("ConnectTimeout 2\n{config}"));
        let test = version(test.toml(&toml).recipe(&format!("task(\"verify\", |host| {step});\n")), "two");
        let run = Running::start(&test, "the run", &[]);
        gate.is_reached(n_waiting, &run);
        if n_waiting < n_hosts {
            silent.accept().unwrap();
        }
        proxy.freeze();
        let struck = Instant::now();
        // Nobody opens the gate.
        let ran = run.over();
        let took = struck.elapsed();
        eprintln!("{name}: over after {took:?}\n{ran}");
        assert_eq!(ran.code, Some(4), "{ran}");
        // A request learns of it when its connection is closed; the server's own swap back may be told first.
        ran.says("no heartbeat").says("hint: set a longer `confirm_within`");
        ran.says_not("the host sent nothing for");
        // The link would notice after 45 s.
        assert!(took < Duration::from_secs(40), "{took:?}\n{ran}");
        if n_hosts > 1 {
            assert_eq!(serves_whole(&sites[0]), "one", "{ran}");
        }
        let limit = Instant::now() + Duration::from_secs(60);
        while serves_whole(&sites[n_hosts - 1]) != "one" {
            assert!(Instant::now() < limit, "it does not go back by itself\n{ran}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Of a `tar` that ends well too soon, by whoever meets it first: its channel, what it was to read from, the check at the end.
const LYING: &str =
    "the script succeeded, but did not read all of its input|`zstd -dc` failed|failed to write the manifest";

#[test]
fn a_tar_that_dies_early_is_told_with_its_last_words_and_undone() {
    let tar = Tar::new();
    let server = Sshd::with("sh", &format!("SetEnv PATH={}:/usr/bin:/bin", tar.0.path().display()));
    let (test, site) = project::project(&server);
    let test = version(test, "one");
    test.deploy();
    let mut test = version(test, "two");
    for (script, words) in [
        (
            "head -c 300000 >/dev/null; echo 'tar: the disk is on fire' >&2; exit 2",
            "tar: the disk is on fire",
        ),
        ("head -c 300000 >/dev/null; kill -9 $$", "`tar` exited with status 137"),
        ("echo 'tar: not today' >&2; exit 2", "tar: not today"),
        // One that does not do it and says that it did.
        ("head -c 300000 >/dev/null", LYING),
        ("cat >/dev/null", "failed to write the manifest"),
    ] {
        tar.is(script);
        let Timed { ran, took, .. } = timed(&test);
        eprintln!("{script}: over after {took:?}\n{}", ran.err);
        assert_eq!(ran.code, Some(1), "{script}\n{ran}");
        ran.says("task `upload` failed on `web1`").says("removed the unfinished release");
        // What is left of a part when it lies may be on its way by then.
        let is_told = |words: &str| ran.err.contains(words);
        assert!(words.split('|').any(is_told), "`{words}` is not said in\n{ran}");
        // Not the silence limit ended it.
        assert!(took < Duration::from_secs(40), "{script}: {took:?}");
        assert_eq!(serves_whole(&site), "one");
        tar.is_the_systems();
        test = version(test, "two");
        test.deploy();
        assert_eq!(serves_whole(&site), "two");
        test = version(test, "one");
        test.deploy();
        test = version(test, "two");
    }
}

/// A server with a small file system of its own at `/mnt`, and the project whose site is there.
fn small(options: &str) -> (Sshd, Test, Site) {
    assert!(
        rustix::process::geteuid().is_root(),
        "a file system of one's own is made by root: run this test as root"
    );
    let mount = format!("mount -t tmpfs -o mode=1777,{options} tmpfs /mnt");
    let server = Sshd::prepared("sh", "", Some(&mount));
    let test = version(project_at(&server, server.port, &["/mnt/site"]), "one");
    let site = Site(server.its("/mnt/site"));
    test.deploy();
    assert_eq!(serves_whole(&site), "one");
    (server, test, site)
}

#[test]
fn a_release_without_room_is_refused_before_it_is_sent() {
    let (_server, test, site) = small("size=16000k");
    let test = version(test, "two");
    let needed = "the release needs ";
    let ran = test.ends(1, &[]);
    ran.says("task `upload` failed on `web1`").says(needed).says("KiB free").says("hint: free disk space");
    ran.says_not("bytes were sent");
    test.ends(0, &["--plan"]).says("warning").says("a deploy would fail: the release needs");
    assert_eq!(serves_whole(&site), "one");
    // What shares its files with the last release has room enough.
    let test = version(test, "one").source("part 1/1", "small");
    test.deploy();
    assert_eq!(site.serves("part 1/1"), "small");

    // On tmpfs, unlike elsewhere, a second name costs an inode as well, so there is no small change that fits.
    let (server, test, site) = small("size=40m,nr_inodes=400");
    let ballast = server.its("/mnt/ballast");
    fs::create_dir(&ballast).unwrap();
    let n_free = || rustix::fs::statvfs(&ballast).unwrap().f_ffree;
    while n_free() > 44 {
        fs::write(ballast.join(n_free().to_string()), "").unwrap();
    }
    let test = version(test, "two");
    let ran = test.ends(1, &[]);
    ran.says("task `upload` failed on `web1`")
        .says("the release needs 45 inodes, but the file system of `/mnt/site` has only ");
    ran.says_not("bytes were sent");
    assert_eq!(serves_whole(&site), "one");
    fs::remove_dir_all(&ballast).unwrap();
    test.deploy();
    assert_eq!(serves_whole(&site), "two");
}

/// Fills the disk of a server at the task `when`, but for what `ballast` leaves, and deploys: it fails, or what is served is
/// the new version. Then the ballast goes, and the next deploy is well.
fn fills_up(test: Test, site: &Site, server: &Sshd, when: &str, ballast: &str, n: usize) -> Test {
    let recipe = match when {
        "preflight" | "prepare" | "reload" => {
            format!("task(\"{when}\", |host| host.run(`{ballast}`));\n")
        }
        hooked => {
            format!("task(\"ballast\", |host| host.run(`{ballast}`));\nbefore(\"{hooked}\", \"ballast\");\n")
        }
    };
    let before = serves_whole(site);
    let after = format!("{when} {n}");
    let test = version(test, &after).recipe(&recipe);
    let Timed { ran, took, .. } = timed(&test);
    let served = serves_whole(site);
    eprintln!("full at `{when}` ({ballast}): exit {:?} after {took:?}\n{}", ran.code, ran.err);
    match ran.code {
        Some(0) => assert_eq!(served, after, "{ran}"),
        Some(1) => {
            assert_eq!(served, before, "{ran}");
            // dash tells it of its own `printf` as `I/O error`.
            let is_told =
                ["No space left on device", "I/O error"].iter().any(|words| ran.err.contains(words));
            assert!(is_told, "{ran}");
        }
        _ => panic!("{ran}"),
    }
    // A full disk can be cleared by the program itself.
    test.ends(0, &["prune", "--set", "keep_releases=1"]);
    fs::remove_dir_all(server.its("/mnt/ballast")).unwrap();
    let test = version(test, &format!("{after} again")).recipe("");
    test.deploy();
    assert_eq!(serves_whole(site), format!("{after} again"));
    test
}

#[test]
fn a_disk_that_fills_up_under_a_deploy_is_told_and_undone() {
    let (server, mut test, site) = small("size=40m");
    for (when, left) in [
        ("preflight", vec![0, 4, 8, 40, 1_000]),
        ("prepare", vec![0, 4]),
        ("swap", vec![0, 4]),
        ("reload", vec![0]),
    ] {
        for left in left.into_iter().step_by(repeats(2, 1)) {
            let ballast = format!(
                "mkdir /mnt/ballast && free=$(df -Pk /mnt | awk 'END {{ print $4 }}') && \
                 head -c $(((free - {left}) * 1024)) /dev/zero >/mnt/ballast/one"
            );
            test = fills_up(test, &site, &server, when, &ballast, left);
        }
    }
}

#[test]
fn a_disk_whose_inodes_run_out_under_a_deploy_is_told_and_undone() {
    let (server, mut test, site) = small("size=40m,nr_inodes=400");
    for (when, left) in [
        ("preflight", vec![0, 1, 3, 12, 30]),
        ("prepare", vec![0, 1]),
        ("swap", vec![0, 1]),
        ("reload", vec![0]),
    ] {
        for left in left.into_iter().step_by(repeats(2, 1)) {
            let ballast = format!(
                "mkdir /mnt/ballast && cd /mnt/ballast && free=$(stat -f -c %d /mnt) && \
                 while [ $free -gt {left} ]; do : >$free && free=$((free - 1)); done"
            );
            test = fills_up(test, &site, &server, when, &ballast, left);
        }
    }
}
