//! The source directory, and the paths in it that a walk never enters.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::event::Report;

/// The path of the root without symlinks. Fails if it is not a directory.
pub(super) fn canonical_root(root: &Path) -> Result<PathBuf> {
    let shown = root.display();
    let missing = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Report::new(format!("source directory `{shown}` does not exist"))
            .hint("build it first, or correct the setting `source`")
            .into(),
        _ => anyhow::Error::new(error).context(format!("failed to read source directory `{shown}`")),
    };
    if !fs::metadata(root).map_err(missing)?.is_dir() {
        return Err(Report::new(format!("source `{shown}` is not a directory"))
            .hint("set `source` to the directory to deploy")
            .into());
    }
    fs::canonicalize(root).map_err(missing)
}

/// The paths to skip, relative to the root. Ignores paths outside of the root.
pub(super) fn skipped(root: &Path, skip: &[PathBuf]) -> Result<HashSet<PathBuf>> {
    let mut relative = HashSet::new();
    for path in skip {
        // A deploy path may be a symlink: both the link and its target must be skipped.
        for real in [canonical_parent(path), canonical(path)] {
            match real.strip_prefix(root) {
                Ok(inside) if inside.as_os_str().is_empty() => {
                    let message = format!(
                        "the source and the deploy path are the same directory, `{}`",
                        path.display()
                    );
                    let hint =
                        "set `source` to another directory, or choose a deploy path below or outside of it";
                    return Err(Report::new(message).hint(hint).into());
                }
                Ok(inside) => drop(relative.insert(inside.to_owned())),
                Err(_) => {}
            }
        }
    }
    Ok(relative)
}

/// The path without symlinks, as far as it exists. A first deployment creates its site while the walk is running.
pub fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| canonical_parent(path))
}

fn canonical_parent(path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => canonical(parent).join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_does_not_exist_yet_is_known_by_the_part_that_does() {
        let dir = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(dir.path()).unwrap();
        std::os::unix::fs::symlink(&real, dir.path().join("link")).unwrap();
        assert_eq!(canonical(&dir.path().join("link/later/on")), real.join("later/on"));
        let skip = [dir.path().join("link/later"), "/elsewhere".into()];
        let skipped = skipped(&real, &skip).unwrap();
        assert_eq!(skipped, HashSet::from(["later".into()]));
    }
}
