//! Caches what a command on this machine makes from a few files, under the hash of these files, so that an export of
//! the source need not make it again.

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

/// The inputs and outputs of a command. Paths are relative to the directory in which it runs.
#[derive(Debug, Clone, Default)]
pub struct CacheRule {
    pub key: Vec<TreePath>,
    /// The version of the tool, if its output depends on that.
    pub version: String,
    /// If a file of `key` contains one of these texts, the command makes more than `paths`, and nothing is cached.
    pub unless: Vec<String>,
    pub paths: Vec<TreePath>,
}

impl Here {
    /// Runs a command here, or copies its outputs from the cache; then the answer has no output. If one of the
    /// outputs exists already, as in a work tree, the tool knows best what to do with it: the cache is neither read
    /// nor written.
    pub fn local_cached(&self, request: &CommandRequest, rule: &CacheRule) -> Result<Option<Answer>> {
        if self.mode.is_plan() {
            return self.local(request);
        }
        let directory = self.project.directory()?.join(&request.cwd);
        let is_fresh = |path| {
            let path = place(&directory, path);
            // It must not exist, nor lead outside of the directory through a link.
            let is_inside = canonical(&path).starts_with(canonical(&directory));
            fs::symlink_metadata(&path).is_err() && is_inside
        };
        let digest = self.digest(request, rule, &directory).filter(|_| rule.paths.iter().all(is_fresh));
        let Some(digest) = digest else {
            return self.local(request);
        };
        if let Some(build) = self.store.build(&digest)
            && copy(&rule.paths, &build, &directory).is_some()
        {
            let text = format!(
                "reused {} from an earlier build: {} did not change",
                few(&rule.paths),
                few(&rule.key)
            );
            self.events.event(Event::Note { host: None, text });
            return Ok(Some(Answer { exit: Exit::Code(0), stdout: Vec::new(), stderr: Vec::new() }));
        }
        let answer = self.local(request)?;
        if answer.as_ref().is_some_and(|answer| answer.exit.is_success()) {
            // If this fails, the next run is as slow as this one.
            self.store.put_build(&digest, |into| copy(&rule.paths, &directory, into));
        }
        Ok(answer)
    }

    /// The hash of the command, its environment and its inputs. `None` if nothing may be cached.
    fn digest(&self, request: &CommandRequest, rule: &CacheRule, directory: &Path) -> Option<String> {
        let mut env = self.env.clone();
        // It differs for each commit.
        env.retain(|(name, _)| name != "REVISION");
        let inherited = env::var_os("NODE_ENV");
        let export = self.project.export().ok()?;
        let cwd = export.as_ref().map_or(directory, |export| export.inside(directory));
        let command = (&request.text, cwd, &request.env, &request.user, request.errexit, env, inherited);
        let mut text = format!("{:?}", (command, &rule.version, &rule.paths));
        for path in &rule.key {
            let bytes = fs::read(place(directory, path)).ok()?;
            let held = String::from_utf8_lossy(&bytes);
            if rule.unless.iter().any(|text| held.contains(text.as_str())) {
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

/// Copies all paths, links as links. If one copy fails, removes all of them and returns `None`.
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
