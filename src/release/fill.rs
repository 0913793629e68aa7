//! How a release gets its content: what to keep, send and remove is decided here, from manifests alone.

use std::collections::HashSet;

use anyhow::{Result, bail};

use crate::release::answer::Fields;
use crate::release::{FILL, Record, ReleaseName, flag, rows, script};
use crate::shell::{Effect, Step, Word};
use crate::tree::{Change, EDIT_AWK, Entry, Kind, Manifest, Pack, Tree, TreePath};

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
    pub fn extra(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        vec![
            (b".runner/fill/edit".to_vec(), self.change.edit.clone()),
            (b".runner/fill/edit.release".to_vec(), self.release_edit.clone()),
            (b".runner/fill/edit.awk".to_vec(), EDIT_AWK.into()),
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

/// What a fill did beside the sending.
#[derive(Debug, Default)]
pub struct Filled {
    /// How many files and directories that commands left.
    pub n_carried: usize,
    pub skipped: Vec<String>,
}

pub fn fill(
    root: &str,
    record: &Record,
    plan: &Plan,
    duplicate: Duplicate,
    is_guarded: bool,
    pack: &Pack,
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
    let script = script(root, body)
        .with(FILL)
        .var("name", &record.name)
        .var("record", record)
        .var("base", base.unwrap_or_default())
        .var("last", plan.last.as_ref().map_or("", ReleaseName::as_str))
        .var("copy", duplicate.name())
        .var("guarded", flag(is_guarded))
        .var("cache_digest", plan.change.next.digest())
        .var("digest", plan.manifest.digest())
        .rows("gone_files", files)
        .rows("gone_directories", directories)
        .rows("left_out", paths(&plan.left_out))
        .rows("written_anew", paths(&plan.generated))
        .rows("starting", paths(&plan.starting));
    Step::new("fill", Effect::Writes, script, |answer| {
        let differs = Fields::parse(&answer.stdout).list("differs");
        let fields = Fields::read(answer, "filled").map_err(|error| match differs.first() {
            Some(first) => error.context(format!("`{first}` is not what was sent")),
            None => error,
        })?;
        let n_carried = fields.get("carried").and_then(|n| n.parse().ok()).unwrap_or_default();
        Ok(Filled { n_carried, skipped: fields.list("skipped") })
    })
    .data("strategy", plan.strategy.name())
    .data("files", pack.n_files)
    .data("bytes", pack.content_bytes)
}
