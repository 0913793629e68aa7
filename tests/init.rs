//! `runner init`: what it recognises, asks and writes, that it overwrites nothing, and that a first deploy follows.

#[path = "support/project.rs"]
mod sites;
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::fs;
use std::process::Command;

use runner::parts::release::surroundings::{Surroundings, surroundings};
use runner::parts::shell::{Answer, Exit};
use sites::Site;
use support::sshd::Sshd;
use support::{Ran, Test, tree};
use terminal::Terminal;

/// An empty project.
fn project() -> Test {
    Test::new().remove("runner.toml").remove("source")
}

/// Answers for a stage on this machine.
const HERE: [&str; 8] = ["init", "--stage", "local", "--host", "localhost", "--path", "site", "--yes"];
/// Answers for a server that is never reached: the address is one of those that documents use.
const SERVER: [&str; 10] =
    ["init", "--stage", "prod", "--host", "web1.invalid", "--user", "deploy", "--path", "/srv/shop", "--yes"];

/// The files of the project itself, by name.
fn names(test: &Test) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(test.root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name != "cache");
    names.sort();
    names
}

/// Writes the files for a stage on this machine, which must have no mistakes.
#[track_caller]
fn init(test: &Test) -> Ran {
    let ran = test.ends(0, &HERE);
    test.ends(0, &["check"]);
    ran
}

#[test]
fn without_a_terminal_nothing_is_guessed_and_nothing_written() {
    let test = project().write("index.html", "one");
    let ran = test.ends(2, &["init"]);
    ran.says("without a terminal, `init` needs `--stage`, `--host`, `--user`, `--path`, `--yes`; nothing was written");
    ran.says("init --stage prod --host web1.example.com --user deploy --path /var/www/");
    let words = ["init", "--stage", "x y", "--host", "a@web1", "--host", "b@web2:22", "--path", "/srv/x"];
    let ran = test.ends(2, &words);
    ran.says("needs `--user`, `--yes`;");
    ran.says("`runner init --stage 'x y' --host a@web1 --host b@web2:22 --user deploy --path /srv/x --yes`");
    let ran = test.ends(2, &["init", "--host", "localhost", "--yes"]);
    ran.says("needs `--stage`, `--path`;")
        .says("`runner init --stage prod --host localhost --path site --yes`");
    assert_eq!(names(&test), ["index.html"]);
}

#[test]
fn answers_that_cannot_be_are_refused_and_nothing_is_written() {
    let test = project().write("index.html", "one");
    let case = |host: &str, path: &str, stage: &str, want: &str| {
        let words = ["init", "--stage", stage, "--host", host, "--user", "deploy", "--path", path, "--yes"];
        test.ends(2, &words).says(want);
        assert_eq!(names(&test), ["index.html"]);
    };
    case("web1:http", "/srv/x", "prod", "the port must be a whole number");
    case("ssh://web1", "/srv/x", "prod", "`ssh://web1` is not an address");
    case("web1", "srv/x", "prod", "the path must be absolute or start with `~/`, not `srv/x`");
    case(
        "web1",
        "/srv/x/current/",
        "prod",
        "the path is the directory above `current`: `/srv/x`, not `/srv/x/current/`",
    );
    case("web1", "/", "prod", "the path must not be `/` itself");
    case("localhost web1", "/srv/x", "prod", "`localhost` means this machine");
    case("web1", "/srv/x", "", "a stage needs a name");
    test.ends(2, &["init", "-C", "nowhere"]).says("no directory `nowhere`");
    test.ends(2, &["status", "--path", "/x"]).says("`--path` is an option of `init`");
}

#[test]
fn nothing_is_ever_overwritten() {
    // A plain PHP project needs a recipe of its own.
    for (page, name) in [("index.html", "runner.toml"), ("index.php", "deploy.rhai")] {
        let test = project().write(page, "one").write(name, "mine");
        test.ends(2, &HERE).says(&format!("`{name}` is already there, and `init` overwrites nothing"));
        assert_eq!(fs::read_to_string(test.path(name)).unwrap(), "mine");
        assert_eq!(names(&test).len(), 2);
        // A link to nothing is something.
        let test = project().write(page, "one").link("elsewhere", name);
        test.ends(2, &HERE).says("is already there");
        assert!(!test.path("elsewhere").exists());
    }
}

const LARAVEL: &str = r#"{"require": {"laravel/framework": "^11"}}"#;

#[test]
fn a_recipe_that_is_there_is_used_or_named() {
    let own = "task(\"greet\", || ()).alone();";
    let test = project().write("index.html", "one").write("deploy.rhai", own);
    test.ends(0, &HERE).says("`deploy.rhai` is there: it is the recipe");
    assert_eq!(fs::read_to_string(test.path("deploy.rhai")).unwrap(), own);
    test.ends(0, &["tasks"]).says("greet");
    test.deploy();
    let test = project().write("artisan", "").write("composer.json", LARAVEL).write("deploy.rhai", own);
    test.ends(0, &HERE).says("not used: `runner.toml` names the recipe `laravel`");
}

#[test]
fn a_plan_shows_the_files_and_writes_none() {
    let test = project().write("index.html", "one");
    let ran = test.ends(0, &[&HERE[..], &["--plan"]].concat());
    ran.says("would write `runner.toml`").says("transport = \"local\"").says_not("wrote");
    assert_eq!(names(&test), ["index.html"]);
}

#[test]
fn a_bare_site_is_live_after_two_commands() {
    let test = project().write("index.html", "one").write("css/a.css", "two");
    let ran = init(&test);
    ran.says("this looks like a static site (`index.html`)").says("wrote `runner.toml`");
    ran.says("the web server's root is `PATH/current`, or below it");
    ran.says(&format!("root {}/site/current;", fs::canonicalize(test.root()).unwrap().display()));
    assert_eq!(names(&test), ["css", "index.html", "runner.toml"]);
    test.deploy();
    assert_eq!(test.serves("site", "index.html"), "one");
    assert_eq!(test.serves("site", "css/a.css"), "two");
    assert!(!test.path("site/current/site").exists() && !test.path("site/current/runner.toml").exists());
}

#[test]
fn the_directory_that_option_c_names_is_the_project() {
    let test = project().write("my shop/index.html", "one");
    let ran = test.ends(0, &[&["-C", "my shop"][..], &HERE].concat());
    ran.says("runner -C 'my shop' --plan");
    test.ends(0, &["-C", "my shop"]);
    assert_eq!(test.serves("my shop/site", "index.html"), "one");
}

/// A program of this machine that is not here, or must not do its work in a test.
fn stand_in(test: Test, name: &str, text: &str) -> Test {
    let path = format!("{}:{}", test.path("bin").display(), std::env::var("PATH").unwrap());
    let test = test.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{text}\n"));
    test.mode(&format!("bin/{name}"), 0o755).env("PATH", &path)
}

/// What `npm create vite` makes, as far as it matters.
fn vite(lock_file: &str) -> Test {
    project()
        .write("app/package.json", r#"{"name":"vite-project","scripts":{"dev":"vite","build":"vite build"},"devDependencies":{"vite":"^7.0.0"}}"#)
        .write(&format!("app/{lock_file}"), "")
        .write("app/index.html", "<script src=/src/main.js></script>")
        .write("app/.gitignore", "node_modules\ndist\n")
        .shell("git init -q app")
}

#[test]
fn a_site_of_a_generator_is_built_with_the_package_manager_of_its_lock_file() {
    let managers = [
        ("package-lock.json", "npm", "ci", "run build"),
        ("pnpm-lock.yaml", "pnpm", "install --frozen-lockfile", "run build"),
        ("yarn.lock", "yarn", "install --frozen-lockfile", "run build"),
        ("bun.lock", "bun", "install --frozen-lockfile", "run build"),
    ];
    for (lock_file, program, install, build) in managers {
        let script =
            "echo \"$*\" >>../said; [ \"$1\" != run ] || { mkdir -p dist; echo built >dist/index.html; }";
        let test = stand_in(vite(lock_file), program, script);
        let ran = test.ends(0, &[&["-C", "app"][..], &HERE].concat());
        ran.says("a static site that Vite builds into `dist/`");
        test.ends(0, &["-C", "app", "check"]);
        test.ends(0, &["-C", "app"]);
        assert_eq!(fs::read_to_string(test.path("said")).unwrap(), format!("{install}\n{build}\n"));
        assert_eq!(test.serves("app/site", "index.html"), "built\n");
        assert!(!test.path("app/site/current/package.json").exists());
    }
}

#[track_caller]
fn recognises(files: &[(&str, &str)], want: &str, lines: &[&str]) {
    let test = files.iter().fold(project(), |test, (name, text)| test.write(name, text));
    let ran = test.ends(0, &SERVER);
    ran.says(&format!("this looks like {want}"));
    test.ends(0, &["check"]);
    let read = |name: &str| fs::read_to_string(test.path(name)).unwrap_or_default();
    let written = format!("{}{}{}", read("runner.toml"), read("deploy.rhai"), ran.out);
    for line in lines {
        assert!(written.contains(line), "`{line}` is not in\n{written}");
    }
}

#[test]
fn applications_in_php_are_recognised() {
    let laravel = r#"{"name":"laravel/laravel","require":{"php":"^8.2","laravel/framework":"^12.0"}}"#;
    let root = "root /srv/shop/current/public;";
    recognises(
        &[
            ("artisan", "<?php"),
            ("composer.json", laravel),
            ("bootstrap/app.php", "health: '/up'"),
            (".env", "A=1"),
        ],
        "Laravel (`artisan`, `composer.json`)",
        &["recipe = \"laravel\"", root, "$realpath_root", "/srv/shop/shared/.env' <.env", "storage/app/"],
    );
    recognises(
        &[("wp-includes/version.php", ""), ("index.php", "")],
        "WordPress",
        &["recipe = \"wordpress\"", "root /srv/shop/current;", "/srv/shop/shared/wp-config.php"],
    );
    recognises(
        &[("composer.json", r#"{"require":{"roots/wordpress":"6"}}"#), ("web/app/.keep", "")],
        "Bedrock",
        &["recipe = \"wordpress\"", "root /srv/shop/current/web;", "web/app/uploads/", "copy = \"auto\""],
    );
    recognises(
        &[
            ("bin/console", ""),
            ("composer.json", r#"{"require":{"symfony/framework-bundle":"7.*"}}"#),
            ("migrations/.keep", ""),
        ],
        "Symfony",
        &[root, "cache:clear", "doctrine:migrations:migrate", "\"/.env\"", ".env.local"],
    );
    recognises(
        &[
            ("public/index.php", ""),
            ("composer.json", "{}"),
            ("public/uploads/.keep", ""),
            (".env.example", ""),
        ],
        "PHP (`public/index.php`)",
        &[root, "packages::composer()", r#"set("shared", [".env", "public/uploads/"])"#],
    );
}

#[test]
fn applications_of_node_python_and_ruby_are_recognised() {
    let next = r#"{"name":"web","scripts":{"build":"next build","start":"next start"},"dependencies":{"next":"16.0.0"}}"#;
    recognises(
        &[("package.json", next), ("package-lock.json", "{}")],
        "Next.js",
        &[
            "recipe = \"node\"",
            "restart web",
            "proxy_pass http://127.0.0.1:3000",
            "/.next/cache/",
            "ExecStart",
        ],
    );
    recognises(
        &[
            ("package.json", next),
            ("next.config.mjs", "export default { output: 'export' }"),
            ("yarn.lock", ""),
        ],
        "a static site that Next.js builds into `out/`",
        &["local(\"yarn run build\")", "set(\"source\", \"out\")", "root /srv/shop/current;"],
    );
    recognises(
        &[(
            "package.json",
            r#"{"name":"@acme/api","scripts":{"start":"node ./bin/www"},"dependencies":{"express":"~4"}}"#,
        )],
        "Express",
        &["recipe = \"node\"", "\"npm install\"", "restart api"],
    );
    let manage = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')";
    recognises(
        &[
            ("manage.py", manage),
            ("shop/settings.py", "BASE_DIR / 'db.sqlite3'\nSTATIC_ROOT = 1"),
            ("requirements.txt", ""),
        ],
        "Django",
        &["pip install", "collectstatic", "migrate --noinput", "shop.wsgi", "shared/db.sqlite3"],
    );
    recognises(
        &[
            ("Gemfile", "gem 'rails'"),
            ("config/application.rb", ""),
            ("db/schema.rb", ""),
            ("config/credentials.yml.enc", ""),
        ],
        "Rails",
        &["bundle install", "db:migrate", "config/master.key", "root /srv/shop/current/public;"],
    );
}

/// A project may come from anybody, and `init` loads what it proposes.
#[test]
fn texts_of_a_project_never_become_code() {
    let evil = "x\"); task(\"evil\", || local(\"touch evil\")); //";
    let node = format!(
        "<?php\nnamespace Deployer;\nset('application', '{}; touch evil #');\nhost('web1');\n",
        evil.replace('\'', "")
    );
    for files in [
        vec![
            ("Gemfile", "gem 'rails'".to_owned()),
            ("config/application.rb", String::new()),
            ("config/deploy.rb", format!("set :application, '{evil}'\nset :deploy_to, '/srv/x'\n")),
            ("config/deploy/production.rb", "server 'web1', user: 'x', roles: %w{app}\n".to_owned()),
        ],
        vec![("package.json", "{\"scripts\":{\"start\":\"x\"}}".to_owned()), ("deploy.php", node)],
        vec![
            (
                "package.json",
                "{\"scripts\":{\"build\":\"vite build\"},\"devDependencies\":{\"vite\":\"1\"}}".to_owned(),
            ),
            ("vite.config.js", format!("export default {{ build: {{ outDir: `dist\n{evil}\n` }} }}")),
        ],
        vec![
            (
                "package.json",
                "{\"scripts\":{\"build\":\"vite build\"},\"devDependencies\":{\"vite\":\"1\"}}".to_owned(),
            ),
            ("vite.config.js", "export default { build: { outDir: '../../.ssh' } }".to_owned()),
        ],
    ] {
        let test = files.iter().fold(project(), |test, (name, text)| test.write(name, text));
        let ran = test.run(&SERVER);
        let recipe = fs::read_to_string(test.path("deploy.rhai")).unwrap_or_default();
        let toml = fs::read_to_string(test.path("runner.toml")).unwrap_or_default();
        for text in [&recipe, &toml, &ran.out] {
            assert!(
                !text.contains("task(\"evil\"") && !text.contains("; touch") && !text.contains("../.ssh"),
                "{text}"
            );
        }
        assert_eq!(ran.code, Some(0), "{ran}");
        test.ends(0, &["check"]);
    }
}

#[test]
fn static_sites_are_recognised_by_their_generators() {
    let case = |package: &str, script: &str, output: &str| {
        let json = format!(
            r#"{{"scripts":{{"build":"{script}","docs:build":"{script}"}},"devDependencies":{{"{package}":"1"}}}}"#
        );
        recognises(
            &[("package.json", &json)],
            "a static site",
            &[&format!("set(\"source\", \"{output}\")"), "npm install"],
        );
    };
    case("astro", "astro build", "dist");
    case("@11ty/eleventy", "eleventy", "_site");
    case("gatsby", "gatsby build", "public");
    case("vitepress", "vitepress build docs", "docs/.vitepress/dist");
    case("@docusaurus/core", "docusaurus build", "build");
    case("vite", "tsc && vite build", "dist");
    let configured = ("vite.config.ts", "export default { build: { outDir: './www' } }");
    recognises(
        &[("package.json", r#"{"devDependencies":{"vite":"7"}}"#), configured],
        "a static site that Vite builds into `www/` (`vite.config.ts`)",
        &["npx vite build"],
    );
    recognises(
        &[("hugo.toml", ""), ("content/a.md", "")],
        "a static site that Hugo builds",
        &["hugo --minify", "\"public\""],
    );
    recognises(
        &[("_config.yml", ""), ("Gemfile", "gem 'jekyll'")],
        "a static site that Jekyll builds",
        &["\"_site\""],
    );
    recognises(&[("notes.txt", "")], "no kind of project", &["root /srv/shop/current;"]);
    recognises(&[("public/index.html", "")], "a static site (`public/index.html`)", &["source = \"public\""]);
}

#[test]
fn at_a_terminal_four_questions_are_asked_and_their_answers_written() {
    let test = project().write("shop/index.html", "one");
    let mut terminal = Terminal::new(&test, "-C shop init");
    terminal.shows("stage [prod]: ").types("live\n").shows("host (").types("web1:http\n");
    terminal.shows("the port must be").types("web1.invalid, web2.invalid:2222\n");
    terminal.shows("user to log in as [deploy]: ").types("\n");
    terminal.shows("path to deploy to [/var/www/shop]: ").types("~/shop\n");
    let shown = terminal.ends(0);
    assert!(shown.contains("wrote `runner.toml`"), "{shown}");
    let toml = fs::read_to_string(test.path("shop/runner.toml")).unwrap();
    for line in
        ["[stage.live]", "path = \"~/shop\"", "user = \"deploy\"", "\"web1.invalid\", \"web2.invalid:2222\""]
    {
        assert!(toml.contains(line), "{toml}");
    }
    test.ends(0, &["-C", "shop", "check"]);
}

#[test]
fn for_this_machine_no_user_is_asked_for() {
    let test = project().write("index.html", "one");
    let mut terminal = Terminal::new(&test, "init");
    terminal.shows("stage [prod]: ").types("\n").shows("host (").types("localhost\n");
    terminal.shows("path to deploy to [site]: ").types("\n");
    let shown = terminal.ends(0);
    assert!(!shown.contains("user to log in"), "{shown}");
    test.deploy();
    assert_eq!(test.serves("site", "index.html"), "one");
}

/// Nobody can guess a host; all else is proposed.
#[test]
fn with_yes_at_a_terminal_only_a_host_is_needed() {
    let test = project().write("shop/index.html", "one");
    let shown = Terminal::new(&test, "-C shop init --yes").ends(2);
    assert!(shown.contains("with `--yes`, `init` needs `--host`; nothing was written"), "{shown}");
    Terminal::new(&test, "-C shop init --yes --host web1.invalid").ends(0);
    let toml = fs::read_to_string(test.path("shop/runner.toml")).unwrap();
    for line in ["[stage.prod]", "path = \"/var/www/shop\"", "user = \"deploy\"", "\"web1.invalid\""] {
        assert!(toml.contains(line), "{toml}");
    }
}

#[test]
fn a_path_in_a_site_is_answered_with_the_one_above() {
    let test = project().write("index.html", "one");
    let mut terminal = Terminal::new(&test, "init --stage prod --host web1.invalid --user deploy");
    terminal.shows("path to deploy to").types("/srv/shop/current/public\n");
    terminal.shows("the path is the directory above `current`: `/srv/shop`").types("/srv/shop\n");
    terminal.ends(0);
}

#[test]
fn ctrl_c_at_any_question_writes_nothing() {
    let questions =
        [("stage [prod]: ", "\n"), ("host (", "web1.invalid\n"), ("user to", "\n"), ("path to", "\n")];
    for n in 0..questions.len() {
        let test = project().write("index.html", "one");
        let mut terminal = Terminal::new(&test, "init");
        for (question, answer) in &questions[..n] {
            terminal.shows(question).types(answer);
        }
        terminal.shows(questions[n].0).types("half\x03");
        let shown = terminal.ends(130);
        assert_eq!(shown.matches("interrupted").count(), 1, "{shown}");
        assert_eq!(names(&test), ["index.html"]);
    }
}

const DEPLOYER: &str = "<?php
set('application', 'shop');
add('shared_dirs', ['public/media']);
host('web1.invalid')->set('remote_user', 'deployer')->set('labels', ['stage' => 'production'])
    ->set('deploy_path', '/srv/{{application}}');
host('web2.invalid')->set('remote_user', 'deployer')->set('labels', ['stage' => 'production'])
    ->set('deploy_path', '/srv/{{application}}');
task('build', function () { run('npm run build'); });
after('deploy:vendors', 'build');
after('deploy:failed', 'deploy:unlock');
host('qa.invalid')->setPort(2222)->set('labels', ['stage' => 'staging'])->set('deploy_path', getenv('QA') . '/x');
";

#[test]
fn hosts_and_paths_are_taken_from_the_configuration_of_deployer() {
    let test = project().write("index.php", "<?php").write("deploy.php", DEPLOYER);
    let ran = test.ends(2, &["init"]);
    ran.says("needs `--yes`;").says("`runner init --yes`");
    let ran = test.ends(0, &["init", "--yes"]);
    ran.says("read `deploy.php`, the configuration of Deployer");
    ran.says("could not read `set('deploy_path', …)` in deploy.php:11");
    ran.says("not carried over: `task('build')` (deploy.php:8), `after('deploy:vendors', 'build')` (deploy.php:9);");
    let toml = fs::read_to_string(test.path("runner.toml")).unwrap();
    let lines = [
        "application = \"shop\"",
        "[stage.production]",
        "path = \"/srv/shop\"",
        "user = \"deployer\"",
        "hosts = [\"web1.invalid\", \"web2.invalid\"]",
        "shared.add = [\"public/media/\"]",
        "exclude.add = [\"/deploy.php\"]",
    ];
    for line in lines {
        assert!(toml.contains(line), "`{line}` is not in\n{toml}");
    }
    assert!(!toml.contains("staging"), "{toml}");
    test.ends(0, &["check"]);
}

#[test]
fn at_a_terminal_the_stages_of_capistrano_are_one_question() {
    let test = project().write("index.html", "one").write(
        "config/deploy.rb",
        "set :application, 'shop'\nset :deploy_to, '/srv/shop'\nappend :linked_dirs, 'log'\nappend :linked_files, 'config/key'\n",
    );
    let test =
        test.write("config/deploy/production.rb", "server 'web1.invalid', user: 'cap', roles: %w{app}\n");
    let test = test.write("config/deploy/staging.rb", "server 'qa.invalid', user: 'cap', roles: %w{app}\n");
    let mut terminal = Terminal::new(&test, "init");
    terminal
        .shows("stage `staging`: qa.invalid, in `/srv/shop`")
        .shows("write these stages [yes]: ")
        .types("\n");
    let shown = terminal.ends(0);
    assert!(shown.contains("runner doctor production"), "{shown}");
    let toml = fs::read_to_string(test.path("runner.toml")).unwrap();
    for line in [
        "[stage.production]",
        "[stage.staging]",
        "hosts = [\"qa.invalid\"]",
        "shared.add = [\"log/\", \"config/key\"]",
    ] {
        assert!(toml.contains(line), "`{line}` is not in\n{toml}");
    }
    // With one stage, its answers are the defaults.
    let test = test.remove("runner.toml").remove("config/deploy/staging.rb");
    let mut terminal = Terminal::new(&test, "init");
    for (question, answer) in [
        ("stage [production]: ", "\n"),
        ("[web1.invalid]: ", "\n"),
        ("[cap]: ", "\n"),
        ("[/srv/shop]: ", "/srv/other\n"),
    ] {
        terminal.shows(question).types(answer);
    }
    terminal.ends(0);
    let toml = fs::read_to_string(test.path("runner.toml")).unwrap();
    assert!(toml.contains("path = \"/srv/other\"") && toml.contains("user = \"cap\""), "{toml}");
}

/// A project that reaches `web1.example.com` through an sshd.
fn with_server(server: &Sshd) -> Test {
    let test = project().write("index.html", "one");
    let host_key = fs::read_to_string(server.dir().join("host.pub")).unwrap();
    let config = format!(
        "Host web1.example.com\n HostName 127.0.0.1\n Port {}\n IdentityFile {}\n IdentitiesOnly yes\n \
         UserKnownHostsFile {}\n GlobalKnownHostsFile none\n",
        server.port,
        server.key().display(),
        test.path("known_hosts").display()
    );
    let test = test.write("ssh_config", &config).write("known_hosts", &format!("* {host_key}"));
    let config = test.path("ssh_config").display().to_string();
    test.env("RUNNER_SSH_CONFIG", &config)
}

fn init_on(test: &Test, server: &Sshd, path: &str) -> Ran {
    let host = ["--host", "web1.example.com", "--user", &server.user];
    let ran = test.ends(0, &[&["init", "--stage", "prod", "--path", path, "--yes"][..], &host].concat());
    test.ends(0, &["check"]);
    fs::remove_file(test.path("runner.toml")).unwrap();
    ran
}

#[test]
fn a_first_look_says_what_lies_at_the_path_and_changes_nothing() {
    let server = Sshd::openssh();
    let test = with_server(&server);
    let site = Site(server.home().join(format!("look {}", server.port)));
    let path = site.path().display().to_string();
    let made = |script: &str| {
        let script =
            format!("rm -rf \"$0\"; mkdir -p \"$0\"; cd \"$0\"; {script}; chown -R {} \"$0\"", server.user);
        assert!(Command::new("sh").args(["-ec", &script]).arg(site.path()).status().unwrap().success());
    };
    init_on(&test, &server, &path).says(&format!("`{path}` does not exist; the first deploy makes it"));
    assert!(!site.path().exists());
    made(":");
    init_on(&test, &server, &path).says(&format!("`{path}` exists, and nothing is served from it"));
    made("echo >index.php; echo >robots.txt");
    let before = tree(site.path());
    let ran = init_on(&test, &server, &path);
    ran.says(&format!("`{path}` is a web root: it has `index.php`")).says("runner adopt");
    assert_eq!(tree(site.path()), before);
    made("mkdir current; echo >current/index.php");
    init_on(&test, &server, &path).says(&format!("`{path}/current` is a directory")).says("runner adopt");
    made("mkdir -p .dep releases/1 shared; ln -s releases/1 current");
    let ran = init_on(&test, &server, &path);
    ran.says(&format!("`{path}` is a site of Deployer: the first deploy takes it over"))
        .says_not("runner adopt");
    let ran = init_on(&test, &server, "/nowhere/shop");
    ran.says("`/` is not writable by").says(&format!("sudo install -d -o {} /nowhere/shop", server.user));
}

#[test]
fn a_host_that_cannot_be_asked_keeps_nothing_from_being_written() {
    let server = Sshd::openssh();
    let test = with_server(&server).write("known_hosts", "");
    let ran = init_on(&test, &server, "/srv/shop");
    ran.says("warning: could not look around on `web1.example.com`")
        .says("wrote `runner.toml`")
        .says("runner doctor");
    let ran = test.ends(0, &SERVER);
    ran.says("could not look around").says("web1.invalid").says("wrote `runner.toml`");
}

/// What a server says whose configurations are these.
fn looked(files: &[(&str, &str)]) -> Surroundings {
    let test = files.iter().fold(project(), |test, (name, text)| test.write(name, text));
    let step = surroundings("/srv/shop", &test.root().display().to_string());
    let script = test.path("script");
    fs::write(&script, step.act.script.text()).unwrap();
    let output = Command::new("sh").arg(script).output().unwrap();
    let exit = Exit::Code(output.status.code().unwrap());
    (step.read)(&Answer { exit, stdout: output.stdout, stderr: output.stderr }).unwrap()
}

#[test]
fn a_first_look_reads_the_configurations_of_web_servers() {
    let nginx = "server { listen 443 ssl; server_name shop.example.com;\n root /srv/shop/current/public;\n\
                 location ~ \\.php$ { fastcgi_pass unix:/run/php/fpm.sock; } }";
    let apache = "<VirtualHost *:80>\nServerName old.example.com\nDocumentRoot /srv/old\n</VirtualHost>";
    let seen =
        looked(&[("etc/nginx/sites-enabled/shop", nginx), ("etc/apache2/sites-enabled/old.conf", apache)]);
    let shown: Vec<_> =
        seen.roots.iter().map(|served| (served.server, served.root.as_str(), served.url())).collect();
    let url = |url: &str| Some(url.to_owned());
    let want = [
        ("nginx", "/srv/shop/current/public", url("https://shop.example.com")),
        ("Apache", "/srv/old", url("http://old.example.com")),
    ];
    assert_eq!(shown, want);
    assert_eq!(looked(&[]).roots, []);
}
