//! What is sent, and what stays here: what git ignores, the project's own files, `.env*` files; and what a user is told.

mod support;

use std::process::Command;

use support::{Ran, Test};

/// Runs shell text in the project's directory, with a git that has no configuration but its own.
fn sh(test: &Test, text: &str) {
    let git = "git() { command git -c user.name=n -c user.email=e -c protocol.file.allow=always \"$@\"; }";
    let done = Command::new("sh")
        .arg("-ec")
        .arg(format!("{git}\n{text}"))
        .current_dir(test.root())
        .env("HOME", test.root())
        .output()
        .unwrap();
    assert!(done.status.success(), "{text}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A `runner.toml` with these lines as settings.
fn toml(settings: &str) -> String {
    format!("[settings]\n{settings}\n[stage.local]\npath = \"../site\"\ntransport = \"local\"\n")
}

/// A project in the git work tree `shop`: its sources, and secrets that git ignores.
fn shop(settings: &str) -> Test {
    let test = Test::new().write("shop/runner.toml", &toml(settings)).remove("runner.toml");
    sh(
        &test,
        "mkdir -p shop/app/sub shop/.vscode; cd shop; git init -qb main .
         printf 'auth.json\\n*.sql\\n.npmrc\\nid_deploy\\n.vscode/\\nnode_modules/\\nvendor/\\n' >.gitignore
         echo home >app/index; echo sub >app/sub/index; echo top >index
         git add . && git commit -qm one
         for file in auth.json dump.sql .npmrc id_deploy .vscode/settings.json app/auth.json app/backup.sql; do
           echo secret >$file; done",
    );
    test
}

fn in_shop(test: &Test, below: &str, words: &[&str]) -> Ran {
    Ran::of(test.command(words).current_dir(test.path("shop").join(below)).output().unwrap())
}

#[track_caller]
fn has_no_secret(test: &Test) {
    let found = support::tree(&test.path("site/current/"));
    for (path, what) in found {
        assert!(!what.contains("secret"), "{} is published", path.escape_ascii());
    }
}

#[track_caller]
fn ends(ran: &Ran, code: i32) -> &Ran {
    assert_eq!(ran.code, Some(code), "{ran}");
    ran
}

#[test]
fn what_git_ignores_stays_here_however_a_project_is_deployed() {
    let directory = |settings: &str, below: &str, words: &[&str]| {
        let test = shop(settings);
        for _ in 0..2 {
            let ran = in_shop(&test, below, words);
            ends(&ran, 0).says("git ignores it");
            has_no_secret(&test);
        }
        assert!(test.has("site/current/sub/index") || test.has("site/current/app/index"));
    };
    directory("", "", &[]);
    directory("", "app/sub", &[]);
    directory("", "..", &["-C", "shop"]);
    directory("source = \".\"", "", &[]);
    directory("source = \"app\"", "", &[]);
    directory("strategy = \"cache\"", "", &[]);
    directory("source = \"./app/../app\"\nstrategy = \"cache\"", "app", &[]);
}

#[test]
fn an_export_has_neither_what_git_ignores_nor_what_its_build_left_to_ignore() {
    let settings = "ref = \"main\"";
    let test = shop(settings).write(
        "shop/deploy.rhai",
        r#"task("build", || local("echo secret >built.sql; mkdir -p vendor; echo v >vendor/a; echo new >made; mkdir -p only; echo secret >only/x.sql"));"#,
    );
    sh(
        &test,
        "cd shop && echo '/.gitignore export-ignore' >.gitattributes && git add .gitattributes && git commit -qm 2",
    );
    ends(&in_shop(&test, "", &[]), 1)
        .says("git ignores paths")
        .says("`vendor/`")
        .says("include.add = [\"vendor/\"]");
    ends(&in_shop(&test, "", &["--set", "include.add=[\"vendor/\"]"]), 0).says("`built.sql`");
    assert!(test.has("site/current/vendor/a") && test.has("site/current/made"));
    has_no_secret(&test);
    ends(&in_shop(&test, "", &["--set", "exclude.add=[\"vendor/\"]"]), 0);
    assert!(!test.has("site/current/vendor") && test.has("site/current/made"));
}

#[test]
fn what_a_build_left_is_not_lost_at_a_first_deployment_without_being_told() {
    for built in ["vendor", "node_modules", "app/node_modules"] {
        let test = shop("").write(&format!("shop/{built}/a"), "built");
        let include = format!("include.add = [\"{built}/\"]");
        for words in [vec!["--plan"], vec![]] {
            let ran = in_shop(&test, "", &words);
            ends(&ran, 1).says("git ignores paths").says(&format!("`{built}/`")).says(&include);
            ran.says(&format!("exclude.add = [\"{built}/\"]"));
        }
        assert_eq!(test.live("site"), None);
        let test = test.write("shop/runner.toml", &toml(&include));
        ends(&in_shop(&test, "", &[]), 0);
        assert_eq!(test.serves("site", &format!("{built}/a")), "built");
        has_no_secret(&test);
        // From now on, it would be missed.
        let test = test.write("shop/runner.toml", &toml(""));
        ends(&in_shop(&test, "", &["--plan"]), 1).says("the live release got from the source").says(&include);
        ends(&in_shop(&test, "", &[]), 1).says("the live release got from the source").says(&include);
        let test = test.write("shop/runner.toml", &toml(&format!("exclude.add = [\"{built}/\"]")));
        ends(&in_shop(&test, "", &[]), 0).says_not(&format!("`{built}/` ("));
        assert!(!test.has(format!("site/current/{built}")));
    }
}

#[test]
fn a_file_that_becomes_ignored_is_not_taken_from_the_live_site_unseen() {
    for strategy in ["copy-previous", "cache"] {
        let settings = format!("strategy = \"{strategy}\"");
        let test = shop(&settings).write("shop/data/list.csv", "1").write("shop/data/deep/b.csv", "2");
        ends(&in_shop(&test, "", &[]), 0);
        sh(&test, "echo '/data/' >>shop/.gitignore");
        ends(&in_shop(&test, "", &[]), 1).says("from the source: `data/`").says("include.add = [\"/data/\"]");
        assert_eq!(test.serves("site", "data/list.csv"), "1");
        // What is gone here as well is not missed.
        sh(&test, "rm -r shop/data");
        ends(&in_shop(&test, "", &[]), 0);
        assert!(!test.has("site/current/data"));
    }
}

#[test]
fn one_line_names_what_stays_here_largest_first() {
    let test = shop("").write("shop/big.sql", &"x".repeat(3000)).write("shop/.vscode/b", &"x".repeat(2000));
    for words in [&["--plan"][..], &[]] {
        ends(&in_shop(&test, "", words), 0).says("`big.sql` (3.0 kB), `.vscode/` (2.0 kB), ");
    }
    ends(&in_shop(&test, "", &["--json"]), 0)
        .says(r#""event":"left","paths":[{"path":"big.sql","bytes":3000,"#);
    let bare = Test::new().source("auth.json", "x").source(".gitignore", "auth.json");
    bare.deploy().says_not("git ignores");
    assert!(bare.has("site/current/auth.json"), "a folder without git stays as it is");
}

#[test]
fn personal_rules_of_git_have_no_say() {
    let test = shop("").write("shop/local", "l").write("shop/other", "o");
    sh(
        &test,
        "cd shop && echo local >.git/info/exclude && echo other >../excludes && git config core.excludesFile ../excludes",
    );
    ends(&in_shop(&test, "", &[]), 0);
    assert!(test.has("site/current/local") && test.has("site/current/other"));
}

#[test]
fn tracked_files_always_travel_and_a_source_that_is_ignored_itself_was_named() {
    let test = shop("").write("shop/vendor/kept", "k");
    sh(&test, "cd shop && git add -f vendor/kept && git commit -qm vendor && echo secret >vendor/new.sql");
    ends(&in_shop(&test, "", &[]), 0);
    assert!(test.has("site/current/vendor/kept"));
    has_no_secret(&test);

    let test = shop("source = \"_site\"").write("shop/_site/index", "made").write("shop/_site/a/b", "made");
    sh(&test, "echo '/_site/' >>shop/.gitignore");
    ends(&in_shop(&test, "", &[]), 0);
    assert!(test.has("site/current/index") && test.has("site/current/a/b"));
}

#[test]
fn a_nested_repository_a_submodule_and_a_worktree_have_their_own_rules() {
    let test = shop("");
    sh(
        &test,
        "git init -qb main lib && cd lib && echo '*.key' >.gitignore && echo l >l && git add . && git commit -qm l && cd ..
         cd shop && git submodule -q add ../lib sub && git init -q nested && cp ../lib/.gitignore nested && echo n >nested/n
         echo secret >sub/a.key; echo secret >nested/b.key; git commit -qm sub
         git worktree add -q ../tree && cp auth.json ../tree/auth.json && cp runner.toml ../tree/",
    );
    ends(&in_shop(&test, "", &[]), 0).says("and 4 more");
    assert!(test.has("site/current/sub/l") && test.has("site/current/nested/n"));
    has_no_secret(&test);
    ends(&in_shop(&test, "../tree", &[]), 0)
        .says("submodules are not checked out")
        .says("`sub`")
        .says("git submodule update --init --recursive");
    has_no_secret(&test);
}

#[test]
fn include_names_what_travels_and_exclude_wins() {
    let settings = "include = [\"vendor/\", \"!vendor/x/tests/\", \"public/build/\", \".env\", \"none/\", \"docs/*.sql\"]\nexclude = [\"*.log\"]";
    let test = shop(settings)
        .write("shop/vendor/x/code", "c")
        .write("shop/vendor/x/run.log", "secret")
        .write("shop/vendor/x/tests/t", "secret")
        .write("shop/vendor/x/.env", "v")
        .write("shop/public/build/app.js", "j")
        .write("shop/public/hot", "secret")
        .write("shop/docs/schema.sql", "s")
        .write("shop/node_modules/y/vendor/z", "secret")
        .write("shop/.env", "A=1")
        .write("shop/.env.local", "secret")
        .write("shop/vendor/.runnerignore", "cache/\n")
        .write("shop/vendor/cache/c", "secret");
    sh(&test, "printf '/public/\\n.env*\\n' >>shop/.gitignore");
    ends(&in_shop(&test, "", &["--set", "exclude.add=[\"node_modules/\"]"]), 0);
    for path in ["vendor/x/code", "public/build/app.js", "docs/schema.sql", ".env"] {
        assert!(test.has(format!("site/current/{path}")), "{path}");
    }
    has_no_secret(&test);
}

#[test]
fn a_repository_that_git_cannot_read_is_an_error_before_any_host_is_touched() {
    let test = shop("");
    sh(&test, "rm shop/.git/HEAD");
    ends(&in_shop(&test, "", &[]), 2).says("git cannot read the repository").says("not a git repository");
    ends(&in_shop(&test, "app", &["--plan"]), 2).says("git cannot read the repository");
    assert!(!test.has("site"));
    ends(&in_shop(&test, "", &["--set", "include=[\"*\"]"]), 0);
    assert!(test.has("site/current/auth.json"));

    let test = shop("");
    let none = test.path("none").display().to_string();
    let bin = "mkdir none && for tool in sh cat tar cp ln rm mv mkdir stat find sort sed awk grep wc tr cut date id uname ls rmdir chmod sha256sum xargs readlink env flock cmp sleep setsid ps head tail touch df mktemp hostname printf gzip; do p=$(command -v $tool) && ln -s $p none/ || :; done";
    sh(&test, bin);
    let mut command = test.command(&[]);
    let ran = Ran::of(command.env("PATH", none).current_dir(test.path("shop")).output().unwrap());
    ends(&ran, 2).says("this machine has no `git`");
}

#[test]
fn a_line_for_runner_toml_is_not_told_twice_for_a_table_that_has_it() {
    for (line, words) in [
        ("include.add = [\"x/\"]", "to send: put \"/.env.production\" into the list `include.add`"),
        ("include = [\"x/\"]", "to send: put \"/.env.production\" into the list `include`"),
        ("", "to send: `include.add = [\"/.env.production\"]`"),
    ] {
        let test = shop(line).write("shop/.env.production", "A=1\n");
        sh(&test, "cd shop && git add -f .env.production && git commit -qm more");
        ends(&in_shop(&test, "", &["--plan"]), 0).says(words);
    }
}

#[test]
fn a_pointer_of_lfs_may_have_any_size_that_its_format_allows() {
    let test = shop("");
    let pointer = |extra: &str| {
        let oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        format!("version https://git-lfs.github.com/spec/v1\n{extra}oid sha256:{oid}\nsize 12345\n")
    };
    let long = format!("ext-0-crypt sha256:{}\n", "0".repeat(700));
    let test = test.write("shop/short.bin", &pointer("")).write("shop/long.bin", &pointer(&long));
    ends(&in_shop(&test, "", &["--plan"]), 0).says("`long.bin`").says("`short.bin`").says("Git LFS pointers");
}

#[test]
fn pointers_of_lfs_links_and_env_files_are_told_once_with_the_line_that_changes_it() {
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12345\n", "a".repeat(64));
    let test = shop("shared = [\"uploads/\"]")
        .write("shop/logo.png", &pointer)
        .write("shop/.env.production", "secret")
        .write("shop/cfg/.env.ci", "secret")
        .write("shop/.envoy.blade.php", "envoy")
        .link("/etc/hosts", "shop/hosts")
        .link("../../outside", "shop/app/out")
        .link("nothing", "shop/broken")
        .link("auth.json", "shop/ignored")
        .link("uploads/a", "shop/upload")
        .link("index", "shop/fine");
    sh(&test, "cd shop && git add -f .env.production .envoy.blade.php logo.png && git commit -qm more");
    for words in [&["--plan"][..], &[]] {
        let ran = in_shop(&test, "", words);
        ends(&ran, 0)
            .says("Git LFS pointers are sent instead of the files: `logo.png`; run `git lfs pull`")
            .says("links point outside the source, to whatever the server has at that path: `app/out -> ../../outside`, `hosts -> /etc/hosts`; to leave them out: `exclude.add = [\"/app/out\", \"/hosts\"]`")
            .says("links point to paths that are not sent: `broken -> nothing`, `ignored -> auth.json`; to leave")
            .says("git tracks `.env.production`, but `.env*` files are not sent; to send: `include.add = [\"/.env.production\"]`")
            .says_not(".env.ci");
        assert_eq!(ran.err.matches("links point outside").count(), 1, "{ran}");
    }
    has_no_secret(&test);
    assert!(test.has("site/current/.envoy.blade.php"));
    let line = "include=[\"/.env.production\", \"/app/out\", \"/hosts\", \"/broken\", \"/ignored\"]";
    ends(&in_shop(&test, "", &["--set", line]), 0).says_not("links lead").says_not("git tracks");
    assert!(test.has("site/current/.env.production"));
}

#[test]
fn the_projects_own_files_are_never_sent_wherever_they_lie() {
    let own = [
        "recipes/team.rhai",
        "ops/deep/base.rhai",
        "recipes/team.test.rhai",
        "runner.lock",
        "api/runner.toml",
        "api/runner.lock",
    ];
    for is_git in [false, true] {
        let mut test = Test::new().toml(&toml("").replace("../", "")).source("x", "");
        test = test.write("deploy.rhai", "import \"./recipes/team.rhai\" as team;").write("index", "i");
        for path in own {
            test = test.write(path, "//! Ours.\n");
        }
        if is_git {
            sh(
                &test,
                "git init -q . && git add -f recipes ops runner.lock api runner.toml index && git commit -qm 1",
            );
        }
        test.deploy();
        for path in own.into_iter().chain(["runner.toml", "deploy.rhai"]) {
            assert!(!test.has(format!("site/current/{path}")), "{path}");
        }
        assert!(test.has("site/current/index"));
    }
    let test = Test::new().source("scripts/game.rhai", "let x = 1;").source("a", "");
    test.ends(0, &["--set", "include=[\"scripts/*.rhai\"]"]);
    assert!(test.has("site/current/scripts/game.rhai"));
}

#[test]
fn a_change_outside_of_the_source_is_recorded_with_the_revision() {
    for change in ["echo changed >>index", "echo new >made", "git rm -q --cached index"] {
        let test = shop("source = \"app\"");
        ends(&in_shop(&test, "", &[]), 0).says_not("uncommitted");
        sh(&test, &format!("cd shop && {change}"));
        ends(&in_shop(&test, "", &[]), 0).says("the work tree has uncommitted changes");
        let record = test.record("site", &test.live("site").unwrap());
        assert_eq!(record["dirty"], true, "{record}");
    }
}
