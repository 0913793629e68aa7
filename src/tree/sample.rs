//! Names and trees for the tests of this layer.

use super::entry::{Entry, Kind, Tree};
use super::hash::Hash;
use super::path::TreePath;

pub const HOSTILE_NAMES: [&[u8]; 20] = [
    b"-rf",
    b"--help",
    b" lead",
    b"trail ",
    b"two  blanks",
    b"new\nline",
    b"ends\n",
    b"back\\slash",
    b"\\",
    b"\\0012",
    b"quote'\"`$(x)",
    b"\xff\xfe\x80",
    b"\xc3\xa9",
    b"\x01\x1b[31m\x7f",
    b"tab\there",
    b"return\r",
    b"*?[a]",
    b"=1 2",
    b"+plus",
    b"%s&~#;",
];

/// A small random generator (xorshift). Its numbers are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// A tree with hostile names, of up to `n` entries per directory. There are few different contents, so that trees
/// overlap.
pub fn random_tree(dice: &mut Dice, n: usize) -> Tree {
    let mut entries = Vec::new();
    fill(dice, n, None, 0, &mut entries);
    Tree::sort(&mut entries);
    entries.dedup_by(|a, b| a.path == b.path);
    Tree { root: "/nowhere".into(), entries }
}

fn fill(dice: &mut Dice, n: usize, dir: Option<&TreePath>, depth: usize, entries: &mut Vec<Entry>) {
    for name in HOSTILE_NAMES {
        if dice.roll(HOSTILE_NAMES.len()) >= n {
            continue;
        }
        let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(name);
        let path = TreePath::child(dir, name);
        let content = [b'a' + dice.roll(2) as u8];
        let hash = Hash::of(&content);
        let entry = match dice.roll(3) {
            0 => Entry { path, kind: Kind::File, mode: 0o644, size: 1, mtime: 1 + dice.roll(9) as i64, hash },
            1 => Entry { path, kind: Kind::Link, mode: 0o777, size: 0, mtime: 0, hash },
            _ => {
                if depth < 3 {
                    fill(dice, n, Some(&path), depth + 1, entries);
                }
                let mode = [0o755, 0o2775][dice.roll(2)];
                Entry { path, kind: Kind::Directory, mode, size: 0, mtime: 0, hash: Hash::NONE }
            }
        };
        entries.push(entry);
    }
}
