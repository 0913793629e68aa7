//! The round trips of the shipped flow on one host, from the connection to the exit.

#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/web.rs"]
mod servers;
mod support;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use proxy::{Proxy, fewest};
use servers::Nginx;
use support::Test;
use support::sshd::Sshd;

/// What a run costs on a line with this delay.
fn trips(server: &Sshd, test: &Test, delay: Duration, words: &[&str]) -> u64 {
    let proxy = Proxy::new(server.port, delay);
    let port = proxy.port.to_string();
    let config = fs::read_to_string(test.path("ssh_config.in")).unwrap().replace("PORT", &port);
    fs::write(test.path("ssh_config"), config).unwrap();
    test.ends(0, words);
    proxy.n_trips()()
}

/// Its path is in the alphabet that a first act may travel in.
fn site(server: &Sshd, test: &Test) -> PathBuf {
    server.home().join(test.root().file_name().unwrap())
}

/// A hundred files, for one host that is reached through whatever `trips` puts between.
fn project(server: &Sshd) -> Test {
    let test = Test::new();
    let toml = format!(
        "[settings]\nsource = \"source\"\nhost_keys = \"accept-new\"\n[stage.prod]\nuser = \"{}\"\npath = \"{}\"\n\
         hosts = [\"web1\"]\n",
        server.user,
        site(server, &test).display(),
    );
    let test = test.toml(&toml);
    let config = format!(
        "Host web1\nHostName 127.0.0.1\nPort PORT\nHostKeyAlias web1\nIdentityFile {}\nIdentitiesOnly yes\n\
         UserKnownHostsFile \"{}\"\nGlobalKnownHostsFile /dev/null\n",
        server.key().display(),
        test.path("known_hosts").display()
    );
    let test = test.write("ssh_config.in", &config);
    let config = test.path("ssh_config").display().to_string();
    let mut test = test.env("RUNNER_SSH_CONFIG", &config);
    for n in 0..100 {
        test = test.source(&format!("{}/{n}", n % 7), &format!("file {n}"));
    }
    test
}

/// What each kind of run costs.
fn all(server: &Sshd, delay: Duration) -> [u64; 7] {
    let mut test = project(server);
    let run = |test: &Test, words: &[&str]| trips(server, test, delay, words);
    let first = run(&test, &[]);
    let same = run(&test, &[]);
    for n in 0..20 {
        test = test.source(&format!("{}/{n}", n % 7), "changed");
    }
    let changed = run(&test, &[]);
    let back = run(&test, &["rollback"]);
    let test = test.remove("cache");
    let forgotten = run(&test, &[]);
    fs::write(site(server, &test).join("current/0/0"), "edited there").unwrap();
    let edited = run(&test, &[]);
    let status = run(&test, &["status"]);
    fs::remove_dir_all(site(server, &test)).unwrap();
    [first, same, changed, back, forgotten, edited, status]
}

/// As many as the scripts have, in either direction, and not more than that for what did not change.
#[test]
fn a_redeploy_of_nothing_sends_scripts_alone() {
    let server = Sshd::openssh();
    let test = project(&server);
    trips(&server, &test, Duration::ZERO, &[]);
    let proxy = Proxy::new(server.port, Duration::ZERO);
    let port = proxy.port.to_string();
    let config = fs::read_to_string(test.path("ssh_config.in")).unwrap().replace("PORT", &port);
    fs::write(test.path("ssh_config"), config).unwrap();
    test.ends(0, &[]);
    let (up, down) = proxy.bytes_each_way();
    println!("up {up} bytes, down {down}");
    assert!(up < 84_000 && down < 9_000, "{up} {down}");
    fs::remove_dir_all(site(&server, &test)).unwrap();
}

/// Before anything changes, after the swap, and for the last line.
#[test]
fn what_visitors_get_costs_few_round_trips() {
    let server = Sshd::openssh();
    let expected = [19, 14, 11];
    let fewest = fewest(&expected, |delay| {
        let test = project(&server).source("index.html", "one");
        let current = site(&server, &test).join("current").display().to_string();
        let nginx = Nginx::start(&format!("root {current};"));
        let url = format!("url=http://127.0.0.1:{}", nginx.port);
        let words = |words: &[&'static str]| [words, &["--set"]].concat();
        let run = |test: &Test, of: &[&'static str]| {
            trips(&server, test, delay, &[&words(of)[..], &[url.as_str()]].concat())
        };
        run(&test, &[]);
        let test = test.source("index.html", "two");
        let all = [run(&test, &[]), run(&test, &["rollback"]), run(&test, &["status"])];
        fs::remove_dir_all(site(&server, &test)).unwrap();
        all
    });
    println!("with `url`, 1 changed, rollback, status: {fewest:?}");
    assert_eq!(fewest, expected);
}

#[test]
fn the_shipped_flow_takes_thirteen_round_trips() {
    let server = Sshd::openssh();
    let expected = [13, 13, 13, 11, 13, 17, 8];
    let fewest = fewest(&expected, |delay| all(&server, delay));
    println!(
        "first, nothing changed, 20 changed, rollback, without a manifest here, edited there, status: {fewest:?}"
    );
    assert_eq!(fewest, expected);
}
