//! The rules of the server's scripts: each says what it is given, and the documents know the names they use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use runner::parts::release::adoption::{self, Adoption, AdoptionKind};
use runner::parts::release::command::{Command, CommandGuard, CommandPlace};
use runner::parts::release::current::Target;
use runner::parts::release::file::{self, WrittenFile};
use runner::parts::release::fill::{self, Assumptions, DirectoryState, Duplicate, FillOptions};
use runner::parts::release::heal::{Healing, heal};
use runner::parts::release::history::{HistoryEntry, HistoryEvent};
use runner::parts::release::intent::Intent;
use runner::parts::release::lifecycle::{self, Finish};
use runner::parts::release::lock::{Lock, Owner};
use runner::parts::release::origins::{Sample, find_origins};
use runner::parts::release::plan::{Base, Last, PathRules, Plan};
use runner::parts::release::sharing::{self, AdoptedPlace};
use runner::parts::release::survey::{By, Directory};
use runner::parts::release::swap::{self, Phase, Swap, Watching};
use runner::parts::release::take::{self, LockRequest, SiteSetup};
use runner::parts::release::{
    Record, ReleaseName, SharedPath, contents, guard, probe, share, surroundings, survey,
};
use runner::parts::shell::{Act, Script, Word};
use runner::parts::tree::{Entry, Hash, Kind, Manifest, Pack, Tree, TreePath};

use super::{files, none, root};

/// A script is given variables, and functions that run a command for each row of so many words (POSIX XCU 2.9.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Variable,
    Rows(usize),
    /// As many words as fit.
    LongRows,
    /// The sample has none: of how many words is not known.
    NoRows,
}

impl Value {
    /// Whether what a head says is what is given.
    fn says(self, is: Self) -> bool {
        self == is || is == Value::NoRows && self != Value::Variable
    }
}

type Given = BTreeMap<String, Value>;

/// What the head of a script says behind `# Given:`, a line for one or several: `#   variable, function(word word)  text`. Its
/// standard input is no value.
fn head(script: &str) -> Option<Given> {
    let mut lines = script.lines().take_while(|line| line.starts_with('#'));
    let rows = match lines.find(|line| line.starts_with("# Given:"))? {
        "# Given: nothing" => Vec::new(),
        "# Given:" => lines.map_while(|line| line.strip_prefix("#   ")).collect(),
        other => panic!("`{other}`"),
    };
    let names = rows.iter().flat_map(|row| row.split("  ").next().unwrap_or_default().split(", "));
    let values = names.filter(|name| *name != "stdin").map(|name| match name.split_once('(') {
        None => (name.to_owned(), Value::Variable),
        Some((name, "path...)")) => (name.to_owned(), Value::LongRows),
        Some((name, words)) => (name.to_owned(), Value::Rows(words.split(' ').count())),
    });
    Some(values.collect())
}

/// What the values before a script's text define.
fn defined(mut values: &str) -> Given {
    let mut given = Given::new();
    while !values.is_empty() {
        let end = values.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap();
        let (name, rest) = values.split_at(end);
        let (value, rest) = match rest.strip_prefix("() {\n") {
            Some(rest) => rows(rest),
            None => (Value::Variable, word(rest.strip_prefix('=').unwrap()).strip_prefix('\n').unwrap()),
        };
        assert!(given.insert(name.to_owned(), value).is_none(), "`{name}` is given twice");
        values = rest;
    }
    given
}

/// What is behind a quoted word.
fn word(text: &str) -> &str {
    let body = text.strip_prefix('\'').unwrap();
    let rest = &body[body.find('\'').unwrap() + 1..];
    rest.strip_prefix("\\'").map_or(rest, word)
}

fn rows(mut text: &str) -> (Value, &str) {
    let mut widths = BTreeSet::new();
    while let Some(row) = text.strip_prefix("  \"$@\"") {
        let mut rest = row;
        let mut width = 0;
        while let Some(quoted) = rest.strip_prefix(' ').filter(|rest| rest.starts_with('\'')) {
            rest = word(quoted);
            width += 1;
        }
        widths.insert(width);
        text = rest.strip_prefix(" || return\n").unwrap();
    }
    let value = match widths.into_iter().collect::<Vec<usize>>().as_slice() {
        [width] => Value::Rows(*width),
        [] => Value::NoRows,
        _ => Value::LongRows,
    };
    (value, text.strip_prefix("  :\n}\n").unwrap())
}

/// A script as it is sent, taken apart.
struct Sent {
    act: &'static str,
    given: Given,
    /// The files of `src/release/sh` that it is made of.
    parts: BTreeSet<String>,
}

/// The files of `src/release/sh` by their names without `.sh`: whole, and as they are sent.
fn sources() -> BTreeMap<String, (String, String)> {
    let source = |(name, path): (String, std::path::PathBuf)| {
        let text = fs::read_to_string(path).unwrap();
        let sent = Script::new(Box::leak(text.clone().into_boxed_str())).text();
        let name = name.rsplit('/').next().unwrap().trim_end_matches(".sh").to_owned();
        (name, (text, String::from_utf8(sent).unwrap()))
    };
    files("src/release/sh").into_iter().map(source).collect()
}

fn take_apart(act: &'static str, script: &Script, sources: &BTreeMap<String, (String, String)>) -> Sent {
    let text = String::from_utf8(script.text()).unwrap();
    let mut values = text.as_str();
    let mut parts = BTreeSet::new();
    loop {
        // Some files are put into a subshell.
        values = ["(\n", ")\n"].iter().fold(values, |text, end| text.strip_suffix(end).unwrap_or(text));
        let part = |(name, (_, sent)): (&String, &(String, String))| {
            Some((name.clone(), values.strip_suffix(sent.as_str())?))
        };
        let Some((name, rest)) = sources.iter().find_map(part) else { break };
        parts.insert(name);
        values = rest;
    }
    Sent { act, given: defined(values), parts }
}

fn name(text: &str) -> ReleaseName {
    ReleaseName::new(text).unwrap()
}

fn path(text: &str) -> TreePath {
    TreePath::new(text.as_bytes()).unwrap()
}

fn tree(paths: &[&str]) -> Tree {
    let entry = |text: &&str| match text.strip_suffix('/') {
        Some(directory) => (path(directory), Kind::Directory, Hash::NONE),
        None => (path(text), Kind::File, Hash::of(b"x")),
    };
    let entries = paths.iter().map(entry).map(|(path, kind, hash)| Entry {
        path,
        kind,
        mode: 0o755,
        size: u64::from(kind == Kind::File),
        mtime: 1,
        hash,
    });
    Tree { root: "/nowhere".into(), entries: entries.collect() }
}

/// What the samples are made from. Each list has something in it, so that its rows are seen.
struct Samples {
    lock: Lock,
    record: Record,
    entry: HistoryEntry,
    shared: Vec<SharedPath>,
    paths: Vec<TreePath>,
    intent: Intent,
}

impl Samples {
    fn new() -> Self {
        let at = Timestamp::UNIX_EPOCH;
        Self {
            lock: Lock { root: "/srv".to_owned(), run: "r".to_owned() },
            record: Record::building(name("7"), at, "me"),
            entry: HistoryEntry::new(at, HistoryEvent::Swap, &name("7"), "me"),
            shared: SharedPath::parse_all(["a/", "b"]).unwrap(),
            paths: vec![path("a"), path("b")],
            intent: Intent {
                rollout: "r.1".to_owned(),
                release: name("7"),
                is_new: true,
                from: "releases/6".to_owned(),
                at,
                by: "me".to_owned(),
                hosts: vec!["h".to_owned()],
                back: Vec::new(),
            },
        }
    }

    fn of_lock(&self) -> Vec<Act> {
        let owner = Owner::default();
        let request = LockRequest {
            owner: &owner,
            is_again: false,
            identity: None,
            renames: false,
            timeout: Duration::ZERO,
        };
        let setup = SiteSetup { adopts: Some((&self.record, &self.entry)) };
        let live = &self.record.name;
        let sample = Sample { live, other: None, path: String::new(), body: b"", is_file: true };
        vec![
            probe::probe("/srv", &self.shared).act,
            surroundings::surroundings("/srv", "").act,
            find_origins("/srv", &sample).act,
            take::take("/srv", &self.shared, &request, Some(&setup)).act,
            take::unlock("/srv").act,
            heal(&self.lock, &self.healing(), Timestamp::UNIX_EPOCH, "me").act,
        ]
    }

    fn of_adoption(&self) -> Vec<Act> {
        let Self { lock, record, entry, .. } = self;
        let mut adoption = Adoption::new(record.name.clone(), AdoptionKind::Current);
        adoption.records = vec![record.clone()];
        adoption.share(&self.shared);
        let place =
            AdoptedPlace { root: "/srv".into(), place: "current".into(), shared: "/srv/shared".into() };
        vec![
            adoption::look("/srv", "/srv.site").act,
            adoption::adopt(lock, &adoption).act,
            sharing::look(&place, "deploy", &self.shared).act,
            adoption::undo(lock, &adoption, [record]).act,
            adoption::forget(lock, entry).act,
        ]
    }

    fn healing(&self) -> Healing {
        Healing {
            interrupted: vec![(self.intent.clone(), "releases/6".to_owned())],
            records: vec![self.record.clone()],
            leftovers: vec![name("8")],
            ..Healing::default()
        }
    }

    fn of_release(&self) -> Vec<Act> {
        let Self { lock, record, entry, shared, paths, .. } = self;
        let finish =
            Finish { prunes: Some((std::slice::from_ref(&record.name), Some(entry))), ..Finish::default() };
        vec![
            lifecycle::create(lock, record).act,
            lifecycle::seal(lock, record, shared, true, true).act,
            lifecycle::discard(lock, record, entry).act,
            lifecycle::finish(lock, &finish).act,
            share::link(lock, &record.name, shared, paths, Timestamp::UNIX_EPOCH).act,
            share::unseed(lock, &record.name).act,
            share::own("/srv", &record.name, paths).act,
            share::writable(lock, &record.name, paths).act,
            guard::inspect(lock, &record.name).act,
            guard::restore(lock, &record.name, paths, true).act,
        ]
    }

    fn of_fill(&self) -> Vec<Act> {
        let Self { lock, record, paths, .. } = self;
        let directory = Directory {
            path: "releases/6".to_owned(),
            kept_as: "6".to_owned(),
            by: By::Stat,
            shows_manifest: true,
            relied_on: None,
        };
        let unchecked = Assumptions {
            directories: vec![(directory.clone(), Manifest::default())],
            touched: vec!["a".to_owned()],
        };
        let options = FillOptions {
            duplicate: Duplicate::Link,
            is_guarded: true,
            directory: DirectoryState::Absent,
            unchecked: &unchecked,
        };
        // So many that their rows are of different lengths.
        let gone: Vec<String> = (100..201).flat_map(|n| [format!("{n}/"), format!("{n}/x")]).collect();
        let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
        let manifest =
            Plan::new(Last::default(), None, &tree(&gone), &PathRules::default(), Vec::new()).manifest;
        let base = Base { manifest, ..Base::default() };
        let rules = PathRules { generated: paths.clone(), writable: paths.clone(), shared: paths.clone() };
        let (last, tree, contents) = (Last::default(), Arc::new(tree(&[])), Arc::default());
        let pack = Pack::new(&tree, &contents, &[], b"", &[]).unwrap();
        let of_cache = Plan::new(last.clone(), Some(base.clone()), &tree, &rules, paths.clone());
        let of_last = Plan::new(Last { base, ..last }, None, &tree, &rules, paths.clone());
        vec![
            survey::survey("/srv", &[directory]).act,
            contents::contents("/srv", &record.name).act,
            fill::fill(lock, record, &of_last, &options, &pack).act,
            fill::fill(lock, record, &of_cache, &options, &pack).act,
            fill::complete(lock, record, &of_cache, &options).act,
            fill::unpack(lock, &record.name, None).act,
        ]
    }

    fn of_swap(&self) -> Vec<Act> {
        let swap = Swap {
            intent: self.intent.clone(),
            from: Target::Release(name("6")),
            linked: vec![["a", "../shared/a"].map(Word::from)],
            records: vec![self.record.clone()],
            back: vec![self.record.clone()],
            watching: Watching {
                within: 60,
                revert_command: String::new(),
                env: vec![("A".to_owned(), "b".to_owned())],
                is_durable: false,
            },
        };
        vec![
            swap::swap(&self.lock, &swap, Phase::Both, true, &self.entry).act,
            swap::swap_back(&self.lock, &swap, None, &self.entry).act,
        ]
    }

    fn of_command(&self) -> Vec<Act> {
        let command = Command {
            text: "true".to_owned(),
            place: CommandPlace::Current,
            cwd: String::new(),
            env: vec![("A".to_owned(), "b".to_owned())],
            timeout: None,
            user: None,
            errexit: None,
            guard: None,
        };
        let guard = CommandGuard { release: self.record.name.clone(), begins: true };
        let guarded = Command { guard: Some(guard), ..command.clone() };
        vec![command.run(&self.lock, "tag").act, guarded.run(&self.lock, "tag").act, command.test("/srv").act]
    }

    fn of_files(&self) -> Vec<Act> {
        let place = CommandPlace::Current;
        let written = WrittenFile { path: "a", content: "b", mode: None, makes_directories: false };
        vec![
            file::read("/srv", &place, "a").act,
            file::exists("/srv", &place, "a").act,
            file::write("/srv", &place, written, "nonce").act,
        ]
    }
}

/// Each script that the program sends, made from samples.
fn sent(sources: &BTreeMap<String, (String, String)>) -> Vec<Sent> {
    let samples = Samples::new();
    let acts = [
        samples.of_lock(),
        samples.of_adoption(),
        samples.of_release(),
        samples.of_fill(),
        samples.of_swap(),
        samples.of_command(),
        samples.of_files(),
    ];
    let scripts = acts.into_iter().flatten().flat_map(|act| {
        let name = act.op.name;
        [Some(act.script), act.prelude].into_iter().flatten().map(move |script| (name, script))
    });
    scripts.map(|(name, script)| take_apart(name, &script, sources)).collect()
}

/// Whether a script's text reads a variable or calls a function of rows.
fn reads(text: &str, name: &str, value: Value) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        match value {
            Value::Variable => {
                (before.ends_with('$') || before.ends_with("${")) && !after.starts_with(is_word)
            }
            // A command behind it: no function of rows is called without one.
            Value::Rows(_) | Value::LongRows | Value::NoRows => {
                let is_first = ["\n", "; ", "&& ", "| ", "{ ", "then ", "else "];
                (before.is_empty() || is_first.iter().any(|end| before.ends_with(end)))
                    && after.strip_prefix(' ').is_some_and(|command| command.starts_with(is_word))
            }
        }
    })
}

fn is_library(name: &str) -> bool {
    name.ends_with("lib") || matches!(name, "say" | "put")
}

/// In what two lists of values differ, as words.
fn differences(file: &str, says: &Given, is: &Given) -> Vec<String> {
    let missing = is.iter().filter(|(name, is)| !says.get(*name).is_some_and(|says| says.says(**is)));
    let missing =
        missing.map(|(name, is)| format!("{file}.sh: is given `{name}` ({is:?}), and does not say so"));
    let wrong = says.iter().filter(|(name, says)| !is.get(*name).is_some_and(|is| says.says(*is)));
    let wrong =
        wrong.map(|(name, says)| format!("{file}.sh: says `{name}` ({says:?}), and is not given that"));
    missing.chain(wrong).collect()
}

#[test]
fn every_script_says_what_it_is_given() {
    let sources = sources();
    let sent = sent(&sources);
    let mut problems = Vec::new();
    let mut heads = BTreeMap::new();
    for (file, (text, _)) in &sources {
        match head(text) {
            Some(given) => drop(heads.insert(file.as_str(), given)),
            None => problems.push(format!("{file}.sh: its head has no `# Given:`")),
        }
        if !sent.iter().any(|script| script.parts.contains(file)) {
            problems.push(format!("{file}.sh: is in no script that the program sends"));
        }
    }
    none(problems);

    // All that a script is given is in the head of what is no library.
    let mut problems = Vec::new();
    for Sent { act, given, parts } in &sent {
        let own: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !is_library(part)).collect();
        let says: Given = own.iter().flat_map(|part| heads[part].clone()).collect();
        problems.extend(differences(&format!("{act}: {}", own.join("+")), &says, given));
        for (name, value) in given {
            let is_read = |script: &Sent| {
                script.given.contains_key(name)
                    && script.parts.iter().any(|part| reads(&sources[part].1, name, *value))
            };
            if !sent.iter().any(is_read) {
                problems.push(format!("{act}: is given `{name}`, which nobody reads"));
            }
        }
    }
    // A library's head has what it reads of that.
    for (file, says) in heads.iter().filter(|(file, _)| is_library(file)) {
        let users = sent.iter().filter(|script| script.parts.contains(*file));
        let given: Given = users.flat_map(|script| script.given.clone()).collect();
        let is = given.into_iter().filter(|(name, value)| reads(&sources[*file].1, name, *value)).collect();
        problems.extend(differences(file, says, &is));
    }
    problems.sort();
    problems.dedup();
    none(problems);
}

/// The test of the test.
#[test]
fn a_value_that_is_added_removed_or_renamed_is_seen() {
    let script = Script::new("# no\n").var("root", "it's\nhere").rows("shared", [["a", "b'"], ["c", "d"]]);
    let values = String::from_utf8(script.text()).unwrap();
    let is = defined(&values);
    #[track_caller]
    fn case(head_text: &str, is: &Given, n_problems: usize) {
        let says = head(head_text).unwrap();
        assert_eq!(differences("x", &says, is).len(), n_problems, "{head_text}");
    }
    let shared = "#   shared(kind path)  them";
    case(
        &format!("# Does it.\n# Given:\n#   stdin  x\n#   root   y, z\n{shared}\n#\n#   no\nenter\n"),
        &is,
        0,
    );
    case(&format!("# Does it.\n# Given:\n{shared}\n"), &is, 1);
    case(&format!("# Does it.\n# Given:\n#   root, more\n{shared}\n"), &is, 1);
    case(&format!("# Does it.\n# Given:\n#   roots\n{shared}\n"), &is, 2);
    case("# Does it.\n# Given:\n#   root, shared(path)\n", &is, 2);
    case("# Does it.\n# Given: nothing\n", &is, 2);
    assert_eq!(head("# Does it.\nenter\n# Given:\n#   root\n"), None);
    assert!(
        reads("cd \"$root\"\n", "root", Value::Variable) && !reads("$roots root", "root", Value::Variable)
    );
    let rows = Value::Rows(1);
    assert!(reads("enter\nshared link_one\n", "shared", rows) && !reads("cd shared/x", "shared", rows));
}

/// The name of an entry of `.runner/`, as far as it is the same in every site: up to what is left open, or `*` and the end.
fn stem(text: &str) -> String {
    match text.starts_with('*') {
        true => text.to_owned(),
        false => {
            text.split(|c: char| c == '*' || c.is_ascii_uppercase()).next().unwrap_or_default().to_owned()
        }
    }
}

/// The names below `.runner/` that a text speaks of; of those in its directories only what has a pattern for its name.
fn below_runner(text: &str) -> BTreeSet<String> {
    let names = text.split(".runner/").skip(1).flat_map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "._*-/".contains(c)));
        let mut parts = rest[..end.unwrap_or(rest.len())].split('/');
        let first = parts.next();
        first.into_iter().chain(parts.filter(|part| part.len() > 1 && part.starts_with('*'))).map(stem)
    });
    names.filter(|name| !name.is_empty()).collect()
}

/// Whether a documented name stands for one that is used.
fn stands_for(documented: &str, name: &str) -> bool {
    documented == name
        || documented.ends_with('.') && name.starts_with(documented)
        || documented.strip_prefix('*').is_some_and(|end| name.ends_with(end))
}

/// What `stem` makes of the names in the table of docs/server-layout.md.
fn documented() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs/server-layout.md")).unwrap();
    let rows = text.split("## `.runner/`").nth(1).unwrap().lines().skip_while(|line| !line.starts_with('|'));
    let cells = rows.take_while(|line| line.starts_with('|')).map(|row| row.split('|').nth(1).unwrap());
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.map(|name| stem(name.split('/').next().unwrap_or_default())).collect()
}

#[test]
fn every_name_below_the_runner_directory_is_documented() {
    let documented = documented();
    let mut used = BTreeSet::new();
    let mut problems = Vec::new();
    let is_source = |file: &str| file.ends_with(".rs") || file.ends_with(".sh");
    for (file, path) in files("src").into_iter().filter(|(file, _)| is_source(file)) {
        let text = fs::read_to_string(path).unwrap();
        for name in below_runner(text.split("\n#[cfg(test)]").next().unwrap_or_default()) {
            let known: Vec<&String> = documented.iter().filter(|known| stands_for(known, &name)).collect();
            if known.is_empty() {
                problems.push(format!("{file}: `.runner/{name}` is not in docs/server-layout.md"));
            }
            used.extend(known);
        }
    }
    let unused = documented.iter().filter(|name| !used.contains(name));
    problems.extend(unused.map(|name| format!("docs/server-layout.md: nobody uses `{name}`")));
    none(problems);
}

#[test]
fn a_name_is_seen_in_scripts_and_in_rust() {
    let case = |text, want: &[&str]| {
        assert_eq!(below_runner(text), want.iter().map(|name| name.to_string()).collect())
    };
    case("put \"$root/.runner/intent.$holder\" # .runner/guard/known", &["guard", "intent."]);
    case(".runner/busy.* .runner/manifests/*.next", &["busy.", "manifests", "*.next"]);
    case("format!(\"{root}/.runner/records/{name}\"); \"`.runner/{name}`\"", &["records"]);
    assert!(stands_for("*.new", "current.new") && stands_for("restored.", "restored.modes"));
    assert!(!stands_for("seed", "seeded") && !stands_for("intent.", "intents"));
}
