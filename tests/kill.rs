//! The kill matrix: whatever dies, and wherever, what is served is whole, hosts do not stay apart, and the next run heals.
//!
//! A *point* is a flow on a site in some state, what dies, and when. `RUNNER_POINTS=all` runs all of them, `3/8` the third
//! eighth of them, a number so many; `RUNNER_SEED=n` repeats a sample, `RUNNER_POINT=name` takes the point of that name, as a
//! report of it says, or all whose names begin so.

#![allow(clippy::unwrap_used)]

#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/random.rs"]
mod random;
mod support;
#[path = "support/trap.rs"]
mod trap;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::{self, Write};
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use proxy::{Fault, Proxy};
use random::Random;
use support::files::{noise, sealed};
use support::sshd::Sshd;
use support::tree;
use tempfile::TempDir;
use trap::{At, Then, Trap, Victim, is_locked, processes, until};

/// So long may anything take that is to end by itself: a machine may be very busy.
const PATIENCE: Duration = Duration::from_secs(120);
/// `confirm_within`, in seconds. A machine that does much else needs more, else swaps are taken back for its slowness.
fn confirm_within() -> u64 {
    env::var("RUNNER_CONFIRM").map_or(3, |n| n.parse().expect("RUNNER_CONFIRM is a number of seconds"))
}

const TOML: &str = "generated = [\"gen/\"]\nshared = [\"store/\"]\n";

/// A task on either side of the swap has a tool at which something can die.
const RECIPE: &str = r#"
task("preflight", |host| host.run("rm -f preflight", #{ cwd: host.path }));
task("prepare", |host| host.run("mkdir -p gen; cp index gen/index; touch made"));
task("smoke", |host| host.run("rm -f smoke"));
task("reload", |host| host.run("rm -f reload", #{ cwd: host.path }));
task("verify", |host| host.run("rm -f verify", #{ cwd: host.path }));
task("watch", |host| host.run("rm -f watch", #{ cwd: host.path }));
"#;

/// Fails after the swap, on the last host.
const FAILING: &str = r#"
task("verify", |host| host.run("rm -f verify; test \"$HOST\" != h1", #{ cwd: host.path, env: #{ HOST: host.name } }));
"#;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Flow {
    First,
    Again,
    /// A deploy whose pack travels in parts.
    Large,
    Rollback,
    /// A deploy that fails behind the swap and is undone.
    Undone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Scenario {
    flow: Flow,
    is_cache: bool,
    n_hosts: usize,
}

/// What is done besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Twist {
    None,
    /// The tool at which the client died is held up until another run has come.
    Late,
    /// The next run is killed as well.
    Twice,
    /// Everything on the server dies with the client, as if by a cut of the power, whatever watches there too.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    scenario: Scenario,
    victim: Victim,
    at: At,
    twist: Twist,
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let strategy = if self.is_cache { "cache" } else { "copy" };
        write!(f, "{:?}/{strategy}/{}", self.flow, self.n_hosts)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}/{:?}", self.scenario, self.kind(), self.at)
    }
}

impl Point {
    fn kind(&self) -> String {
        let upload = if matches!(self.at, At::Byte(_)) { "upload-" } else { "" };
        let victim = match self.victim {
            Victim::Signal(_) => "Signal".to_owned(),
            victim => format!("{victim:?}"),
        };
        match self.twist {
            Twist::None => format!("{upload}{victim}"),
            twist => format!("{upload}{victim}-{twist:?}"),
        }
    }
}

impl Scenario {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for flow in [Flow::First, Flow::Again, Flow::Rollback, Flow::Undone] {
            for is_cache in [false, true] {
                for n_hosts in [1, 3] {
                    all.push(Self { flow, is_cache, n_hosts });
                }
            }
        }
        all.extend([false, true].map(|is_cache| Self { flow: Flow::Large, is_cache, n_hosts: 1 }));
        all
    }

    fn strategy(&self) -> &'static str {
        if self.is_cache { "cache" } else { "copy-previous" }
    }

    /// The versions that are deployed before.
    fn before(&self) -> &'static [&'static str] {
        match self.flow {
            Flow::First => &[],
            Flow::Again | Flow::Large | Flow::Undone => &["one"],
            Flow::Rollback => &["one", "two"],
        }
    }

    /// What is served before, and if all goes well for a moment at least.
    fn old_and_new(&self) -> [Option<&'static str>; 2] {
        match self.flow {
            Flow::First => [None, Some("one")],
            Flow::Again | Flow::Undone => [Some("one"), Some("two")],
            Flow::Large => [Some("one"), Some("large")],
            Flow::Rollback => [Some("two"), Some("one")],
        }
    }
}

/// Where sites are.
enum Reach<'a> {
    Local,
    Ssh { server: &'a Sshd, port: u16 },
}

/// A project and its sites, in directories of their own that may be the same.
struct Fleet<'a> {
    dir: PathBuf,
    /// What sites are in.
    on_server: PathBuf,
    reach: Reach<'a>,
    scenario: Scenario,
}

type Tree = BTreeMap<Vec<u8>, String>;

/// A run that is over.
struct Ran {
    what: String,
    code: Option<i32>,
    said: String,
}

impl Ran {
    /// Whether it was cut off while hosts are told, one right after the other, that the release is good: who has heard it keeps
    /// it, and the next run that ends well brings all together. The program, if it lives, says that it does not know.
    fn was_confirming(&self) -> bool {
        matches!(self.code, None | Some(4)) && self.said.contains("watch        ok")
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "--- {}: exit {:?}\n{}", self.what, self.code, self.said.trim_end())
    }
}

impl<'a> Fleet<'a> {
    fn new(dir: &Path, on_server: &Path, reach: Reach<'a>, scenario: Scenario) -> Self {
        fs::create_dir_all(dir).unwrap();
        let fleet = Self { dir: dir.to_owned(), on_server: on_server.to_owned(), reach, scenario };
        fleet.describe();
        fs::write(dir.join("deploy.rhai"), RECIPE).unwrap();
        fleet
    }

    /// The same in another place: what is known here and what is there on the server.
    fn copy(&self, dir: &Path, on_server: &Path, reach: Reach<'a>) -> Self {
        let mut pairs = BTreeSet::from([(self.dir.as_path(), dir)]);
        pairs.insert((self.on_server.as_path(), on_server));
        for (from, to) in pairs {
            let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
            assert!(copied.success());
        }
        let copy =
            Self { dir: dir.to_owned(), on_server: on_server.to_owned(), reach, scenario: self.scenario };
        copy.describe();
        copy
    }

    /// Writes `runner.toml`.
    fn describe(&self) {
        let Scenario { n_hosts, .. } = self.scenario;
        let mut text =
            format!("[settings]\nsource = \"source\"\n{TOML}strategy = \"{}\"\n", self.scenario.strategy());
        writeln!(text, "confirm_within = {}", confirm_within()).unwrap();
        let (stage, host) = match &self.reach {
            Reach::Local => ("[stage.prod]\ntransport = \"local\"\n".to_owned(), String::new()),
            Reach::Ssh { server, port } => {
                text.push_str("host_keys = \"accept-new\"\n");
                let config = format!(
                    "IdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile \"{}\"\nGlobalKnownHostsFile /dev/null\n",
                    server.key().display(),
                    self.dir.join("known_hosts").display()
                );
                fs::write(self.dir.join("ssh_config"), config).unwrap();
                (
                    format!("[stage.prod]\nuser = \"{}\"\n", server.user),
                    format!("address = \"127.0.0.1\", port = {port}, "),
                )
            }
        };
        text.push_str(&stage);
        text.push_str("hosts = [\n");
        for n in 1..=n_hosts {
            let path = self.on_server.join(format!("h{n}"));
            writeln!(text, "  {{ {host}name = \"h{n}\", path = \"{}\" }},", path.display()).unwrap();
        }
        text.push_str("]\n");
        fs::write(self.dir.join("runner.toml"), text).unwrap();
    }

    /// The same project, to be said of another reach.
    fn parts<'b>(&self) -> Fleet<'b> {
        Fleet {
            dir: self.dir.clone(),
            on_server: self.on_server.clone(),
            reach: Reach::Local,
            scenario: self.scenario,
        }
    }

    fn sites(&self) -> Vec<PathBuf> {
        (1..=self.scenario.n_hosts).map(|n| self.on_server.join(format!("h{n}"))).collect()
    }

    /// Replaces the source: what stays, changes, comes, goes and turns into something else.
    fn is(&self, version: &str) {
        let source = self.dir.join("source");
        if source.exists() {
            fs::remove_dir_all(&source).unwrap();
        }
        for dir in ["", "dir/sub", version, "kind"] {
            fs::create_dir_all(source.join(dir)).unwrap();
        }
        for n in 0..3 {
            fs::write(source.join(format!("same {n}")), format!("same {n}\n")).unwrap();
            fs::write(source.join(format!("dir/{n}")), format!("{version} {n}\n").repeat(300)).unwrap();
        }
        if version == "large" {
            for n in 0..3 {
                fs::write(source.join(format!("large/{n}")), noise(&n.to_string(), 3_000_000)).unwrap();
            }
        }
        fs::write(source.join("index"), version).unwrap();
        fs::write(source.join(version).join("own"), version).unwrap();
        symlink(version, source.join("link")).unwrap();
        let exec = source.join("dir/sub/exec");
        fs::write(&exec, "#!/bin/sh\n").unwrap();
        let mode = if version.len() == 3 { 0o755 } else { 0o644 };
        fs::set_permissions(exec, fs::Permissions::from_mode(mode)).unwrap();
        if version == "two" {
            fs::remove_dir(source.join("kind")).unwrap();
            fs::write(source.join("kind"), "a file").unwrap();
        } else {
            fs::write(source.join("kind/inside"), version).unwrap();
        }
    }

    fn command(&self, words: &[&str], path: Option<&Trap>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
        let usual = env::var_os("PATH").unwrap_or_default();
        command
            .args(words)
            .current_dir(&self.dir)
            .env_clear()
            .env("PATH", path.map_or(usual, Trap::path))
            .env("HOME", &self.dir)
            .env("LOGNAME", "tester")
            .env("RUNNER_CACHE", self.dir.join("cache"))
            .env("RUNNER_SSH_CONFIG", self.dir.join("ssh_config"))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program, whose words go to a file: a pipe might be held open by what it left behind.
    fn run(&self, words: &[&str], trap: Option<(&Trap, Then)>) -> Result<Ran> {
        let said = self.dir.join("said");
        let file = File::create(&said).unwrap();
        let what = format!("runner {}", words.join(" "));
        // Over ssh the trap is in the server's environment.
        let path = trap.map(|(trap, _)| trap).filter(|_| matches!(self.reach, Reach::Local));
        let mut child =
            self.command(words, path).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let code = match trap {
            Some((trap, then)) => trap.wait(&mut child, then, PATIENCE),
            None => trap::wait(&mut child, PATIENCE),
        };
        let said = String::from_utf8_lossy(&fs::read(said).unwrap()).into_owned();
        match code {
            Ok(code) => Ok(Ran { what, code, said }),
            Err(why) => bail!("{what}: {why}\n{said}\nat work: {:#?}", processes(&self.on_server)),
        }
    }

    /// Deploys a version in peace.
    fn deploy(&self, version: &str) -> Ran {
        self.is(version);
        let ran = self.run(&[], None).unwrap();
        assert_eq!(ran.code, Some(0), "{ran}");
        ran
    }

    /// The flow of the scenario, under which something is to die.
    fn flow(&self, trap: Option<(&Trap, Then)>) -> Result<Ran> {
        match self.scenario.flow {
            Flow::First => self.is("one"),
            Flow::Again => self.is("two"),
            Flow::Large => self.is("large"),
            Flow::Rollback => return self.run(&["rollback"], trap),
            Flow::Undone => {
                self.is("two");
                fs::write(
                    self.dir.join("deploy.rhai"),
                    format!("{RECIPE}{FAILING}").replace(
                        "task(\"verify\", |host| host.run(\"rm -f verify\", #{ cwd: host.path }));\n",
                        "",
                    ),
                )
                .unwrap();
                let ran = self.run(&[], trap);
                fs::write(self.dir.join("deploy.rhai"), RECIPE).unwrap();
                return ran;
            }
        }
        self.run(&[], trap)
    }

    /// What a person would want to see of a failure.
    fn state(&self) -> String {
        let shell = "for s in h*; do echo \"- $s -> $(readlink $s/current)\"; ls -A $s/.runner $s/releases | tr '\\n' ' '; echo; \
                     head -n 99 $s/.runner/records/* $s/.runner/intent $s/.runner/lock* $s/.runner/history 2>/dev/null; done";
        let output = Command::new("sh").args(["-c", shell]).current_dir(&self.on_server).output().unwrap();
        format!("{}at work: {:#?}\n", String::from_utf8_lossy(&output.stdout), processes(&self.on_server))
    }
}

/// What is served by a site, if it is whole; what it is not, else.
fn served(site: &Path, versions: &BTreeMap<&'static str, Tree>) -> Result<Option<&'static str>> {
    let current = site.join("current");
    for _ in 0..5 {
        let Ok(link) = fs::read_link(&current) else {
            ensure!(!current.exists(), "{} is no link", current.display());
            return Ok(None);
        };
        let release = site.join(&link);
        // By then it may lead elsewhere, and the release be gone.
        let got = thread::scope(|scope| scope.spawn(|| sealed(tree(&release))).join());
        let is_still = fs::read_link(&current).is_ok_and(|now| now == link);
        let Ok(got) = got else {
            ensure!(!is_still, "{} leads to nothing: {}", current.display(), link.display());
            continue;
        };
        if let Some((version, _)) = versions.iter().find(|(_, tree)| **tree == got) {
            return Ok(Some(version));
        }
        ensure!(!is_still, "{} serves what is no version: {}", site.display(), unlike(&got, versions));
    }
    bail!("{} does not come to rest", current.display())
}

/// In what a tree differs from the version that it is most like.
fn unlike(got: &Tree, versions: &BTreeMap<&'static str, Tree>) -> String {
    let differences = versions.iter().map(|(version, want)| {
        let paths: BTreeSet<_> = got.keys().chain(want.keys()).collect();
        let differing = paths.into_iter().filter(|path| got.get(*path) != want.get(*path));
        let differing: Vec<String> =
            differing.map(|path| String::from_utf8_lossy(path).into_owned()).collect();
        (differing.len(), version, differing)
    });
    let (_, version, differing) = differences.min().unwrap();
    format!("most like `{version}`, but for {differing:?}")
}

/// What is in a site besides releases, their records and manifests: what must be the same after any failure.
fn remains(site: &Path) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for dir in ["", ".runner", "shared", "cache"] {
        for entry in fs::read_dir(site.join(dir)).into_iter().flatten() {
            all.insert(format!("{dir}/{}", entry.unwrap().file_name().to_string_lossy()));
        }
    }
    all
}

fn names(dir: PathBuf) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Nothing is left of a run that died: no more than `clean` has, and no release but complete ones. Those that were not
/// served yet are whole: one can go on to them.
fn is_clean(site: &Path, clean: &BTreeSet<String>, versions: &BTreeMap<&'static str, Tree>) -> Result<()> {
    let more: Vec<String> = remains(site).difference(clean).cloned().collect();
    ensure!(more.is_empty(), "left behind in {}: {more:?}", site.display());
    let releases = names(site.join("releases"));
    let records = names(site.join(".runner/records"));
    let mut manifests = names(site.join(".runner/manifests"));
    manifests.remove(".cache");
    ensure!(releases == records, "{}: releases {releases:?}, records {records:?}", site.display());
    ensure!(releases == manifests, "{}: releases {releases:?}, manifests {manifests:?}", site.display());
    for name in records {
        let text = fs::read_to_string(site.join(".runner/records").join(&name)).unwrap();
        let record: serde_json::Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        ensure!(record["state"] == "complete", "{}: {name} is {text}", site.display());
        if record["first_served"].is_null() {
            let got = sealed(tree(&site.join("releases").join(&name)));
            let is_whole = versions.values().any(|version| *version == got);
            ensure!(
                is_whole,
                "{}: {name} is complete and no version: {}",
                site.display(),
                unlike(&got, versions)
            );
        }
    }
    Ok(())
}

/// Nobody holds a site, nothing of a swap is in the balance, and nothing that said so is at work.
fn is_settled(site: &Path) -> bool {
    let runner = site.join(".runner");
    let is_pending = names(runner.clone()).iter().any(|name| {
        // `intent.RUN.N`, `reverting.RUN.N`, `busy.PID.START`: the last of a process that died means nothing.
        let pid = name.strip_prefix("busy.").and_then(|rest| rest.split('.').next());
        let is_busy = pid.is_some_and(|pid| Path::new("/proc").join(pid).exists());
        name.starts_with("intent") || name.starts_with("reverting") || is_busy
    });
    !is_pending && !is_locked(&runner.join("lock"))
}

fn is_at_rest(fleet: &Fleet) -> Result<Duration> {
    let sites = fleet.sites();
    let wait =
        until(PATIENCE, || sites.iter().all(|site| is_settled(site)), || "the hosts came to rest".into());
    wait.map_err(anyhow::Error::msg)
}

/// A project in some state, and what a run of its flow starts and reads when nothing dies.
struct Template<'a> {
    fleet: Fleet<'a>,
    n_started: usize,
    n_bytes: usize,
}

/// All that points share.
struct Matrix {
    room: TempDir,
    templates: BTreeMap<Scenario, Template<'static>>,
    /// By strategy: what each version is when it is served, and what is in a site that never saw a failure.
    versions: BTreeMap<&'static str, Tree>,
    clean: BTreeMap<bool, BTreeSet<String>>,
    n_copies: AtomicUsize,
}

fn room() -> TempDir {
    let room = tempfile::Builder::new().prefix("runner-kill-").tempdir().unwrap();
    fs::set_permissions(room.path(), fs::Permissions::from_mode(0o755)).unwrap();
    room
}

const VERSIONS: [&str; 5] = ["large", "one", "two", "three", "four"];

impl Matrix {
    /// The one that tests which run at the same time have in common: to make it ready takes longer than most of them.
    fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Matrix>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let matrix = Arc::new(Self::new());
            *shared = Arc::downgrade(&matrix);
            matrix
        })
    }

    fn new() -> Self {
        let room = room();
        let mut versions: BTreeMap<&str, Tree> = BTreeMap::new();
        let mut clean = BTreeMap::new();
        for is_cache in [false, true] {
            let dir = room.path().join(format!("clean-{is_cache}"));
            let scenario = Scenario { flow: Flow::First, is_cache, n_hosts: 1 };
            let fleet = Fleet::new(&dir, &dir, Reach::Local, scenario);
            for version in VERSIONS {
                fleet.deploy(version);
                let tree = sealed(tree(&dir.join("h1/current/")));
                assert_eq!(*versions.entry(version).or_insert_with(|| tree.clone()), tree, "{version}");
            }
            clean.insert(is_cache, remains(&dir.join("h1")));
        }
        let mut matrix =
            Self { room, templates: BTreeMap::new(), versions, clean, n_copies: AtomicUsize::new(0) };
        for scenario in Scenario::all() {
            let dir = matrix.room.path().join(scenario.to_string().replace('/', "-"));
            let fleet = Fleet::new(&dir, &dir, Reach::Local, scenario);
            for version in scenario.before() {
                fleet.deploy(version);
            }
            let counted = matrix.copy(&fleet);
            let trap = Trap::new(&counted.dir);
            trap.count();
            let ran = counted.flow(Some((&trap, Then::Goes))).unwrap();
            let want = if scenario.flow == Flow::Undone { Some(1) } else { Some(0) };
            assert_eq!(ran.code, want, "{scenario}\n{ran}");
            let template = Template { fleet, n_started: trap.n_started(), n_bytes: trap.n_bytes() };
            matrix.templates.insert(scenario, template);
        }
        matrix
    }

    fn copy<'a>(&self, fleet: &Fleet<'a>) -> Fleet<'a> {
        let n = self.n_copies.fetch_add(1, Ordering::SeqCst);
        let dir = self.room.path().join(format!("at-{n}"));
        fleet.copy(&dir, &dir, Reach::Local)
    }

    /// Every point there is. Of bytes, some: all of them would be 30,000. Several hosts do the same at the same time, so
    /// of their starts every third is on one or the other of them at each step.
    fn points(&self) -> Vec<Point> {
        let mut all = Vec::new();
        for (&scenario, template) in &self.templates {
            let mut add = |victim, at, twist| all.push(Point { scenario, victim, at, twist });
            for (count, n) in (1..=template.n_started).step_by(scenario.n_hosts).enumerate() {
                for victim in [Victim::Client, Victim::Step, Victim::Shell] {
                    add(victim, At::Start(n), Twist::None);
                }
                add(Victim::Signal(n as u8), At::Start(n), Twist::None);
                add(Victim::Client, At::Start(n), Twist::Twice);
                add(Victim::Client, At::Start(n), Twist::All);
                // Another run that waits for the one held up takes seconds.
                if count % 10 == 5 {
                    add(Victim::Client, At::Start(n), Twist::Late);
                }
            }
            if template.n_bytes > 0 {
                for n in 0..50 {
                    let at = At::Byte(n * template.n_bytes / 50);
                    for victim in [Victim::Client, Victim::Step, Victim::Shell] {
                        add(victim, at, Twist::None);
                    }
                }
            }
        }
        all
    }

    /// What happened at a point: whether the trap was sprung, and how long hosts took to come to rest.
    fn point(&self, point: &Point, random: u64) -> Result<(bool, Duration)> {
        let fleet = self.copy(&self.templates[&point.scenario].fleet);
        let trap = Trap::new(&fleet.dir);
        let result = self.happens(point, random, &fleet, &trap);
        trap.disarm();
        over(&fleet, point, result)
    }

    fn happens(&self, point: &Point, random: u64, fleet: &Fleet, trap: &Trap) -> Result<(bool, Duration)> {
        let [old, new] = point.scenario.old_and_new();
        trap.arm(point.victim, point.at);
        let then = match point.twist {
            Twist::None | Twist::Twice => Then::Goes,
            Twist::Late => Then::Waits,
            Twist::All => Then::Dies(&fleet.on_server),
        };
        let ran = fleet.flow(Some((trap, then)))?;
        let sprung = trap.sprung();
        let mut story = format!("at `{}`\n{ran}", sprung.as_deref().unwrap_or("nothing"));
        let mut rest = self.stays_whole(point, fleet, &ran).with_context(|| story.clone())?;
        let mut may_be = BTreeSet::from([old, new]);
        let mut is_apart = ran.was_confirming();

        match point.twist {
            Twist::None | Twist::All => trap.disarm(),
            Twist::Late => {
                fleet.is("three");
                // What is held up may hold the lock, or something that the lock's owner waits for, or nothing.
                let ran = fleet.run(&[], None)?;
                story = format!("{story}--- while that waits\n{ran}");
                ensure!(matches!(ran.code, Some(0 | 1 | 3 | 4)), "{story}");
                trap.disarm();
                let waited = until(
                    PATIENCE,
                    || processes(&fleet.on_server).is_empty(),
                    || format!("what the dead run left is over: {:#?}", processes(&fleet.on_server)),
                );
                waited.map_err(anyhow::Error::msg).with_context(|| story.clone())?;
                for site in fleet.sites() {
                    let now = served(&site, &self.versions).with_context(|| story.clone())?;
                    if ran.code == Some(0) {
                        ensure!(now == Some("three"), "{} serves {now:?}\n{story}", site.display());
                    }
                    may_be.insert(now);
                }
            }
            Twist::Twice => {
                fleet.is("three");
                trap.arm(Victim::Client, At::Start(1 + (random % 97) as usize));
                let ran = fleet.run(&wait_words(), Some((trap, Then::Goes)))?;
                let sprung = trap.sprung();
                trap.disarm();
                story = format!("{story}--- again, at {sprung:?}\n{ran}");
                may_be.insert(Some("three"));
                for site in fleet.sites() {
                    served(&site, &self.versions).with_context(|| story.clone())?;
                }
                is_apart |= ran.was_confirming();
                if random & 128 == 0 {
                    let took = if is_apart { is_at_rest(fleet) } else { self.comes_to_rest(fleet) };
                    rest = rest.max(took.with_context(|| story.clone())?);
                }
            }
        }
        self.heals(fleet, &may_be).with_context(|| story.clone())?;
        Ok((sprung.is_some(), rest))
    }

    /// What is served is whole on every host, at once and when all is at rest, and the program was right about it.
    fn stays_whole(&self, point: &Point, fleet: &Fleet, ran: &Ran) -> Result<Duration> {
        let [old, new] = point.scenario.old_and_new();
        let mut all = BTreeSet::new();
        for site in fleet.sites() {
            let now = served(&site, &self.versions)?;
            ensure!(now == old || now == new, "{} serves {now:?}", site.display());
            all.insert(now);
        }
        let only = |want| all.iter().all(|now| *now == want);
        match ran.code {
            // It is dead, or could not say: what follows decides.
            None | Some(4) => {}
            Some(0 | 5) => ensure!(only(new), "exit {:?}, but {all:?} is served", ran.code),
            Some(1) => ensure!(only(old), "exit 1, but {all:?} is served"),
            // What is behind `watch` is not taken back any more.
            Some(130) if matches!(point.victim, Victim::Signal(_)) => {
                let is_confirmed = ran.said.contains("watch        ok");
                ensure!(only(old) || is_confirmed && only(new), "exit 130, but {all:?} is served");
            }
            code => bail!("an exit code that says nothing of this: {code:?}"),
        }
        // A tool that is held up keeps all from coming to rest, and where nobody watches any more only the next run can
        // bring hosts together. With one host it may come at any time.
        if matches!(point.twist, Twist::Late | Twist::All) || point.scenario.n_hosts == 1 {
            return Ok(Duration::ZERO);
        }
        if ran.was_confirming() {
            return is_at_rest(fleet);
        }
        self.comes_to_rest(fleet)
    }

    /// Left alone, hosts soon serve the same.
    fn comes_to_rest(&self, fleet: &Fleet) -> Result<Duration> {
        let took = is_at_rest(fleet)?;
        let mut all = BTreeMap::new();
        for site in fleet.sites() {
            all.insert(site.clone(), served(&site, &self.versions)?);
        }
        let different: BTreeSet<_> = all.values().collect();
        ensure!(different.len() == 1, "hosts stay apart: {all:?} ({took:?} after the end)");
        Ok(took)
    }

    /// The next deploy is well without anybody's help, and leaves nothing behind; the way back is to what was served.
    fn heals(&self, fleet: &Fleet, may_be: &BTreeSet<Option<&'static str>>) -> Result<()> {
        let mut may_be = may_be.clone();
        if fleet.sites().iter().all(|site| is_settled(site)) {
            // Nothing will be taken back: what is served now is what one can go back to.
            may_be.clear();
            for site in fleet.sites() {
                may_be.insert(served(&site, &self.versions)?);
            }
        }
        fleet.is("four");
        let ran = fleet.run(&wait_words(), None)?;
        ensure!(ran.code == Some(0), "the next deploy failed\n{ran}");
        for site in fleet.sites() {
            let now = served(&site, &self.versions).with_context(|| format!("after\n{ran}"))?;
            ensure!(now == Some("four"), "{} serves {now:?} after\n{ran}", site.display());
            is_clean(&site, &self.clean[&fleet.scenario.is_cache], &self.versions)
                .with_context(|| format!("after\n{ran}"))?;
        }
        let is_over = until(
            Duration::from_secs(20),
            || processes(&fleet.on_server).is_empty(),
            || format!("the end of {:#?}", processes(&fleet.on_server)),
        );
        is_over.map_err(anyhow::Error::msg).with_context(|| format!("after\n{ran}"))?;

        let back = fleet.run(&["rollback"], None)?;
        let mut all = BTreeSet::new();
        for site in fleet.sites() {
            let now = served(&site, &self.versions).with_context(|| format!("after\n{ran}{back}"))?;
            all.insert(now);
        }
        let now = *all.first().unwrap();
        let is_well = match back.code {
            Some(0) => all.len() == 1 && now.is_some() && may_be.contains(&now),
            Some(1) => all.len() == 1 && now == Some("four") && may_be.contains(&None),
            _ => false,
        };
        ensure!(is_well, "went back to {all:?}, and {may_be:?} was served before\n{ran}{back}");
        Ok(())
    }
}

/// The end of a point: its directories go, unless `RUNNER_KEEP` is set.
fn over<A>(fleet: &Fleet, point: impl fmt::Display, result: Result<A>) -> Result<A> {
    let result = result.with_context(|| format!("{point}\n{}", fleet.state()));
    if env::var_os("RUNNER_KEEP").is_none() {
        // What a failure left behind may be at work in them yet.
        let _ = fs::remove_dir_all(&fleet.dir);
        let _ = fs::remove_dir_all(&fleet.on_server);
    }
    result
}

/// What is called for after a run that died: a command of it may be ending.
fn wait_words() -> Vec<&'static str> {
    vec!["--wait"]
}

/// `n` of the points, from each kind and scenario in turn, or as `RUNNER_POINTS` and `RUNNER_POINT` say.
fn sample(mut all: Vec<Point>, mut n: usize, random: &mut Random) -> Vec<Point> {
    if let Ok(name) = env::var("RUNNER_POINT") {
        all.retain(|point| point.to_string().starts_with(&name));
        assert!(!all.is_empty(), "no point's name begins with `{name}`");
        n = all.len();
    }
    let n = match env::var("RUNNER_POINTS") {
        Ok(all_of_them) if all_of_them == "all" => return all,
        Ok(part) if part.contains('/') => {
            let (k, of) = part.split_once('/').expect("it contains one");
            let [k, of]: [usize; 2] = [k, of].map(|n| n.parse().expect("RUNNER_POINTS is a part, as `3/8`"));
            assert!((1..=of).contains(&k), "there is no part {part}");
            return all.into_iter().skip(k - 1).step_by(of).collect();
        }
        Ok(n) => n.parse().expect("RUNNER_POINTS is `all`, a part as `3/8`, or a number"),
        Err(_) => n,
    };
    let mut groups: BTreeMap<(Scenario, String), Vec<Point>> = BTreeMap::new();
    for point in all {
        groups.entry((point.scenario, point.kind())).or_default().push(point);
    }
    let mut groups: Vec<Vec<Point>> = groups.into_values().collect();
    groups.iter_mut().for_each(|group| random.shuffle(group));
    let mut chosen = Vec::new();
    while chosen.len() < n && groups.iter().any(|group| !group.is_empty()) {
        random.shuffle(&mut groups);
        chosen.extend(groups.iter_mut().filter_map(Vec::pop));
    }
    chosen.truncate(n);
    chosen
}

/// Does `act` for all points, so many at a time, and says how many of each kind there were. None may fail.
fn all_hold<P: Sync>(
    points: &[P],
    at_once: usize,
    kind: impl Fn(&P) -> String,
    act: impl Fn(&P) -> Result<(bool, Duration)> + Sync,
) {
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let result = act(point);
                    if let Err(error) = &result {
                        eprintln!("FAILED {error:#}\n");
                    }
                    results.lock().unwrap().push((point, result));
                }
            });
        }
    });
    let mut kinds: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut longest = Duration::ZERO;
    let results = results.into_inner().unwrap();
    for (point, result) in &results {
        let [n, n_sprung, n_failed] = kinds.entry(kind(point)).or_default();
        *n += 1;
        match result {
            Ok((is_sprung, rest)) => {
                *n_sprung += usize::from(*is_sprung);
                longest = longest.max(*rest);
            }
            Err(_) => *n_failed += 1,
        }
    }
    for (kind, [n, n_sprung, n_failed]) in &kinds {
        eprintln!("{kind:>24}: {n} points, {n_sprung} of them reached and survived, {n_failed} failed");
    }
    let n_failed = results.iter().filter(|(_, result)| result.is_err()).count();
    eprintln!(
        "{} points in {:.0?}, {n_failed} failed; hosts at rest after {longest:.1?} at most (confirm_within {})",
        points.len(),
        start.elapsed(),
        confirm_within()
    );
    assert_eq!(n_failed, 0, "of {} points", points.len());
    let n_sprung: usize = kinds.values().map(|[_, n_sprung, _]| n_sprung).sum();
    assert!(points.len() < 10 || n_sprung * 2 > points.len(), "only {n_sprung} points were reached");
}

#[test]
fn whatever_is_killed_wherever_what_is_served_is_whole_and_the_next_run_heals() {
    let start = Instant::now();
    let mut random = Random::new();
    let matrix = Matrix::shared();
    let all = matrix.points();
    eprintln!("{} points are there; made ready in {:.0?}", all.len(), start.elapsed());
    for (scenario, template) in &matrix.templates {
        eprintln!("  {scenario}: {} starts of tools, {} bytes", template.n_started, template.n_bytes);
    }
    let points = sample(all, 16, &mut random);
    let points: Vec<(Point, u64)> = points.into_iter().map(|point| (point, random.next())).collect();
    // They wait for most of their time; a long run has the machine to itself.
    let at_once = if points.len() > 500 { 12 } else { 8 };
    all_hold(&points, at_once, |(point, _)| point.kind(), |(point, random)| matrix.point(point, *random));
}

/// The test of the test: each victim is who it should be, and what is told of a lock and of processes is so.
#[test]
fn a_trap_kills_whom_it_says_and_nobody_else() {
    let scenario = Scenario { flow: Flow::Again, is_cache: false, n_hosts: 1 };
    let matrix = Matrix::shared();
    let template = &matrix.templates[&scenario];
    // It comes from a command of the recipe, in the persistent shell.
    let tool = "cp index gen/index";
    let [by_client, by_step, by_shell, by_signal] =
        [Victim::Client, Victim::Step, Victim::Shell, Victim::Signal(0)].map(|victim| {
            let fleet = matrix.copy(&template.fleet);
            let trap = Trap::new(&fleet.dir);
            trap.arm(victim, At::Words(tool));
            let ran = fleet.flow(Some((&trap, Then::Goes))).unwrap();
            assert_eq!(trap.sprung().as_deref(), Some(tool), "{ran}");
            ran
        });
    assert_eq!(by_client.code, None, "{by_client}");
    assert_eq!(by_step.code, Some(1), "{by_step}");
    assert!(by_step.said.contains("killed by signal 9"), "{by_step}");
    assert!(matches!(by_shell.code, Some(1 | 4)), "{by_shell}");
    assert!(by_shell.said.contains("cut off"), "{by_shell}");
    assert_eq!(by_signal.code, Some(130), "{by_signal}");

    let room = room();
    let file = room.path().join("lock");
    fs::write(&file, "").unwrap();
    assert!(!is_locked(&file));
    let mut holder = Command::new("flock").arg(&file).arg("cat").stdin(Stdio::piped()).spawn().unwrap();
    until(PATIENCE, || is_locked(&file), || "it is locked".into()).unwrap();
    assert!(processes(room.path()).iter().any(|line| line.contains("cat")));
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert!(!is_locked(&file));
    assert_eq!(processes(room.path()), Vec::<String>::new());
}

/// The shell dies of a confirmation that was done, and its answer with it.
#[test]
fn a_confirmation_without_an_answer_is_asked_after_and_stays() {
    let scenarios = [1, 3].map(|n_hosts| Scenario { flow: Flow::Again, is_cache: false, n_hosts });
    let matrix = Matrix::shared();
    for scenario in scenarios {
        let fleet = matrix.copy(&matrix.templates[&scenario].fleet);
        let trap = Trap::new(&fleet.dir);
        trap.arm(Victim::Shell, At::Words("rm .runner/intent."));
        let ran = fleet.flow(Some((&trap, Then::Goes))).unwrap();
        assert!(trap.sprung().is_some(), "{ran}");
        trap.disarm();
        assert_eq!(ran.code, Some(0), "{ran}");
        is_at_rest(&fleet).unwrap();
        for site in fleet.sites() {
            assert_eq!(served(&site, &matrix.versions).unwrap(), Some("two"), "{ran}");
            is_clean(&site, &matrix.clean[&false], &matrix.versions).unwrap();
        }
    }
}

/// A fill of a dead run makes its record only when the next run has looked already, and waits for it.
#[test]
fn what_a_dead_run_still_makes_while_the_next_one_waits_for_it_is_put_right_too() {
    let scenario = Scenario { flow: Flow::First, is_cache: false, n_hosts: 1 };
    let matrix = Matrix::shared();
    let fleet = matrix.copy(&matrix.templates[&scenario].fleet);
    let trap = Trap::new(&fleet.dir);
    trap.arm(Victim::Client, At::Words("mv -f -- .runner/records/"));
    let dead = fleet.flow(Some((&trap, Then::Waits))).unwrap();
    assert_eq!(dead.code, None, "{dead}");
    let ran = thread::scope(|scope| {
        let next = scope.spawn(|| fleet.run(&[], None));
        let is_waiting = || processes(&fleet.on_server).iter().any(|line| line.contains("sleep 0.1"));
        let waits = until(PATIENCE, is_waiting, || fleet.state());
        trap.disarm();
        waits.unwrap();
        next.join().unwrap().unwrap()
    });
    assert_eq!(ran.code, Some(0), "{ran}");
    for site in fleet.sites() {
        assert_eq!(served(&site, &matrix.versions).unwrap(), Some("one"), "{ran}");
        is_clean(&site, &matrix.clean[&false], &matrix.versions).unwrap();
    }
}

/// A server whose tools are a trap, and room for sites on it.
struct Lab {
    trap: Trap,
    server: Sshd,
    n_fleets: AtomicUsize,
}

impl Lab {
    fn new(matrix: &Matrix) -> Self {
        let n = matrix.n_copies.fetch_add(1, Ordering::SeqCst);
        let dir = matrix.room.path().join(format!("server-{n}"));
        fs::create_dir(&dir).unwrap();
        let trap = Trap::new(&dir);
        let server = Sshd::with("sh", &format!("SetEnv PATH={}", trap.path().display()));
        Self { trap, server, n_fleets: AtomicUsize::new(0) }
    }

    /// A copy of a project, reached through a port that may be a proxy's; its sites are the login user's.
    fn fleet<'a>(&'a self, matrix: &Matrix, scenario: Scenario, port: u16) -> Fleet<'a> {
        let n = self.n_fleets.fetch_add(1, Ordering::SeqCst);
        let name = format!("kill-{}-{n}", self.server.port);
        let template = matrix.templates[&scenario].fleet.parts();
        let on_server = self.server.home().join(&name);
        let dir = matrix.room.path().join(&name);
        let fleet = template.copy(&dir, &on_server, Reach::Ssh { server: &self.server, port });
        let given = Command::new("chown").args(["-R", &self.server.user]).arg(&on_server).status();
        assert!(given.unwrap().success());
        fleet
    }
}

/// Some of each, with all hosts behind one server.
fn over_ssh() -> Vec<Scenario> {
    let few = |scenario: &Scenario| match scenario.flow {
        Flow::First => scenario.n_hosts == 1 && !scenario.is_cache,
        Flow::Again | Flow::Large => true,
        Flow::Rollback | Flow::Undone => scenario.n_hosts == 3 && scenario.is_cache,
    };
    Scenario::all().into_iter().filter(few).collect()
}

#[test]
fn whatever_is_killed_behind_an_sshd_what_is_served_is_whole_and_the_next_run_heals() {
    let mut random = Random::new();
    let matrix = Matrix::shared();
    let of = over_ssh();
    let points = matrix.points().into_iter().filter(|point| of.contains(&point.scenario)).collect();
    let points = sample(points, 4, &mut random);
    let points: Vec<(Point, u64)> = points.into_iter().map(|point| (point, random.next())).collect();
    let labs: Vec<Lab> = (0..3).map(|_| Lab::new(&matrix)).collect();
    let free = Mutex::new(labs.iter().collect::<Vec<_>>());
    all_hold(
        &points,
        labs.len(),
        |(point, _)| format!("ssh-{}", point.kind()),
        |(point, random)| {
            // A trap is set for one at a time.
            let lab = free.lock().unwrap().pop().expect("there are as many as threads");
            let fleet = lab.fleet(&matrix, point.scenario, lab.server.port);
            let result = matrix.happens(point, *random, &fleet, &lab.trap);
            lab.trap.disarm();
            free.lock().unwrap().push(lab);
            over(&fleet, point, result)
        },
    );
}

#[test]
fn a_line_that_is_cut_at_any_byte_leaves_what_is_served_whole_and_the_next_run_heals() {
    let mut random = Random::new();
    let scenarios = over_ssh();
    let matrix = Matrix::shared();
    let lab = Lab::new(&matrix);
    let mut points = Vec::new();
    let n_cuts = match env::var("RUNNER_POINTS").as_deref() {
        Ok("all") => 100,
        _ => 1,
    };
    for &scenario in &scenarios {
        let proxy = Proxy::new(lab.server.port, Duration::ZERO);
        let fleet = lab.fleet(&matrix, scenario, proxy.port);
        fleet.flow(None).unwrap();
        let total = proxy.bytes();
        points.extend((0..n_cuts).map(|_| (scenario, 1 + random.next() % total)));
        over(&fleet, scenario, Ok(())).unwrap();
    }
    all_hold(
        &points,
        4,
        |(scenario, _)| format!("cut {:?}", scenario.flow),
        |&(scenario, at)| {
            let proxy = Proxy::new(lab.server.port, Duration::ZERO).after(at, Fault::Cut);
            let mut fleet = lab.fleet(&matrix, scenario, proxy.port);
            let result = matrix.is_cut(&mut fleet, &proxy, &lab.server);
            over(&fleet, format!("{scenario}/cut/{at}"), result)
        },
    );
}

impl Matrix {
    fn is_cut<'a>(&self, fleet: &mut Fleet<'a>, proxy: &Proxy, server: &'a Sshd) -> Result<(bool, Duration)> {
        let ran = fleet.flow(None)?;
        fleet.reach = Reach::Ssh { server, port: server.port };
        fleet.describe();
        let scenario = fleet.scenario;
        // As if the client had died: for all that the server knows, it has.
        let point = Point { scenario, victim: Victim::Client, at: At::Start(0), twist: Twist::None };
        let rest = self.stays_whole(&point, fleet, &ran).with_context(|| ran.to_string())?;
        self.heals(fleet, &BTreeSet::from(scenario.old_and_new())).with_context(|| ran.to_string())?;
        Ok((proxy.struck().is_some(), rest))
    }
}
