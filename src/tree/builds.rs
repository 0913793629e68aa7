//! Temporary directories of a run on this machine, and build results that are kept for later runs. If a result cannot
//! be kept, the next run is only slower.

use std::fs::{self, DirEntry, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::store::{Store, is_digest, touch};

/// The maximum number of builds to keep, for all applications together.
const KEPT_BUILDS: usize = 20;
/// The prefix of the name of a temporary directory.
const SCRATCH: &str = "run-";
/// The names in a build's directory: the result, and the file with its size.
const TREE: &str = "tree";
const SIZE: &str = "size";
/// A temporary directory older than this is not in use: no deployment takes as long.
const DAY: Duration = Duration::from_secs(24 * 3600);

impl Store {
    /// Creates a temporary directory, in the place for its kind. Removes those that killed runs left there more than a
    /// day ago.
    pub fn scratch(&self, kind: &str) -> Result<Scratch> {
        let place = self.place(kind);
        let Some(place) = place.filter(|place| fs::create_dir_all(place).is_ok()) else {
            let made = tempfile::Builder::new().prefix("runner-").tempdir();
            return Ok(Scratch(made.context("failed to create a temporary directory")?.keep()));
        };
        for item in fs::read_dir(&place).into_iter().flatten().flatten() {
            let is_ours = item.file_name().to_string_lossy().starts_with(SCRATCH);
            let modified = item.metadata().and_then(|data| data.modified());
            let is_old = || modified.is_ok_and(|then| then.elapsed().is_ok_and(|age| age > DAY));
            if is_ours && is_old() {
                let _ = remove(&item.path());
            }
        }
        let made = tempfile::Builder::new().prefix(SCRATCH).tempdir_in(&place);
        let made = made.with_context(|| format!("failed to create a directory in `{}`", place.display()))?;
        Ok(Scratch(made.keep()))
    }

    /// The result of a build, if it is cached and complete. `digest` is the hash of the build's input.
    pub fn build(&self, digest: &str) -> Option<PathBuf> {
        let build = self.place("builds")?.join(digest);
        let tree = build.join(TREE);
        let told = fs::read_to_string(build.join(SIZE)).ok()?;
        if told != size_of(&tree)? {
            return None;
        }
        // Marks it as used, so that it is not pruned.
        touch(&build);
        Some(tree)
    }

    /// Caches the build that `fill` writes into a directory. Replaces an incomplete one. Ignores failures.
    pub fn put_build(&self, digest: &str, fill: impl FnOnce(&Path) -> Option<()>) {
        let Some(builds) = self.place("builds") else { return };
        let (Ok(new), Ok(old)) = (self.scratch("builds"), self.scratch("builds")) else { return };
        let tree = new.path().join(TREE);
        let filled = fs::create_dir(&tree).ok().and_then(|()| fill(&tree));
        let Some(size) = filled.and_then(|()| size_of(&tree)) else { return };
        if fs::write(new.path().join(SIZE), size).is_ok() {
            let place = builds.join(digest);
            let _ = fs::rename(&place, old.path().join(TREE));
            let _ = fs::rename(new.path(), &place);
            touch(&place);
        }
        self.prune_builds(&builds);
    }

    /// Removes builds that have not been used for 30 days, and the oldest if there are too many.
    fn prune_builds(&self, builds: &Path) {
        let items = fs::read_dir(builds).into_iter().flatten().flatten();
        let items = items.filter(|item| is_digest(&item.file_name().to_string_lossy()));
        let age =
            |item: &DirEntry| Some(item.metadata().ok()?.modified().ok()?.elapsed().unwrap_or_default());
        let mut builds: Vec<_> = items.filter_map(|item| Some((age(&item)?, item.path()))).collect();
        builds.sort_unstable();
        for (n, (age, path)) in builds.iter().enumerate() {
            if n >= KEPT_BUILDS || *age > 30 * DAY {
                // Moves it away first, so that no run finds a half-removed build.
                let Ok(old) = self.scratch("builds") else { return };
                let _ = fs::rename(path, old.path().join(TREE));
            }
        }
    }
}

/// A temporary directory. Dropping this removes it with its content.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If this fails, a later run removes the rest.
        let _ = remove(&self.0);
    }
}

/// Removes a directory with its content. Some tools create read-only directories, so this makes them writable first.
fn remove(directory: &Path) -> io::Result<()> {
    fs::remove_dir_all(directory).or_else(|_| {
        let mut pending = vec![directory.to_owned()];
        while let Some(directory) = pending.pop() {
            fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
            let items = fs::read_dir(&directory)?.flatten();
            pending.extend(
                items.filter(|item| item.file_type().is_ok_and(|kind| kind.is_dir())).map(|item| item.path()),
            );
        }
        fs::remove_dir_all(directory)
    })
}

/// The number of entries in a directory and their total size, as text: it shows whether a copy is complete. `None` if
/// the directory contains a link with an absolute target, which would be wrong in any other place.
fn size_of(directory: &Path) -> Option<String> {
    let (mut n, mut bytes) = (0_u64, 0);
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for item in fs::read_dir(directory).ok()? {
            let item = item.ok()?;
            let data = item.metadata().ok()?;
            n += 1;
            if data.is_dir() {
                pending.push(item.path());
            } else {
                bytes += data.len();
            }
            if data.is_symlink() && fs::read_link(item.path()).ok()?.is_absolute() {
                return None;
            }
        }
    }
    Some(format!("{n} {bytes}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::SystemTime;

    #[test]
    fn a_directory_of_one_run_goes_with_all_that_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let kept = dir.path().join("exports");
        for name in ["run-dead", "run-alive", "foreign"] {
            fs::create_dir_all(kept.join(name)).unwrap();
            let time = if name == "run-alive" { Duration::ZERO } else { DAY * 2 };
            File::open(kept.join(name)).unwrap().set_modified(SystemTime::now() - time).unwrap();
        }
        let scratch = Store::at(dir.path().to_owned()).scratch("exports").unwrap();
        let deep = scratch.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("file"), "").unwrap();
        fs::set_permissions(&deep, Permissions::from_mode(0o500)).unwrap();
        drop(scratch);
        let mut left: Vec<_> = fs::read_dir(&kept).unwrap().map(|item| item.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["foreign", "run-alive"]);
        // Where nothing can be kept, it is somewhere else.
        fs::write(dir.path().join("file"), "").unwrap();
        let elsewhere = Store::at(dir.path().join("file")).scratch("exports").unwrap();
        assert!(elsewhere.path().is_dir() && !elsewhere.path().starts_with(dir.path()));
    }
}
