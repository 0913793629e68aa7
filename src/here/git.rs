//! Git on this machine: its commands, and the commit that a reference names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::event::Report;
use crate::tree::canonical;

/// A `git` command for a directory. If a git hook started this program, the environment names the hook's repository
/// (`git rev-parse --local-env-vars`): these variables are removed.
pub fn git_in(directory: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(directory);
    for name in [
        "ALTERNATE_OBJECT_DIRECTORIES",
        "COMMON_DIR",
        "DIR",
        "GRAFT_FILE",
        "IMPLICIT_WORK_TREE",
        "INDEX_FILE",
        "NO_REPLACE_OBJECTS",
        "OBJECT_DIRECTORY",
        "PREFIX",
        "REPLACE_REF_BASE",
        "SHALLOW_FILE",
        "WORK_TREE",
    ] {
        git.env_remove(format!("GIT_{name}"));
    }
    git
}

/// Runs a git command in a directory, and returns its output or its error.
pub fn run_git(directory: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let error = |error: anyhow::Error| match error.downcast_ref::<Report>() {
        Some(report) => {
            let message = format!("`git {}` failed", arguments.join(" "));
            Report { message, ..report.clone() }.into()
        }
        None => error.context("failed to start `git`"),
    };
    output_of(git_in(directory).args(arguments)).map_err(error)
}

/// Runs a git command, and returns its output. An error is one of the system's if git cannot be started, else a report
/// with git's words.
pub fn output_of(git: &mut Command) -> Result<Vec<u8>> {
    let output = git.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let lines = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines = lines.lines().filter(|line| !line.trim().is_empty());
    bail!(lines.fold(Report::new("git failed"), |report, line| report.note(line)))
}

/// Runs a git command. Returns its output as text, or `None` if it fails.
pub fn git_text(directory: &Path, arguments: &[&str]) -> Option<String> {
    let output = run_git(directory, arguments).ok()?;
    Some(String::from_utf8(output).ok()?.trim().to_owned())
}

/// A commit that a reference names.
#[derive(Debug)]
pub struct Commit {
    /// The top of the work tree.
    pub top: PathBuf,
    pub hash: String,
    /// What the user should know before it is deployed.
    pub warnings: Vec<String>,
}

impl Commit {
    /// Finds the commit that `reference` names (gitrevisions(7)): a branch, a tag, a hash. If there is no such local
    /// branch, looks for a branch of `origin`, as of the last fetch.
    pub fn named(reference: &str, source: &Path) -> Result<Self> {
        let source = canonical(source);
        let near = source.ancestors().find(|path| path.is_dir()).unwrap_or(&source);
        let top = run_git(near, &["rev-parse", "--show-toplevel"])
            .with_context(|| format!("`ref` is set, but `{}` is not in a git work tree", near.display()))?;
        let top = PathBuf::from(OsStr::from_bytes(top.strip_suffix(b"\n").unwrap_or(&top)));
        let hash = hash_of(&top, reference).or_else(|| hash_of(&top, &format!("origin/{reference}")));
        let hash = hash.ok_or_else(|| {
            Report::new(format!("`{}` has no branch, tag or commit `{reference}`", top.display()))
                .hint("run `git fetch --tags` to get what others have pushed")
        })?;
        let warnings = warnings(&top, reference, &hash);
        Ok(Self { top, hash, warnings })
    }
}

/// The hash of the commit that `reference` names, if it names one.
pub fn hash_of(repository: &Path, reference: &str) -> Option<String> {
    let verified = |reference: &str| {
        // git would take it for an option.
        let name = Some(reference).filter(|reference| !reference.starts_with('-'))?;
        let hash = git_text(repository, &["rev-parse", "--verify", "--quiet", name])?;
        hash.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(hash)
    };
    verified(&format!("{}^{{commit}}", verified(reference)?))
}

fn warnings(repository: &Path, reference: &str, hash: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    let branch = hash_of(repository, &format!("refs/heads/{reference}"));
    let tag = hash_of(repository, &format!("refs/tags/{reference}"));
    if branch.is_some() && tag.is_some() && branch != tag {
        warnings.push(format!(
            "`{reference}` is both a branch and a tag; deploying {}",
            &hash[..hash.len().min(10)]
        ));
    }
    // Others may have pushed to the branch. git knows of that only as of the last fetch.
    let upstream = format!("{reference}@{{upstream}}");
    if branch.as_deref() == Some(hash)
        && let Some(name) = git_text(repository, &["rev-parse", "--abbrev-ref", &upstream])
        && let Some(n) = git_text(repository, &["rev-list", "--count", &format!("{hash}..{upstream}")])
        && n != "0"
    {
        let commits = if n == "1" { "commit" } else { "commits" };
        warnings.push(format!("`{reference}` is behind `{name}` by {n} {commits}"));
    }
    warnings
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn sh(directory: &Path, text: &str) -> String {
        let output = Command::new("sh").arg("-euc").arg(text).current_dir(directory).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub const GIT: &str = "export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null; \
                       git() { command git -c user.name=n -c user.email=e -c protocol.file.allow=always \"$@\"; };";

    #[test]
    fn a_branch_of_others_is_found_and_one_that_is_behind_is_known() {
        let dir = tempfile::tempdir().unwrap();
        sh(
            dir.path(),
            &format!(
                "{GIT} git init -qb main theirs && cd theirs && echo 1 >a && git add . && git commit -qm 1 && git branch fix
                 git clone -q . ../ours && git commit -q --allow-empty -m 2 && git -C ../ours fetch -q"
            ),
        );
        let commit = |name| Commit::named(name, &dir.path().join("ours")).unwrap();
        assert_eq!(commit("main").warnings, ["`main` is behind `origin/main` by 1 commit"]);
        assert_eq!(commit("fix").warnings, Vec::<String>::new());
        assert_eq!(commit("fix").hash, commit("main").hash);
        sh(dir.path(), &format!("{GIT} cd ours && git tag main && git commit -q --allow-empty -m 3"));
        let hash = commit("main").hash;
        assert_eq!(
            commit("main").warnings,
            [format!("`main` is both a branch and a tag; deploying {}", &hash[..10])]
        );
    }
}
