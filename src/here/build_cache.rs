//! What a command here makes from a few files is kept by what these files hold: an export of the source need not have it
//! made again.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::event::Event;
use crate::here::Here;
use crate::shell::{Answer, Exit};
use crate::site::CommandRequest;
use crate::tree::{Hash, TreePath, canonical};

/// Of a command: the files that decide what it makes, and what it makes. Paths are relative to where it runs.
#[derive(Debug, Clone, Default)]
pub struct Cached {
    pub key: Vec<TreePath>,
    /// The version of what makes it, if that decides too.
    pub version: String,
    /// If one of the files has one of these texts, it makes more than `paths`.
    pub unless: Vec<String>,
    pub paths: Vec<TreePath>,
}

impl Here {
    /// Runs a command here, unless what it makes is kept from an earlier time; it answers nothing then. Where some of that stands
    /// already, as in a work tree, the tools know best what to do with it: nothing is taken from the cache then, nor put into it.
    pub fn local_cached(&self, asked: &CommandRequest, cached: &Cached) -> Result<Option<Answer>> {
        if self.mode.is_plan() {
            return self.local(asked);
        }
        let directory = self.project.directory()?.join(&asked.cwd);
        let is_fresh = |path| {
            let path = place(&directory, path);
            // Neither there, nor by way of a link somewhere else.
            let is_inside = canonical(&path).starts_with(canonical(&directory));
            fs::symlink_metadata(&path).is_err() && is_inside
        };
        let digest = self.digest(asked, cached, &directory).filter(|_| cached.paths.iter().all(is_fresh));
        let Some(digest) = digest else {
            return self.local(asked);
        };
        if let Some(build) = self.store.build(&digest)
            && copy(&cached.paths, &build, &directory).is_some()
        {
            let text = format!(
                "reused {} from an earlier build: {} did not change",
                few(&cached.paths),
                few(&cached.key)
            );
            self.events.event(Event::Note { host: None, text });
            return Ok(Some(Answer { exit: Exit::Code(0), stdout: Vec::new(), stderr: Vec::new() }));
        }
        let answer = self.local(asked)?;
        if answer.as_ref().is_some_and(|answer| answer.exit.is_success()) {
            // If that fails, the next time is as slow as this one.
            self.store.put_build(&digest, |into| copy(&cached.paths, &directory, into));
        }
        Ok(answer)
    }

    /// What the command is, what it finds in its environment, and what the files hold that decide. `None` where nobody knows.
    fn digest(&self, asked: &CommandRequest, cached: &Cached, directory: &Path) -> Option<String> {
        let mut env = self.env.clone();
        // Each commit has another.
        env.retain(|(name, _)| name != "REVISION");
        let inherited = env::var_os("NODE_ENV");
        let export = self.project.export().ok()?;
        let cwd = export.as_ref().map_or(directory, |export| export.inside(directory));
        let command = (&asked.text, cwd, &asked.env, &asked.user, env, inherited);
        let mut text = format!("{:?}", (command, &cached.version, &cached.paths));
        for path in &cached.key {
            let bytes = fs::read(place(directory, path)).ok()?;
            let held = String::from_utf8_lossy(&bytes);
            if cached.unless.iter().any(|text| held.contains(text.as_str())) {
                return None;
            }
            text.push_str(&format!("{:?}", (path, Hash::of(&bytes).to_string())));
        }
        Some(Hash::of(text.as_bytes()).to_string())
    }
}

fn few(paths: &[TreePath]) -> String {
    paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
}

fn place(directory: &Path, path: &TreePath) -> PathBuf {
    directory.join(path.to_path())
}

/// Copies them, links as links. `None` if one cannot be, which then is not there at all.
fn copy(paths: &[TreePath], from: &Path, to: &Path) -> Option<()> {
    let copied = paths.iter().try_for_each(|path| {
        let (from, to) = (place(from, path), place(to, path));
        fs::create_dir_all(to.parent()?).ok()?;
        let mut copy = Command::new("cp");
        copy.arg("-RpP").arg("--").arg(from).arg(to);
        let quiet = copy.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().ok()?.success().then_some(())
    });
    if copied.is_none() {
        for path in paths {
            let path = place(to, path);
            let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        }
    }
    copied
}
