//! The manifest of a release: its tree as text, with one line per entry. It is kept with the release on the server, and
//! on this machine.
//!
//! A line is `KIND MODE SIZE MTIME HASH PATH`. KIND is `d`, `f`, `l`, or `g` for a file under a generated path. MODE
//! is as `stat -c %a` prints it. HASH is in hex, or `-`. In PATH, `\` is written as `\0134` and a newline as `\0012`,
//! for `printf %b`; every other byte is written as it is. (A path may end in a space: read it with an empty `IFS`.)
//!
//! **Invariant:** paths without escapes come first, then the others, both in byte order. So each manifest has exactly
//! one text, and equal digests mean equal manifests.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::io::Write;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result, bail};

#[cfg(test)]
use super::entry::Tree;
use super::entry::{Entry, Kind};
use super::hash::Hash;
use super::path::{TreePath, manifest_order, needs_escape};
use crate::shell::escape;

/// An entry as a server has it. `is_generated` is true only for files: the content of such a file is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub entry: Entry,
    pub is_generated: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Manifest {
    lines: Arc<Vec<Line>>,
    /// Computed when it is first needed, because the text is long.
    digest: OnceLock<String>,
}

impl PartialEq for Manifest {
    fn eq(&self, other: &Self) -> bool {
        self.lines == other.lines
    }
}

impl Eq for Manifest {}

impl Manifest {
    /// The manifest after the whole tree was sent.
    #[cfg(test)]
    pub fn of(tree: &Tree, generated: &[TreePath]) -> Self {
        let line = |entry: &Entry| Line {
            is_generated: entry.kind == Kind::File && is_under(&entry.path, generated),
            entry: entry.clone(),
        };
        Self::from_lines(tree.entries.iter().map(line).collect())
    }

    /// `lines` must be in manifest order.
    pub(super) fn from_lines(lines: Vec<Line>) -> Self {
        Self { lines: Arc::new(lines), digest: OnceLock::new() }
    }

    /// Parses the output of `to_text`, and nothing else.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let mut lines: Vec<Line> = Vec::new();
        let Some(body) = text.strip_suffix(b"\n") else {
            if text.is_empty() {
                return Ok(Self::default());
            }
            bail!("manifest is cut off: its last line has no newline");
        };
        let whole = text;
        let mut again = Vec::new();
        for (index, text) in body.split(|b| *b == b'\n').enumerate() {
            let line = Line::parse(text, &mut again)
                .with_context(|| format!("failed to read line {} of a manifest", index + 1))?;
            if let Some(last) = lines.last()
                && manifest_order(&last.entry.path, &line.entry.path) != Ordering::Less
            {
                bail!("line {} of a manifest is out of order", index + 1);
            }
            lines.push(line);
        }
        let digest = Hash::of(whole).to_string().into();
        Ok(Self { lines: Arc::new(lines), digest })
    }

    pub fn to_text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.lines.len() * 128);
        for line in self.lines.iter() {
            line.write(&mut text);
        }
        text
    }

    /// The hash of the text, in hex.
    pub fn digest(&self) -> &str {
        self.digest.get_or_init(|| Hash::of(&self.to_text()).to_string())
    }

    pub fn entries(&self) -> &[Line] {
        &self.lines
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub fn n_files(&self) -> usize {
        let files = self.lines.iter().filter(|line| line.entry.kind == Kind::File);
        files.count()
    }

    /// The same manifest, line for line, but the lines of `paths`, which have drifted, match no entry: so these are
    /// sent again.
    pub fn with_drift(&self, paths: &[TreePath]) -> Self {
        if paths.is_empty() {
            return self.clone();
        }
        let paths: HashSet<&TreePath> = paths.iter().collect();
        let mut lines = self.lines.to_vec();
        for line in &mut lines {
            if paths.contains(&line.entry.path) {
                line.entry.hash = Hash::NONE;
                // No directory has this mode, so a directory whose mode was changed is sent, too.
                line.entry.mode = 0;
            }
        }
        Self::from_lines(lines)
    }

    /// A function that finds the lines of many paths in one pass. It must be called in manifest order.
    pub fn finder<'a>(&'a self) -> impl FnMut(&TreePath) -> Option<&'a Line> {
        let mut rest = self.lines.as_slice();
        move |path| {
            while let [first, others @ ..] = rest {
                match manifest_order(&first.entry.path, path) {
                    Ordering::Less => rest = others,
                    Ordering::Equal => return Some(first),
                    Ordering::Greater => break,
                }
            }
            None
        }
    }

    pub fn get(&self, path: &TreePath) -> Option<&Line> {
        let found = self.lines.binary_search_by(|line| manifest_order(&line.entry.path, path));
        found.ok().map(|index| &self.lines[index])
    }
}

pub(super) fn is_under(path: &TreePath, tops: &[TreePath]) -> bool {
    tops.iter().any(|top| path.starts_with(top))
}

impl Line {
    /// Appends the line with its newline.
    pub(super) fn write(&self, text: &mut Vec<u8>) {
        let Entry { path, kind, mode, size, mtime, hash } = &self.entry;
        let kind = match kind {
            Kind::Directory => 'd',
            Kind::File if self.is_generated => 'g',
            Kind::File => 'f',
            Kind::Link => 'l',
        };
        // A plan spends most of its time here: there are tens of thousands of lines for each host.
        let _ = write!(text, "{kind} {mode:o} {size} {mtime} ");
        hash.write(text);
        text.push(b' ');
        match needs_escape(path) {
            false => text.extend_from_slice(path.as_bytes()),
            true => escape(path.as_bytes(), text),
        }
        text.push(b'\n');
    }

    /// `again` is a buffer for the check at the end.
    fn parse(text: &[u8], again: &mut Vec<u8>) -> Result<Self> {
        let mut fields = text.splitn(6, |b| *b == b' ');
        let mut field = || fields.next().context("fewer than six fields");
        let (kind, is_generated) = match field()? {
            b"d" => (Kind::Directory, false),
            b"f" => (Kind::File, false),
            b"g" => (Kind::File, true),
            b"l" => (Kind::Link, false),
            other => bail!("unknown kind `{}`", String::from_utf8_lossy(other)),
        };
        let mode = u32::from_str_radix(str::from_utf8(field()?)?, 8).context("bad mode")?;
        let size = str::from_utf8(field()?)?.parse().context("bad size")?;
        let mtime = str::from_utf8(field()?)?.parse().context("bad mtime")?;
        let hash = Hash::parse(field()?).context("bad hash")?;
        let path = TreePath::new(&unescape(field()?)?)?;
        let entry = Entry { path, kind, mode, size, mtime, hash };
        let line = Self { entry, is_generated };
        again.clear();
        line.write(again);
        // `0644` and `+5` are valid numbers, too, but a manifest must have only one text, and one digest.
        if again.strip_suffix(b"\n") != Some(text) {
            bail!("not in the form that this program writes");
        }
        Ok(line)
    }
}

fn unescape(mut text: &[u8]) -> Result<Vec<u8>> {
    let mut path = Vec::with_capacity(text.len());
    while let Some((byte, rest)) = text.split_first() {
        text = rest;
        if *byte != b'\\' {
            path.push(*byte);
        } else if let Some(rest) = text.strip_prefix(b"0134") {
            path.push(b'\\');
            text = rest;
        } else if let Some(rest) = text.strip_prefix(b"0012") {
            path.push(b'\n');
            text = rest;
        } else {
            bail!("unknown escape in a path");
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Dice, HOSTILE_NAMES, random_tree};
    use super::*;
    use expect_test::expect;
    use std::process::Command;

    fn file(path: &[u8]) -> Entry {
        let path = TreePath::new(path).unwrap();
        let hash = Hash::of(b"");
        Entry { path, kind: Kind::File, mode: 0o640, size: 3, mtime: 7, hash }
    }

    fn manifest(mut entries: Vec<Entry>, generated: &[&str]) -> Manifest {
        Tree::sort(&mut entries);
        let generated: Vec<_> = generated.iter().map(|p| TreePath::new(p.as_bytes()).unwrap()).collect();
        Manifest::of(&Tree { root: "/".into(), entries }, &generated)
    }

    #[test]
    fn a_manifest_is_one_line_an_entry_with_escaped_paths_last() {
        let directory = Entry {
            kind: Kind::Directory,
            mode: 0o2755,
            size: 0,
            mtime: 0,
            hash: Hash::NONE,
            ..file(b"cache")
        };
        let link = Entry { kind: Kind::Link, mode: 0o777, size: 0, mtime: 0, ..file(b"z") };
        let entries = vec![file(b"a\nb"), file(b"cache/x"), file(b"\\"), link, directory, file(b"-y ")];
        let manifest = manifest(entries, &["cache"]);
        expect![[r#"
            f 640 3 7 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 -y 
            d 2755 0 0 - cache
            g 640 3 7 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 cache/x
            l 777 0 0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 z
            f 640 3 7 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 \0134
            f 640 3 7 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 a\0012b
        "#]]
        .assert_eq(str::from_utf8(&manifest.to_text()).unwrap());
        assert!(manifest.get(&TreePath::new(b"cache/x").unwrap()).unwrap().is_generated);
        assert!(manifest.get(&TreePath::new(b"cache/y").unwrap()).is_none());
    }

    #[test]
    fn random_trees_survive_the_round_trip() {
        let mut dice = Dice(1);
        for _ in 0..200 {
            let tree = random_tree(&mut dice, 8);
            let generated: Vec<_> = tree.entries.iter().take(2).map(|e| e.path.clone()).collect();
            let manifest = Manifest::of(&tree, &generated);
            let text = manifest.to_text();
            assert_eq!(Manifest::parse(&text).unwrap(), manifest);
            assert_eq!(manifest.digest(), Hash::of(&text).to_string());
            for entry in &tree.entries {
                assert_eq!(&manifest.get(&entry.path).unwrap().entry, entry);
                assert_eq!(tree.get(&entry.path), Some(entry));
            }
        }
    }

    #[test]
    fn printf_decodes_the_paths() {
        for name in HOSTILE_NAMES {
            let line = Line { entry: file(name), is_generated: false };
            let mut text = Vec::new();
            line.write(&mut text);
            let script = r#"IFS= read -r line; p=${line#* * * * * }; printf '%b.' "$p""#;
            let mut file = tempfile::tempfile().unwrap();
            std::io::Write::write_all(&mut file, &text).unwrap();
            std::io::Seek::rewind(&mut file).unwrap();
            let output = Command::new("sh").args(["-c", script]).env("LC_ALL", "C").stdin(file).output();
            assert_eq!(output.unwrap().stdout, [name, b"."].concat());
        }
    }

    #[test]
    fn only_the_one_text_is_read() {
        let good = manifest(vec![file(b"a"), file(b"b")], &[]).to_text();
        let good = str::from_utf8(&good).unwrap();
        assert!(Manifest::parse(good.as_bytes()).is_ok());
        assert_eq!(Manifest::parse(b"").unwrap(), Manifest::default());
        let (first, second) = good.split_at(good.find('\n').unwrap() + 1);
        let cases = [
            good.trim_end().to_owned(),
            format!("{good}\n"),
            format!("{second}{first}"),
            format!("{first}{first}"),
            good.replace("640", "0640"),
            good.replace(" 7 ", " +7 "),
            good.replace(" 3 ", "  3 "),
            good.replace(" a", " a\\n"),
            good.replace(" a", " ../a"),
            good.replace("f 640", "x 640"),
            good.replace("f 640", "f 999"),
        ];
        for bad in cases {
            assert_ne!(bad, good);
            assert!(Manifest::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
