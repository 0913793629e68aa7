//! The main job on a real server: the same program, a real sshd on loopback, a user without any right elsewhere.

#[path = "support/sshd.rs"]
mod sshd;
mod support;

use std::fs;
use std::path::PathBuf;

use sshd::Sshd;
use support::Test;

/// A site in the home that tests share; it goes when its test is over.
struct Site(PathBuf);

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Site {
    fn serves(&self, path: &str) -> String {
        fs::read_to_string(self.0.join("current").join(path)).unwrap()
    }
}

/// A project whose one stage is reached by ssh, and where its site is.
fn project(server: &Sshd) -> (Test, Site) {
    let site = server.home().join(format!("it's a site {}", server.port));
    let toml = format!(
        "[settings]\nsource = \"source\"\nhost_keys = \"accept-new\"\n[stage.prod]\nuser = \"{}\"\npath = \"{}\"\n\
         hosts = [{{ address = \"127.0.0.1\", name = \"web1\", port = {} }}]\n",
        server.user,
        site.display(),
        server.port
    );
    let test = Test::new().toml(&toml);
    let known = test.path("known_hosts");
    let config = format!(
        "IdentityFile {}\nIdentitiesOnly yes\nUserKnownHostsFile \"{}\"\nGlobalKnownHostsFile /dev/null\n",
        server.key().display(),
        known.display()
    );
    let test = test.write("ssh_config", &config);
    let config = test.path("ssh_config").display().to_string();
    (test.env("RUNNER_SSH_CONFIG", &config), Site(site))
}

#[test]
fn a_server_is_deployed_to_changed_and_rolled_back() {
    let server = Sshd::openssh();
    let (test, site) = project(&server);
    let test = test.source("index.html", "one").source("other", "same").source("-odd 'name'\n", "x");
    test.deploy().says("3 of 3 files unpacked").says("web1 serves");
    assert_eq!(site.serves("index.html"), "one");
    let test = test.source("index.html", "two");
    test.deploy().says("1 of 3 files unpacked, 3 B");
    assert_eq!(site.serves("index.html"), "two");
    test.ends(0, &["rollback"]);
    assert_eq!(site.serves("index.html"), "one");
    test.ends(0, &["releases"]).says("bad").says("<- live");
}

#[test]
fn a_failing_task_on_a_server_is_undone_and_a_command_ends_with_its_words() {
    let server = Sshd::openssh();
    let (test, site) = project(&server);
    let test = test.source("index.html", "one");
    test.deploy();
    let recipe = "task(\"verify\", |host| host.run(\"echo broken >&2; exit 3\"));\n";
    let test = test.source("index.html", "two").recipe(recipe);
    test.ends(1, &[]).says("exited with status 3").says("= broken").says("swapped back on web1");
    assert_eq!(site.serves("index.html"), "one");
}

#[test]
fn verbs_that_only_look_heed_the_settings_of_recipe_and_project() {
    let server = Sshd::openssh();
    let forget = |test: Test| test.write("known_hosts", "");
    for verb in ["releases", "status"] {
        let test = project(&server).0;
        test.ends(1, &[verb, "--set", "host_keys=strict"]).says("is not known");
        test.ends(0, &[verb]);
        // A setting of the recipe, which project and command line may overrule.
        let toml = fs::read_to_string(test.path("runner.toml")).unwrap();
        let strict = toml.replace("host_keys = \"accept-new\"\n", "");
        let test = forget(test).toml(&strict);
        test.ends(1, &[verb]).says("is not known");
        let test = test.recipe("set(\"host_keys\", \"accept-new\");\n");
        test.ends(1, &[verb, "--set", "host_keys=strict"]).says("is not known");
        test.ends(0, &[verb]);
        // Settings of another recipe, which is typed when it is meant, are no trouble.
        let test = forget(test).toml(&toml.replace("[settings]\n", "[settings]\nphp = \"php8\"\n"));
        test.ends(0, &[verb]);
        // Nor is one that is not well written.
        let test = forget(test).recipe("set(\"host_keys\" \"accept-new\");\n");
        test.ends(0, &[verb]).says("the recipe is not well written, and its settings do not count");
        forget(test).toml(&strict).ends(1, &[verb]).says("is not known");
    }
}

#[test]
fn a_server_that_nobody_knows_is_refused_and_nothing_is_done() {
    let server = Sshd::openssh();
    let (test, site) = project(&server);
    let test = test.source("index.html", "one");
    test.ends(1, &["--set", "host_keys=strict"]).says("ssh-keyscan");
    assert!(!site.0.exists());
}
