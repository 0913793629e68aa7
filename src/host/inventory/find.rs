//! Finds `runner.toml`, and how messages name it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::missing::example;
use crate::event::{Excerpt, Report};
use crate::shell::Word;
use crate::tree::owner::is_ours;

const FILE: &str = "runner.toml";

/// Finds the file in `dir` (the option `-C`), else in the nearest parent of `cwd` that contains one.
pub fn file(cwd: &Path, dir: Option<&Path>) -> Result<PathBuf> {
    match dir {
        Some(dir) => in_directory(cwd, dir),
        None => in_parents(cwd),
    }
}

/// The text of the file, which messages call `name`.
pub fn text(file: &Path, name: &str) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("failed to read `{name}`"))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let place = Excerpt::at_offset(name, &text, valid, 1);
        Report::new(format!("`{name}` is not UTF-8 text")).at(place).into()
    })
}

fn in_directory(cwd: &Path, dir: &Path) -> Result<PathBuf> {
    let absolute = without_dots(&cwd.join(dir));
    if !absolute.is_dir() {
        return Err(Report::new(format!("no directory `{}`", dir.display())).into());
    }
    let file = absolute.join(FILE);
    if !file.is_file() {
        let message = format!("no `{FILE}` in `{}`", dir.display());
        return Err(Report::new(message).hint(example()).into());
    }
    Ok(file)
}

fn in_parents(cwd: &Path) -> Result<PathBuf> {
    let mut files = cwd.ancestors().map(|dir| dir.join(FILE));
    let Some(file) = files.find(|file| file.is_file()) else {
        let report = Report::new(format!("no `{FILE}` in `{}` or above it", cwd.display()));
        bail!(report.hint(example()));
    };
    if is_strange(&file, cwd) {
        let report = Report::new(format!(
            "`{}` belongs to another user, and its commands would run as you",
            file.display()
        ));
        let directory = file.parent().unwrap_or(cwd).display().to_string();
        bail!(report.hint(format!("if you trust it: `runner -C {} ...`", Word::shown(&directory))));
    }
    Ok(file)
}

/// Whether somebody else may have put the file where this user works without knowing of it: in a directory above, or in
/// one where everybody can write. ssh and git refuse such files, too (`StrictModes`, `safe.directory`).
fn is_strange(file: &Path, cwd: &Path) -> bool {
    let is_open = |dir: &Path| fs::metadata(dir).is_ok_and(|meta| meta.mode() & 0o002 != 0);
    let is_chosen = file.parent().is_some_and(|dir| dir == cwd && !is_open(dir));
    !is_chosen && fs::metadata(file).is_ok_and(|meta| !is_ours(meta.uid()))
}

/// The path relative to `cwd`, if that is shorter than the absolute one.
pub fn shown(file: &Path, cwd: &Path) -> PathBuf {
    let n_shared = file.components().zip(cwd.components()).take_while(|(a, b)| a == b).count();
    let up = cwd.components().skip(n_shared).map(|_| Component::ParentDir);
    let relative: PathBuf = up.chain(file.components().skip(n_shared)).collect();
    if relative.as_os_str().len() < file.as_os_str().len() { relative } else { file.to_owned() }
}

/// The path without `.` and `..`, resolved as text: does not follow links.
pub fn without_dots(path: &Path) -> PathBuf {
    let mut kept = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::Inventory;
    use super::*;
    use crate::event::layout::plain;
    use expect_test::expect;

    fn project(text: &[u8]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("src/deep")).unwrap();
        fs::write(dir.path().join(FILE), text).unwrap();
        dir
    }

    #[test]
    fn the_nearest_parent_with_a_file_is_the_project() {
        let project = project(b"");
        let root = project.path();
        let case = |cwd: &Path, dir: Option<&Path>, want_name: &str| {
            let found = Inventory::find_from(cwd, dir).unwrap();
            assert_eq!(found.dir, root);
            assert_eq!(found.file, want_name);
        };
        case(root, None, "runner.toml");
        case(root, Some(Path::new(".")), "runner.toml");
        case(&root.join("src"), None, "../runner.toml");
        case(&root.join("src"), Some(Path::new("..")), "../runner.toml");
        case(&root.join("src/deep"), None, "../../runner.toml");
        let name = root.join(FILE).display().to_string();
        case(Path::new("/"), Some(root), &name[1..]);
    }

    #[test]
    fn where_no_file_is_found_one_is_shown() {
        let dir = project(b"");
        let refused = |path: &str| {
            let error = Inventory::find_from(dir.path(), Some(Path::new(path))).unwrap_err();
            plain(&Report::of(&error))
        };
        expect![[r#"
            no `runner.toml` in `src`
            hint: `runner init` writes one; a minimal one is:
                [stage.prod]
                path = "/var/www/shop"
                user = "deploy"
                hosts = ["web1.example.com"]"#]]
        .assert_eq(&refused("src"));
        expect!["no directory `nowhere`"].assert_eq(&refused("nowhere"));
        expect![[r#"
            no `runner.toml` in `/nowhere/at/all` or above it
            hint: `runner init` writes one; a minimal one is:
                [stage.prod]
                path = "/var/www/shop"
                user = "deploy"
                hosts = ["web1.example.com"]"#]]
        .assert_eq(&plain(&Report::of(&in_parents(Path::new("/nowhere/at/all")).unwrap_err())));
    }

    #[test]
    fn a_file_that_is_not_utf_8_is_refused() {
        let dir = project(b"# caf\xe9\n");
        let error = Inventory::find_from(dir.path(), None).unwrap_err();
        expect![[r#"
            `runner.toml` is not UTF-8 text
             --> runner.toml:1:6
              |
            1 | # caf�
              |      ^"#]]
        .assert_eq(&plain(&Report::of(&error)));
    }

    #[track_caller]
    fn shown_as(file: &str, cwd: &str, want: &str) {
        assert_eq!(shown(Path::new(file), Path::new(cwd)), Path::new(want));
    }

    #[test]
    fn a_file_is_named_from_the_working_directory_where_that_is_shorter() {
        shown_as("/home/me/shop/runner.toml", "/home/me/shop", "runner.toml");
        shown_as("/home/me/shop/runner.toml", "/home/me/shop/src", "../runner.toml");
        shown_as("/home/me/shop/runner.toml", "/home/me", "shop/runner.toml");
        shown_as("/srv/runner.toml", "/home/me/shop", "/srv/runner.toml");
    }
}
