//! A source tree to deploy: files of text that compresses as program text does, the same in every run.

use std::fs;
use std::path::{Path, PathBuf};

/// Files in one directory.
const WIDTH: usize = 20;

const WORDS: [&str; 32] = [
    "public",
    "function",
    "return",
    "$this->",
    "array",
    "string",
    "namespace",
    "App",
    "Models",
    "use",
    "static",
    "null",
    "if",
    "else",
    "foreach",
    "as",
    "=>",
    "(",
    ")",
    "{",
    "}",
    ";",
    "=",
    "[]",
    "'name'",
    "'id'",
    "throw",
    "new",
    "Exception",
    "private",
    "const",
    "self::",
];

/// xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled".
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }
}

/// Makes `n` files of 6 kB on average, a few of them large.
pub fn make(root: &Path, n: usize) {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for index in 0..n {
        let path = file(root, index);
        if index % WIDTH == 0 {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
        }
        let size = match random.below(100) {
            0 => 80_000 + random.below(40_000),
            1..20 => 10_000 + random.below(10_000),
            _ => 200 + random.below(5_000),
        };
        fs::write(path, text(&mut random, size)).unwrap();
    }
}

/// Rewrites `n` of them, spread over the tree.
pub fn change(root: &Path, of: usize, n: usize, round: usize) {
    let mut random = Random(round as u64 + 1);
    for index in 0..n {
        fs::write(file(root, index * (of / n)), text(&mut random, 3_500)).unwrap();
    }
}

fn file(root: &Path, index: usize) -> PathBuf {
    let directory = index / WIDTH;
    root.join(format!("app/m{}/d{directory}/File{index}.php", directory % 40))
}

fn text(random: &mut Random, size: usize) -> String {
    let mut text = String::with_capacity(size + 32);
    while text.len() < size {
        match random.below(12) {
            0 => text.push_str("\n        "),
            1 => text.push_str(&format!("{:x}", random.below(1 << 24))),
            _ => text.push_str(WORDS[random.below(WORDS.len())]),
        }
        text.push(' ');
    }
    text.push('\n');
    text
}
