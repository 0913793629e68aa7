//! Names the commit for `runner --version`: what `RUNNER_COMMIT` says, or git, or cargo's note in a packaged source.
//!
//! Runs again when the checked out commit changes, and not at every build.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUNNER_COMMIT");
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let commit = match std::env::var("RUNNER_COMMIT") {
        Ok(commit) => Some(commit.trim().to_owned()).filter(|commit| !commit.is_empty()),
        Err(_) => by_git(&root).or_else(|| by_cargo(&root)),
    };
    let version = env!("CARGO_PKG_VERSION");
    match commit {
        Some(commit) => println!("cargo:rustc-env=RUNNER_VERSION={version} ({commit})"),
        None => println!("cargo:rustc-env=RUNNER_VERSION={version}"),
    }
}

/// `e083085 2026-11-30`, if this source is the work tree of a repository of its own. (Sources that cargo unpacks may lie
/// in somebody's home that is a repository.)
fn by_git(root: &Path) -> Option<String> {
    let top = git(root, &["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    watch(root);
    git(root, &["log", "-1", "--abbrev=7", "--date=format-local:%Y-%m-%d", "--format=%h %cd"])
}

/// What changes when another commit is checked out or made. Only files that are there: cargo takes a missing one for a
/// change.
fn watch(root: &Path) {
    let path = |name: &str| git(root, &["rev-parse", "--git-path", name]).map(|path| root.join(path));
    let branch = git(root, &["symbolic-ref", "-q", "HEAD"]).and_then(|name| path(&name));
    let files = match branch {
        Some(branch) if branch.exists() => vec![path("HEAD"), Some(branch)],
        // A packed branch gets a file with its next commit; the log of HEAD grows with it.
        Some(_) => vec![path("HEAD"), path("packed-refs"), path("logs/HEAD")],
        None => vec![path("HEAD")],
    };
    for file in files.into_iter().flatten().filter(|file| file.exists()) {
        println!("cargo:rerun-if-changed={}", file.display());
    }
}

fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(args).env("TZ", "UTC0").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}

/// The commit that `cargo package` wrote down.
fn by_cargo(root: &Path) -> Option<String> {
    let note = std::fs::read_to_string(root.join(".cargo_vcs_info.json")).ok()?;
    let (_, rest) = note.split_once("\"sha1\": \"")?;
    rest.get(..7).map(str::to_owned)
}
