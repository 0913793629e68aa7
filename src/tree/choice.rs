//! Decides for each path whether it is sent: by the user's rules, the defaults, and what git ignores.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use anyhow::Result;
use ignore::gitignore::Gitignore;

use super::ignore_rules::{self, Rules};
use super::include::Include;
use super::left::{IgnoredPath, Left};
use super::path::TreePath;

/// Knows which paths git ignores.
pub trait GitRules: fmt::Debug + Send + Sync {
    /// The ignored paths below `directory`, relative to it, if a repository begins there. `has_git`: it contains
    /// `.git`, or it is where the walk begins.
    fn ignored_below(&self, directory: &Path, has_git: bool) -> Result<Vec<TreePath>>;
}

/// What is known of a directory when its content is decided.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing {
    /// git ignores it.
    pub is_ignored: bool,
    /// `include` names it, or a directory that it is in.
    is_included: bool,
}

pub enum Fate {
    Sent(Standing),
    /// An ignored directory in which `include` may name something.
    Searched(Standing),
    Left,
}

pub struct Choice<'a> {
    include: Include,
    defaults: Gitignore,
    git: Option<&'a dyn GitRules>,
    ignored: HashSet<TreePath>,
    pub left: Left,
}

impl<'a> Choice<'a> {
    pub fn new(include: &[String], git: Option<&'a dyn GitRules>) -> Result<Self> {
        Ok(Self {
            include: Include::new(include)?,
            defaults: ignore_rules::defaults()?,
            git,
            ignored: HashSet::new(),
            left: Left::default(),
        })
    }

    /// Asks git about a directory (`None`: the root), which is at `local`, before its content is decided.
    pub fn enter(&mut self, dir: Option<&TreePath>, local: &Path, has_git: bool) -> Result<()> {
        let Some(git) = self.git else { return Ok(()) };
        for path in git.ignored_below(local, has_git || dir.is_none())? {
            self.ignored.insert(match dir {
                Some(dir) => TreePath::new(&[dir.as_bytes(), b"/", path.as_bytes()].concat())?,
                None => path,
            });
        }
        Ok(())
    }

    /// `exclude` and `.runnerignore` decide first. What they do not name stays here if it is one of the project's own
    /// files, or if git ignores it, unless `include` names it.
    pub fn fate(&mut self, path: &TreePath, is_directory: bool, rules: &Rules, parent: Standing) -> Fate {
        let by_user = rules.excludes(path, is_directory);
        if by_user == Some(true) {
            return Fate::Left;
        }
        let is_own = self.defaults.matched(path.to_path(), is_directory).is_ignore();
        if by_user.is_none() && is_own && !self.include.names_own_file(path, is_directory) {
            if ignore_rules::is_env_file(path) && !is_directory {
                self.left.env.push(path.clone());
            }
            return Fate::Left;
        }
        let standing = Standing {
            is_ignored: parent.is_ignored || self.ignored.contains(path),
            is_included: self.include.names(path, is_directory).unwrap_or(parent.is_included),
        };
        if !standing.is_ignored || standing.is_included {
            Fate::Sent(standing)
        } else if is_directory && self.include.may_name_below(path) {
            Fate::Searched(standing)
        } else {
            self.left.ignored.push(IgnoredPath::new(path.clone(), is_directory));
            Fate::Left
        }
    }

    /// Whether `include` names this path itself.
    pub fn is_named(&self, path: &TreePath) -> bool {
        self.include.names(path, false) == Some(true)
    }
}
