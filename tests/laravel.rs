//! Laravel for real: Debian's framework, nginx and PHP-FPM, deployed over an sshd as an unprivileged user, under load.

#[path = "support/load.rs"]
mod load;
#[path = "support/project.rs"]
mod project;
#[path = "support/web.rs"]
mod servers;
mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use load::{Load, Visitor};
use project::{Site, project_at};
use runner::web::Response;
use servers::{Fpm, Nginx};
use support::Test;
use support::sshd::Sshd;

/// A Laravel site on each of some hosts, behind nginx, and the project that deploys it.
struct Shop {
    test: Test,
    sites: Vec<Site>,
    nginx: Vec<Nginx>,
    _fpm: Fpm,
    server: Sshd,
}

impl Shop {
    /// `root` is what nginx takes for the document root: `$realpath_root` or `$document_root`.
    fn new(root: &str) -> Self {
        Self::on(1, root)
    }

    fn on(n_hosts: usize, root: &str) -> Self {
        let server = Sshd::openssh();
        let home = server.home();
        let sites: Vec<Site> =
            (1..=n_hosts).map(|n| Site(home.join(format!("shop-{}-{n}", server.port)))).collect();
        let paths: Vec<String> = sites.iter().map(|site| site.path().display().to_string()).collect();
        let fpm = Fpm::start(&home, "php_admin_flag[log_errors] = on");
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
        Self { test, sites, nginx, _fpm: fpm, server }
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

    fn live(&self) -> String {
        let to = fs::read_link(self.sites[0].path().join("current")).unwrap();
        to.file_name().unwrap().to_str().unwrap().to_owned()
    }
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
fn no_request_fails_or_sees_two_releases_through_twenty_deploys_and_five_rollbacks() {
    let shop = Shop::new("$realpath_root");
    shop.version("v0");
    shop.test.deploy().says("smoke        ok").says_not("warning");
    assert_eq!(shop.serves(), "v0");
    let load = Load::start(shop.nginx[0].port, "/", whole);
    for n in 1..=20 {
        let version = format!("v{n}");
        shop.version(&version);
        shop.test.deploy().says_not("warning");
        assert_eq!(shop.serves(), version);
        if n % 4 == 0 {
            shop.test.ends(0, &["rollback"]);
            assert_eq!(shop.serves(), format!("v{}", n - 1));
        }
    }
    let heard = load.end();
    println!("{} requests, {} wrong, the slowest took {:?}", heard.n, heard.wrong.len(), heard.slowest);
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
    ran.says("error: task `smoke` failed").says("answered 500").says("gave up the new release");
    assert_eq!(shop.live(), live);

    // Its migration fails.
    fs::write(&page, &text).unwrap();
    shop.migration("2026_11_26_000000_bad", "Illuminate\\Support\\Facades\\DB::statement('no sql');", true);
    shop.test.ends(1, &[]).says("error: task `migrate` failed").says("gave up the new release");
    assert_eq!(shop.live(), live);
    fs::remove_dir_all(shop.test.path("source/database")).unwrap();

    // It is well while it is tried, and not while it is served.
    let current = "dirname(base_path(), 2) . '/current'";
    let breaks = format!(
        "abort_if(basename(readlink({current})) == basename(base_path()) && time() > lstat({current})['mtime'] + 1, 500); \
         return response('up')"
    );
    fs::write(&page, text.replace("return response('up')", &breaks)).unwrap();
    let ran = shop.test.ends(1, &["--set", "watch_seconds=20"]);
    ran.says("smoke        ok").says("verify       ok").says("error: task `watch` failed");
    ran.says("is not well: 3 bad answers in a row, 3 of ").says("the first after ").says("swapped back on");
    assert_eq!(shop.live(), live);
    let heard = load.end();
    println!("{} requests, {} wrong", heard.n, heard.wrong.len());
    assert_eq!(heard.wrong, Vec::<String>::new());
    assert_eq!(shop.serves(), "good");
}

/// Debian's nginx passes it, and opcache knows a script by that name.
#[test]
fn a_web_server_that_hides_the_swap_from_php_is_noticed_and_cured() {
    let shop = Shop::new("$document_root");
    shop.version("v0");
    shop.test.deploy().says_not("warning");
    let load = Load::start(shop.nginx[0].port, "/", whole);
    for version in ["v1", "v2"] {
        shop.version(version);
        shop.test.deploy().says("PHP goes by `current`").says("pass `$realpath_root`");
        assert_eq!(shop.serves(), version);
    }
    shop.test.ends(0, &["rollback"]).says("PHP goes by `current`");
    assert_eq!(shop.serves(), "v1");
    // One that was deployed by other means can be gone back to all the same.
    let first = shop.sites[0].path().join("releases").join(shop.oldest());
    fs::remove_file(first.join("bootstrap/cache/runner.php")).unwrap();
    shop.test.ends(0, &["rollback"]).says("has no script to ask the pool with");
    let heard = load.end();
    println!("{} requests, {} wrong", heard.n, heard.wrong.len());
    assert_eq!(heard.wrong, Vec::<String>::new());
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
            "`2026_11_26_000001_none.php` has `::drop`, which may take away what the release being served needs",
        );
        ran.says("allow_destructive=[\"2026_11_26_000001_none.php\"]").says("gave up the new release");
        assert_eq!(shop.live(), live);
    }
    shop.test.ends(0, &["--set", "allow_destructive=[\"2026_11_26_000001_none.php\"]"]);
    assert_eq!(shop.serves(), "v1");
    // What is there already is no news, and what goes back says what stays.
    shop.version("v2");
    shop.test.deploy();
    shop.test.ends(0, &["rollback"]).says_not("the database is ahead");
    shop.test
        .ends(0, &["rollback"])
        .says("the database is ahead of this release by")
        .says("2026_11_26_000001_none.php");
    assert_eq!(shop.serves(), "v0");
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
        let home = shop.server.home();
        let loops =
            format!("cd {path}/current && while :; do php {path}/current/artisan queue:work --sleep=1; done");
        let mut command = Command::new("sh");
        command.arg("-c").arg(loops).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        if rustix::process::geteuid().is_root() {
            let owner = fs::metadata(home).unwrap();
            command.uid(owner.uid()).gid(owner.gid());
        }
        Self(command.spawn().unwrap())
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
        shop.test.deploy().says("on 2 hosts (");
        for load in loads {
            assert_eq!(load.end().wrong, Vec::<String>::new());
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
    let breaks = "abort_if(is_link(base_path('../../current')) && str_contains(realpath(base_path('../../current')), '-2/') \
                  && realpath(base_path('../../current')) == base_path(), 500); return response('up')";
    fs::write(&page, text.replace("return response('up')", breaks)).unwrap();
    shop.test.ends(1, &[]).says("on `web2`").says("swapped back on web1, web2");
    assert_eq!(shop.live(), live);
    for nginx in &shop.nginx {
        assert!(Visitor::new(nginx.port, false).reads("/").contains("code v5 view v5"));
    }
}
