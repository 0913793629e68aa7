//! Files with awkward names, and what a test asks of files: inode, mode, time.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::{Test, tree};

/// Text that no compression makes much smaller, the same for the same seed: xorshift64, six bits a character.
pub fn noise(seed: &str, length: usize) -> String {
    let mut state = seed.bytes().fold(0x9E37_79B9_7F4A_7C15, |state: u64, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    });
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + (state >> 58) as u8)
    };
    (0..length).map(next).collect()
}

/// Names that a shell, a tar or a line of text could trip over.
pub fn hostile_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        &b"new\nline"[..],
        b"\nfirst",
        b"last\n",
        b"single'quote",
        b"double\"quote",
        b"back\\slash",
        b"\\0134",
        b"end\\",
        b"-rf",
        b"--",
        b"*",
        b"?",
        b"[a-z]",
        b"blank ",
        b" blank",
        b"tab\t",
        b"\xff\xfe",
        b"\xc3\xa9",
        b"\x01",
        b"$HOME",
        b"$(id)",
        b"`id`",
        b"a;b",
        b"a=b",
        b"#",
        b"~",
        b"!",
        b"%s%n",
        b"{}",
        b"...",
        b"path=x",
    ]
    .iter()
    .map(|name| name.to_vec())
    .collect();
    names.push(vec![b'x'; 250]);
    names
}

/// A path of more than 300 bytes.
pub fn deep() -> PathBuf {
    (0..9).map(|n| format!("{n}{}", "d".repeat(39))).collect()
}

fn name(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

impl Test {
    /// Fills `source/` with files, links and directories of all hostile names, kinds and modes.
    pub fn hostile_source(self) -> Self {
        let source = self.path("source");
        for (n, bytes) in hostile_names().iter().enumerate() {
            fs::write(source.join(name(bytes)), format!("file {n}")).unwrap();
            let dir = source.join("dirs").join(name(bytes));
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join(name(bytes)), format!("in it {n}")).unwrap();
            fs::create_dir_all(source.join("links")).unwrap();
            symlink(name(bytes), source.join("links").join(name(bytes))).unwrap();
        }
        fs::create_dir_all(source.join(deep())).unwrap();
        fs::write(source.join(deep()).join("file"), "deep").unwrap();
        fs::create_dir_all(source.join("empty/empty")).unwrap();
        fs::write(source.join("nothing"), "").unwrap();
        fs::write(source.join("binary"), [0, 1, 2, 255, 10, 13, 0]).unwrap();
        for (link, target) in [
            ("dangling", &b"nowhere/at all"[..]),
            ("absolute", b"/etc/passwd"),
            ("bytes", b"\xff\xfe\n"),
            ("to-dir", b"dirs"),
            ("long", &[b'l'; 300]),
        ] {
            symlink(name(target), source.join(link)).unwrap();
        }
        for mode in [0o600, 0o755, 0o444, 0o4755, 0o400, 0o664] {
            let file = source.join(format!("mode-{mode:o}"));
            fs::write(&file, format!("{mode:o}")).unwrap();
            chmod(&file, mode);
        }
        for mode in [0o711, 0o1777, 0o2775, 0o555, 0o700] {
            let dir = source.join(format!("dir-mode-{mode:o}"));
            fs::create_dir(&dir).unwrap();
            chmod(&dir, mode);
        }
        self
    }

    /// What a release of the source must look like, in whole.
    pub fn wanted(&self) -> BTreeMap<Vec<u8>, String> {
        let mut all = tree(&self.path("source"));
        for what in all.values_mut() {
            if let Some(mode) = what.strip_prefix("directory ") {
                // Sent so that whoever owns the release can update and remove it, and nobody else.
                *what = format!("directory {:o}", u32::from_str_radix(mode, 8).unwrap() & !0o022 | 0o700);
            }
            if let Some((mode, content)) = what.strip_prefix("file ").and_then(|rest| rest.split_once(' ')) {
                *what = format!("file {:o} {content}", u32::from_str_radix(mode, 8).unwrap() & !0o022);
            }
        }
        all
    }

    /// What `current` of a site leads to, in whole.
    pub fn served(&self, site: &str) -> BTreeMap<Vec<u8>, String> {
        tree(&self.path(site).join("current/"))
    }

    #[track_caller]
    pub fn serves_the_source(&self, site: &str) {
        same(&sealed(self.served(site)), &sealed(self.wanted()));
    }

    pub fn meta(&self, path: impl AsRef<Path>) -> Metadata {
        let path = self.path(path);
        fs::symlink_metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn inode(&self, path: impl AsRef<Path>) -> u64 {
        self.meta(path).ino()
    }

    /// Whether anything is there, a dangling link too.
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        fs::symlink_metadata(self.path(path)).is_ok()
    }

    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.path(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The directory of the live release of `site`, from the project.
    pub fn current(&self) -> String {
        format!("site/releases/{}", self.live("site").unwrap())
    }
}

pub fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Two trees are the same; else what differs is shown, and only that.
#[track_caller]
pub fn same(got: &BTreeMap<Vec<u8>, String>, want: &BTreeMap<Vec<u8>, String>) {
    let mut paths: Vec<&Vec<u8>> = got.keys().chain(want.keys()).collect();
    paths.sort();
    paths.dedup();
    let differs: Vec<String> = paths
        .into_iter()
        .filter(|path| got.get(*path) != want.get(*path))
        .map(|path| format!("{}: {:?}, not {:?}", path.escape_ascii(), got.get(path), want.get(path)))
        .collect();
    assert!(differs.is_empty(), "{}", differs.join("\n"));
}

/// Inode, mode, mtime and content of every file below a directory: what must not change in an old release.
pub fn stamps(root: &Path) -> BTreeMap<Vec<u8>, String> {
    let mut all = tree(root);
    for (path, what) in &mut all {
        let meta = fs::symlink_metadata(root.join(name(path))).unwrap();
        if !meta.is_dir() {
            what.push_str(&format!(" inode {} mtime {}", meta.ino(), meta.mtime()));
        }
    }
    all
}

/// Paths of files (no links, no directories) of a tree.
pub fn files(root: &Path) -> Vec<Vec<u8>> {
    tree(root).into_iter().filter(|(_, what)| what.starts_with("file")).map(|(path, _)| path).collect()
}

pub fn below(root: &Path, path: &[u8]) -> PathBuf {
    root.join(name(path))
}

/// The same tree with the write bits of files left out: files that releases share have none.
pub fn sealed(tree: BTreeMap<Vec<u8>, String>) -> BTreeMap<Vec<u8>, String> {
    let without = |what: String| match what.strip_prefix("file ").and_then(|rest| rest.split_once(' ')) {
        Some((mode, content)) => {
            format!("file {:o} {content}", u32::from_str_radix(mode, 8).unwrap() & !0o222)
        }
        None => what,
    };
    tree.into_iter().map(|(path, what)| (path, without(what))).collect()
}
