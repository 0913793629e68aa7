//! Tests of `sh/manifest_lib.sh`: its functions read what `Manifest` writes, whatever the names, by each awk and sed at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::release::scripts::{LIB, MANIFEST};
use crate::shell::Script;
use crate::tree::manifest::Line;
use crate::tree::sample::{Dice, random_tree};
use crate::tree::{Change, Entry, Kind, Manifest, Tree, TreePath};

/// Calls each function, and stores its output in a file. Standard error must stay empty.
const ASK: &str = r#"
for kinds in d f g l df dfg; do names "$kinds" manifest >"names.$kinds"; done
for kind in d f g l; do has_kind "$kind" manifest && echo "$kind"; done >kinds
for kind in d f g; do expected_stats "$kind" manifest >"stats.$kind"; done
for kinds in d f df; do
  for stats in now short other; do
    if all_match "$kinds" manifest <"$stats.$kinds"; then echo yes; else echo no; fi
  done >"matches.$kinds"
done
expected_sums manifest >sums
lines <there | unmanaged manifest >unmanaged
lines <directories | misplaced manifest >misplaced
large manifest | sort >large
special_files manifest >special_files
edited_modes edit >edited_modes
awk "$read_entry"'{ print entry_kind() " " entry_path() " " entry_name() }' manifest >entries
set_modes tree modes && echo yes >is_set
"#;

struct Tools {
    awk: String,
    sed: String,
}

/// Those of the commands that work on this machine.
fn at_hand(commands: &[&str], program: &str) -> BTreeSet<String> {
    let runs = |command: &&&str| {
        let text = format!("{command} {program} /dev/null");
        Command::new("sh").args(["-c", &text]).output().unwrap().status.success()
    };
    commands
        .iter()
        .filter(|command| !command.is_empty())
        .filter(runs)
        .map(|command| command.to_string())
        .collect()
}

/// Each awk with the usual sed, and each sed with the usual awk.
fn tools() -> Vec<Tools> {
    // `RUNNER_TEST_AWKS` names further awks, such as `busybox awk`, separated by colons.
    let named = std::env::var("RUNNER_TEST_AWKS").unwrap_or_default();
    let awks: Vec<&str> =
        ["awk", "mawk", "gawk", "original-awk", "busybox awk"].into_iter().chain(named.split(':')).collect();
    let of_awk = at_hand(&awks, "1").into_iter().map(|awk| Tools { awk, sed: "sed".to_owned() });
    let of_sed = at_hand(&["busybox sed"], "p").into_iter().map(|sed| Tools { awk: "awk".to_owned(), sed });
    of_awk.chain(of_sed).collect()
}

/// A manifest, in a directory with the input of the functions.
struct Sample {
    dir: tempfile::TempDir,
    manifest: Manifest,
    text: Vec<u8>,
}

impl Sample {
    fn new(tree: &Tree, generated: &[TreePath]) -> Self {
        let text = Manifest::of(tree, generated).to_text();
        let manifest = Manifest::parse(&text).unwrap();
        let sample = Self { dir: tempfile::tempdir().unwrap(), manifest, text };
        fs::create_dir(sample.path("tree")).unwrap();
        sample.write("manifest", &sample.text);
        sample.write(
            "edit",
            &[b"=1 2\n", Change::between(&Manifest::default(), tree, generated).edit.as_slice()].concat(),
        );
        sample.write("modes", &sample.lines("dfg").concat());
        sample.write_stats();
        sample.write_names();
        sample.make_tree();
        sample
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    fn entries(&self, kinds: &str) -> Vec<&Entry> {
        let lines = self.manifest.entries().iter().filter(|line| kinds.contains(kind(line)));
        lines.map(|line| &line.entry).collect()
    }

    /// The same, as lines of the manifest.
    fn lines(&self, kinds: &str) -> Vec<&[u8]> {
        let lines = self.manifest.entries().iter().zip(self.text.split_inclusive(|byte| *byte == b'\n'));
        lines.filter(|(line, _)| kinds.contains(kind(line))).map(|(_, text)| text).collect()
    }

    /// The output of `stat` for all entries: correct, without the last, and with another mode for the first.
    fn write_stats(&self) {
        for kinds in ["d", "f", "df"] {
            let mut now: Vec<Vec<u8>> = self.entries(kinds).iter().map(|entry| raw_stat(entry)).collect();
            self.write(&format!("now.{kinds}"), &now.concat());
            let last = now.pop();
            self.write(&format!("short.{kinds}"), &now.concat());
            now.extend(last);
            if let Some(first) = self.entries(kinds).first() {
                now[0] = raw_stat(&Entry { mode: first.mode ^ 1, ..(*first).clone() });
            }
            self.write(&format!("other.{kinds}"), &now.concat());
        }
    }

    /// The names that exist: all entries and others. The directories that exist: all but the first, and one in place of the
    /// first file.
    fn write_names(&self) {
        let ended = |path: &[u8]| [path, b"\0"].concat();
        let entries = self.entries("dfgl");
        let there = entries.iter().map(|entry| entry.path.as_bytes()).chain(OTHERS).map(ended);
        self.write("there", &there.collect::<Vec<_>>().concat());
        let [directories, files] = ["d", "f"].map(|kinds| self.entries(kinds));
        let directories = directories.into_iter().skip(1).chain(files.into_iter().take(1));
        let directories = directories.map(|entry| ended(entry.path.as_bytes()));
        self.write("directories", &directories.collect::<Vec<_>>().concat());
    }

    /// Creates the entries, with modes that none of them should have.
    fn make_tree(&self) {
        for entry in self.entries("dfg") {
            let path = self.path("tree").join(entry.path.to_path());
            match entry.kind {
                Kind::Directory => fs::create_dir_all(&path),
                _ => fs::create_dir_all(path.parent().unwrap()).and_then(|()| fs::write(&path, "")),
            }
            .unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o711)).unwrap();
        }
    }

    fn ask(&self, tools: &Tools) {
        let Tools { awk, sed } = tools;
        let tools = format!("awk() {{ command {awk} \"$@\"; }}\nsed() {{ command {sed} \"$@\"; }}\n");
        let text = [tools.as_bytes(), &Script::new(ASK).with(LIB).with(MANIFEST).text()].concat();
        let mut command = Command::new("sh");
        command.arg("-c").arg(OsStr::from_bytes(&text)).current_dir(self.dir.path()).env("LC_ALL", "C");
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{awk}, {sed}");
        assert!(output.status.success(), "{awk}, {sed}");
    }

    #[track_caller]
    fn case(&self, name: &str, want: impl AsRef<[u8]>) {
        let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
        assert_eq!(shown(&fs::read(self.path(name)).unwrap()), shown(want.as_ref()), "{name}");
    }

    /// Compares the output of all functions with the entries.
    fn check(&self) {
        let each = |kinds: &str, write: &dyn Fn(&Entry) -> Vec<u8>| -> Vec<u8> {
            self.entries(kinds).into_iter().flat_map(write).collect()
        };
        for kinds in ["d", "f", "g", "l", "df", "dfg"] {
            self.case(
                &format!("names.{kinds}"),
                each(kinds, &|entry| [entry.path.as_bytes(), b"\0"].concat()),
            );
        }
        let kinds = ["d", "f", "g", "l"].into_iter().filter(|kind| !self.entries(kind).is_empty());
        self.case("kinds", kinds.map(|kind| format!("{kind}\n")).collect::<String>());
        for kind in ["d", "f", "g"] {
            self.case(&format!("stats.{kind}"), each(kind, &stat));
        }
        for kinds in ["d", "f", "df"] {
            let entries = self.entries(kinds);
            let yes = |is: bool| if is { "yes\n" } else { "no\n" };
            let is_plain = !entries.iter().any(|entry| is_escaped(&entry.path));
            let of_none = yes(entries.is_empty());
            self.case(&format!("matches.{kinds}"), [yes(is_plain), of_none, of_none].concat());
        }
        let sum =
            |entry: &Entry| [format!("{}  ", entry.hash).as_bytes(), entry.path.as_bytes(), b"\n"].concat();
        self.case("sums", each("f", &sum));
        self.case("unmanaged", OTHERS.map(as_line).concat());
        self.case("misplaced", self.misplaced());
        self.case("large", self.large());
        self.check_modes();
        let entry = |line: &Line| {
            let (path, name) = (line.entry.path.as_bytes(), as_line(line.entry.path.as_bytes()));
            [format!("{} ", kind(line)).as_bytes(), &escaped(path), b" ", &name].concat()
        };
        self.case("entries", self.manifest.entries().iter().flat_map(entry).collect::<Vec<u8>>());
    }

    fn misplaced(&self) -> Vec<u8> {
        let [directories, files] = ["d", "f"].map(|kinds| self.entries(kinds));
        let wrong = directories.into_iter().take(1).chain(files.into_iter().take(1));
        let wrong: BTreeSet<&TreePath> = wrong.map(|entry| &entry.path).collect();
        let in_order = self.entries("dfgl").into_iter().map(|entry| &entry.path);
        in_order.filter(|path| wrong.contains(path)).flat_map(|path| as_line(path.as_bytes())).collect()
    }

    fn large(&self) -> Vec<u8> {
        let entries = self.entries("dfgl");
        let mut below: BTreeMap<&[u8], usize> = BTreeMap::new();
        for entry in &entries {
            let mut parts = entry.path.as_bytes().splitn(2, |byte| *byte == b'/');
            if let (Some(top), Some(_)) = (parts.next(), parts.next()) {
                *below.entry(top).or_default() += 1;
            }
        }
        let is_simple = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        below.retain(|top, n| *n * 8 > entries.len() && top.iter().all(is_simple));
        below.into_keys().flat_map(as_line).collect()
    }

    fn check_modes(&self) {
        let is_special = |entry: &Entry| entry.mode > 0o777;
        let lines = |kinds: &str, is_wanted: &dyn Fn(&Entry) -> bool| -> Vec<u8> {
            let both = self.entries(kinds).into_iter().zip(self.lines(kinds));
            both.filter(|(entry, _)| is_wanted(entry)).flat_map(|(_, line)| line.to_vec()).collect()
        };
        self.case("special_files", lines("fg", &is_special));
        let is_directory = |entry: &Entry| entry.kind == Kind::Directory;
        self.case("edited_modes", lines("dfg", &|entry| is_directory(entry) || is_special(entry)));
        self.case("is_set", "yes\n");
        for entry in self.entries("dfg") {
            let metadata = fs::metadata(self.path("tree").join(entry.path.to_path())).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o7777, entry.mode, "{}", entry.path);
        }
    }
}

/// Names that no tree of these tests has.
const OTHERS: [&[u8]; 3] = [b"other", b"-x\ny ", b"\\0012/a"];

fn kind(line: &Line) -> char {
    match line.entry.kind {
        Kind::Directory => 'd',
        Kind::File if line.is_generated => 'g',
        Kind::File => 'f',
        Kind::Link => 'l',
    }
}

fn stat(entry: &Entry) -> Vec<u8> {
    let numbers = format!("{:o} {} {} ", entry.mode, entry.size, entry.mtime);
    [numbers.as_bytes(), entry.path.as_bytes(), b"\n"].concat()
}

/// The same behind the raw mode, as `%f` prints it.
fn raw_stat(entry: &Entry) -> Vec<u8> {
    let raw = if entry.kind == Kind::Directory { "41ed " } else { "81a4 " };
    [raw.as_bytes(), &stat(entry)].concat()
}

fn is_escaped(path: &TreePath) -> bool {
    path.as_bytes().iter().any(|byte| matches!(byte, b'\\' | b'\n'))
}

fn escaped(path: &[u8]) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b'\\' => b"\\0134".to_vec(),
        b'\n' => b"\\0012".to_vec(),
        byte => vec![*byte],
    };
    path.iter().flat_map(escape).collect()
}

/// A name on a line of its own.
fn as_line(name: &[u8]) -> Vec<u8> {
    let bytes = name.iter().map(|byte| if *byte == b'\n' { 1 } else { *byte });
    bytes.chain([b'\n']).collect()
}

#[test]
fn each_function_reads_what_a_manifest_says_whatever_its_names() {
    let mut dice = Dice(11);
    for tools in tools() {
        for round in 0..4 {
            let mut tree = random_tree(&mut dice, [6, 0, 12, 3][round]);
            for entry in tree.entries.iter_mut().filter(|entry| entry.kind == Kind::File) {
                entry.mode = [0o644, 0o755, 0o4755, 0o1600][dice.roll(4)];
            }
            let generated: Vec<TreePath> =
                tree.entries.iter().take(2 * round).map(|entry| entry.path.clone()).collect();
            let sample = Sample::new(&tree, &generated);
            sample.ask(&tools);
            sample.check();
        }
    }
}
