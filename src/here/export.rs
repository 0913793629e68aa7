//! A commit of the source's repository, exported into a directory of its own. With `ref`, the export is built and sent,
//! never the work tree.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::event::Report;
use crate::here::git::{Commit, git_in, hash_of, run_git};
use crate::here::ignored::ExportedCommit;
use crate::tree::{Scratch, Store, canonical};

/// An exported commit.
pub struct Export {
    /// Removed at the end of the run, with everything that was built in it.
    scratch: Scratch,
    /// The directory of `runner.toml` (see `has_project`), and the source.
    pub directory: PathBuf,
    pub source: PathBuf,
    /// Whether `directory` is inside the export; if not, it is the project's own directory.
    pub has_project: bool,
    /// The commit, then those of its submodules.
    pub commits: Vec<ExportedCommit>,
}

impl Export {
    /// Exports a commit of the project in `directory`. `source` is relative to that.
    pub fn of(commit: &Commit, directory: &Path, source: &Path, store: &Store) -> Result<Self> {
        let scratch = store.scratch("exports")?;
        let mut commits = Vec::new();
        unpack_commit(&commit.top, &commit.hash, scratch.path(), &mut commits)
            .with_context(|| format!("failed to export commit {}", commit.hash))?;
        let top = canonical(&commit.top);
        let project = canonical(directory);
        let within = |path: &Path| Some(scratch.path().join(path.strip_prefix(&top).ok()?));
        // Below the project's directory, links lead where they lead in the commit.
        let from = within(&project).filter(|_| source.is_relative());
        let found = from
            .map(|project| lexical(&project.join(source)))
            .filter(|path| path.starts_with(scratch.path()));
        let source = found.or_else(|| within(&canonical(&project.join(source))));
        let source = source.context("the source directory is not in the repository")?;
        let export = Self {
            has_project: within(&project).is_some(),
            directory: within(&project).unwrap_or(project),
            source,
            commits,
            scratch,
        };
        let own = [&export.source].into_iter().chain(Some(&export.directory).filter(|_| export.has_project));
        let inner = canonical(export.scratch.path());
        if let Some(path) = own.into_iter().find(|path| !canonical(path).starts_with(&inner)) {
            let path = path.strip_prefix(export.scratch.path()).unwrap_or(path);
            bail!("`{}` points outside of commit {}", path.display(), commit.hash);
        }
        if export.has_project {
            fs::create_dir_all(&export.directory).with_context(|| {
                format!("`{}` is not a directory in commit {}", directory.display(), commit.hash)
            })?;
        }
        Ok(export)
    }

    /// A path, relative to the export if it is inside.
    pub fn inside<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(self.scratch.path()).unwrap_or(path)
    }

    /// The directory of all exports: git must not look for a repository above it.
    pub fn ceiling(&self) -> PathBuf {
        canonical(self.scratch.path()).parent().map(Path::to_owned).unwrap_or_default()
    }
}

/// A path without `.` and `..`, resolved as text only.
fn lexical(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut path, component| {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(path.pop()),
            other => path.push(other),
        }
        path
    })
}

/// Unpacks a commit into a directory, its submodules too. Uses `git archive`, which respects `.gitattributes`.
fn unpack_commit(
    repository: &Path,
    commit: &str,
    into: &Path,
    commits: &mut Vec<ExportedCommit>,
) -> Result<()> {
    let mut stderr = tempfile::tempfile()?;
    let mut archive = git_in(repository)
        // Uses the modes of a checkout: by default, `git archive` lets the group write.
        .args(["-c", "tar.umask=0022", "archive", "--format=tar", commit])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr.try_clone()?)
        .spawn()
        .context("failed to start `git`")?;
    let mut stream = archive.stdout.take().context("failed to read the output of `git`")?;
    let unpacked = tar::Archive::new(&mut stream).unpack(into);
    // Reads what follows the end of the archive; otherwise git would die of a broken pipe.
    let drained = std::io::copy(&mut stream, &mut std::io::sink());
    let status = archive.wait()?;
    if !status.success() {
        let mut text = String::new();
        stderr.rewind()?;
        stderr.read_to_string(&mut text)?;
        let report = Report::new(format!("`git archive` failed: {status}"));
        bail!(text.lines().fold(report, |report, line| report.note(line)));
    }
    unpacked.and(drained)?;
    commits.push(ExportedCommit {
        repository: repository.to_owned(),
        hash: commit.to_owned(),
        directory: into.to_owned(),
    });
    unpack_submodules(repository, commit, into, commits)
}

fn unpack_submodules(
    repository: &Path,
    commit: &str,
    into: &Path,
    commits: &mut Vec<ExportedCommit>,
) -> Result<()> {
    let listed = run_git(repository, &["ls-tree", "-r", "-z", "--full-tree", commit])?;
    for line in listed.split(|byte| *byte == 0) {
        let Some(submodule) = line.strip_prefix(b"160000 commit ") else { continue };
        let Some(at) = submodule.iter().position(|byte| *byte == b'\t') else { continue };
        let (hash, path) =
            (String::from_utf8_lossy(&submodule[..at]), Path::new(OsStr::from_bytes(&submodule[at + 1..])));
        let (below, into) = (repository.join(path), into.join(path));
        // `.gitattributes` may exclude it.
        if !into.is_dir() {
            continue;
        }
        if !below.join(".git").exists() || hash_of(&below, &hash).is_none() {
            bail!(
                Report::new(format!(
                    "submodule `{}` does not have commit {hash} on this machine",
                    path.display()
                ))
                .hint("run `git submodule update --init --recursive`")
            );
        }
        unpack_commit(&below, &hash, &into, commits)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::here::git::tests::{GIT, sh};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_commit_is_taken_out_as_it_was_checked_in_and_the_work_tree_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("shop");
        fs::create_dir(&top).unwrap();
        let first = sh(
            &top,
            &format!(
                "{GIT} git init -qb main . && mkdir -p app/sub tests && echo one >app/a && chmod 755 app/a && ln -s a app/l
                 echo t >tests/t && echo 'tests export-ignore' >.gitattributes && git add . && git commit -qm one
                 git tag -a 1.2 -m tag && git rev-parse HEAD && echo two >app/a && git commit -qam two
                 echo dirty >app/a && echo new >app/new"
            ),
        );
        let store = Store::at(dir.path().join("cache"));
        for reference in ["1.2", &first, &first[..9], "main~1"] {
            let commit = Commit::named(reference, &top.join("app")).unwrap();
            assert_eq!(commit.hash, first);
            let export = Export::of(&commit, &top, Path::new("app"), &store).unwrap();
            assert!(export.has_project);
            assert_eq!(fs::read_to_string(export.source.join("l")).unwrap(), "one\n");
            assert_eq!(fs::metadata(export.source.join("a")).unwrap().permissions().mode() & 0o7777, 0o755);
            assert_eq!(fs::read_dir(&export.source).unwrap().count(), 2);
            assert_eq!(fs::read_dir(&export.directory).unwrap().count(), 2, "`app` and `.gitattributes`");
            // The source may be a directory that the build makes, or its path may start at the root; the project may
            // be elsewhere.
            let others = [
                (&top, "app/dist/x/.."),
                (&top.join("app"), "../app/dist"),
                (&dir.path().to_owned(), "shop/app/dist"),
            ];
            for (project, source) in others {
                let export = Export::of(&commit, project, Path::new(source), &store).unwrap();
                assert!(
                    export.source.ends_with("app/dist") && export.source.parent().unwrap().join("l").exists()
                );
                assert_eq!(export.has_project, project != dir.path());
            }
        }
        // Nothing of it is left.
        assert_eq!(fs::read_dir(dir.path().join("cache/exports")).unwrap().count(), 0);
        let refused =
            |reference: &str, source: &Path| format!("{:#}", Commit::named(reference, source).unwrap_err());
        for bad in ["none", "--all", "", "^main", "HEAD:app", "main..1.2"] {
            assert!(refused(bad, &top).contains("has no branch, tag or commit"), "{bad}");
        }
        assert!(refused("main", dir.path()).contains("is not in a git work tree"));
    }

    #[test]
    fn what_leads_out_of_a_commit_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        sh(
            dir.path(),
            &format!(
                "mkdir out && {GIT} git init -qb main shop && cd shop && ln -s \"${{PWD%/*}}/out\" app && git add . && git commit -qm 1
                 git rm -q app && mkdir app && echo 1 >app/a"
            ),
        );
        let (top, store) = (dir.path().join("shop"), Store::at(dir.path().join("cache")));
        let commit = Commit::named("main", &top).unwrap();
        for (project, source) in [(top.clone(), "app"), (top.join("app"), ".")] {
            let error = Export::of(&commit, &project, Path::new(source), &store).map(drop).unwrap_err();
            assert!(error.to_string().starts_with("`app` points outside of commit"), "{error}");
        }
    }

    #[test]
    fn submodules_come_with_it_if_they_are_here() {
        let dir = tempfile::tempdir().unwrap();
        sh(
            dir.path(),
            &format!(
                "{GIT} git init -qb main lib && cd lib && echo 1 >a && git add . && git commit -qm 1 && cd ..
                 git init -qb main shop && cd shop && git submodule -q add ../lib vendor/lib && git commit -qm 1
                 git clone -q . ../bare"
            ),
        );
        let store = Store::at(dir.path().join("cache"));
        let export = |top: &str| {
            let top = dir.path().join(top);
            Export::of(&Commit::named("main", &top).unwrap(), &top, Path::new("."), &store)
        };
        let file = || fs::read_to_string(export("shop").unwrap().source.join("vendor/lib/a")).unwrap();
        assert_eq!(file(), "1\n");
        // Whatever other files the commit contains, and whether `.gitmodules` is exported or not.
        sh(
            &dir.path().join("shop"),
            &format!(
                "{GIT} echo .gitmodules export-ignore >.gitattributes; touch \"$(printf 'caf\\351')\" && git add . && git commit -qm 2"
            ),
        );
        assert_eq!(file(), "1\n");
        let error = export("bare").map(drop).unwrap_err();
        assert!(format!("{error:#}").contains("submodule `vendor/lib` does not have commit"), "{error:#}");
    }
}
