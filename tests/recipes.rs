//! The shipped recipes, on small stand-ins: scripts named `php`, `wp` and `npm` write down what they are asked to do and
//! whether their release was live by then. Everything else is real. The real applications follow with the ssh transport.

mod support;

use std::fs;

use support::{Test, tree};

/// Writes `live php artisan migrate` or `hidden ...` into `log`, plays what a program would do, and fails on request.
const STAND_IN: &str = r#"#!/bin/sh
# Stands in for a program.
me=${0##*/}
case $(pwd -P) in
  */releases/*) ;;
  *) where=here ;;
esac
: "${where:=$([ "$(readlink ../../current)" = "releases/$(basename "$(pwd -P)")" ] && echo live || echo hidden)}"
echo "$where $me $*" >>"$LOG"
case "$me $*" in
  *config:cache*) pwd -P >bootstrap/cache/config.php ;;
  "npm run build"*) mkdir -p dist && echo built >dist/app.js ;;
esac
[ ! -e "$LOG.fail" ] || ! grep -qx "$me $*" "$LOG.fail" || { echo "$me has no mind to" >&2; exit 1; }
"#;

/// The tools of a server's path that commands here need, and no more: what is installed on this machine changes nothing.
const TOOLS: &str = "sh ln readlink basename pwd mkdir grep sleep test touch rm";

/// A project with these stand-ins, and its hosts' own lines of `runner.toml`.
fn project(recipe: &str, programs: &[&str], rest: &str) -> Test {
    let test = Test::new();
    let (root, log) = (test.root().display().to_string(), test.path("log").display().to_string());
    let mut test = test.toml(&format!(
        "recipe = \"{recipe}\"\n[settings]\nsource = \"source\"\n\
         env = {{ PATH = \"{root}/bin:{root}/tools\", LOG = \"{log}\" }}\n{rest}"
    ));
    for program in programs {
        test = test.write(&format!("bin/{program}"), STAND_IN).mode(&format!("bin/{program}"), 0o755);
    }
    test.shell(&format!("mkdir tools; for tool in {TOOLS}; do ln -s \"$(command -v $tool)\" tools/; done"))
}

const ONE_SITE: &str = "[stage.local]\npath = \"site\"\ntransport = \"local\"\n";

fn laravel(programs: &[&str]) -> Test {
    project("laravel", programs, ONE_SITE)
        .source("artisan", "")
        .source("public/index.php", "one")
        .source("bootstrap/cache/.gitignore", "*\n")
        .source(".env", "APP_ENV=local")
        .source("storage/logs/laravel.log", "of this machine")
        .write("site/shared/.env", "APP_ENV=production")
}

/// What the stand-ins were asked, less `--no-interaction`; the next question starts afresh.
fn log(test: &Test) -> String {
    let log = fs::read_to_string(test.path("log")).unwrap_or_default();
    let _ = fs::remove_file(test.path("log"));
    log.replace(" --no-interaction", "")
}

#[test]
fn the_shipped_recipes_are_well_written() {
    let test = Test::new();
    for recipe in ["laravel", "wordpress"] {
        test.ends(0, &["check", recipe]).says("has no mistakes");
    }
    test.ends(0, &["check", "node", "--set", "restart=true"]).says("has no mistakes");
    test.ends(2, &["check", "node"]).says("setting `restart` is required but has no value");
}

#[test]
fn laravel_is_warmed_and_migrated_before_the_swap_and_its_workers_restarted_after() {
    let test = laravel(&["php"]);
    test.deploy();
    let before = "hidden php artisan package:discover\nhidden php artisan config:cache\n\
                  hidden php artisan route:cache\nhidden php artisan event:cache\nhidden php artisan view:cache\n\
                  hidden php artisan migrate --force\n";
    assert_eq!(log(&test), format!("{before}live php artisan queue:restart\n"));
    assert_eq!(test.serves("site", "public/index.php"), "one");
    assert_eq!(test.serves("site", ".env"), "APP_ENV=production");
    assert_eq!(fs::read_to_string(test.path("site/shared/storage/logs/laravel.log")).ok(), None);
    let link = fs::read_link(test.path("site/current/public/storage")).unwrap();
    assert_eq!(link.to_str(), Some("../storage/app/public"));
    assert!(test.path("site/current/public/storage/").is_dir());
}

#[test]
fn laravel_is_deployed_again_and_rolled_back_with_each_release_keeping_its_caches() {
    let test = laravel(&["php"]);
    test.deploy();
    let first = test.path("site/releases").join(test.live("site").unwrap());
    let was = tree(&first);

    let test = test.source("public/index.php", "two");
    test.deploy().says("1 of ");
    assert_eq!(test.serves("site", "public/index.php"), "two");
    let second = fs::canonicalize(test.path("site/current")).unwrap();
    assert_eq!(test.serves("site", "bootstrap/cache/config.php").trim(), second.to_str().unwrap());
    assert_eq!(tree(&first), was);

    log(&test);
    test.ends(0, &["rollback"]);
    assert_eq!(log(&test), "live php artisan queue:restart\n");
    assert_eq!(test.serves("site", "public/index.php"), "one");
}

#[test]
fn a_newer_laravel_locks_its_migrations_and_is_told_of_all_its_workers() {
    let framework = "vendor/laravel/framework/src/Illuminate";
    let reload = format!("{framework}/Foundation/Console/ReloadCommand.php");
    let test = laravel(&["php"])
        .source(
            &format!("{framework}/Database/Console/Migrations/MigrateCommand.php"),
            "implements Isolatable",
        )
        .source("vendor/laravel/horizon/composer.json", "");
    // The table of its locks may be made by this very migration.
    test.deploy();
    let first = log(&test);
    assert!(first.contains("artisan migrate --force\nlive php artisan queue:restart\n"), "{first}");
    assert!(first.ends_with("live php artisan horizon:terminate\n"), "{first}");
    let test = test.source(&reload, "");
    test.deploy();
    let second = log(&test);
    assert!(second.ends_with("artisan migrate --force --isolated=1\nlive php artisan reload\n"), "{second}");
}

#[test]
fn a_laravel_without_its_env_is_not_deployed_and_told_where_to_put_it() {
    let test = laravel(&["php"]).remove("site/shared/.env");
    test.ends(1, &[]).says("shared file `.env` is missing").says("site/shared/.env`");
    assert_eq!(test.live("site"), None);
    assert_eq!(log(&test), "");
}

#[test]
fn the_doctor_says_what_a_first_deployment_would_miss() {
    let test = laravel(&["composer"]).remove("site");
    let ran = test.ends(1, &["doctor"]);
    ran.says("task `examine` failed on `localhost`: 2 problems found").says("`php` not found");
    ran.says("shared/.env` not found: a deployment would fail")
        .says("as the user who deploys, then fill it in: install ")
        .says("/site/shared/.env");
    assert!(!test.path("site").exists());
    laravel(&["php"]).ends(1, &["doctor"]).says("1 problem found").says("` has no `APP_KEY`, or the user");
    let test = laravel(&["php"]).write("site/shared/.env", "APP_KEY=base64:AAAA\n");
    test.ends(0, &["doctor"]).says("nothing is deployed yet");
    let pool = test.path("no.sock").display().to_string();
    let fpm = format!("fpm={pool}");
    test.ends(1, &["doctor", "--set", &fpm]).says(&pool).says("`listen.group` and `listen.mode`");
    // A release that another tool made has no probe script.
    let test = test.shell("mkdir -p site/releases/1/public; ln -s releases/1 site/current; touch site/releases/1/public/index.php");
    test.ends(1, &["doctor", "--set", &fpm]).says(&pool).says("has no probe script");
}

#[test]
fn a_failed_migration_leaves_what_is_served() {
    let test = laravel(&["php"]);
    test.deploy();
    let live = test.live("site");
    let test = test.source("public/index.php", "two");
    let test = test.write("log.fail", "php artisan migrate --force --no-interaction\n");
    test.ends(1, &[]).says("task `migrate` failed on `localhost`").says("php has no mind to");
    assert_eq!(test.live("site"), live);
    assert_eq!(test.releases("site").len(), 1);
}

#[test]
fn workers_that_cannot_be_restarted_take_the_swap_back() {
    let test = laravel(&["php"]);
    test.deploy();
    let live = test.live("site");
    let test = test.write("log.fail", "php artisan queue:restart --no-interaction\n");
    test.ends(1, &[]).says("task `reload` failed").says("swapped back");
    assert_eq!(test.live("site"), live);
}

#[test]
fn laravel_is_built_by_the_tools_whose_files_are_there() {
    let test = laravel(&["php", "composer", "npm"]).source("composer.json", "{}");
    test.deploy();
    let built = log(&test);
    assert!(built.starts_with("here composer install --no-dev"), "{built}");
    assert!(!built.contains("npm"), "{built}");

    let test = test.source("package.json", "{}");
    test.deploy();
    assert!(log(&test).contains("\nhere npm ci\nhere npm run build --if-present\n"));
    assert_eq!(test.serves("site", "dist/app.js"), "built\n");
}

#[test]
fn a_build_tool_that_is_missing_is_told_and_what_is_there_is_sent() {
    let test = laravel(&["php"]).source("composer.json", "{}").source("vendor/autoload.php", "");
    test.deploy().says("found `composer.json` but no `composer` on this machine");
    assert_eq!(test.serves("site", "vendor/autoload.php"), "");
}

#[test]
fn a_host_without_php_is_known_before_anything_is_built() {
    let test = laravel(&["composer"]).source("composer.json", "{}");
    test.ends(1, &[]).says("task `preflight` failed on `localhost`: `php` not found");
    assert_eq!(log(&test), "");
}

#[test]
fn the_database_is_migrated_on_one_host_and_caches_are_warmed_on_all() {
    let sites = "[stage.local]\ntransport = \"local\"\nhosts = [\n  { name = \"h1\", path = \"sites/h1\" },\n  \
                 { name = \"h2\", path = \"sites/h2\" },\n]\n";
    let test = project("laravel", &["php"], sites).source("artisan", "").source("public/index.php", "one");
    let test = test
        .source("bootstrap/cache/.gitignore", "*\n")
        .write("sites/h1/shared/.env", "")
        .write("sites/h2/shared/.env", "");
    test.deploy();
    let log = log(&test);
    assert_eq!(log.matches("hidden php artisan config:cache\n").count(), 2, "{log}");
    assert_eq!(log.matches("hidden php artisan migrate --force\n").count(), 1, "{log}");
}

#[test]
fn a_plan_of_laravel_tells_its_commands_and_runs_none() {
    let test = laravel(&["php"]).source("composer.json", "{}");
    test.ends(0, &["--plan"])
        .says("here: run `composer install")
        .says("localhost: run `php artisan migrate --force --no-interaction`")
        .says("nothing was changed");
    assert_eq!(log(&test), "");
    assert_eq!(test.live("site"), None);
}

/// The recipe of the design's chapter on the language.
const OUR_SHOP: &str = r#"//! deploy.rhai: our shop
import "laravel" as laravel;          // shipped, by name; "./team/base.rhai" beside this file; imports come first

set("keep_releases", 5);
add("shared", ["public/media/"]);     // a trailing slash means directory

/// Builds assets once, on this machine.
fn build() { local("npm ci && npm run build"); }

/// Tells the search service about the new release, on one host.
fn reindex(host) { laravel::artisan(host, "scout:sync"); }

task("build", build);                               // replaces the shipped task of that name
task("reindex", reindex).once().timeout(120);
task("maintenance", |host| host.run("touch down")).undo(|host| host.run("rm -f down"));
after("swap", "reindex");
remove("migrate");
"#;

/// That chapter leaves out which flow runs `maintenance`, and a task of one's own that no flow runs is refused.
const WITH_MAINTENANCE: &str = "before(\"swap\", \"maintenance\");\n";

fn our_shop(recipe: &str) -> Test {
    let test = laravel(&["php", "npm"]).recipe(recipe);
    let toml = fs::read_to_string(test.path("runner.toml")).unwrap();
    test.toml(&toml.replace("recipe = \"laravel\"", "recipe = \"deploy.rhai\""))
}

#[test]
fn a_recipe_on_top_of_laravel_overrides_hooks_in_and_removes() {
    our_shop(OUR_SHOP).ends(2, &["check"]).says("no flow runs task `maintenance`");

    let test = our_shop(&format!("{OUR_SHOP}{WITH_MAINTENANCE}"));
    test.ends(0, &["check"]).says("`deploy.rhai` has no mistakes");
    test.deploy();
    let log = log(&test);
    assert!(
        log.starts_with("here npm ci\nhere npm run build\nhidden php artisan package:discover\n"),
        "{log}"
    );
    assert!(log.ends_with("live php artisan scout:sync\nlive php artisan queue:restart\n"), "{log}");
    assert!(!log.contains("migrate"), "{log}");
    assert!(test.path("site/current/down").exists());
    assert!(test.path("site/shared/public/media").is_dir());
}

#[test]
fn a_task_that_was_hooked_in_is_undone_when_a_later_one_fails() {
    let test = our_shop(&format!("{OUR_SHOP}{WITH_MAINTENANCE}"));
    test.deploy();
    let live = test.live("site");
    let test = test.write("log.fail", "php artisan scout:sync --no-interaction\n");
    test.ends(1, &[]).says("task `reindex` failed").says("swapped back").says("undid `maintenance`");
    assert_eq!(test.live("site"), live);
}

fn wordpress(programs: &[&str]) -> Test {
    project("wordpress", programs, ONE_SITE)
        .source("index.php", "core")
        .source("wp-config.php", "of this machine")
        .source("wp-content/plugins/shop/shop.php", "plugin")
        .source("wp-content/uploads/mine.jpg", "of this machine")
        .write("site/shared/wp-config.php", "of the server")
}

#[test]
fn wordpress_keeps_its_configuration_and_uploads_and_updates_its_database_before_the_swap() {
    let test = wordpress(&["wp"]);
    test.deploy();
    assert_eq!(log(&test), "hidden wp --skip-plugins --skip-themes core update-db\n");
    assert_eq!(test.serves("site", "wp-content/plugins/shop/shop.php"), "plugin");
    assert_eq!(test.serves("site", "wp-config.php"), "of the server");
    assert!(!test.path("site/current/wp-content/uploads/mine.jpg").exists());

    fs::write(test.path("site/current/wp-content/uploads/theirs.jpg"), "a user's").unwrap();
    let test = test.source("wp-content/plugins/shop/shop.php", "new plugin");
    test.ends(0, &["--set", "flush=[\"cache flush\"]"]);
    assert_eq!(log(&test), "hidden wp --skip-plugins --skip-themes core update-db\nlive wp cache flush\n");
    assert_eq!(test.serves("site", "wp-content/uploads/theirs.jpg"), "a user's");

    test.ends(0, &["rollback"]);
    assert_eq!(test.serves("site", "wp-content/plugins/shop/shop.php"), "plugin");
    assert_eq!(test.serves("site", "wp-content/uploads/theirs.jpg"), "a user's");
}

#[test]
fn wordpress_needs_no_wp_cli() {
    let test = wordpress(&[]);
    test.deploy().says("WP-CLI not found");
    assert_eq!(test.serves("site", "index.php"), "core");
}

fn node(settings: &str) -> Test {
    let rest = format!("restart = \"pm2 startOrReload ecosystem.config.js\"\n{settings}\n{ONE_SITE}");
    project("node", &["npm", "pm2", "curl"], &rest).source("package.json", "{}").source("server.js", "one")
}

#[test]
fn node_is_built_here_and_restarted_after_every_swap() {
    let test = node("");
    test.deploy();
    let build = "here npm ci\nhere npm run build --if-present\nhere npm prune --omit=dev\n";
    let restart = "live pm2 startOrReload ecosystem.config.js\n";
    assert_eq!(log(&test), format!("{build}{restart}"));
    assert_eq!(test.serves("site", "dist/app.js"), "built\n");

    let test = test.source("server.js", "two");
    test.deploy();
    log(&test);
    test.ends(0, &["rollback"]);
    assert_eq!(log(&test), restart);
    assert_eq!(test.serves("site", "server.js"), "one");
}

#[test]
fn a_node_app_that_does_not_become_healthy_is_taken_back_and_the_old_one_restarted() {
    let test = node("health = \"curl healthz\"\nhealth_seconds = 1");
    test.deploy();
    let live = test.live("site");
    assert!(log(&test).ends_with("live pm2 startOrReload ecosystem.config.js\nlive curl healthz\n"));

    let test = test.source("server.js", "two").write("log.fail", "curl healthz\n");
    test.ends(1, &[]).says("task `verify` failed on `localhost`");
    assert_eq!(test.live("site"), live);
    let log = log(&test);
    let restart = "live pm2 startOrReload ecosystem.config.js\n";
    assert!(log.ends_with(&format!("{restart}live curl healthz\n{restart}")), "{log}");
}

/// A migration whose `up` is this.
fn migration(up: &str) -> String {
    format!("<?php\nreturn new class extends Migration {{ public function up() {{ {up} }} }};\n")
}

#[test]
fn a_migration_that_the_live_release_may_not_survive_is_refused_wherever_it_is() {
    let additive = migration("Schema::create('a', function ($t) { $t->string('b')->unique(); });");
    let test = laravel(&["php"]).source("database/migrations/2026_01_01_a.php", &additive);
    test.deploy();
    let live = test.live("site");
    for (path, up, says) in [
        (
            "database/migrations/2026_01_02_b.php",
            "Schema::table('a', function ($t) { $t->integer('c'); });",
            "`2026_01_02_b.php` contains the new column `c`, which is `NOT NULL` without a default",
        ),
        (
            "modules/shop/Migrations/2026_01_03_c.php",
            "DB::table('a')->delete();",
            "`modules/shop/Migrations/2026_01_03_c.php` contains `->delete(`",
        ),
    ] {
        let file = test.path("source").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, migration(up)).unwrap();
        test.ends(1, &[]).says(says).says("or allow it with `--set 'allow_destructive=[");
        assert_eq!(test.live("site"), live);
        let name = path.trim_start_matches("database/migrations/");
        test.ends(0, &["--plan", "--set", &format!("allow_destructive=[\"{name}\"]")]);
        fs::remove_file(file).unwrap();
    }
}
