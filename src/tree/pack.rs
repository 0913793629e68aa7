//! The entries that a server lacks as one tar, made once and read by every host's upload.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use rustix::io::Errno;
use tar::EntryType;

use super::entry::{Entry, Kind, Tree};
use super::hash::{self, Hash};
use super::member::{self, Member};
use super::spool::{Spool, SpoolReader, SpoolWriter};
use crate::event::Report;

/// Packs up to this size stay in memory.
const MEMORY: usize = 64 * 1024 * 1024;
/// One that travels in parts has at most so many, each of at least so many bytes.
const PARTS_MAX: u64 = 4;
const PART_MIN: u64 = 2 * 1024 * 1024;

/// **Invariant:** every file in it has the content that the walk hashed.
pub struct Pack {
    /// Members that come from the tree.
    pub n_entries: usize,
    pub n_files: usize,
    /// Bytes in these files.
    pub content_bytes: u64,
    /// At least one, each a tar of its own.
    parts: Vec<Spool>,
}

impl Pack {
    /// Packs `extra` (member name and bytes) and then the entries at the indices `send`, their paths behind `prefix` and
    /// a slash. An empty prefix is taken for `.`: bsdtar strips a backslash that begins a member's name.
    pub fn build(tree: &Tree, send: &[usize], prefix: &[u8], extra: &[(Vec<u8>, Vec<u8>)]) -> Result<Self> {
        Self::build_within(MEMORY, 1, tree, send, prefix, extra)
    }

    /// As `build`, in parts that may travel at once if it is large. All but files are in the first. Whoever unpacks it sets
    /// the modes of directories afterwards.
    pub fn build_in_parts(
        tree: &Tree,
        send: &[usize],
        prefix: &[u8],
        extra: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<Self> {
        let bytes: u64 = send.iter().map(|&index| weight(&tree.entries[index])).sum();
        let n_parts = (bytes / PART_MIN).clamp(1, PARTS_MAX);
        Self::build_within(MEMORY, n_parts, tree, send, prefix, extra)
    }

    /// As `build`, with at most `memory` bytes of the pack in memory.
    fn build_within(
        memory: usize,
        n_parts: u64,
        tree: &Tree,
        send: &[usize],
        prefix: &[u8],
        extra: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<Self> {
        // A manifest's order has directories before their content.
        let mut send = send.to_vec();
        send.sort_unstable();
        let total: u64 = send.iter().map(|&index| weight(&tree.entries[index])).sum();
        let mut packing = Packing {
            tree,
            prefix,
            made: made_at(SystemTime::now()),
            buffer: vec![0; hash::CHUNK],
            // Several write in it at once, and one ends before the other.
            directory_mode: if n_parts > 1 { 0o700 } else { 0 },
            out: SpoolWriter::new(memory / n_parts as usize),
        };
        let mut pack = Self { n_entries: send.len(), n_files: 0, content_bytes: 0, parts: Vec::new() };
        for (name, bytes) in extra {
            packing.extra(name, bytes).context(SPOOL)?;
        }
        let (files, others): (Vec<usize>, Vec<usize>) =
            send.into_iter().partition(|&index| tree.entries[index].kind == Kind::File);
        for index in others {
            packing.entry(&tree.entries[index])?;
        }
        let mut done = 0;
        for index in files {
            let entry = &tree.entries[index];
            if done * n_parts >= total * (pack.parts.len() as u64 + 1) {
                pack.parts.push(packing.end(SpoolWriter::new(memory / n_parts as usize))?);
            }
            packing.entry(entry)?;
            done += weight(entry);
            pack.n_files += 1;
            pack.content_bytes += entry.size;
        }
        pack.parts.push(packing.end(SpoolWriter::new(0))?);
        Ok(pack)
    }

    /// Bytes of all parts.
    pub fn len(&self) -> u64 {
        self.parts.iter().map(Spool::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_in_parts(&self) -> bool {
        self.parts.len() > 1
    }

    /// Read the tars from their starts, the first part first; several readers may be at work at once.
    pub fn readers(&self) -> Vec<PackReader> {
        self.parts.iter().map(|part| PackReader(part.reader())).collect()
    }
}

/// What an entry adds to a pack, about.
fn weight(entry: &Entry) -> u64 {
    match entry.kind {
        Kind::File => entry.size + 512,
        Kind::Directory | Kind::Link => 0,
    }
}

pub struct PackReader(SpoolReader);

impl Read for PackReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

const SPOOL: &str = "failed to write a pack to the temporary directory (`TMPDIR` names another)";

/// The mtime of what has none of its own. Directories from 1970 would mislead programs that watch them.
fn made_at(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().saturating_sub(2)
}

struct Packing<'a> {
    tree: &'a Tree,
    prefix: &'a [u8],
    made: u64,
    buffer: Vec<u8>,
    /// What directories have beside their modes.
    directory_mode: u32,
    out: SpoolWriter,
}

impl Packing<'_> {
    /// Ends a part; `next` is for the one behind it.
    fn end(&mut self, next: SpoolWriter) -> Result<Spool> {
        member::write_end(&mut self.out).context(SPOOL)?;
        std::mem::replace(&mut self.out, next).finish().context(SPOOL)
    }

    fn extra(&mut self, name: &[u8], bytes: &[u8]) -> io::Result<()> {
        let size = bytes.len() as u64;
        let (kind, mode, mtime, target) = (EntryType::Regular, 0o644, self.made, b"".as_slice());
        Member { name, target, kind, mode, mtime, size }.write_header(&mut self.out)?;
        self.out.write_all(bytes)?;
        member::write_padding(&mut self.out, size)
    }

    fn entry(&mut self, entry: &Entry) -> Result<()> {
        match entry.kind {
            Kind::Directory => self.header(entry, EntryType::Directory, b"").context(SPOOL),
            Kind::File => self.file(entry),
            Kind::Link => self.link(entry),
        }
    }

    fn header(&mut self, entry: &Entry, kind: EntryType, target: &[u8]) -> io::Result<()> {
        let prefix = if self.prefix.is_empty() { b"." } else { self.prefix };
        let mut name = [prefix, b"/", entry.path.as_bytes()].concat();
        if kind == EntryType::Directory {
            name.push(b'/');
        }
        let mtime = match entry.kind {
            Kind::File => u64::try_from(entry.mtime).unwrap_or_default(),
            Kind::Directory | Kind::Link => self.made,
        };
        let mode = entry.mode | if kind == EntryType::Directory { self.directory_mode } else { 0 };
        let (name, size) = (name.as_slice(), entry.size);
        Member { name, target, kind, mode, mtime, size }.write_header(&mut self.out)
    }

    fn link(&mut self, entry: &Entry) -> Result<()> {
        let target =
            fs::read_link(entry.local_path(&self.tree.root)).map_err(|error| unreadable(entry, error))?;
        let target = target.as_os_str().as_bytes();
        if Hash::of(target) != entry.hash {
            return Err(changed(entry));
        }
        self.header(entry, EntryType::Symlink, target).context(SPOOL)
    }

    fn file(&mut self, entry: &Entry) -> Result<()> {
        let file =
            hash::open_file(&entry.local_path(&self.tree.root)).map_err(|error| unreadable(entry, error))?;
        self.header(entry, EntryType::Regular, b"").context(SPOOL)?;
        let out = &mut self.out;
        let mut write_error = None;
        // One byte more than the header says is enough to see that the file has grown.
        let read = Hash::of_reader(file.take(entry.size.saturating_add(1)), &mut self.buffer, |piece| {
            out.write_all(piece).map_err(|error| {
                write_error = Some(error);
                io::Error::other("pack not written")
            })
        });
        if let Some(error) = write_error {
            return Err(anyhow::Error::new(error).context(SPOOL));
        }
        if read.map_err(|error| unreadable(entry, error))? != (entry.hash, entry.size) {
            return Err(changed(entry));
        }
        member::write_padding(&mut self.out, entry.size).context(SPOOL)
    }
}

fn changed(entry: &Entry) -> anyhow::Error {
    Report::new(format!("`{}` changed while it was being packed", entry.path))
        .hint("run again when nothing writes to the source directory")
        .into()
}

/// What vanished or became something else has changed; a disk that fails or a refusal to read is another matter.
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
    use super::super::sample::HOSTILE_NAMES;
    use super::super::walk::{Selection, walk_anew};
    use super::*;
    use expect_test::expect;
    use std::ffi::OsStr;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;
    use std::process::{Command, Stdio};

    fn selection(root: &Path) -> Selection {
        Selection { root: root.to_owned(), ..Selection::default() }
    }

    fn pack_all(memory: usize, tree: &Tree) -> Result<Pack> {
        let all: Vec<usize> = (0..tree.entries.len()).rev().collect();
        Pack::build_within(memory, 1, tree, &all, b"", &[])
    }

    fn first(pack: &Pack) -> PackReader {
        pack.readers().remove(0)
    }

    fn unpack(pack: &Pack, tar: &[&str], into: &Path) {
        let mut child = Command::new(tar[0])
            .args(&tar[1..])
            .args(["-xpf", "-"])
            .current_dir(into)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        io::copy(&mut first(pack), &mut stdin).unwrap();
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
        let big: Vec<u8> = (0..500_001u32).map(|n| (n % 253) as u8).collect();
        fs::write(root.join("big"), big).unwrap();
        fs::write(root.join("block"), [7; 512]).unwrap();
    }

    #[test]
    fn a_tar_restores_names_contents_modes_links_and_times() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        fs::create_dir(&source).unwrap();
        hostile_source(&source);
        let tree = walk_anew(&selection(&source)).unwrap();
        // `RUNNER_TEST_TARS` names further tars, such as `busybox tar`, separated by colons.
        let tars = format!("tar:{}", std::env::var("RUNNER_TEST_TARS").unwrap_or_default());
        for tar in tars.split(':').filter(|tar| !tar.is_empty()) {
            for (memory, in_memory) in [(MEMORY, true), (100_000, false)] {
                let pack = pack_all(memory, &tree).unwrap();
                assert_eq!(pack.parts[0].is_in_memory(), in_memory);
                assert_eq!(pack.n_entries, tree.entries.len());
                let into = tempfile::tempdir_in(dir.path()).unwrap();
                unpack(&pack, &tar.split(' ').collect::<Vec<_>>(), into.path());
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
        let tree = walk_anew(&selection(dir.path())).unwrap();
        let extra = [(b".runner/edit".to_vec(), b"=1 2\n".to_vec())];
        let pack = Pack::build(&tree, &[2, 0], b"releases/7", &extra).unwrap();
        assert_eq!((pack.n_entries, pack.n_files, pack.content_bytes), (2, 1, 5));
        let mut bytes = Vec::new();
        first(&pack).read_to_end(&mut bytes).unwrap();
        assert_eq!(pack.len(), bytes.len() as u64);
        let mut listed = String::new();
        for member in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let header = member.unwrap().header().clone();
            let path = header.path().unwrap().display().to_string();
            listed += &format!("{path} {:o} {}\n", header.mode().unwrap(), header.size().unwrap());
        }
        expect![[r#"
            .runner/edit 644 5
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
            let tree = walk_anew(&selection(dir.path())).unwrap();
            assert!(pack_all(10, &tree).is_ok());
            change(dir.path());
            format!("{:#}", pack_all(10, &tree).err().unwrap())
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
    fn a_pack_is_read_by_several_threads_at_once() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), vec![1; 300_000]).unwrap();
        let tree = walk_anew(&selection(dir.path())).unwrap();
        let pack = pack_all(1000, &tree).unwrap();
        let hashes = std::thread::scope(|scope| {
            let read = || Hash::of_reader(first(&pack), &mut [0; 999], |_| Ok(())).unwrap();
            let threads = [scope.spawn(read), scope.spawn(read), scope.spawn(read)];
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!(hashes[0].1, pack.len());
        assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    }
}
