//! What a walk left here without having been told to: what git ignores, and `.env*` files.

use std::fs;
use std::path::Path;

use super::path::TreePath;

/// How many files are looked at to learn the sizes. What is larger than that is told as "more than".
const MEASURED: usize = 5000;

#[derive(Debug, Clone, Default)]
pub struct Left {
    /// What git ignores, largest first. A directory stands for all that is in it.
    pub ignored: Vec<IgnoredPath>,
    pub env: Vec<TreePath>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredPath {
    pub path: TreePath,
    pub is_directory: bool,
    /// At least so many bytes. All of them, if the directory has few files.
    pub bytes: u64,
    pub is_measured: bool,
}

impl IgnoredPath {
    pub(super) fn new(path: TreePath, is_directory: bool) -> Self {
        Self { path, is_directory, bytes: 0, is_measured: false }
    }
}

/// The path, with a slash after a directory.
impl std::fmt::Display for IgnoredPath {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}{}", self.path, if self.is_directory { "/" } else { "" })
    }
}

impl Left {
    /// Looks up the sizes, as far as that is quick, and sorts by them.
    pub(super) fn measure(&mut self, root: &Path) {
        let mut n_left = MEASURED;
        for ignored in &mut self.ignored {
            ignored.is_measured =
                add_sizes(&root.join(ignored.path.to_path()), &mut ignored.bytes, &mut n_left);
        }
        self.ignored.sort_by(|a, b| {
            let size = |ignored: &IgnoredPath| (!ignored.is_measured, ignored.bytes);
            size(b).cmp(&size(a)).then_with(|| a.path.cmp(&b.path))
        });
    }
}

/// Adds the sizes of the files at or below `path`. False if there are too many.
fn add_sizes(path: &Path, bytes: &mut u64, n_left: &mut usize) -> bool {
    if *n_left == 0 {
        return false;
    }
    *n_left -= 1;
    let Ok(metadata) = fs::symlink_metadata(path) else { return true };
    if !metadata.is_dir() {
        *bytes += metadata.len();
        return true;
    }
    let mut entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.all(|entry| add_sizes(&entry.path(), bytes, n_left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("d/e")).unwrap();
        for (name, n) in [("a", 1), ("b", 30), ("d/e/f", 20)] {
            fs::write(dir.path().join(name), vec![0; n]).unwrap();
        }
        let ignored = |name: &str| IgnoredPath::new(TreePath::new(name.as_bytes()).unwrap(), name == "d");
        let mut left = Left { ignored: ["a", "b", "d"].map(ignored).into(), env: Vec::new() };
        left.measure(dir.path());
        let shown: Vec<_> = left.ignored.iter().map(|i| format!("{i} {}", i.bytes)).collect();
        assert_eq!(shown, ["b 30", "d/ 20", "a 1"]);
    }
}
