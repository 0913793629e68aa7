//! Finds what is sent, or not, differently from what its author may think: pointers of Git LFS, submodules without
//! their files, `.env*` files that git tracks.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use rayon::prelude::*;

use crate::event::few;
use crate::here::git::{git_in, output_of};
use crate::here::project::Project;
use crate::tree::{Entry, Kind, Left, Tree, TreePath};

/// How every pointer begins, and how long it may be: a pointer has less than 1024 bytes, and it names a hash of 64 digits
/// (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md).
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
const POINTER_BYTES: std::ops::RangeInclusive<u64> = 100..=1023;

/// The warnings about a work tree, or about an export.
pub fn remarks(tree: &Tree, left: &Left, project: &Project) -> Vec<String> {
    let is_export = project.is_export();
    let mut remarks = Vec::new();
    let pointers = pointers(tree);
    if !pointers.is_empty() {
        let cure = if is_export {
            "run `git lfs pull`, then deploy the work tree, without `ref`"
        } else {
            "run `git lfs pull`"
        };
        remarks.push(format!("Git LFS pointers are sent instead of the files: {}; {cure}", few(&pointers)));
    }
    let absent = absent_submodules(tree);
    if !absent.is_empty() {
        remarks.push(format!(
            "submodules are not checked out, so only empty directories are sent: {}; run `git submodule update --init --recursive`",
            few(&absent)
        ));
    }
    let tracked = tracked_env_files(&tree.root, left, is_export);
    if !tracked.is_empty() {
        let patterns: Vec<String> = tracked.iter().map(|path| format!("\"/{path}\"")).collect();
        remarks.push(format!(
            "git tracks {}, but `.env*` files are not sent; to send: {}",
            few(&tracked),
            project.addition("include", &patterns.join(", "))
        ));
    }
    remarks
}

fn pointers(tree: &Tree) -> Vec<TreePath> {
    let may_be = |entry: &&Entry| entry.kind == Kind::File && POINTER_BYTES.contains(&entry.size);
    let candidates: Vec<&Entry> = tree.entries.iter().filter(may_be).collect();
    let is_pointer = |entry: &&&Entry| {
        let mut start = [0; POINTER.len()];
        let file = File::open(entry.local_path(&tree.root));
        file.and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == POINTER
    };
    candidates.par_iter().filter(is_pointer).map(|entry| entry.path.clone()).collect()
}

/// The empty directories that are submodules, according to git. Only a repository with a `.gitmodules` has any.
fn absent_submodules(tree: &Tree) -> Vec<String> {
    let root = &tree.root;
    let above = crate::tree::canonical(root);
    if !above.ancestors().any(|directory| directory.join(".gitmodules").is_file()) {
        return Vec::new();
    }
    let listed = output_of(git_in(root).args(["ls-files", "-z", "--stage"])).unwrap_or_default();
    let lines = listed.split(|byte| *byte == 0).filter(|line| line.starts_with(b"160000 "));
    let paths = lines.filter_map(|line| {
        let at = line.iter().position(|byte| *byte == b'\t')?;
        TreePath::new(&line[at + 1..]).ok()
    });
    let is_sent = |path: &TreePath| tree.entries.iter().any(|entry| entry.path == *path);
    let is_empty = |path: &Path| fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    let absent = paths.filter(|path| is_empty(&root.join(path.to_path())) && is_sent(path));
    absent.map(|path| path.to_string()).collect()
}

/// An export has tracked files and what was built.
fn tracked_env_files(root: &Path, left: &Left, is_export: bool) -> Vec<TreePath> {
    if left.env.is_empty() || is_export {
        return left.env.clone();
    }
    let mut git = git_in(root);
    git.args(["--literal-pathspecs", "ls-files", "-z", "--"]).args(left.env.iter().map(TreePath::to_path));
    let listed = output_of(&mut git).unwrap_or_default();
    listed.split(|byte| *byte == 0).filter_map(|path| TreePath::new(path).ok()).collect()
}
