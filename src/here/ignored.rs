//! Asks git which files it ignores: those that are not tracked and that the repository's own `.gitignore` files name.
//! What a user keeps in `core.excludesFile` or `.git/info/exclude` has no say: a release must not depend on who deploys.

use std::collections::HashSet;
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::event::Report;
use crate::here::git::{git_in, output_of, run_git};
use crate::tree::{GitRules, TreePath, canonical};

/// The ignored files and directories. A directory of which all is ignored is one line.
const LIST: [&str; 7] = [
    "--literal-pathspecs",
    "ls-files",
    "-z",
    "--others",
    "--ignored",
    "--exclude-per-directory=.gitignore",
    "--directory",
];

/// The repositories in a work tree: each directory with a `.git`.
#[derive(Debug)]
pub struct WorkTree;

impl GitRules for WorkTree {
    fn ignored_below(&self, directory: &Path, has_git: bool) -> Result<Vec<TreePath>> {
        if !has_git {
            return Ok(Vec::new());
        }
        let directory = canonical(directory);
        match top_of(&directory) {
            Some(top) => ignored(git_in(top), top, &directory),
            None => Ok(Vec::new()),
        }
    }
}

/// A commit that was exported into a directory. There, nothing says what is tracked, so git is given an index.
#[derive(Debug, Clone)]
pub struct ExportedCommit {
    pub repository: PathBuf,
    pub hash: String,
    pub directory: PathBuf,
}

/// An export and those of its submodules.
#[derive(Debug)]
pub struct Exports(pub Vec<ExportedCommit>);

impl GitRules for Exports {
    fn ignored_below(&self, directory: &Path, has_git: bool) -> Result<Vec<TreePath>> {
        let directory = canonical(directory);
        let tops = self.0.iter().map(|export| (export, canonical(&export.directory)));
        let mut found = tops.filter(|(_, top)| match has_git {
            true => directory.starts_with(top),
            false => directory == *top,
        });
        // A submodule comes after the repository that it is in.
        match found.by_ref().last() {
            Some((export, top)) => export.ignored_below(&top, &directory),
            None => Ok(Vec::new()),
        }
    }
}

impl ExportedCommit {
    fn ignored_below(&self, top: &Path, directory: &Path) -> Result<Vec<TreePath>> {
        let scratch = tempfile::tempdir()?;
        let git_dir = run_git(&self.repository, &["rev-parse", "--absolute-git-dir"])?;
        let git_dir = String::from_utf8(git_dir).context("the path of the repository is not UTF-8")?;
        let git = || {
            let mut git = git_in(top);
            git.env("GIT_DIR", git_dir.trim_end_matches('\n'))
                .env("GIT_WORK_TREE", top)
                .env("GIT_INDEX_FILE", scratch.path().join("index"));
            git
        };
        output_of(git().args(["read-tree", &self.hash]))?;
        let kept = output_of(git().args(["ls-files", "-z", "--", ":(glob)**/.gitignore"]))?;
        // `export-ignore` may have left them out. git reads such a file from the index if it is marked.
        let absent: Vec<&[u8]> = kept
            .split_inclusive(|byte| *byte == 0)
            .filter(|path| !top.join(as_path(path.strip_suffix(b"\0").unwrap_or(path))).exists())
            .collect();
        if !absent.is_empty() {
            let mut mark = git();
            mark.args(["update-index", "-z", "--skip-worktree", "--stdin"]);
            let mut child = mark.stdin(Stdio::piped()).spawn().context("failed to start `git`")?;
            child.stdin.take().context("failed to write to `git`")?.write_all(&absent.concat())?;
            if !child.wait()?.success() {
                bail!("`git update-index` failed");
            }
        }
        ignored(git(), top, directory)
    }
}

/// The nearest directory above with a `.git`, which need not be one that git can read.
fn top_of(directory: &Path) -> Option<&Path> {
    directory.ancestors().find(|above| above.join(".git").symlink_metadata().is_ok())
}

/// Fails if `directory` is in a work tree that git cannot read, with git's words.
pub fn check_repository(directory: &Path) -> Result<()> {
    let directory = canonical(directory);
    let Some(top) = top_of(&directory) else { return Ok(()) };
    output_of(git_in(top).args(["rev-parse", "--git-dir"])).map(drop).map_err(|error| unread(top, &error))
}

fn unread(top: &Path, error: &anyhow::Error) -> anyhow::Error {
    let shown = top.display();
    let why = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    let report = match why {
        Some(ErrorKind::NotFound) => Report::new(format!(
            "`{shown}` is a git repository, but this machine has no `git`, so `runner` cannot tell what git ignores"
        ))
        .hint("install git, or send everything: `include = [\"*\"]`"),
        _ => {
            let told = Report::of(error);
            let cure = told.notes.iter().find_map(|line| line.trim().strip_prefix("git config "));
            let report = Report {
                message: format!("git cannot read the repository in `{shown}`, so `runner` cannot tell what git ignores"),
                ..told.clone()
            };
            match cure {
                Some(cure) => report.hint(format!("run `git config {cure}`")),
                None => report.hint("repair the repository, or send everything: `include = [\"*\"]`"),
            }
        }
    };
    report.into()
}

/// What `git`, which works in `top`, ignores in `directory`; relative to that.
fn ignored(mut git: Command, top: &Path, directory: &Path) -> Result<Vec<TreePath>> {
    let below = directory.strip_prefix(top).context("the directory is not in the work tree")?;
    git.args(LIST);
    if below.as_os_str().is_empty() {
        git.arg("--");
    } else {
        git.arg("--").arg(below);
    }
    let listed = output_of(&mut git).map_err(|error| unread(top, &error))?;
    Ok(relative(&listed, below.as_os_str().as_bytes()))
}

/// Reads git's list. If the directory itself is ignored, somebody named it as the source all the same: then git has no
/// say about what is in it.
fn relative(listed: &[u8], below: &[u8]) -> Vec<TreePath> {
    let lines: Vec<&[u8]> = listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()).collect();
    // A directory that has nothing but ignored files is listed before these. It is not ignored itself.
    let parents: HashSet<&[u8]> = lines.iter().flat_map(|line| above(line)).collect();
    let mut found = Vec::new();
    for line in lines.into_iter().filter(|line| !parents.contains(line)) {
        let path = line.strip_suffix(b"/").unwrap_or(line);
        if path == below || below.strip_prefix(path).is_some_and(|rest| rest.starts_with(b"/")) {
            return Vec::new();
        }
        let inside = match below {
            b"" => Some(path),
            _ => path.strip_prefix(below).and_then(|rest| rest.strip_prefix(b"/")),
        };
        found.extend(inside.and_then(|path| TreePath::new(path).ok()));
    }
    found
}

/// The directories above a listed path, each with its slash.
fn above(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = line.len().saturating_sub(1);
    (0..end).filter(|at| line[*at] == b'/').map(|at| &line[..=at])
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::here::git::tests::{GIT, sh};

    fn listed(directory: &Path) -> Vec<String> {
        let found = WorkTree.ignored_below(directory, true).unwrap();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_the_repositorys_own_rules_count_and_tracked_files_are_not_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        sh(
            top,
            &format!(
                "{GIT} git init -q . && echo personal >.git/info/exclude && printf 'other\\n' >excludes
                 git config core.excludesFile \"$PWD/excludes\"
                 printf '*.sql\\nbuild/\\nnode_modules/\\n/dist/\\n' >.gitignore
                 mkdir -p build app/node_modules/x only/deep dist/site 'we[i]rd' new
                 touch personal other a.sql build/kept build/made app/index app/b.sql app/node_modules/x/y \
                   only/deep/c.sql dist/site/index 'we[i]rd/d.sql' new/n
                 git add -f build/kept app/index .gitignore && git commit -qm 1"
            ),
        );
        assert_eq!(
            listed(top),
            [
                "a.sql",
                "app/b.sql",
                "app/node_modules",
                "build/made",
                "dist",
                "only/deep/c.sql",
                "we[i]rd/d.sql"
            ]
        );
        assert_eq!(listed(&top.join("app")), ["b.sql", "node_modules"]);
        assert_eq!(listed(&top.join("only")), ["deep/c.sql"]);
        assert_eq!(listed(&top.join("we[i]rd")), ["d.sql"]);
        // They are ignored themselves, and named as the source all the same.
        for named in ["dist", "dist/site", "app/node_modules/x"] {
            assert_eq!(listed(&top.join(named)), [""; 0], "{named}");
        }
    }

    #[test]
    fn a_repository_that_git_cannot_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".git"), "gitdir: nowhere\n").unwrap();
        let error = WorkTree.ignored_below(dir.path(), true).unwrap_err().to_string();
        assert!(error.contains("git cannot read the repository"), "{error}");
        assert!(check_repository(&dir.path().join("not/there/yet")).is_err());
    }
}
