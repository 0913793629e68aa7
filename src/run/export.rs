//! A commit of the source's repository, taken out into a directory of its own: it is what is built and sent, never the
//! work tree.

use std::fs;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, anyhow, bail};
use tempfile::TempDir;

use crate::event::Report;
use crate::run::revision::{Revision, git, git_in};
use crate::tree::{Store, canonical};

pub struct Export {
    /// It goes with all that was built in it when the run is over.
    directory: TempDir,
    /// The top of the work tree whose commit it is.
    top: PathBuf,
    pub revision: Revision,
    /// How many commits the branch is behind the one it follows, and what that is called.
    pub behind: Option<(usize, String)>,
}

impl Export {
    /// Takes out the commit that `reference` names (gitrevisions(7)): a branch, a tag, a hash. A branch that is not here is looked
    /// for at `origin`, as it was when it was last fetched.
    pub fn of(reference: &str, source: &Path, store: &Store) -> Result<Self> {
        let source = canonical(source);
        let near = source.ancestors().find(|path| path.is_dir()).unwrap_or(&source);
        let Some(top) = git(near, &["rev-parse", "--show-toplevel"]).map(PathBuf::from) else {
            bail!(
                Report::new(format!("`ref` is set, and `{}` is in no work tree of git", source.display()))
                    .hint("set `source` to where it is, or leave `ref` out")
            );
        };
        let commit = commit_of(&top, reference)
            .or_else(|| commit_of(&top, &format!("origin/{reference}")))
            .ok_or_else(|| {
            Report::new(format!("`{}` has no branch, tag or commit `{reference}`", top.display()))
                .hint("`git fetch --tags` brings what others have pushed")
        })?;
        let directory = store.room("exports").context("there is no room for an export of the source")?;
        take_out(&top, &commit, directory.path())
            .with_context(|| format!("commit {commit} could not be taken out"))?;
        let behind = behind(&top, reference);
        let revision = Revision { commit: Some(commit), is_dirty: false };
        Ok(Self { directory, top: canonical(&top), revision, behind })
    }

    /// Where it has what the work tree has at `path`; what is not of the work tree stays where it is.
    pub fn path(&self, path: &Path) -> PathBuf {
        let path = canonical(path);
        match path.strip_prefix(&self.top) {
            Ok(inside) => self.directory.path().join(inside),
            Err(_) => path,
        }
    }
}

fn commit_of(repository: &Path, reference: &str) -> Option<String> {
    // What begins so would be an option.
    if reference.starts_with('-') {
        return None;
    }
    git(repository, &["rev-parse", "--verify", "--quiet", &format!("{reference}^{{commit}}")])
}

/// A branch may have been pushed to from elsewhere: as far as that was fetched, it is known.
fn behind(repository: &Path, branch: &str) -> Option<(usize, String)> {
    let upstream = format!("{branch}@{{upstream}}");
    let name = git(repository, &["rev-parse", "--abbrev-ref", &upstream])?;
    let n = git(repository, &["rev-list", "--count", &format!("{branch}..{upstream}")])?.parse().ok()?;
    (n > 0).then_some((n, name))
}

/// Unpacks a commit into a directory, its submodules too. By `git archive`, so that `.gitattributes` has its say.
fn take_out(repository: &Path, commit: &str, into: &Path) -> Result<()> {
    let mut said = tempfile::tempfile()?;
    let mut archive = git_in(repository)
        // Modes as a checkout has them; git's own default lets the group write.
        .args(["-c", "tar.umask=0022", "archive", "--format=tar", commit])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(said.try_clone()?)
        .spawn()
        .context("`git` could not be started")?;
    let mut stream = archive.stdout.take().context("`git` says nothing")?;
    let unpacked = tar::Archive::new(&mut stream).unpack(into);
    // What is behind the end of the archive: git is not to die of it.
    let drained = std::io::copy(&mut stream, &mut std::io::sink());
    let status = archive.wait()?;
    if !status.success() {
        let mut text = String::new();
        said.rewind()?;
        said.read_to_string(&mut text)?;
        bail!("`git archive` failed: {}", text.trim());
    }
    unpacked.and(drained)?;
    if into.join(".gitmodules").is_file() {
        take_out_submodules(repository, commit, into)?;
    }
    Ok(())
}

fn take_out_submodules(repository: &Path, commit: &str, into: &Path) -> Result<()> {
    let listed = git(repository, &["ls-tree", "-r", "-z", "--full-tree", commit]);
    let listed = listed.ok_or_else(|| anyhow!("its files could not be listed"))?;
    for line in listed.split('\0') {
        let submodule = line.strip_prefix("160000 commit ").and_then(|rest| rest.split_once('\t'));
        let Some((commit, path)) = submodule.filter(|(_, path)| into.join(path).is_dir()) else { continue };
        let below = repository.join(path);
        if !below.join(".git").exists() || commit_of(&below, commit).is_none() {
            bail!(
                Report::new(format!("submodule `{path}` is not here at {commit}"))
                    .hint("`git submodule update --init --recursive` brings it")
            );
        }
        let into = into.join(path);
        fs::create_dir_all(&into)?;
        take_out(&below, commit, &into)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    fn sh(directory: &Path, text: &str) -> String {
        let said = Command::new("sh").arg("-euc").arg(text).current_dir(directory).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    }

    const GIT: &str = "export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null; \
                       git() { command git -c user.name=n -c user.email=e -c protocol.file.allow=always \"$@\"; };";

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
            let export = Export::of(reference, &top.join("app"), &store).unwrap();
            assert_eq!(export.revision.commit.as_deref(), Some(first.as_str()));
            assert!(!export.revision.is_dirty);
            let app = export.path(&top.join("app"));
            assert_eq!(fs::read_to_string(app.join("l")).unwrap(), "one\n");
            assert_eq!(fs::metadata(app.join("a")).unwrap().permissions().mode() & 0o7777, 0o755);
            assert_eq!(fs::read_dir(&app).unwrap().count(), 2);
            assert_eq!(fs::read_dir(export.path(&top)).unwrap().count(), 2, "`app` and `.gitattributes`");
            assert_eq!(export.path(Path::new("/nowhere")), Path::new("/nowhere"));
        }
        // Nothing of it is left.
        assert_eq!(fs::read_dir(dir.path().join("cache/exports")).unwrap().count(), 0);
        let refused = |reference: &str, source: &Path| {
            Export::of(reference, source, &store).map(drop).unwrap_err().to_string()
        };
        for bad in ["none", "--all", ""] {
            assert!(refused(bad, &top).contains("has no branch, tag or commit"), "{bad}");
        }
        assert!(refused("main", dir.path()).contains("is in no work tree of git"));
    }

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
        let store = Store::at(dir.path().join("cache"));
        let export = |name| Export::of(name, &dir.path().join("ours"), &store).unwrap();
        assert_eq!(export("main").behind, Some((1, "origin/main".to_owned())));
        assert_eq!(export("fix").behind, None);
        assert_eq!(export("fix").revision, export("main").revision);
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
        let export = Export::of("main", &dir.path().join("shop"), &store).unwrap();
        let file = export.path(&dir.path().join("shop/vendor/lib/a"));
        assert_eq!(fs::read_to_string(file).unwrap(), "1\n");
        let error = Export::of("main", &dir.path().join("bare"), &store).map(drop).unwrap_err();
        assert!(format!("{error:#}").contains("submodule `vendor/lib` is not here at"), "{error:#}");
    }
}
