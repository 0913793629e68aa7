//! How long a deploy takes, and what it costs, beside the tools that it replaces: `cargo bench`. docs/performance.md says
//! what the figures mean.

#![allow(clippy::unwrap_used, reason = "a benchmark ends where something is missing")]

mod bed;
#[path = "../../tests/support/proxy.rs"]
mod proxy;
#[path = "../../tests/support/sshd.rs"]
mod sshd;
mod tools;
mod tree;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bed::{Bed, Cost};
use clap::Parser;
use tools::{Act, Tool};

#[derive(Parser)]
struct Options {
    /// Milliseconds of a round trip
    #[arg(long, value_delimiter = ',', default_value = "0,50,150")]
    rtt: Vec<u64>,
    /// Files of the tree
    #[arg(long, value_delimiter = ',', default_value = "10000")]
    files: Vec<usize>,
    /// Tools, by a part of their name; `none` leaves one host out
    #[arg(long, value_delimiter = ',')]
    tools: Vec<String>,
    /// How often each is measured; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Hosts of the runs with several, none to leave these out
    #[arg(long, value_delimiter = ',', default_value = "1,8,50")]
    hosts: Vec<usize>,
    /// What cargo says
    #[arg(long, hide = true)]
    bench: bool,
}

type Costs = HashMap<(Act, Tool), Vec<Cost>>;

fn main() {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if bed::measured(&words) {
        return;
    }
    let options = Options::parse();
    bed::contain();
    let tools: Vec<Tool> = Tool::ALL
        .into_iter()
        .filter(|tool| {
            options.tools.is_empty() || options.tools.iter().any(|part| tool.name().contains(part.as_str()))
        })
        .collect();
    start_up();
    for &files in options.files.iter().filter(|_| !tools.is_empty()) {
        for &rtt in &options.rtt {
            one_host(&tools, files, rtt, options.rounds);
        }
    }
    if options.hosts.len() > 1 {
        for &rtt in &options.rtt {
            several_hosts(&options.hosts, rtt, options.rounds);
        }
    }
}

/// What the program costs before it does anything.
fn start_up() {
    let bed = Bed::new();
    let source = bed.path("source");
    tree::make(&source, 100);
    tools::set_up_runner(&bed, &source, 1);
    println!("start-up, medians of 21\n");
    for verb in ["--help", "check"] {
        let mut runs: Vec<Cost> = (0..21)
            .map(|_| {
                let mut command = tools::runner(&bed, Act::First);
                bed.measure(0, command.arg(verb))
            })
            .collect();
        let cost = median(&mut runs);
        println!("  runner {verb:6}  {:5.1} ms  {:5.1} ms CPU", millis(cost.wall), millis(cost.cpu));
    }
    println!();
}

fn one_host(tools: &[Tool], files: usize, rtt: u64, rounds: usize) {
    let mut bed = Bed::new();
    bed.set_rtt(Duration::from_millis(rtt));
    let source = bed.path("source");
    tree::make(&source, files);
    prepare(&bed, tools);
    for tool in tools {
        tool.set_up(&bed, &source);
    }
    let mut costs = Costs::new();
    let mut links = Vec::new();
    for round in 0..rounds {
        let _ = fs::remove_dir_all(bed.path("cache"));
        for act in Act::ALL {
            match act {
                Act::First => forget_sites(&bed),
                Act::Changed => tree::change(&source, files, 20, 3 * round),
                Act::Fresh => {
                    copy_afresh(&source, 2 * round);
                    tree::change(&source, files, 20, 3 * round + 1);
                }
                Act::FreshAnywhere => {
                    copy_afresh(&source, 2 * round + 1);
                    tree::change(&source, files, 20, 3 * round + 2);
                    fs::remove_dir_all(bed.path("cache")).unwrap();
                }
                Act::Same | Act::Rollback => {}
            }
            if tools.iter().any(|tool| tool.is_from_git()) && act != Act::Rollback {
                commit(&bed, &source);
            }
            for &tool in tools {
                if let Some(mut command) = tool.command(act, &bed, &source) {
                    bed.settle();
                    costs.entry((act, tool)).or_default().push(bed.measure(1, &mut command));
                }
            }
        }
        links.push(duplicate(&bed, &source));
    }
    println!(
        "{files} files, {}; RTT {rtt} ms; one host; medians of {rounds}; `cp -al` of the tree {:.2} s\n",
        megabytes(size(&source)),
        median_by(&mut links, |wall| *wall).as_secs_f64()
    );
    for act in Act::ALL {
        println!("  {:38} {HEAD}", act.name());
        for &tool in tools {
            if let Some(runs) = costs.get_mut(&(act, tool)) {
                println!("    {:36} {}", tool.name(), row(&median(runs)));
            }
        }
    }
    println!();
}

/// The same tree of 500 files to so many hosts at once.
fn several_hosts(hosts: &[usize], rtt: u64, rounds: usize) {
    println!("500 files; RTT {rtt} ms; runner; medians of {rounds}\n\n  {:38} {HEAD}", "hosts");
    for &n in hosts {
        let mut bed = Bed::new();
        bed.set_rtt(Duration::from_millis(rtt));
        let source = bed.path("source");
        tree::make(&source, 500);
        tools::set_up_runner(&bed, &source, n);
        let mut costs: HashMap<Act, Vec<Cost>> = HashMap::new();
        let acts = [Act::First, Act::Changed, Act::Rollback];
        for round in 0..rounds {
            forget_sites(&bed);
            for act in acts {
                if act == Act::Changed {
                    tree::change(&source, 500, 20, round);
                }
                bed.settle();
                costs.entry(act).or_default().push(bed.measure(n, &mut tools::runner(&bed, act)));
            }
        }
        for act in acts {
            println!(
                "    {:36} {}",
                format!("{n}: {}", act.name()),
                row(&median(costs.get_mut(&act).unwrap()))
            );
        }
    }
    println!();
}

const HEAD: &str = "   wall      CPU   memory  turns        up      down  execs";

fn row(cost: &Cost) -> String {
    format!(
        "{:5.2} s  {:5.2} s  {:>7}  {:5}  {:>8}  {:>8}  {:5}",
        cost.wall.as_secs_f64(),
        cost.cpu.as_secs_f64(),
        megabytes(cost.memory),
        cost.turns,
        kilobytes(cost.up),
        kilobytes(cost.down),
        cost.execs
    )
}

/// The run whose wall time is in the middle, with the lowest turnarounds of all: a busy machine can only add to them.
fn median(runs: &mut [Cost]) -> Cost {
    let turns = runs.iter().map(|cost| cost.turns).min().unwrap_or_default();
    Cost { turns, ..median_by(runs, |cost| cost.wall) }
}

fn median_by<T: Copy, K: Ord>(values: &mut [T], key: impl Fn(&T) -> K) -> T {
    values.sort_by_key(key);
    values[values.len() / 2]
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn kilobytes(bytes: u64) -> String {
    format!("{:.1} kB", bytes as f64 / 1e3)
}

/// What Capistrano needs on the server and the keys that it can read.
fn prepare(bed: &Bed, tools: &[Tool]) {
    if tools.iter().any(|tool| tool.is_from_git()) {
        shell(
            bed,
            "printf '[safe]\\ndirectory = *\\n' >gitconfig
             ssh-keygen -q -t rsa -m PEM -N '' -f id_rsa; cat id_rsa.pub >>\"$KEYS\"
             git init -q --bare -b main \"$SITES/repo.git\"; chown -R \"$LOGIN\" \"$SITES/repo.git\"",
        );
    }
}

fn commit(bed: &Bed, source: &Path) {
    let source = source.display();
    shell(
        bed,
        &format!(
            "export GIT_CONFIG_GLOBAL=\"$PWD/gitconfig\"
             git=\"git --git-dir=$SITES/repo.git --work-tree={source} -c user.name=b -c user.email=b -c gc.auto=0\"
             $git -c core.bare=false add -A; $git -c core.bare=false commit -q --allow-empty -m change
             chown -R \"$LOGIN\" \"$SITES/repo.git\""
        ),
    );
}

/// Puts the sites out of the way: to delete them would slow down what comes next.
fn forget_sites(bed: &Bed) {
    shell(
        bed,
        "cd \"$SITES\"; mkdir -p old; old=old/$(ls old | wc -l); mkdir \"$old\"
         for site in *; do case $site in repo.git|old|lost+found) ;; *) mv \"$site\" \"$old\" ;; esac; done",
    );
}

fn copy_afresh(source: &Path, n: usize) {
    let old = source.with_extension(format!("old{n}"));
    fs::rename(source, &old).unwrap();
    let copied = Command::new("cp").arg("-r").args([&old, source]).status().unwrap();
    assert!(copied.success());
}

/// How long a copy by hard links takes that nothing else is done with.
fn duplicate(bed: &Bed, source: &Path) -> Duration {
    shell(bed, &format!("cp -r {} \"$SITES/original\"; sync", source.display()));
    bed.settle();
    let mut command = Command::new("cp");
    bed.measure(0, command.arg("-al").args([bed.site("original"), bed.site("duplicate")])).wall
}

fn size(source: &Path) -> u64 {
    let mut total = 0;
    for entry in fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        total += if meta.is_dir() { size(&entry.path()) } else { meta.len() };
    }
    total
}

fn shell(bed: &Bed, text: &str) {
    let status = Command::new("sh")
        .args(["-euc", text])
        .current_dir(bed.path("."))
        .env("SITES", bed.site(""))
        .env("LOGIN", &bed.server.user)
        .env("KEYS", bed.server.dir().join("authorized_keys"))
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{text}");
}
