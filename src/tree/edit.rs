//! The difference between two manifests as line numbers, and the awk program that applies it on a server.

use std::cmp::Ordering;

use super::manifest::{Line, Manifest};
use super::path::manifest_order;

/// Turns a base manifest into the next one: `awk "$EDIT_AWK" EDIT BASE >NEXT`, with `LC_ALL=C`. EDIT may be `-`. A
/// file name that awk could take for an assignment (`a=b`) must begin with `/` or `./`. Fails if BASE is too short.
/// Reads the base once, so the ranges to copy must be in ascending order. Works with POSIX awk, mawk and busybox.
pub const EDIT_AWK: &str = r#"BEGIN { base = ARGV[2]; ARGV[2] = ""; at = 0 }
/^=/ {
    split(substr($0, 2), range, " ")
    while (at < range[2] + 0) {
        if ((getline line < base) <= 0) exit 1
        at++
        if (at >= range[1] + 0) print line
    }
    next
}
/^[+]/ { print substr($0, 2); next }
{ exit 1 }
"#;

/// The edit from `base` to `next`. Both are in the same order, so one pass is enough.
pub(super) fn edit(base: &Manifest, next: &Manifest) -> Vec<u8> {
    let mut edit = Edit::default();
    let base = base.entries();
    let mut at = 0;
    for line in next.entries() {
        while at < base.len() && manifest_order(&base[at].entry.path, &line.entry.path) == Ordering::Less {
            at += 1;
        }
        if base.get(at) == Some(line) {
            at += 1;
            edit.copy(at);
        } else {
            edit.insert(line);
        }
    }
    edit.finish()
}

#[derive(Default)]
struct Edit {
    text: Vec<u8>,
    /// The first and last line of a copy that is not written yet.
    run: Option<(usize, usize)>,
}

impl Edit {
    fn copy(&mut self, number: usize) {
        self.run = match self.run {
            Some((first, last)) if last + 1 == number => Some((first, number)),
            _ => {
                self.end_run();
                Some((number, number))
            }
        };
    }

    fn insert(&mut self, line: &Line) {
        self.end_run();
        self.text.push(b'+');
        line.write(&mut self.text);
    }

    fn end_run(&mut self) {
        if let Some((first, last)) = self.run.take() {
            self.text.extend_from_slice(format!("={first} {last}\n").as_bytes());
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.end_run();
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_edit_fails_on_a_base_that_is_too_short() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("edit"), "=1 3\n").unwrap();
        std::fs::write(dir.path().join("base"), "one\n").unwrap();
        let output = Command::new("awk").arg(EDIT_AWK).args(["edit", "base"]).current_dir(&dir).output();
        assert!(!output.unwrap().status.success());
    }
}
