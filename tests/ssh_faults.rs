//! What breaks under a deploy over ssh: the line, the server's tar, its disk. Told, undone, and no obstacle afterwards.

#![allow(clippy::unwrap_used)]

#[path = "support/project.rs"]
mod project;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/sshd.rs"]
mod sshd;
mod support;

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use project::{Site, at_port, project_at};
use proxy::{Fault, Proxy};
use sshd::Sshd;
use support::{Ran, Test};

const N_FILES: usize = 40;

/// Replaces the source: about 2 MB, every file another than in other versions.
fn version(test: Test, version: &str) -> Test {
    let lines = |n: usize| format!("{version} {n}\n").repeat(50_000 / (version.len() + 4));
    (0..N_FILES).fold(test.source("index.html", version), |test, n| {
        test.source(&format!("part {}/{n}", n % 4), &lines(n))
    })
}

/// What `current` leads to is whole: the version that its index names, and nothing of another.
#[track_caller]
fn serves_whole(site: &Site) -> String {
    let served = site.serves("index.html");
    let wanted = version(Test::new(), &served);
    let wanted = support::tree(&wanted.path("source"));
    let got = support::tree(&site.path().join("current/"));
    support::files::same(&got, &wanted);
    served
}

/// One way in which a line breaks, and what came of it.
struct Broken {
    at: u64,
    fault: Fault,
    ran: Ran,
    took: Duration,
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
    let start = Instant::now();
    let ran = test.run(&[]);
    let took = start.elapsed();
    assert!(proxy.struck().is_some(), "the line did not break at {at}\n{ran}");
    drop(proxy);
    let served = serves_whole(&site);

    let test = version(at_port(test, server, server.port, &paths), "three");
    test.deploy();
    assert_eq!(serves_whole(&site), "three");
    Broken { at, fault, ran, took, served }
}

/// Does `act` for each of `all`, eight at a time.
fn each<T: Copy + Sync, A: Send>(all: &[T], act: impl Fn(T) -> A + Sync) -> Vec<A> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(&one) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let answer = act(one);
                    done.lock().unwrap().push(answer);
                }
            });
        }
    });
    done.into_inner().unwrap()
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
    eprintln!("a redeploy takes {total} bytes");
    let early = (0..14).map(|n| 1 + n * 1_100);
    let pack = (0..22).map(|n| 20_000 + n * (total - 120_000) / 21);
    let late = (0..14).map(|n| total - 75_000 + n * 5_000);
    let points: Vec<(u64, Fault)> = early
        .chain(pack)
        .chain(late)
        .enumerate()
        .map(|(n, at)| (at, if n % 2 == 0 { Fault::Cut } else { Fault::Blip }))
        .collect();
    assert_eq!(points.len(), 50);
    let mut all = each(&points, |(at, fault)| breaks(&server, at, fault, ""));
    all.sort_by_key(|broken| broken.at);
    for Broken { at, fault, ran, took, served } in &all {
        eprintln!("==== {at} {fault:?}: {took:?}, serves {served}\n{ran}");
    }
}
