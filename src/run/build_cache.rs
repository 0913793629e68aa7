//! What a command here makes from a few files is kept by what these files hold: an export of the source need not have it
//! made again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::PoisonError;

use anyhow::Result;

use crate::event::Event;
use crate::run::Run;
use crate::shell::{Answer, Exit};
use crate::site::Asked;
use crate::tree::Hash;

/// Of a command: the files that decide what it makes, and what it makes. Paths are relative to where it runs.
#[derive(Debug, Clone, Default)]
pub struct Cached {
    pub key: Vec<String>,
    /// The version of what makes it, if that decides too.
    pub version: String,
    pub paths: Vec<String>,
}

impl Run {
    /// Runs a command here, unless what it makes is kept from an earlier time. Where some of that stands already, as in a work
    /// tree, the tools know best what to do with it: nothing is taken from the cache then, nor put into it.
    pub fn local_cached(&self, asked: &Asked, cached: &Cached) -> Result<Option<Answer>> {
        let here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = here.directory.join(&asked.cwd);
        drop(here);
        let is_fresh = cached.paths.iter().all(|path| fs::symlink_metadata(directory.join(path)).is_err());
        let digest = digest(asked, cached, &directory).filter(|_| is_fresh);
        let entry = digest.and_then(|digest| self.store.build(&digest));
        let Some(entry) = entry.filter(|_| !self.mode.is_plan()) else {
            return self.local(asked);
        };
        if entry.is_dir() && copy(&cached.paths, &entry, &directory).is_some() {
            self.store.touch_build(&entry);
            let text = format!(
                "`{}` is taken from an earlier build: `{}` did not change",
                cached.paths.join("`, `"),
                cached.key.join("`, `")
            );
            self.events.event(Event::Note { host: None, text });
            return Ok(Some(Answer { exit: Exit::Code(0), stdout: Vec::new(), stderr: Vec::new() }));
        }
        let answer = self.local(asked)?;
        if answer.as_ref().is_some_and(|answer| answer.exit.is_success()) {
            // If that fails, the next time is as slow as this one.
            self.store.put_build(&entry, |into| copy(&cached.paths, &directory, into));
        }
        Ok(answer)
    }
}

/// What the command is, and what the files hold that decide. `None` where one is missing: nobody knows then.
fn digest(asked: &Asked, cached: &Cached, directory: &Path) -> Option<String> {
    let mut text = format!("{:?}", (&asked.text, &asked.env, &cached.version, &cached.paths));
    for name in &cached.key {
        let bytes = fs::read(directory.join(name)).ok()?;
        text.push_str(&format!("{:?}", (name, Hash::of(&bytes).to_string())));
    }
    Some(Hash::of(text.as_bytes()).to_string())
}

/// Copies them, links as links. `None` if one cannot be, which then is not there at all.
fn copy(paths: &[String], from: &Path, to: &Path) -> Option<()> {
    let copied = paths.iter().try_for_each(|path| {
        let parent = to.join(path).parent().map(PathBuf::from)?;
        fs::create_dir_all(parent).ok()?;
        let mut copy = Command::new("cp");
        copy.arg("-RpP").arg("--").arg(from.join(path)).arg(to.join(path));
        let quiet = copy.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().ok()?.success().then_some(())
    });
    if copied.is_none() {
        for path in paths {
            let _ = fs::remove_dir_all(to.join(path));
        }
    }
    copied
}
