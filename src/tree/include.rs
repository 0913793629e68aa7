//! The setting `include`: patterns, in gitignore syntax, for paths that are sent although git ignores them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result};
use ignore::Match;
use ignore::gitignore::Gitignore;

use super::ignore_rules::{add, builder};
use super::path::TreePath;

pub struct Include {
    all: Gitignore,
    /// The patterns that may name the project's own files and `.env*` files. `*` must not bring them back.
    of_own_files: Gitignore,
    /// The components of the patterns that lead to a directory: these are looked for inside of ignored directories.
    leading: Vec<Vec<String>>,
}

impl Include {
    pub fn new(patterns: &[String]) -> Result<Self> {
        let (mut all, mut of_own_files) = (builder(), builder());
        for pattern in patterns {
            let bad = || format!("bad pattern `{pattern}` in `include`");
            add(&mut all, pattern).with_context(bad)?;
            if pattern.contains(".env") || pattern.contains(".rhai") {
                add(&mut of_own_files, pattern).with_context(bad)?;
            }
        }
        Ok(Self {
            all: all.build().context("failed to compile `include`")?,
            of_own_files: of_own_files.build().context("failed to compile `include`")?,
            leading: patterns.iter().filter_map(|pattern| leading(pattern)).collect(),
        })
    }

    /// Whether a pattern names this path; `None` if no pattern has a say.
    pub fn names(&self, path: &TreePath, is_directory: bool) -> Option<bool> {
        match self.all.matched(as_path(path), is_directory) {
            Match::Ignore(_) => Some(true),
            Match::Whitelist(_) => Some(false),
            Match::None => None,
        }
    }

    /// Whether a pattern that is about such files names this file, which stays here by default.
    pub fn names_own_file(&self, path: &TreePath, is_directory: bool) -> bool {
        self.of_own_files.matched(as_path(path), is_directory).is_ignore()
    }

    /// Whether a pattern may name something inside of `directory`, which git ignores. A pattern without a directory
    /// does not: `vendor/` must not bring back what is deep in `node_modules/`.
    pub fn may_name_below(&self, directory: &TreePath) -> bool {
        let text = String::from_utf8_lossy(directory.as_bytes());
        let names: Vec<&str> = text.split('/').collect();
        self.leading.iter().any(|pattern| leads_to(pattern, &names))
    }
}

/// Whether a pattern says that everything is sent: then git need not be asked.
pub fn is_everything(patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| matches!(pattern.as_str(), "*" | "/*" | "**" | "/**"))
}

fn as_path(path: &TreePath) -> &Path {
    Path::new(OsStr::from_bytes(path.as_bytes()))
}

fn leading(pattern: &str) -> Option<Vec<String>> {
    let pattern = pattern.trim_end_matches('/').trim_start_matches('/');
    let is_leading = !pattern.starts_with(['!', '#']) && pattern.contains('/');
    is_leading.then(|| pattern.split('/').map(str::to_owned).collect())
}

/// A component with a wildcard may be any name: the pattern itself decides later.
fn leads_to(pattern: &[String], names: &[&str]) -> bool {
    for (at, name) in names.iter().enumerate() {
        match pattern.get(at).map(String::as_str) {
            Some("**") => return true,
            Some(word) if word == *name || word.contains(['*', '?', '[', '\\']) => {}
            _ => return false,
        }
    }
    pattern.len() > names.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn include(patterns: &[&str]) -> Include {
        let patterns: Vec<String> = patterns.iter().map(|s| s.to_string()).collect();
        Include::new(&patterns).unwrap()
    }

    fn path(text: &str) -> TreePath {
        TreePath::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_pattern_with_a_directory_is_looked_for_inside_of_ignored_directories() {
        #[track_caller]
        fn case(pattern: &str, directory: &str, want: bool) {
            assert_eq!(include(&[pattern]).may_name_below(&path(directory)), want, "{pattern} {directory}");
        }
        case("public/build/", "public", true);
        case("/public/build/", "public", true);
        case("public/build/", "public/build", false);
        case("public/build/", "node_modules", false);
        case("vendor/", "node_modules", false);
        case("packages/*/dist/", "packages/a", true);
        case("**/generated/x", "node_modules", true);
        case("!public/build/", "public", false);
    }

    #[test]
    fn a_wildcard_does_not_bring_back_the_own_files() {
        let all = include(&["*", "/cfg/.env.prod"]);
        assert_eq!(all.names(&path("vendor"), true), Some(true));
        for own in [".env", "a/.env.prod", "runner.toml", "deploy.rhai"] {
            assert!(!all.names_own_file(&path(own), false), "{own}");
        }
        assert!(all.names_own_file(&path("cfg/.env.prod"), false));
    }
}
