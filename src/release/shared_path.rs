//! A path that outlives releases: kept in `shared/`, linked into each release.

use std::fmt;

use anyhow::{Context, Result, bail};

use crate::shell::Word;
use crate::tree::TreePath;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedKind {
    Directory,
    File,
}

impl SharedKind {
    /// The word of the scripts.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::File => "file",
        }
    }
}

/// Relative, without `..`. With a trailing slash it is a directory, which is created if it is missing. Without one it
/// is a file, which `shared/` or the release must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedPath {
    pub path: TreePath,
    pub kind: SharedKind,
}

impl SharedPath {
    pub fn parse(text: &str) -> Result<Self> {
        let (bare, slash) = match text.strip_suffix('/') {
            Some(bare) => (bare, true),
            None => (text, false),
        };
        let path =
            TreePath::new(bare.as_bytes()).with_context(|| format!("`{text}` is not a valid shared path"))?;
        let kind = if slash { SharedKind::Directory } else { SharedKind::File };
        Ok(Self { path, kind })
    }

    /// Parses a list. A path inside another one is refused: its link would be inside a shared directory.
    pub fn parse_all<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>> {
        let mut paths: Vec<Self> = Vec::new();
        for text in texts {
            let path = Self::parse(text)?;
            if let Some(other) = paths.iter().find(|other| other.path == path.path) {
                if other.kind == path.kind {
                    continue;
                }
                let bare = &path.path;
                bail!("shared path `{bare}` is listed as a file (`{bare}`) and as a directory (`{bare}/`)");
            }
            if let Some(other) = paths
                .iter()
                .find(|other| other.path.starts_with(&path.path) || path.path.starts_with(&other.path))
            {
                bail!("shared paths `{other}` and `{path}` must not contain each other");
            }
            paths.push(path);
        }
        Ok(paths)
    }

    /// The text of the link in a release: up from the link's directory to the site, then down into `shared/`.
    fn link(&self) -> Word {
        let bytes = self.path.as_bytes();
        let depth = bytes.iter().filter(|&&byte| byte == b'/').count();
        let mut link = b"../".repeat(depth + 2);
        link.extend(b"shared/");
        link.extend(bytes);
        Word::new(link)
    }

    /// A shared path as a row for a script: kind, path, link.
    pub fn row(&self) -> [Word; 3] {
        [Word::from(self.kind.word()), Word::new(self.path.as_bytes()), self.link()]
    }
}

impl fmt::Display for SharedPath {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let slash = match self.kind {
            SharedKind::Directory => "/",
            SharedKind::File => "",
        };
        write!(f, "{}{slash}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(text: &str, want: &str, link: &str) {
        let path = SharedPath::parse(text).unwrap();
        assert_eq!(path.to_string(), want);
        assert_eq!(path.link(), Word::from(link));
    }

    #[test]
    fn kinds_and_links_follow_from_the_text() {
        case(".env", ".env", "../../shared/.env");
        case("storage/", "storage/", "../../shared/storage");
        case("conf.d/", "conf.d/", "../../shared/conf.d");
        case("a/b/c.php", "a/b/c.php", "../../../../shared/a/b/c.php");
    }

    #[test]
    fn paths_that_lead_out_or_lie_within_each_other_are_refused() {
        for text in ["", "/etc", "../x", "a/../b", "a//b", "."] {
            assert!(SharedPath::parse(text).is_err(), "{text}");
        }
        assert!(SharedPath::parse_all(["storage", "storage/app"]).is_err());
        assert_eq!(SharedPath::parse_all([".env", ".env"]).unwrap().len(), 1);
        assert!(SharedPath::parse_all(["up", "up/"]).is_err());
    }
}
