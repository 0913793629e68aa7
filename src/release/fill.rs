//! How a release gets its content: what to keep, send and remove is decided here, from manifests alone.

use std::collections::HashSet;

use anyhow::{Result, bail};

use crate::release::answer::Fields;
use crate::release::lock::Lock;
use crate::release::survey::{self, Directory, Survey};
use crate::release::{CREATE, FILL, LOCK, Record, ReleaseName, flag, rows};
use crate::shell::{Effect, Step, Word};
use crate::tree::{Change, EDIT_AWK, Entry, Kind, Manifest, Pack, Packing, Tree, TreePath};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Duplicate the last release, send what changed.
    CopyPrevious,
    /// Bring the clean copy in `cache/` up to date, copy it.
    Cache,
}

impl Strategy {
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "copy-previous" => Ok(Self::CopyPrevious),
            "cache" => Ok(Self::Cache),
            _ => bail!("no strategy `{text}`: there are `copy-previous` and `cache`"),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::CopyPrevious => "copy-previous",
            Self::Cache => "cache",
        }
    }
}

/// How the last release is duplicated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicate {
    Link,
    Reflink,
    Copy,
}

impl Duplicate {
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "auto" | "link" => Ok(Self::Link),
            "reflink" => Ok(Self::Reflink),
            "copy" => Ok(Self::Copy),
            _ => bail!("`{text}` is none of `auto`, `link`, `reflink` and `copy`"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Reflink => "reflink",
            Self::Copy => "copy",
        }
    }
}

/// What a fill starts from: a release or the cache as its manifest describes it, less what was found to differ.
#[derive(Debug, Clone, Default)]
pub struct Base {
    /// The release that is duplicated.
    pub release: Option<ReleaseName>,
    /// As it stands on the server, line for line: the edit counts on it.
    pub manifest: Manifest,
    pub drifted: Vec<TreePath>,
}

/// The release that was made before: the live one, else the newest.
#[derive(Debug, Clone, Default)]
pub struct Last {
    pub name: Option<ReleaseName>,
    pub base: Base,
    /// Shared paths that it has links for.
    pub shared: Vec<TreePath>,
}

/// Paths with a meaning of their own within a release.
#[derive(Debug, Clone, Default)]
pub struct Special {
    /// Written by commands, anew in each release.
    pub generated: Vec<TreePath>,
    /// Written by the running application: never linked, but carried over.
    pub writable: Vec<TreePath>,
    pub shared: Vec<TreePath>,
}

fn is_below(path: &TreePath, tops: &[TreePath]) -> bool {
    tops.iter().any(|top| path.starts_with(top))
}

impl Special {
    /// The source without what lies under a shared path, and what does.
    pub fn split(&self, tree: &Tree) -> (Tree, Vec<Entry>) {
        let (under, rest) =
            tree.entries.iter().cloned().partition(|entry| is_below(&entry.path, &self.shared));
        let rest = Tree { root: tree.root.clone(), entries: rest };
        (rest, under)
    }

    fn unlinked(&self) -> Vec<TreePath> {
        self.generated.iter().chain(&self.writable).cloned().collect()
    }
}

impl Last {
    /// Whether a file of the source may begin a shared path: not where the last release has its own, which the
    /// application may have written, unless that is as it was sent and the source has a newer one.
    pub fn gives_way_to(&self, seed: &Entry) -> bool {
        match self.base.manifest.get(&seed.path) {
            None => true,
            Some(line) if self.base.drifted.contains(&seed.path) => line.entry.kind != seed.kind,
            Some(line) => (line.entry.kind, line.entry.hash) != (seed.kind, seed.hash),
        }
    }
}

/// A fill, decided.
pub struct Plan {
    pub strategy: Strategy,
    pub base: Base,
    pub change: Change,
    /// The manifest of the release; of the cache strategy's it differs in which files commands may write.
    pub manifest: Manifest,
    release_edit: Vec<u8>,
    left_out: Vec<TreePath>,
    generated: Vec<TreePath>,
    last: Option<ReleaseName>,
    starting: Vec<TreePath>,
}

impl Plan {
    /// Starts from `cache` where there is one, else from the last release. `starting` are shared paths that `shared/`
    /// has yet to get.
    pub fn new(
        last: Last,
        cache: Option<Base>,
        tree: &Tree,
        special: &Special,
        starting: Vec<TreePath>,
    ) -> Self {
        let unlinked = special.unlinked();
        let strategy = if cache.is_some() { Strategy::Cache } else { Strategy::CopyPrevious };
        let base = cache.unwrap_or(last.base);
        // What differs on the server is sent whatever its manifest says.
        let trusted = base.manifest.distrusting(&base.drifted);
        let change = match strategy {
            Strategy::CopyPrevious => Change::between(&trusted, tree, &unlinked),
            Strategy::Cache => Change::between(&trusted, tree, &[]),
        };
        let (manifest, release_edit) = match strategy {
            Strategy::CopyPrevious => (change.next.clone(), Vec::new()),
            Strategy::Cache => {
                let marked = Change::between(&change.next, tree, &unlinked);
                (marked.next, marked.edit)
            }
        };
        Self {
            strategy,
            base,
            change,
            manifest,
            release_edit,
            left_out: special.generated.iter().chain(&special.shared).chain(&last.shared).cloned().collect(),
            generated: special.generated.clone(),
            last: last.name,
            starting,
        }
    }

    /// What travels besides the files: how the server makes the new manifest from its own.
    pub fn extra(&self) -> [(&[u8], &[u8]); 3] {
        [
            (b".runner/fill/edit", &self.change.edit),
            (b".runner/fill/edit.release", &self.release_edit),
            (b".runner/fill/edit.awk", EDIT_AWK.as_bytes()),
        ]
    }

    /// Where the pack's files go, from the site.
    pub fn prefix(&self, name: &ReleaseName) -> Vec<u8> {
        match self.strategy {
            Strategy::CopyPrevious => format!("releases/{name}").into_bytes(),
            Strategy::Cache => b"cache".to_vec(),
        }
    }

    fn gone(&self) -> (Vec<Vec<Word>>, Vec<Vec<Word>>) {
        let directories: HashSet<&TreePath> = self
            .base
            .manifest
            .entries()
            .iter()
            .map(|line| &line.entry)
            .filter(|entry| entry.kind == Kind::Directory)
            .map(|entry| &entry.path)
            .collect();
        let (directories, files): (Vec<_>, Vec<_>) =
            self.change.remove.iter().partition(|path| directories.contains(path));
        let word = |path: &TreePath| Word::new(path.as_bytes());
        (rows(files.into_iter().map(word)), rows(directories.into_iter().map(word)))
    }
}

/// How far the release of a fill has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// Its directory is made with the fill.
    No,
    Yes,
    /// An earlier fill of this run took for granted what was not so: what it left goes.
    Half,
}

/// What is known of what a fill starts from without having asked: it is asked along with the fill.
#[derive(Debug, Clone, Default)]
pub struct Unchecked {
    pub directories: Vec<(Directory, Manifest)>,
    /// Managed files that commands are known to have replaced.
    pub touched: Vec<String>,
}

/// How the server is to go about a fill.
#[derive(Debug)]
pub struct Manner<'a> {
    pub duplicate: Duplicate,
    pub is_guarded: bool,
    pub begun: Begun,
    pub unchecked: &'a Unchecked,
}

/// What a fill did beside the sending.
#[derive(Debug, Default)]
pub struct Filled {
    /// What it starts from was not as it was thought to be: nothing was filled.
    pub is_stale: bool,
    /// Of what was unchecked.
    pub surveys: Vec<Survey>,
    /// How many files and directories that commands left.
    pub n_carried: usize,
    pub skipped: Vec<String>,
}

/// Of a pack in parts, the first part: `unpack` is for each of the others, and `complete` comes behind all of them.
pub fn fill(lock: &Lock, record: &Record, plan: &Plan, manner: &Manner, pack: &Pack) -> Step<Filled> {
    let stage = if pack.is_in_parts() { "first" } else { "" };
    step("fill", (stage, pack.squeezed.at_once()), lock, record, plan, manner)
        .data("strategy", plan.strategy.name())
        .data("files", pack.n_files)
        .data("bytes", pack.content_bytes)
}

/// What the fill says when the other parts of a pack are to come.
pub const HALF: &[u8] = b"filled=half\0";

/// Unpacks a part of a pack other than the first.
pub fn unpack(lock: &Lock, name: &ReleaseName, packing: Option<Packing>) -> Step<()> {
    let script = lock
        .script(include_str!("sh/unpack.sh"))
        .with(LOCK)
        .with(FILL)
        .var("name", name)
        .var("expand", expand(packing));
    Step::new("unpack", Effect::Writes, script, |answer| Fields::read(answer, "unpacked").map(drop))
}

fn expand(packing: Option<Packing>) -> &'static str {
    packing.map_or("", Packing::program)
}

/// Ends a fill whose parts are all unpacked.
pub fn complete(lock: &Lock, record: &Record, plan: &Plan, manner: &Manner) -> Step<Filled> {
    step("complete", ("last", None), lock, record, plan, manner)
}

fn step(
    name: &'static str,
    (stage, packing): (&str, Option<Packing>),
    lock: &Lock,
    record: &Record,
    plan: &Plan,
    manner: &Manner,
) -> Step<Filled> {
    let body = match plan.strategy {
        Strategy::CopyPrevious => include_str!("sh/copy_previous.sh"),
        Strategy::Cache => include_str!("sh/cache.sh"),
    };
    let (files, directories) = plan.gone();
    let paths =
        |paths: &[TreePath]| -> Vec<[Word; 1]> { paths.iter().map(|p| [Word::new(p.as_bytes())]).collect() };
    let base = match plan.strategy {
        Strategy::CopyPrevious => plan.base.release.as_ref().map(ToString::to_string),
        Strategy::Cache => Some("cache".to_owned()).filter(|_| !plan.base.manifest.is_empty()),
    };
    let begun = match manner.begun {
        Begun::No => "",
        Begun::Yes => "yes",
        Begun::Half => "half",
    };
    let unchecked: Vec<Directory> =
        manner.unchecked.directories.iter().map(|(directory, _)| directory.clone()).collect();
    let script = survey::places(lock.script(body).with(LOCK), &unchecked, &manner.unchecked.touched)
        .with(CREATE)
        .with(FILL)
        .var("stage", stage)
        .var("expand", expand(packing))
        .var("begun", begun)
        .var("name", &record.name)
        .var("record", record)
        .var("base", base.unwrap_or_default())
        .var("last", plan.last.as_ref().map_or("", ReleaseName::as_str))
        .var("copy", manner.duplicate.name())
        .var("guarded", flag(manner.is_guarded))
        .var("cache_digest", plan.change.next.digest())
        .var("digest", plan.manifest.digest())
        .rows("gone_files", files)
        .rows("gone_directories", directories)
        .rows("left_out", paths(&plan.left_out))
        .rows("written_anew", paths(&plan.generated))
        .rows("starting", paths(&plan.starting));
    Step::new(name, Effect::Writes, script, |answer| {
        let said = Fields::parse(&answer.stdout);
        let is_stale = said.get("stale").is_some();
        let end = if is_stale { "stale" } else { "filled" };
        let fields = Fields::read(answer, end).map_err(|error| match said.get("unlike") {
            Some(first) => error.context(format!("`{first}` is not what was sent")),
            None => error,
        })?;
        let n_carried = fields.get("carried").and_then(|n| n.parse().ok()).unwrap_or_default();
        Ok(Filled { is_stale, surveys: survey::read(&fields), n_carried, skipped: fields.list("skipped") })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Contents, Hash};
    use expect_test::{Expect, expect};

    fn path(text: &str) -> TreePath {
        TreePath::new(text.as_bytes()).unwrap()
    }

    /// `dir/`, or `file=content`.
    fn tree(words: &[&str]) -> Tree {
        let entry = |word: &&str| match word.split_once('=') {
            None => Entry {
                path: path(word.trim_end_matches('/')),
                kind: Kind::Directory,
                mode: 0o755,
                size: 0,
                mtime: 0,
                hash: Hash::NONE,
            },
            Some((name, content)) => Entry {
                path: path(name),
                kind: Kind::File,
                mode: 0o644,
                size: content.len() as u64,
                mtime: 7,
                hash: Hash::of(content.as_bytes()),
            },
        };
        let mut entries: Vec<Entry> = words.iter().map(entry).collect();
        Tree::sort(&mut entries);
        Tree { root: "/nowhere".into(), entries }
    }

    fn last(words: &[&str], drifted: &[&str]) -> Last {
        let name = ReleaseName::new("7").unwrap();
        let base = Base {
            release: Some(name.clone()),
            manifest: Manifest::of(&tree(words), &[]),
            drifted: drifted.iter().map(|text| path(text)).collect(),
        };
        Last { name: Some(name), base, shared: vec![path("old")] }
    }

    fn special() -> Special {
        Special {
            generated: vec![path("gen")],
            writable: vec![path("var")],
            shared: vec![path("up"), path("it's")],
        }
    }

    /// What goes before the constant texts of the script.
    #[track_caller]
    fn head(plan: &Plan, want: Expect) {
        let record = Record::building(
            ReleaseName::new("8").unwrap(),
            "2026-11-21T19:30:00Z".parse().unwrap(),
            "me@here",
        );
        let (tree, contents) = (tree(&[]), Contents::default());
        let pack = Pack::new(&tree, &contents, &[], b"", &[]).unwrap();
        let relied_on = Directory {
            path: "releases/7".to_owned(),
            kept_as: "7".to_owned(),
            by: survey::By::Stat,
            shows_manifest: false,
            relied_on: Some("d7".to_owned()),
        };
        let manner = Manner {
            duplicate: Duplicate::Link,
            is_guarded: true,
            begun: Begun::No,
            unchecked: &Unchecked {
                directories: vec![(relied_on, Manifest::default())],
                touched: vec!["t".to_owned()],
            },
        };
        let lock = Lock { root: "/srv/it's here".to_owned(), run: "r".to_owned() };
        let step = fill(&lock, &record, plan, &manner, &pack);
        want.assert_eq(&step.act.script.values());
    }

    #[test]
    fn a_plan_from_the_last_release_sends_what_changed_drifted_or_is_written_anew() {
        let base = &[
            "dir/",
            "dir/gone=x",
            "edited=x",
            "gen/",
            "gen/g=x",
            "same=x",
            "up/",
            "up/u=x",
            "var/",
            "var/v=x",
        ];
        let source = tree(&["edited=x", "gen/", "gen/g=x", "same=x", "up/", "up/u=x", "var/", "var/v=x"]);
        let (managed, under) = special().split(&source);
        let under: Vec<String> = under.iter().map(|entry| entry.path.to_string()).collect();
        assert_eq!(under, ["up", "up/u"]);
        let plan = Plan::new(last(base, &["edited"]), None, &managed, &special(), vec![path("up")]);
        let sent: Vec<String> =
            plan.change.send.iter().map(|&index| managed.entries[index].path.to_string()).collect();
        assert_eq!(sent, ["edited", "gen", "gen/g", "var", "var/v"]);
        assert_eq!(plan.prefix(&ReleaseName::new("8").unwrap()), b"releases/8");
        head(
            &plan,
            expect![[r#"
                root='/srv/it'\''s here'
                holder='r'
                places() {
                  "$@" 'releases/7' '7' 'stat' '' 'd7' || return
                  :
                }
                touched() {
                  "$@" 't' || return
                  :
                }
                stage=''
                expand=''
                begun=''
                name='8'
                record='{"name":"8","state":"building","created":"2026-11-21T19:30:00Z","by":"me@here"}'
                base='7'
                last='7'
                copy='link'
                guarded='yes'
                cache_digest='1e50e3a4175c5174632fafa23e7ef26e8aeefc6328cd545d99c7b4682e351cda'
                digest='1e50e3a4175c5174632fafa23e7ef26e8aeefc6328cd545d99c7b4682e351cda'
                gone_files() {
                  "$@" 'dir/gone' 'up/u' || return
                  :
                }
                gone_directories() {
                  "$@" 'dir' 'up' || return
                  :
                }
                left_out() {
                  "$@" 'gen' || return
                  "$@" 'up' || return
                  "$@" 'it'\''s' || return
                  "$@" 'old' || return
                  :
                }
                written_anew() {
                  "$@" 'gen' || return
                  :
                }
                starting() {
                  "$@" 'up' || return
                  :
                }
            "#]],
        );
    }

    #[test]
    fn a_plan_from_the_cache_has_a_manifest_of_its_own_for_the_release() {
        let source = tree(&["a=new", "gen/", "gen/g=x"]);
        let base =
            Base { manifest: Manifest::of(&tree(&["a=old", "gen/", "gen/g=x"]), &[]), ..Base::default() };
        let plan = Plan::new(Last::default(), Some(base), &source, &special(), Vec::new());
        assert_eq!(plan.change.send, [0]);
        assert_eq!(plan.prefix(&ReleaseName::new("8").unwrap()), b"cache");
        assert_ne!(plan.manifest, plan.change.next);
        let kinds: Vec<bool> = plan.manifest.entries().iter().map(|line| line.is_generated).collect();
        assert_eq!(kinds, [false, false, true]);
    }

    #[test]
    fn what_users_wrote_begins_a_shared_path_unless_the_source_has_something_newer() {
        #[track_caller]
        fn case(base: &[&str], drifted: &[&str], seed: &str, want: bool) {
            let seed = &tree(&[seed]).entries[0];
            assert_eq!(last(base, drifted).gives_way_to(seed), want);
        }
        case(&[], &[], "up/a=x", true);
        case(&["up/a=x"], &[], "up/a=x", false);
        case(&["up/a=x"], &[], "up/a=newer", true);
        case(&["up/a=x"], &["up/a"], "up/a=newer", false);
        case(&["up/a/"], &[], "up/a=x", true);
    }
}
