//! The entries that a server lacks, packed as one tar, or as several tars that are sent in parallel: which entries go
//! into each tar, and how a member is made.

mod parts;

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use rustix::io::Errno;
use tar::EntryType;

use super::compress::CompressionMode;
use super::contents::Contents;
use super::entry::{Entry, Kind, Tree};
use super::hash::{self, Hash};
use super::member::{self, Member};
use crate::event::Report;

pub use parts::Queue;

/// The limits for splitting files into parts: the maximum number of parts, and the minimum average size of a part in
/// bytes. The minimum is larger for compressed parts, since a channel can have 2 MB in flight.
pub const PARTS_MAX: usize = 6;
const PART_MIN: u64 = 1024 * 1024;
const PART_MIN_COMPRESSED: u64 = 4 * PART_MIN;
/// Neighbouring files stay in one part until they have this many bytes: two `tar`s that work in the same directory
/// wait for each other.
const RUN: u64 = 512 * 1024;
/// A smaller pack is not compressed: it is sent before the server has even started the program to decompress it.
const COMPRESS_MIN: u64 = 64 * 1024;

/// **Invariant:** every file in a pack has the content that the walk hashed.
pub struct Pack {
    /// The number of files, without the extra members.
    pub n_files: usize,
    /// The content of these files, in bytes.
    pub content_bytes: u64,
    tree: Arc<Tree>,
    contents: Arc<Contents>,
    prefix: Vec<u8>,
    made: u64,
    /// The extra members, which are not entries of the tree, in tar format.
    extra: Vec<u8>,
    /// The entries that follow them in the first tar, as indices into the tree, in ascending order.
    first: Vec<usize>,
    /// The entries of the other tars, and the number of these tars.
    beside: Vec<usize>,
    n_beside: usize,
    /// Ranges of `beside`, each with its size in bytes in a tar. Whichever tar is free next takes the next range.
    runs: Vec<(Range<usize>, u64)>,
    pub compression: CompressionMode,
    length: u64,
}

impl Pack {
    /// Packs `extra` (member names and bytes), then the entries at the indices `send`, with `prefix` and a slash before
    /// their paths. An empty prefix becomes `.`, because bsdtar strips a backslash at the beginning of a name.
    pub fn new(
        tree: &Arc<Tree>,
        contents: &Arc<Contents>,
        send: &[usize],
        prefix: &[u8],
        extra: &[(&[u8], &[u8])],
    ) -> Result<Self> {
        // The order of a manifest: directories come before their content.
        let mut send = send.to_vec();
        send.sort_unstable();
        let files = send.iter().map(|&index| &tree.entries[index]).filter(|entry| entry.kind == Kind::File);
        let (n_files, content_bytes) = files.fold((0, 0), |(n, bytes), entry| (n + 1, bytes + entry.size));
        let prefix = if prefix.is_empty() { b"." } else { prefix };
        let mut pack = Self {
            n_files,
            content_bytes,
            tree: Arc::clone(tree),
            contents: Arc::clone(contents),
            prefix: [prefix, b"/"].concat(),
            made: made_at(SystemTime::now()),
            extra: Vec::new(),
            first: send,
            beside: Vec::new(),
            n_beside: 0,
            runs: Vec::new(),
            compression: CompressionMode::Never,
            length: 0,
        };
        for (name, bytes) in extra {
            pack.extra(name, bytes)?;
        }
        pack.length = pack.extra.len() as u64 + pack.length_of_all(&pack.first) + member::END;
        Ok(pack)
    }

    /// Compresses the pack if that saves time, and splits a large pack into parts. The first part has everything except
    /// the files. The server must unpack it first; then the other parts can be sent in parallel. The modes of
    /// directories must be set after that.
    pub fn in_parts(mut self, compression: CompressionMode) -> Self {
        self.compression = if self.length < COMPRESS_MIN { CompressionMode::Never } else { compression };
        // If a directory were missing, two `tar`s could try to create it at the same moment, and one would fail.
        let is_file = |&index: &usize| self.tree.entries[index].kind == Kind::File;
        let (files, others): (Vec<usize>, Vec<usize>) = self.first.iter().partition(|index| is_file(index));
        let n_beside = n_beside(self.length_of_all(&files), compression);
        if n_beside > 0 {
            (self.first, self.beside, self.n_beside) = (others, files, n_beside);
            self.runs = self.runs();
            self.length += n_beside as u64 * member::END;
        }
        self
    }

    fn length_of_all(&self, indices: &[usize]) -> u64 {
        indices.iter().map(|&index| self.length_of(&self.tree.entries[index])).sum()
    }

    fn runs(&self) -> Vec<(Range<usize>, u64)> {
        let (mut runs, mut start, mut bytes) = (Vec::new(), 0, 0);
        for (at, &index) in self.beside.iter().enumerate() {
            bytes += self.length_of(&self.tree.entries[index]);
            if bytes >= RUN || at + 1 == self.beside.len() {
                runs.push((start..at + 1, bytes));
                (start, bytes) = (at + 1, 0);
            }
        }
        runs
    }

    /// The size of all tars together, before compression.
    pub fn n_bytes(&self) -> u64 {
        self.length
    }

    pub fn is_in_parts(&self) -> bool {
        self.n_beside > 0
    }

    fn extra(&mut self, name: &[u8], bytes: &[u8]) -> Result<()> {
        let size = bytes.len() as u64;
        let (kind, mode, mtime, target) = (EntryType::Regular, 0o644, self.made, b"".as_slice());
        Member { name, target, kind, mode, mtime, size }.write_header(&mut self.extra)?;
        self.extra.extend(bytes);
        Ok(member::write_padding(&mut self.extra, size)?)
    }

    /// The size of an entry in a tar, in bytes. Assumes that the target of a link is short, rather than read it.
    fn length_of(&self, entry: &Entry) -> u64 {
        let name =
            self.prefix.len() + entry.path.as_bytes().len() + usize::from(entry.kind == Kind::Directory);
        member::length(name, entry.size)
    }

    fn header(&self, entry: &Entry, target: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut name = [&self.prefix, entry.path.as_bytes()].concat();
        let (kind, mtime, mode) = match entry.kind {
            Kind::File => (EntryType::Regular, u64::try_from(entry.mtime).unwrap_or_default(), entry.mode),
            Kind::Directory => {
                name.push(b'/');
                (EntryType::Directory, self.made, entry.mode)
            }
            Kind::Link => (EntryType::Symlink, self.made, entry.mode),
        };
        let (name, size) = (name.as_slice(), entry.size);
        Ok(Member { name, target, kind, mode, mtime, size }.write_header(out)?)
    }

    fn link(&self, entry: &Entry, out: &mut Vec<u8>) -> Result<()> {
        let target =
            fs::read_link(entry.local_path(&self.tree.root)).map_err(|error| unreadable(entry, error))?;
        let target = target.as_os_str().as_bytes();
        if Hash::of(target) != entry.hash {
            return Err(changed(entry));
        }
        self.header(entry, target, out)
    }

    /// Writes a file that is read completely before any of it is sent.
    fn small(&self, entry: &Entry, out: &mut Vec<u8>) -> Result<()> {
        let bytes = match self.contents.get(&entry.hash) {
            Some(kept) => kept,
            None => {
                let bytes = self.open(entry).and_then(|file| hash::read_whole(&file, entry.size));
                let bytes = bytes.map_err(|error| unreadable(entry, error))?;
                if Hash::of(&bytes) != entry.hash {
                    return Err(changed(entry));
                }
                let bytes = Arc::new(bytes);
                self.contents.put(entry.hash, &bytes);
                bytes
            }
        };
        self.header(entry, b"", out)?;
        out.extend(bytes.as_slice());
        Ok(member::write_padding(out, entry.size)?)
    }

    fn open(&self, entry: &Entry) -> io::Result<File> {
        hash::open_file(&entry.local_path(&self.tree.root)).map(|(file, _)| file)
    }
}

/// How many tars to use besides the first for files of `length` bytes. Never one: that would be no faster than none.
fn n_beside(length: u64, compression: CompressionMode) -> usize {
    let least = if compression.at_once().is_some() { PART_MIN_COMPRESSED } else { PART_MIN };
    match usize::try_from(length / least) {
        Ok(0..=1) => 0,
        n => n.unwrap_or(PARTS_MAX).min(PARTS_MAX),
    }
}

/// How many tars, besides the first, a pack of the whole tree would have.
pub fn parts_of(tree: &Tree, compression: CompressionMode) -> usize {
    n_beside(tree.entries.iter().map(|entry| entry.size).sum(), compression)
}

/// The mtime of members other than files. A directory from 1970 would mislead programs that watch it.
fn made_at(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().saturating_sub(2)
}

fn changed(entry: &Entry) -> anyhow::Error {
    Report::new(format!("`{}` changed while it was being packed", entry.path))
        .hint("run again when nothing writes to the source directory")
        .into()
}

/// The error for an entry that cannot be read. If it is missing or of another kind now, it has changed since the walk;
/// any other error is reported as it is.
fn unreadable(entry: &Entry, error: io::Error) -> anyhow::Error {
    use io::ErrorKind::{InvalidInput, NotADirectory, NotFound, Other};
    let other_kind = [Errno::LOOP, Errno::NXIO].map(|errno| Some(errno.raw_os_error()));
    match error.kind() {
        NotFound | NotADirectory | InvalidInput | Other => changed(entry),
        _ if other_kind.contains(&error.raw_os_error()) => changed(entry),
        _ => anyhow::Error::new(error).context(format!("failed to read `{}` to pack it", entry.path)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::compress::Packing;
    use super::super::index::Index;
    use super::super::sample::HOSTILE_NAMES;
    use super::super::walk::{Selection, walk, walk_anew};
    use super::parts::PackReader;
    use super::*;
    use crate::event::layout::plain;
    use expect_test::expect;
    use std::ffi::OsStr;
    use std::fs::Permissions;
    use std::io::{Read, Seek, SeekFrom, Write};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;
    use std::process::{Command, Stdio};

    fn selection(root: &Path) -> Selection {
        Selection { root: root.to_owned(), ..Selection::default() }
    }

    fn pack_all(tree: &Arc<Tree>, contents: &Arc<Contents>) -> Pack {
        let all: Vec<usize> = (0..tree.entries.len()).rev().collect();
        Pack::new(tree, contents, &all, b"", &[]).unwrap()
    }

    fn first(pack: &Pack) -> PackReader<'_> {
        pack.parts().first
    }

    fn unpack(reader: &mut impl Read, tar: &[&str], into: &Path) {
        let mut child = Command::new(tar[0])
            .args(&tar[1..])
            .args(["-xpf", "-"])
            .current_dir(into)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        io::copy(reader, &mut stdin).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{tar:?}");
    }

    fn hostile_source(root: &Path) {
        let deep = root.join(["d".repeat(99), "e".repeat(100), "f".repeat(99)].join("/"));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("g".repeat(255)), "far").unwrap();
        fs::create_dir(root.join("empty")).unwrap();
        fs::set_permissions(root.join("empty"), Permissions::from_mode(0o750)).unwrap();
        fs::create_dir(root.join("names")).unwrap();
        for name in HOSTILE_NAMES {
            let name = OsStr::from_bytes(name);
            fs::write(root.join("names").join(name), name.as_bytes()).unwrap();
            fs::create_dir(root.join(name)).unwrap();
            symlink(name, root.join(name).join("link")).unwrap();
        }
        for mode in [0o600, 0o755, 0o444, 0o711, 0o000] {
            let file = root.join(format!("mode{mode:o}"));
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        }
        if fs::File::open(root.join("mode0")).is_err() {
            // Only root reads such a file, so only root can send it.
            fs::remove_file(root.join("mode0")).unwrap();
        }
        for n in [99, 100, 101, 3000] {
            symlink("t".repeat(n), root.join(format!("target{n}"))).unwrap();
            fs::write(root.join("n".repeat(n.min(255))), "").unwrap();
        }
        symlink("/etc/hostname", root.join("absolute")).unwrap();
        let big: Vec<u8> = (0..3_000_001u32).map(|n| (n % 253) as u8).collect();
        fs::write(root.join("big"), big).unwrap();
        fs::write(root.join("block"), [7; 512]).unwrap();
    }

    #[test]
    fn a_tar_restores_names_contents_modes_links_and_times() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        fs::create_dir(&source).unwrap();
        hostile_source(&source);
        let (kept, none) = (Arc::default(), Arc::default());
        let tree = Arc::new(walk(&selection(&source), &Index::default(), &kept).unwrap().tree);
        // `RUNNER_TEST_TARS` names further tars, such as `busybox tar`, separated by colons.
        let tars = format!("tar:{}", std::env::var("RUNNER_TEST_TARS").unwrap_or_default());
        for tar in tars.split(':').filter(|tar| !tar.is_empty()) {
            for contents in [&kept, &none] {
                let pack = pack_all(&tree, contents);
                let into = tempfile::tempdir_in(dir.path()).unwrap();
                unpack(&mut first(&pack), &tar.split(' ').collect::<Vec<_>>(), into.path());
                let again = walk_anew(&selection(into.path())).unwrap();
                assert_eq!(again.entries.len(), tree.entries.len(), "{tar}");
                for (got, want) in again.entries.iter().zip(&tree.entries) {
                    assert_eq!(got, want, "{tar}");
                }
            }
        }
    }

    #[test]
    fn chosen_entries_stand_behind_a_prefix_and_after_the_extra_members() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        for file in ["a/1", "a/2", "b"] {
            fs::write(dir.path().join(file), "12345").unwrap();
        }
        let tree = Arc::new(walk_anew(&selection(dir.path())).unwrap());
        let text = vec![b'='; 300_000];
        let extra = [(b".runner/edit".as_slice(), text.as_slice())];
        let contents = Arc::default();
        let pack = Pack::new(&tree, &contents, &[2, 0], b"releases/7", &extra).unwrap();
        assert_eq!((pack.n_files, pack.content_bytes), (1, 5));
        let mut bytes = Vec::new();
        first(&pack).read_to_end(&mut bytes).unwrap();
        assert_eq!(pack.n_bytes(), bytes.len() as u64);
        let mut listed = String::new();
        for member in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let header = member.unwrap().header().clone();
            let path = header.path().unwrap().display().to_string();
            listed += &format!("{path} {:o} {}\n", header.mode().unwrap(), header.size().unwrap());
        }
        expect![[r#"
            .runner/edit 644 300000
            releases/7/a/ 755 0
            releases/7/a/2 644 5
        "#]]
        .assert_eq(&listed);
    }

    #[test]
    fn a_path_that_is_no_longer_what_was_walked_is_an_error_that_names_it() {
        let text = |change: &dyn Fn(&Path)| {
            let dir = tempfile::tempdir().unwrap();
            let (file, link) = (dir.path().join("file"), dir.path().join("link"));
            fs::write(&file, "12345").unwrap();
            symlink("file", &link).unwrap();
            let tree = Arc::new(walk_anew(&selection(dir.path())).unwrap());
            let contents = Arc::default();
            let pack = pack_all(&tree, &contents);
            let read = |reader: &mut PackReader| reader.read_to_end(&mut Vec::new());
            change(dir.path());
            let mut reader = first(&pack);
            assert!(read(&mut reader).is_err());
            plain(&Report::of(&reader.failure.unwrap()))
        };
        let write = |content: &'static str| text(&move |dir| fs::write(dir.join("file"), content).unwrap());
        let file_changed = write("54321");
        expect![[r#"
            `file` changed while it was being packed
            hint: run again when nothing writes to the source directory"#]]
        .assert_eq(&file_changed);
        for content in ["", "1234", "123456", "12345 and much more"] {
            assert_eq!(write(content), file_changed);
        }
        assert_eq!(text(&|dir| fs::remove_file(dir.join("file")).unwrap()), file_changed);
        let swapped = text(&|dir| {
            fs::rename(dir.join("file"), dir.join("other")).unwrap();
            symlink("other", dir.join("file")).unwrap();
        });
        assert_eq!(swapped, file_changed);
        let link_changed = file_changed.replace("`file`", "`link`");
        let relinked = text(&|dir| {
            fs::remove_file(dir.join("link")).unwrap();
            symlink("elsewhere", dir.join("link")).unwrap();
        });
        assert_eq!(relinked, link_changed);
        let replaced = text(&|dir| {
            fs::remove_file(dir.join("link")).unwrap();
            fs::write(dir.join("link"), "file").unwrap();
        });
        assert_eq!(replaced, link_changed);
    }

    #[test]
    fn a_large_file_that_changes_while_it_is_read_is_an_error_that_names_it() {
        let size = 2 * 1024 * 1024;
        for (change, has_changed) in [(0..0, false), (size - 1..size, true), (size..size + 1, true)] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            fs::write(&path, vec![1; size]).unwrap();
            let tree = Arc::new(walk_anew(&selection(dir.path())).unwrap());
            let contents = Arc::default();
            let pack = pack_all(&tree, &contents);
            let mut reader = first(&pack);
            reader.read_exact(&mut [0; 10_000]).unwrap();
            let mut file = fs::File::options().write(true).open(&path).unwrap();
            file.seek(SeekFrom::Start(change.start as u64)).unwrap();
            file.write_all(&vec![2; change.len()]).unwrap();
            let read = reader.read_to_end(&mut Vec::new());
            assert_eq!(read.is_err(), has_changed, "{change:?}");
            let failure = reader.failure.map(|failure| failure.to_string());
            assert!(failure.is_none_or(|text| text.starts_with("`file` changed while it was being packed")));
        }
    }

    #[test]
    fn what_was_walked_is_sent_though_it_has_changed_since() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "as walked").unwrap();
        let contents = Arc::default();
        let tree = Arc::new(walk(&selection(dir.path()), &Index::default(), &contents).unwrap().tree);
        fs::remove_file(dir.path().join("file")).unwrap();
        let pack = pack_all(&tree, &contents);
        let mut bytes = Vec::new();
        first(&pack).read_to_end(&mut bytes).unwrap();
        assert!(bytes.windows(9).any(|part| part == b"as walked"));
        assert_eq!(pack.n_bytes(), bytes.len() as u64);
    }

    #[test]
    fn a_large_pack_is_in_parts_that_make_the_same_tree_in_any_order() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        fs::create_dir(&source).unwrap();
        hostile_source(&source);
        for n in 0..40 {
            fs::write(source.join(format!("empty/{n}")), vec![n; 400_000]).unwrap();
        }
        fs::set_permissions(source.join("empty"), Permissions::from_mode(0o750)).unwrap();
        let contents = Arc::default();
        let tree = Arc::new(walk(&selection(&source), &Index::default(), &contents).unwrap().tree);
        let all: Vec<usize> = (0..tree.entries.len()).collect();
        let pack = Pack::new(&tree, &contents, &all, b"", &[]).unwrap().in_parts(CompressionMode::Never);
        let mut parts = pack.parts();
        assert_eq!(parts.beside.len(), PARTS_MAX);
        let into = tempfile::tempdir_in(dir.path()).unwrap();
        unpack(&mut parts.first, &["tar"], into.path());
        // All have begun, and the last gets ahead of the others.
        let mut begun: Vec<Vec<u8>> = parts.beside.iter_mut().map(|part| begin(part, 1000)).collect();
        assert!(parts.queue.left() > 0);
        begun.reverse();
        parts.beside.reverse();
        let mut sizes = Vec::new();
        for (begun, rest) in begun.into_iter().zip(&mut parts.beside) {
            let mut tar = begun;
            rest.read_to_end(&mut tar).unwrap();
            sizes.push(tar.len() as u64);
            unpack(&mut tar.as_slice(), &["tar"], into.path());
            assert_eq!(parts.queue.left(), 0);
        }
        assert!(sizes[0] > 5 * sizes[1], "{sizes:?}");
        let again = walk_anew(&selection(into.path())).unwrap();
        assert_eq!(again.entries, tree.entries);
    }

    /// A tree of forty files of 16 MB that compress well.
    fn forty(source: &Path, contents: &Contents) -> Arc<Tree> {
        fs::create_dir(source).unwrap();
        for n in 0..40u8 {
            fs::write(source.join(n.to_string()), vec![n; 400_000]).unwrap();
        }
        Arc::new(walk(&selection(source), &Index::default(), contents).unwrap().tree)
    }

    #[test]
    fn compressed_tars_take_over_what_the_others_leave() {
        let dir = tempfile::tempdir().unwrap();
        let contents = Arc::default();
        let tree = forty(&dir.path().join("source"), &contents);
        let all: Vec<usize> = (0..tree.entries.len()).collect();
        for packing in Packing::ALL {
            let pack = Pack::new(&tree, &contents, &all, b"", &[]).unwrap();
            let pack = pack.in_parts(CompressionMode::WhenSlow(packing));
            let mut parts = pack.parts();
            let into = tempfile::tempdir_in(dir.path()).unwrap();
            unpack(&mut parts.first, &["tar"], into.path());
            let begun = begin(&mut parts.beside[0], 1000);
            parts.queue.compress();
            let mut rest = Vec::new();
            parts.beside[0].read_to_end(&mut rest).unwrap();
            unpack(&mut [begun, rest].concat().as_slice(), &["tar"], into.path());
            let option = format!("--use-compress-program={}", packing.program());
            let mut n_compressed = 0;
            for reader in &mut parts.compressed {
                let mut tar = Vec::new();
                reader.read_to_end(&mut tar).unwrap();
                n_compressed += tar.len() as u64;
                unpack(&mut tar.as_slice(), &["tar", &option], into.path());
            }
            let again = walk_anew(&selection(into.path())).unwrap();
            assert_eq!(again.entries, tree.entries);
            let saved = parts.queue.saved();
            assert!(saved > 14_000_000 && n_compressed < 100_000, "{saved} {n_compressed}");
        }
    }

    #[test]
    fn all_tars_are_compressed_if_that_is_best() {
        let dir = tempfile::tempdir().unwrap();
        let contents = Arc::default();
        let tree = forty(&dir.path().join("source"), &contents);
        let all: Vec<usize> = (0..tree.entries.len()).collect();
        let packed = |send: &[usize], extra: &[(&[u8], &[u8])]| {
            let pack = Pack::new(&tree, &contents, send, b"", extra).unwrap();
            pack.in_parts(CompressionMode::AtOnce(Packing::Zstd))
        };
        let manifest = vec![b'='; 300_000];
        for (send, extra, n_beside) in
            [(&all[..], &[(b"manifest".as_slice(), manifest.as_slice())][..], 3), (&all[..1], &[], 0)]
        {
            let pack = packed(send, extra);
            let mut parts = pack.parts();
            assert_eq!(parts.beside.len(), n_beside);
            let into = tempfile::tempdir_in(dir.path()).unwrap();
            let mut n_sent = 0;
            for reader in std::iter::once(&mut parts.first).chain(&mut parts.beside) {
                let mut tar = Vec::new();
                reader.read_to_end(&mut tar).unwrap();
                n_sent += tar.len() as u64;
                unpack(&mut tar.as_slice(), &["tar", "--use-compress-program=zstd"], into.path());
            }
            assert_eq!(n_sent + parts.queue.saved(), pack.n_bytes());
            assert_eq!(fs::read_dir(into.path()).unwrap().count(), send.len() + extra.len());
            for &index in send {
                let path = &tree.entries[index].path;
                let [got, want] =
                    [into.path(), &tree.root].map(|root| fs::read(root.join(path.to_string())).unwrap());
                assert!(got == want);
            }
        }
        let small = Pack::new(&tree, &contents, &[], b"", &[(b"edit", b"+")]).unwrap();
        assert_eq!(
            small.in_parts(CompressionMode::AtOnce(Packing::Zstd)).compression,
            CompressionMode::Never
        );
    }

    fn begin(reader: &mut PackReader, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        reader.read_exact(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_pack_is_read_by_several_threads_at_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), vec![1; 300_000]).unwrap();
        let tree = Arc::new(walk_anew(&selection(dir.path())).unwrap());
        let contents = Arc::default();
        let pack = pack_all(&tree, &contents);
        let hashes = std::thread::scope(|scope| {
            let read = || Hash::of_reader(first(&pack), &mut [0; 999]).unwrap();
            let threads = [scope.spawn(read), scope.spawn(read), scope.spawn(read)];
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!(hashes[0].1, pack.n_bytes());
        assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    }
}
