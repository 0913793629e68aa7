//! A path inside a tree: relative, and as bytes, because a file system allows names that are not UTF-8.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};

/// Cheap to clone: every entry of a manifest has a path, and every host has a manifest.
///
/// **Invariant:** not empty; `/` only between components; no `.`, `..` or NUL. Paths are ordered by their bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(Arc<[u8]>);

impl TreePath {
    pub fn new(bytes: &[u8]) -> Result<Self> {
        let shown = || Shown(bytes).to_string();
        if bytes.is_empty() {
            bail!("a path inside the tree must not be empty");
        }
        if bytes.contains(&0) {
            bail!("path `{}` must not contain a NUL byte", shown());
        }
        for component in bytes.split(|b| *b == b'/') {
            match component {
                b"" => bail!("path `{}` must not start or end with `/`, or contain `//`", shown()),
                b"." | b".." => bail!("path `{}` must not contain `.` or `..`", shown()),
                _ => {}
            }
        }
        Ok(Self(bytes.into()))
    }

    /// The path of `name` in `dir` (`None`: the root). `name` comes from a directory listing, so apart from `.` and
    /// `..`, which must be left out, it is always valid.
    pub(super) fn child(dir: Option<&TreePath>, name: &OsStr) -> Self {
        let name = name.as_bytes();
        Self(match dir {
            Some(dir) => [&dir.0, b"/".as_slice(), name].concat().into(),
            None => name.into(),
        })
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same path, still relative.
    pub fn to_path(&self) -> PathBuf {
        PathBuf::from(OsStr::from_bytes(&self.0))
    }

    /// The directory that contains it; `None` for an entry of the root.
    pub fn parent(&self) -> Option<TreePath> {
        let slash = self.0.iter().rposition(|b| *b == b'/')?;
        Some(Self(self.0[..slash].into()))
    }

    /// Whether it is `top` or below it.
    pub fn starts_with(&self, top: &TreePath) -> bool {
        self.0.strip_prefix(top.as_bytes()).is_some_and(|rest| rest.first().is_none_or(|b| *b == b'/'))
    }

    /// The number of directories above it.
    pub fn depth(&self) -> usize {
        self.0.iter().filter(|b| **b == b'/').count()
    }
}

/// The order of a manifest. A directory always comes before its content: if its path has an escape, so have theirs.
pub(super) fn manifest_order(a: &TreePath, b: &TreePath) -> Ordering {
    needs_escape(a).cmp(&needs_escape(b)).then_with(|| a.cmp(b))
}

/// Whether a manifest must escape it.
pub(super) fn needs_escape(path: &TreePath) -> bool {
    path.as_bytes().iter().any(|b| matches!(b, b'\\' | b'\n'))
}

/// For messages only: replaces bytes that are not UTF-8, and escapes control characters.
impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        Shown(&self.0).fmt(f)
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "TreePath({self})")
    }
}

/// A name for a message. It must not break the line or control the terminal.
struct Shown<'a>(&'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for c in String::from_utf8_lossy(self.0).chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                fmt::Write::write_char(f, c)?;
            }
        }
        Ok(())
    }
}

/// Those whose directory is not among them.
pub fn tops(paths: HashSet<TreePath>) -> Vec<TreePath> {
    let is_top = |path: &&TreePath| path.parent().is_none_or(|parent| !paths.contains(&parent));
    let mut tops: Vec<TreePath> = paths.iter().filter(is_top).cloned().collect();
    tops.sort();
    tops
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn only_relative_paths_without_dots_are_made() {
        for bad in ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "./a", "a/./b", "a\0b"] {
            assert!(TreePath::new(bad.as_bytes()).is_err(), "{bad:?}");
        }
        for good in ["a", "-rf", "...", "a/b", " ", "a\nb", ".a", "..a/b.."] {
            assert_eq!(path(good).as_bytes(), good.as_bytes());
        }
        assert!(TreePath::new(b"\xff\xfe/\x01").is_ok());
    }

    #[test]
    fn parents_and_prefixes_end_at_components() {
        assert_eq!(path("a/b/c").parent(), Some(path("a/b")));
        assert_eq!(path("a").parent(), None);
        assert!(path("a/b").starts_with(&path("a")));
        assert!(path("a").starts_with(&path("a")));
        assert!(!path("ab").starts_with(&path("a")));
        assert!(!path("a").starts_with(&path("a/b")));
    }

    #[test]
    fn a_shown_path_stays_on_one_line() {
        assert_eq!(path("a\nb\u{1b}[1m é").to_string(), "a\\nb\\u{1b}[1m é");
    }
}
