//! Readers in a tight loop, as a web server under load is one: of what `current` leads to, none may be missing or mixed.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rustix::fs::{Mode, OFlags, open, openat};

use super::support::Test;

/// Files of a release that all say which version they are of.
const FILES: [&str; 5] = ["index", "a", "b", "deep/er/c", "deep/d"];

impl Test {
    /// A source whose files all say `version`.
    pub fn version(self, version: &str) -> Self {
        FILES.into_iter().fold(self, |test, file| test.source(file, version))
    }
}

/// What readers saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Files that were read.
    pub n_reads: u64,
    /// How often a reader met another version than the time before.
    pub n_changes: u64,
    /// The first of what was missing or mixed.
    pub faults: Vec<String>,
}

pub struct Readers {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Seen>>,
}

impl Readers {
    /// Two threads that read in `current` of a site until they are stopped.
    pub fn start(site: &Path) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let threads = (0..2).map(|_| {
            let (is_over, current) = (is_over.clone(), site.join("current"));
            thread::spawn(move || read_until(&is_over, &current))
        });
        Self { threads: threads.collect(), is_over }
    }

    pub fn stop(self) -> Seen {
        self.is_over.store(true, Ordering::SeqCst);
        let mut all = Seen::default();
        for thread in self.threads {
            let seen = thread.join().unwrap();
            all.n_reads += seen.n_reads;
            all.n_changes += seen.n_changes;
            all.faults.extend(seen.faults);
        }
        all
    }
}

fn read_until(is_over: &AtomicBool, current: &Path) -> Seen {
    let paths: Vec<PathBuf> = FILES.iter().map(|file| current.join(file)).collect();
    let mut seen = Seen::default();
    let mut last = String::new();
    while !is_over.load(Ordering::SeqCst) && seen.faults.len() < 10 {
        // Of one release, opened once: what a request that began before a swap goes on reading.
        match whole(current) {
            Ok(versions) => {
                seen.n_reads += FILES.len() as u64;
                if versions.iter().any(|version| *version != versions[0]) {
                    seen.faults.push(format!("mixed: {versions:?}"));
                }
                seen.n_changes += u64::from(last != versions[0] && !last.is_empty());
                last = versions.into_iter().next().unwrap_or_default();
            }
            Err(fault) => seen.faults.push(fault),
        }
        // Through the link each time: what begins at any moment.
        for path in &paths {
            match fs::read_to_string(path) {
                Ok(text) if text.is_empty() => seen.faults.push(format!("empty: {}", path.display())),
                Ok(_) => seen.n_reads += 1,
                Err(error) => seen.faults.push(format!("{}: {error}", path.display())),
            }
        }
    }
    seen
}

fn whole(current: &Path) -> Result<Vec<String>, String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let dir = open(current, flags | OFlags::DIRECTORY, Mode::empty())
        .map_err(|error| format!("{}: {error}", current.display()))?;
    let read = |file: &&str| {
        let mut text = String::new();
        let opened = openat(&dir, *file, flags, Mode::empty()).map_err(|error| format!("{file}: {error}"))?;
        File::from(opened).read_to_string(&mut text).map_err(|error| format!("{file}: {error}"))?;
        Ok(text)
    };
    FILES.iter().map(read).collect()
}
