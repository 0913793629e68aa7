//! Laravel for real: Debian's framework, nginx and PHP-FPM, deployed over an sshd as an unprivileged user, under load.

#[path = "support/load.rs"]
mod load;
#[path = "support/project.rs"]
mod project;
#[path = "support/web.rs"]
mod servers;
mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use load::{Heard, Load, Visitor};
use project::{Site, project_at};
use runner::parts::web::Response;
use servers::{Fpm, Nginx};
use support::sshd::Sshd;
use support::{Test, repeats, tree};

/// A Laravel site on each of some hosts, behind nginx, and the project that deploys it.
struct Shop {
    test: Test,
    sites: Vec<Site>,
    nginx: Vec<Nginx>,
    fpm: Fpm,
    server: Sshd,
}

impl Shop {
    /// `root` is what nginx takes for the document root: `$realpath_root` or `$document_root`.
    fn new(root: &str) -> Self {
        Self::on(1, root)
    }

    fn on(n_hosts: usize, root: &str) -> Self {
        Self::with(n_hosts, root, |home| Fpm::start(home, "php_admin_flag[log_errors] = on"))
    }

    fn with(n_hosts: usize, root: &str, fpm: impl Fn(&Path) -> Fpm) -> Self {
        let server = Sshd::openssh();
        let home = server.home();
        let sites: Vec<Site> =
            (1..=n_hosts).map(|n| Site(home.join(format!("shop-{}-{n}", server.port)))).collect();
        let paths: Vec<String> = sites.iter().map(|site| site.path().display().to_string()).collect();
        let fpm = fpm(&home);
        let serve = |path: &String| {
            Nginx::start(&format!(
                "root {path}/current/public;\n location / {{ try_files $uri /index.php?$query_string; }}\n \
                 location ~ \\.php$ {{ include /etc/nginx/fastcgi_params; fastcgi_pass unix:{};\n \
                 fastcgi_param SCRIPT_FILENAME {root}$fastcgi_script_name; fastcgi_param DOCUMENT_ROOT {root}; }}",
                fpm.socket.display()
            ))
        };
        let nginx: Vec<Nginx> = paths.iter().map(serve).collect();
        let all: Vec<&str> = paths.iter().map(String::as_str).collect();
        let test = project_at(&server, server.port, &all);
        let more = format!(
            "recipe = \"laravel\"\n[settings]\nfpm = \"{}\"\nwatch_seconds = 1\nwatch_rate = 10\n",
            fpm.socket.display()
        );
        let mut toml = fs::read_to_string(test.path("runner.toml")).unwrap().replace("[settings]\n", &more);
        for (path, nginx) in paths.iter().zip(&nginx) {
            let host = format!("path = \"{path}\"");
            let url = format!("{host}, settings = {{ url = \"http://127.0.0.1:{}\" }}", nginx.port);
            toml = toml.replace(&host, &url);
            // What an operator makes once; all hosts have one database.
            let made = format!(
                "set -e; mkdir -p {path}/shared/storage/app; printf 'APP_KEY=base64:{}=\\nDB_PATH={db}\\n' >{path}/shared/.env; \
                 : >>{db}; chown -R --reference={} {path}",
                "A".repeat(43),
                home.display(),
                db = sites[0].path().join("shared/storage/app/database.sqlite").display()
            );
            assert!(Command::new("sh").arg("-c").arg(made).status().unwrap().success());
        }
        let test = test.toml(&toml);
        let copied = Command::new("cp").arg("-RT").arg("tests/laravel").arg(test.path("source")).status();
        assert!(copied.unwrap().success());
        Self { test, sites, nginx, fpm, server }
    }

    /// Replaces the source's version: its code and its page.
    fn version(&self, version: &str) {
        for file in ["app/Http/Page.php", "resources/views/home.blade.php"] {
            let text = fs::read_to_string(Path::new("tests/laravel").join(file)).unwrap();
            fs::write(
                self.test.path("source").join(file),
                text.replace("VERSION'", &format!("{version}'"))
                    .replace("view VERSION", &format!("view {version}")),
            )
            .unwrap();
        }
    }

    /// A migration whose `up` does this, and stands before or behind what takes it back.
    fn migration(&self, name: &str, up: &str, is_first: bool) {
        let up = format!("public function up() {{ {up} }}");
        let down = "public function down() { Schema::drop('all'); }".to_owned();
        let both = if is_first { [up, down] } else { [down, up] };
        let text = format!(
            "<?php return new class extends Illuminate\\Database\\Migrations\\Migration {{\n{}\n}};\n",
            both.join("\n")
        );
        let path = self.test.path("source/database/migrations").join(format!("{name}.php"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What a visitor who has just come is served.
    fn serves(&self) -> String {
        let response = Visitor::new(self.nginx[0].port, false).ask("/").unwrap();
        assert_eq!(whole(&response), None);
        let text = String::from_utf8(response.body).unwrap();
        text.split(' ').nth(3).unwrap().to_owned()
    }

    /// The oldest release.
    fn oldest(&self) -> String {
        let all = fs::read_dir(self.sites[0].path().join("releases")).unwrap();
        all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).min().unwrap()
    }

    /// What runs as the user who deploys.
    fn as_deployer<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let uid = fs::metadata(self.server.home()).unwrap().uid();
        if rustix::process::geteuid().is_root() {
            command.uid(uid).gid(group_of(&self.server.home()));
        }
        command
    }

    fn live(&self) -> String {
        self.swap(0).1
    }

    /// When `current` of a host was re-pointed, and to which release.
    fn swap(&self, host: usize) -> (SystemTime, String) {
        let current = self.sites[host].path().join("current");
        let to = fs::read_link(&current).unwrap();
        // Its mtime is from when it was made, under another name.
        let meta = fs::symlink_metadata(&current).unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::new(meta.ctime() as u64, meta.ctime_nsec() as u32);
        (at, to.file_name().unwrap().to_str().unwrap().to_owned())
    }
}

/// The first group of the user who has a home.
fn group_of(home: &Path) -> u32 {
    let uid = fs::metadata(home).unwrap().uid();
    let group = Command::new("id").arg("-g").arg(uid.to_string()).output().unwrap().stdout;
    String::from_utf8(group).unwrap().trim().parse().unwrap()
}

/// For how long after a swap somebody who asked after it was answered from a release that had been replaced by then. `swaps` are those of
/// the host, the oldest first.
fn stale_for(heard: &Heard, swaps: &[(SystemTime, String)]) -> Duration {
    assert!(!heard.releases.is_empty());
    let late = heard.releases.iter().filter_map(|(asked, answered, release)| {
        // What was served at some time while the answer was waited for.
        let first = swaps.iter().rposition(|(at, _)| at <= asked).unwrap_or(0);
        let last = swaps.iter().rposition(|(at, _)| at <= answered).unwrap_or(0);
        let is_so = swaps[first..=last].iter().any(|(_, live)| live == release);
        (!is_so).then(|| asked.duration_since(swaps[first].0).unwrap_or_default())
    });
    late.max().unwrap_or_default()
}

/// What is wrong with an answer: failed, cut, or of two releases at once.
fn whole(response: &Response) -> Option<String> {
    let text = String::from_utf8_lossy(&response.body).into_owned();
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_whole = match words.as_slice() {
        ["release", release, "code", code, "view", view, "end"] => {
            response.status == 200 && code == view && response.header("x-release") == Some(release)
        }
        _ => false,
    };
    (!is_whole).then(|| format!("{} {:?}: {text}", response.status, response.header("x-release")))
}

#[test]
fn no_request_fails_or_sees_two_releases_through_many_deploys_and_rollbacks() {
    let shop = Shop::new("$realpath_root");
    shop.version("v0");
    shop.test.deploy().says("smoke        ok").says_not("warning");
    assert_eq!(shop.serves(), "v0");
    let mut swaps = vec![shop.swap(0)];
    let load = Load::start(shop.nginx[0].port, "/", whole);
    for n in 1..=repeats(8, 20) {
        let version = format!("v{n}");
        shop.version(&version);
        // The visitors watch.
        shop.test.ends(0, &["--set", "watch_seconds=0"]).says_not("warning");
        assert_eq!(shop.serves(), version);
        swaps.push(shop.swap(0));
        if n % 4 == 0 {
            shop.test.ends(0, &["rollback", "--set", "watch_seconds=0"]);
            swaps.push(shop.swap(0));
            assert_eq!(shop.serves(), format!("v{}", n - 1));
        }
    }
    let heard = load.end();
    let stale = stale_for(&heard, &swaps);
    let mut times: Vec<Duration> = heard
        .releases
        .iter()
        .map(|(asked, answered, _)| answered.duration_since(*asked).unwrap_or_default())
        .collect();
    times.sort_unstable();
    println!(
        "{} requests, {} wrong, p99 {:?}, the slowest took {:?}; an old release was answered from for {stale:?} at most",
        heard.n,
        heard.wrong.len(),
        times[times.len() * 99 / 100],
        heard.slowest
    );
    assert!(stale < Duration::from_secs(1), "an old release was served for {stale:?} after a swap");
    assert!(heard.n > 500, "{} requests are no load", heard.n);
    assert_eq!(heard.wrong, Vec::<String>::new());
}

#[test]
fn a_release_that_is_broken_never_gets_a_request_and_one_that_breaks_later_is_taken_back() {
    let shop = Shop::new("$realpath_root");
    shop.version("good");
    shop.test.deploy();
    let live = shop.live();
    let load = Load::start(shop.nginx[0].port, "/", whole);

    // It cannot answer at all.
    let page = shop.test.path("source/app/Http/Page.php");
    let text = fs::read_to_string(&page).unwrap();
    fs::write(&page, text.replace("return response('up')", "abort(500, 'broken')")).unwrap();
    let ran = shop.test.ends(1, &[]);
    ran.says("error: task `smoke` failed").says("returned 500").says("removed the unfinished release");
    assert_eq!(shop.live(), live);

    // Its migration fails.
    fs::write(&page, &text).unwrap();
    shop.migration("2026_11_26_000000_bad", "Illuminate\\Support\\Facades\\DB::statement('no sql');", true);
    shop.test.ends(1, &[]).says("error: task `migrate` failed").says("removed the unfinished release");
    assert_eq!(shop.live(), live);
    fs::remove_dir_all(shop.test.path("source/database")).unwrap();

    // It is well while it is tried, and not while it is served.
    let current = "dirname(base_path(), 2) . '/current'";
    let breaks = format!(
        "abort_if(basename(readlink({current})) == basename(base_path()) && time() > lstat({current})['mtime'] + 8, 500); \
         return response('up')"
    );
    fs::write(&page, text.replace("return response('up')", &breaks)).unwrap();
    let ran = shop.test.ends(1, &["--set", "watch_seconds=40"]);
    ran.says("smoke        ok").says("verify       ok").says("error: task `watch` failed");
    ran.says("is unhealthy: 3 requests in a row failed (3 of ")
        .says("the first after ")
        .says("swapped back on");
    let told = ran
        .err
        .lines()
        .filter(|line| line.contains("requests failed for") || line.contains("was served for"));
    println!("{}", told.collect::<Vec<_>>().join("\n"));
    assert_eq!(shop.live(), live);
    let heard = load.end();
    println!("{} requests, {} wrong", heard.n, heard.wrong.len());
    assert_eq!(heard.wrong, Vec::<String>::new());
    assert_eq!(shop.serves(), "good");
}

/// Somebody who has taken the application over tries what a shell can try, as the pool's user: on a site as the documents set it
/// up, two releases old.
#[test]
fn a_pool_of_a_locked_site_serves_it_and_writes_what_is_writable_and_nothing_else() {
    const POOL: u32 = 33;
    let shop = Shop::with(1, "$realpath_root", |home| {
        // The site is in it here, and web servers pass.
        fs::set_permissions(home, fs::Permissions::from_mode(0o711)).unwrap();
        Fpm::locked(POOL, group_of(home))
    });
    for version in ["v1", "v2"] {
        shop.version(version);
        shop.test.deploy().says("smoke        ok").says_not("warning");
        assert_eq!(shop.serves(), version);
    }
    let site = shop.sites[0].path();
    let group = group_of(&shop.server.home());
    let as_pool = |text: &str| {
        let words =
            [&format!("--reuid={POOL}"), &format!("--regid={group}"), "--clear-groups", "sh", "-c", text];
        Command::new("setpriv").args(words).current_dir(site).output().unwrap().status.success()
    };
    for path in ["storage/logs/laravel.log", "storage/app/public/photo", "storage/framework/views/x.php"] {
        assert!(as_pool(&format!("echo x >>current/{path}")), "{path}");
    }
    // All but what is below writable directories.
    let closed = || {
        let is_closed = |path: &[u8]| {
            let path = String::from_utf8_lossy(path);
            !path.contains("storage/framework/views/") && !path.starts_with("shared/storage/")
        };
        tree(site).into_iter().filter(|(path, _)| is_closed(path)).collect::<Vec<_>>()
    };
    let before = closed();
    let mut gained = Vec::new();
    for attempt in [
        "echo x >>current/public/index.php",
        "echo x >current/public/x.php",
        "echo x >current/bootstrap/cache/config.php",
        "echo x >current/bootstrap/cache/x.php",
        "mv current/bootstrap current/b",
        "rm -rf releases/*",
        "ln -sfn /tmp current",
        "mv current c",
        "mkdir releases/20990101000000",
        "mv shared/storage shared/s",
        "mv shared/.env shared/e",
        "echo x >>shared/.env",
        "ln -s /tmp shared/x",
        "ls .runner",
        "cat .runner/lock",
        "timeout 1 flock -x .runner/lock true",
        "echo x >>.runner/history",
        "mkdir .runner/fill",
        "chmod -R g+w current/",
        "setfacl -m u:33:rwx current/",
    ] {
        if as_pool(attempt) {
            gained.push(attempt);
        }
    }
    assert_eq!(gained, Vec::<&str>::new());
    assert!(closed() == before, "something outside of writable directories has changed");
    // What it may write, it turns into links and gates before the next deploy.
    let home = shop.server.home();
    let private = tempfile::Builder::new().prefix("own-").tempdir_in(&home).unwrap();
    let own = private.path();
    fs::write(own.join("key"), "private").unwrap();
    let given =
        Command::new("chown").arg("-R").arg(format!("--reference={}", home.display())).arg(own).status();
    assert!(given.unwrap().success());
    fs::set_permissions(own, fs::Permissions::from_mode(0o700)).unwrap();
    let own_before = tree(own);
    let storage = "shared/storage";
    for trap in [
        format!(
            "mv {storage}/logs/laravel.log {storage}/logs/l; ln -s {}/key {storage}/logs/laravel.log",
            own.display()
        ),
        format!("mkfifo {storage}/logs/fifo"),
        format!(
            "rm -rf {storage}/framework/cache/data; ln -s {} {storage}/framework/cache/data",
            own.display()
        ),
        format!("cd current/storage/framework && rm -rf views && ln -s {} views", own.display()),
    ] {
        as_pool(&trap);
        shop.version("v3");
        let ran = shop.test.run(&[]);
        println!("{trap}: exit {:?}", ran.code);
        assert_eq!(tree(own), own_before, "{trap}\n{ran}");
        assert!(matches!(ran.code, Some(0 | 1)), "{ran}");
    }
}

/// Debian's nginx passes it, and opcache knows a script by that name.
#[test]
fn a_web_server_that_hides_the_swap_from_php_is_noticed_and_cured() {
    let shop = Shop::new("$document_root");
    shop.version("v0");
    shop.test.deploy();
    let load = Load::start(shop.nginx[0].port, "/", whole);
    for version in ["v1", "v2"] {
        shop.version(version);
        shop.test.deploy().says("clearing that cache").says("pass `$realpath_root`");
        assert_eq!(shop.serves(), version);
    }
    shop.test.ends(0, &["rollback"]).says("clearing that cache");
    assert_eq!(shop.serves(), "v1");
    // Of one that was deployed by other means, PHP cannot be told to forget the other; visitors show that, and it goes back.
    let first = shop.sites[0].path().join("releases").join(shop.oldest());
    fs::remove_file(first.join("bootstrap/cache/runner.php")).unwrap();
    let ran = shop.test.ends(1, &["rollback"]);
    ran.says("it has no probe script").says("which is not live").says("pass `$realpath_root`");
    assert_eq!(shop.serves(), "v1");
    let heard = load.end();
    println!("{} requests, {} wrong", heard.n, heard.wrong.len());
    assert_eq!(heard.wrong, Vec::<String>::new());
}

/// PHP goes on answering from it, and its answers are no good.
#[test]
fn what_php_keeps_of_a_release_that_is_ill_is_forgotten() {
    let shop = Shop::new("$document_root");
    shop.version("v1");
    shop.test.deploy();
    let live = shop.live();
    let marks = shop.sites[0].path().join("shared/storage/app/marks");
    let page = shop.test.path("source/app/Http/Page.php");
    let breaks = "abort_if(file_exists(storage_path('app/marks')), 500); return response('up')";
    let ill = |version| {
        shop.version(version);
        let text = fs::read_to_string(&page).unwrap();
        fs::write(&page, text.replace("return response('up')", breaks)).unwrap();
    };
    // It falls ill while it is watched, and is taken back.
    ill("v2");
    thread::scope(|scope| {
        scope.spawn(|| {
            let limit = Instant::now() + Duration::from_secs(60);
            while shop.live() == live && Instant::now() < limit {
                thread::sleep(Duration::from_millis(10));
            }
            let mut visitor = Visitor::new(shop.nginx[0].port, true);
            while !visitor.reads("/").contains("code v2") && Instant::now() < limit {}
            fs::write(&marks, "").unwrap();
        });
        // By `verify` already, or by `watch`.
        shop.test.ends(1, &["--set", "watch_seconds=60"]).says("/up` ").says("was served for ");
    });
    assert_eq!((shop.live(), shop.serves()), (live, "v1".to_owned()));
    // It falls ill later, and is mended.
    fs::remove_file(&marks).unwrap();
    ill("v3");
    shop.test.deploy();
    fs::write(&marks, "").unwrap();
    shop.version("v4");
    shop.test.deploy().says("clearing that cache");
    assert_eq!(shop.serves(), "v4");
}

#[test]
fn a_pool_that_only_a_reload_makes_forget_loses_no_long_request_unless_it_is_said_before() {
    for (global, is_hasty) in [("process_control_timeout = 20s", false), ("", true)] {
        let pool = "pm.max_children = 6\nphp_admin_value[opcache.restrict_api] = /nowhere";
        let shop = Shop::with(1, "$document_root", |home| Fpm::of_owner(home, global, pool));
        shop.version("v0");
        shop.test
            .ends(1, &[])
            .says("opcache cannot be reset: in nginx, pass `$realpath_root`, or set `fpm_reload`");
        // The watch has few answers while requests wait for the reload.
        let reload = format!("fpm_reload=kill -USR2 {}", shop.fpm.pid());
        let reload = ["--set", "watch_seconds=3", "--set", &reload];
        shop.test.ends(0, &reload);
        shop.version("v1");
        // Each takes a second, and one is always on its way.
        let loads = [(); 2].map(|()| Load::start_by(1, shop.nginx[0].port, "/slow", slow));
        let ran = shop.test.ends(0, &reload);
        let told = "reloading PHP-FPM ends requests in progress: set `process_control_timeout = 10s` in `";
        if is_hasty {
            ran.says(told)
        } else {
            ran.says_not(told)
        };
        assert_eq!(shop.serves(), "v1");
        let heard: Vec<Heard> = loads.into_iter().map(Load::end).collect();
        let (n, wrong): (usize, Vec<&String>) =
            (heard.iter().map(|heard| heard.n).sum(), heard.iter().flat_map(|heard| &heard.wrong).collect());
        println!("{global:?}: {n} long requests, {} of them wrong", wrong.len());
        assert!(n > 0 && (is_hasty || wrong.is_empty()), "{wrong:?}");
        let ran = shop.test.ends(1, &[&["doctor"], &reload[..]].concat());
        if is_hasty {
            ran.says("process_control_timeout = 10s")
        } else {
            ran.says_not("process_control_timeout")
        };
    }
}

/// What is wrong with the answer of the slow page.
fn slow(response: &Response) -> Option<String> {
    let text = String::from_utf8_lossy(&response.body);
    (response.status != 200 || text != "slow").then(|| format!("{}: {text}", response.status))
}

#[test]
fn the_doctor_finds_what_hides_a_swap_and_changes_nothing() {
    let shop = Shop::new("$realpath_root");
    shop.test.ends(0, &["doctor"]).says("nothing is deployed yet: skipping the checks of the live release");
    let wrong = [
        "doctor",
        "--set",
        "fpm=/run/php/none",
        "--set",
        "services=[\"shop\"]",
        "--set",
        "url=http://127.0.0.1:1",
    ];
    let ran = shop.test.ends(1, &wrong);
    ran.says("3 problems found")
        .says("cannot connect to `/run/php/none`: nothing listens there")
        .says("start the web server that listens on `127.0.0.1:1`");
    ran.says("cannot reload `shop`: `sudo -n systemctl reload shop` is not allowed");
    shop.test.deploy();
    let site = || {
        let mut all = tree(shop.sites[0].path());
        // Visitors have sessions, and a page that is not found is compiled once.
        let is_compiled = |path: &[u8]| path.windows(5).any(|part| part == b"views");
        all.retain(|path, _| !path.starts_with(b"shared/") && !is_compiled(path));
        all
    };
    let was = site();
    shop.test.ends(0, &["doctor"]).says("examine      ok").says("serves");
    assert!(site() == was, "something in the site is not as it was");
    let ran = shop.test.ends(1, &["doctor", "--set", "health=/nothing", "--set", "fpm=/nowhere"]);
    ran.says("2 problems found")
        .says("/nothing` returned 404: expected 200")
        .says("in the configuration of `nginx`: `root ");
    ran.says("cannot connect to `/nowhere`: nothing listens there")
        .says("set `fpm` to the address of the pool")
        .says_not("php.rhai:");
    let shop = Shop::new("$document_root");
    shop.test.deploy();
    let ran = shop.test.ends(1, &["doctor"]);
    ran.says("/current/public").says("`, and serves what it cached there even after a swap");
    ran.says("in nginx: fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name;");
    // A worker that nobody tells anything.
    let current = shop.sites[0].path().join("current");
    let mut sleeper = shop.as_deployer(Command::new("sleep").arg("60").current_dir(current)).spawn().unwrap();
    shop.test.deploy();
    let ran = shop.test.run(&["doctor"]);
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    ran.says("2 problems found").says("a process runs in `").says("`, which is not live");
}

#[test]
fn a_migration_that_takes_something_away_is_refused_unless_it_is_allowed_by_name() {
    const SCHEMA: &str = "Illuminate\\Support\\Facades\\Schema";
    let shop = Shop::new("$realpath_root");
    shop.version("v0");
    shop.migration(
        "2026_11_26_000000_orders",
        &format!("{SCHEMA}::create('orders', fn ($table) => $table->id());"),
        true,
    );
    shop.test.deploy();
    let live = shop.live();
    shop.version("v1");
    for is_first in [true, false] {
        // What is taken back does not count.
        let more = format!("{SCHEMA}::create('more{is_first}', fn ($table) => $table->id());");
        shop.migration(&format!("2026_11_26_000002_{is_first}"), &more, is_first);
        shop.migration("2026_11_26_000001_none", &format!("{SCHEMA}::drop('orders');"), is_first);
        let ran = shop.test.ends(1, &[]);
        ran.says(
            "`2026_11_26_000001_none.php` contains `::drop`, which may remove something that the live release needs",
        );
        ran.says("allow_destructive=[\"2026_11_26_000001_none.php\"]").says("removed the unfinished release");
        assert_eq!(shop.live(), live);
    }
    shop.test.ends(0, &["--set", "allow_destructive=[\"2026_11_26_000001_none.php\"]"]);
    assert_eq!(shop.serves(), "v1");
    // What is there already is no news, and what goes back says what stays.
    shop.version("v2");
    shop.test.deploy();
    shop.test.ends(0, &["rollback"]).says_not("the database may be ahead");
    shop.test
        .ends(0, &["rollback"])
        .says("the database may be ahead of this release: it may have run `")
        .says("2026_11_26_000001_none.php");
    assert_eq!(shop.serves(), "v0");
    // What waits apart from the others for its time is no part of a deployment.
    fs::remove_file(shop.test.path("source/database/migrations/2026_11_26_000001_none.php")).unwrap();
    shop.migration("contract/2026_11_26_000003_later", &format!("{SCHEMA}::drop('moretrue');"), true);
    shop.test
        .ends(1, &["contract"])
        .says("the live release has no migrations in `database/migrations/contract`");
    shop.test.ends(0, &["-v"]).says_not("000003_later");
    let ran = shop.test.ends(0, &["contract", "-v"]);
    ran.says("Migrated:  2026_11_26_000003_later")
        .says("do not roll back to releases that need what these migrations removed");
}

#[test]
fn the_steps_that_the_manual_overrides_are_overridden() {
    let manual = fs::read_to_string("docs/laravel.md").unwrap();
    let recipe = manual.split("```rhai\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let shop = Shop::new("$realpath_root");
    let toml = fs::read_to_string(shop.test.path("runner.toml")).unwrap();
    let Shop { test, sites, nginx, .. } = shop;
    let test = test.toml(&toml.replace("recipe = \"laravel\"\n", "")).recipe(recipe);
    let ran = test.ends(0, &["-v"]);
    ran.says("artisan view:cache").says("artisan cache:forget greeting").says("artisan migrate --force");
    ran.says("GET /up of public/index.php at ").says("GET / of public/index.php at ");
    assert!(sites[0].path().join("shared/public/media").is_dir());
    assert!(Visitor::new(nginx[0].port, false).ask("/").unwrap().status == 200);
}

/// A worker as systemd keeps one: started again whenever it has ended.
struct Worker(Child);

impl Worker {
    fn start(shop: &Shop) -> Self {
        let path = shop.sites[0].path().display();
        let loops =
            format!("cd {path}/current && while :; do php {path}/current/artisan queue:work --sleep=1; done");
        let mut command = Command::new("sh");
        command.arg("-c").arg(loops).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self(shop.as_deployer(&mut command).spawn().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.0.id())]).status();
        let _ = self.0.wait();
    }
}

/// Has jobs worked off until the last was one of this version.
fn is_worked_off_by(shop: &Shop, version: &str) {
    let marks = shop.sites[0].path().join("shared/storage/app/marks");
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        assert_eq!(Visitor::new(shop.nginx[0].port, false).reads("/mark"), "marked");
        let last = fs::read_to_string(&marks).unwrap_or_default().lines().last().map(str::to_owned);
        if last.as_deref() == Some(version) {
            return;
        }
        assert!(Instant::now() < limit, "the last job was worked off by {last:?}, not by {version}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn uploads_sessions_and_jobs_live_on_and_workers_run_what_is_served() {
    let shop = Shop::new("$realpath_root");
    shop.version("v1");
    shop.test.deploy();
    let _worker = Worker::start(&shop);
    is_worked_off_by(&shop, "v1");
    let mut visitor = Visitor::new(shop.nginx[0].port, true);
    assert_eq!((visitor.reads("/count"), visitor.reads("/count")), ("1".to_owned(), "2".to_owned()));
    shop.version("v2");
    // While it is deployed: a visitor uploads something at each request.
    let is_over = AtomicBool::new(false);
    let n_kept = thread::scope(|scope| {
        let keeps = scope.spawn(|| {
            let mut visitor = Visitor::new(shop.nginx[0].port, true);
            let mut n = 0;
            while !is_over.load(Ordering::SeqCst) {
                assert_eq!(visitor.reads(&format!("/keep/file{n}")), "kept");
                n += 1;
            }
            n
        });
        // Judged when the visitor has gone home: he would wait for ever.
        let ran = shop.test.run(&[]);
        is_over.store(true, Ordering::SeqCst);
        assert_eq!(ran.code, Some(0), "{ran}");
        keeps.join().unwrap()
    });
    is_worked_off_by(&shop, "v2");
    assert_eq!(visitor.reads("/count"), "3");
    shop.test.ends(0, &["rollback"]);
    is_worked_off_by(&shop, "v1");
    assert_eq!(visitor.reads("/count"), "4");
    println!("{n_kept} uploads while it was deployed");
    for n in 0..n_kept {
        assert_eq!(visitor.reads(&format!("/storage/file{n}")), format!("file{n}"));
    }
}

/// What the time of a link is rounded to, by a tick of the kernel.
const ROUNDED: Duration = Duration::from_millis(11);

#[test]
fn two_hosts_migrate_once_and_change_together() {
    let shop = Shop::on(2, "$realpath_root");
    shop.version("v0");
    let ran = shop.test.ends(0, &["-v"]);
    assert_eq!(ran.err.matches("artisan migrate --force").count(), 1, "{ran}");
    for n in 1..=5 {
        let loads: Vec<Load> = shop.nginx.iter().map(|nginx| Load::start(nginx.port, "/", whole)).collect();
        let version = format!("v{n}");
        shop.version(&version);
        let before = [0, 1].map(|host| shop.swap(host));
        let ran = shop.test.deploy();
        ran.says("live on 2 hosts, at most");
        let after = [0, 1].map(|host| shop.swap(host));
        let said = ran.err.split(" ms apart").next().and_then(|line| line.rsplit(' ').next()).unwrap();
        let between = after[0].0.max(after[1].0).duration_since(after[0].0.min(after[1].0)).unwrap();
        println!("the hosts swapped {between:?} apart, and at most {said} ms were said");
        assert!(
            between <= Duration::from_millis(said.parse().unwrap()) + ROUNDED,
            "{between:?}, and {said} ms were said"
        );
        for (host, load) in loads.into_iter().enumerate() {
            let heard = load.end();
            assert_eq!(heard.wrong, Vec::<String>::new());
            // But for those moments, both answer from the same.
            let stale = stale_for(&heard, &[before[host].clone(), after[host].clone()]);
            assert!(stale <= ROUNDED, "an old release was answered from {stale:?} after the swap");
        }
        for nginx in &shop.nginx {
            assert!(
                Visitor::new(nginx.port, false)
                    .reads("/")
                    .contains(&format!("code {version} view {version}"))
            );
        }
    }
    // One that is not well on the second host goes back on both.
    let live = shop.live();
    let page = shop.test.path("source/app/Http/Page.php");
    let text = fs::read_to_string(&page).unwrap();
    let breaks = "abort_if(str_contains(base_path(), '-2/') \
                  && basename(readlink(base_path('../../current'))) == basename(base_path()), 500); return response('up')";
    fs::write(&page, text.replace("return response('up')", breaks)).unwrap();
    shop.test.ends(1, &[]).says("on `web2`").says("swapped back on web1, web2");
    assert_eq!(shop.live(), live);
    for nginx in &shop.nginx {
        assert!(Visitor::new(nginx.port, false).reads("/").contains("code v5 view v5"));
    }
}
