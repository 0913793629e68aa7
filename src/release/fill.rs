//! Fills a release as planned: one script, with the pack on its standard input.

use anyhow::{Result, bail};

use crate::release::answer::Fields;
use crate::release::lock::Lock;
use crate::release::plan::{Plan, Strategy};
use crate::release::scripts::{CREATE, DROP, FILL, KINDS, LOCK, REACH, flag, paths, rows, word};
use crate::release::survey::{self, Directory, Survey};
use crate::release::{Record, ReleaseName};
use crate::shell::{Answer, Effect, Script, Step};
use crate::tree::{Manifest, Pack, Packing};

/// How the previous release is duplicated.
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
            _ => bail!("`{text}` must be `auto`, `link`, `reflink` or `copy`"),
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

/// How far the directory of the release has been filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryState {
    /// The fill makes the directory.
    Absent,
    Created,
    /// An earlier fill of this run started from a wrong assumption: what it left is removed.
    HalfFilled,
}

impl DirectoryState {
    fn name(self) -> &'static str {
        match self {
            Self::Absent => "",
            Self::Created => "yes",
            Self::HalfFilled => "half",
        }
    }
}

/// What this machine remembers of the directories that a fill starts from. The fill's script checks it first.
#[derive(Debug, Clone, Default)]
pub struct Assumptions {
    pub directories: Vec<(Directory, Manifest)>,
    /// Managed files that commands are known to have replaced.
    pub touched: Vec<String>,
}

/// How the server fills the release.
#[derive(Debug)]
pub struct FillOptions<'a> {
    pub duplicate: Duplicate,
    pub is_guarded: bool,
    pub directory: DirectoryState,
    pub unchecked: &'a Assumptions,
}

/// The outcome of a fill.
#[derive(Debug, Default)]
pub struct FillReport {
    /// The directory that it starts from was not as expected: nothing was filled.
    pub is_stale: bool,
    /// The surveys of the unchecked directories.
    pub surveys: Vec<Survey>,
    /// How many files and directories that commands left were copied from the previous release.
    pub n_carried: usize,
    /// The first hundred of them.
    pub carried: Vec<String>,
    /// Those that could not be copied.
    pub skipped: Vec<String>,
}

/// Fills a release. If the pack is in parts, this sends the first; `unpack` sends each of the others, and `complete`
/// follows when all of them are unpacked.
pub fn fill(
    lock: &Lock,
    record: &Record,
    plan: &Plan,
    options: &FillOptions,
    pack: &Pack,
) -> Step<FillReport> {
    let stage = if pack.is_in_parts() { "first" } else { "" };
    let script = script(lock, record, plan, options, (stage, pack.compression.at_once()));
    Step::new("fill", Effect::Writes, script, read)
        .data("strategy", plan.strategy.name())
        .data("files", pack.n_files)
        .data("bytes", pack.content_bytes)
}

/// What the script of a fill prints when other parts of the pack must follow.
pub const HALF: &[u8] = b"filled=half\0";

/// Unpacks a part of a pack other than the first.
pub fn unpack(lock: &Lock, name: &ReleaseName, packing: Option<Packing>) -> Step<()> {
    let script = lock
        .script(include_str!("sh/unpack.sh"))
        .with(LOCK)
        .with(REACH)
        .with(FILL)
        .var("name", name)
        .var("expand", expand(packing));
    Step::new("unpack", Effect::Writes, script, |answer| Fields::read(answer, "unpacked").map(drop))
}

/// Completes a fill when all parts are unpacked.
pub fn complete(lock: &Lock, record: &Record, plan: &Plan, options: &FillOptions) -> Step<FillReport> {
    Step::new("complete", Effect::Writes, script(lock, record, plan, options, ("last", None)), read)
}

/// The name of the program that decompresses a part; empty if it is not compressed.
fn expand(packing: Option<Packing>) -> &'static str {
    packing.map_or("", Packing::program)
}

fn script(
    lock: &Lock,
    record: &Record,
    plan: &Plan,
    options: &FillOptions,
    (stage, packing): (&str, Option<Packing>),
) -> Script {
    let body = match plan.strategy {
        Strategy::CopyPrevious => include_str!("sh/copy_previous.sh"),
        Strategy::Cache => include_str!("sh/cache.sh"),
    };
    let shares = plan.strategy == Strategy::CopyPrevious && options.duplicate == Duplicate::Link;
    let unchecked = options.unchecked.directories.iter().map(|(directory, _)| directory);
    let (gone_files, gone_directories) = plan.gone();
    survey::places(lock.script(body).with(LOCK).with(DROP), unchecked, &options.unchecked.touched)
        .with(CREATE)
        .with(KINDS)
        .with(REACH)
        .with(FILL)
        .var("stage", stage)
        .var("expand", expand(packing))
        .var("begun", options.directory.name())
        .var("name", &record.name)
        .var("record", record)
        .var("base", base(plan))
        .var("last", plan.links.release.as_ref().map_or("", ReleaseName::as_str))
        .var("copy", options.duplicate.name())
        .var("guarded", flag(options.is_guarded))
        .var("protects", flag(shares))
        .var("cache_digest", plan.change.next.digest())
        .var("digest", plan.manifest.digest())
        .rows("gone_files", rows(gone_files.into_iter().map(word)))
        .rows("gone_directories", rows(gone_directories.into_iter().map(word)))
        .rows("left_out", paths(&plan.left_out))
        .rows("written_anew", paths(&plan.generated))
        .rows("starting", paths(&plan.starting))
        .rows("kept_links", plan.links.kept.iter().map(|link| [word(&link.path)]))
}

/// What the release is filled from.
fn base(plan: &Plan) -> &str {
    match plan.strategy {
        Strategy::CopyPrevious => plan.base.release.as_ref().map_or("", ReleaseName::as_str),
        Strategy::Cache if plan.base.manifest.is_empty() => "",
        Strategy::Cache => "cache",
    }
}

fn read(answer: &Answer) -> Result<FillReport> {
    let said = Fields::parse(&answer.stdout);
    let is_stale = said.get("stale").is_some();
    let end = if is_stale { "stale" } else { "filled" };
    let fields = Fields::read(answer, end).map_err(|error| match said.get("unlike") {
        Some(first) => error.context(format!("`{first}` differs from what was sent")),
        None => error,
    })?;
    let n_carried = fields.get("carried").and_then(|n| n.parse().ok()).unwrap_or_default();
    let carried = fields.paths("copied").map(|path| path.to_string()).collect();
    let skipped = fields.list("skipped");
    Ok(FillReport { is_stale, surveys: survey::read(&fields), n_carried, carried, skipped })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::plan::tests::{last, path, rules, tree};
    use expect_test::{Expect, expect};
    use std::sync::Arc;

    /// Compares the values that precede the constant texts of the script.
    #[track_caller]
    fn head(plan: &Plan, want: Expect) {
        let record = Record::building(
            ReleaseName::new("8").unwrap(),
            "2026-11-21T19:30:00Z".parse().unwrap(),
            "me@here",
        );
        let (tree, contents) = (Arc::new(tree(&[])), Arc::default());
        let pack = Pack::new(&tree, &contents, &[], b"", &[]).unwrap();
        let relied_on = Directory {
            path: "releases/7".to_owned(),
            kept_as: "7".to_owned(),
            by: survey::By::Stat,
            shows_manifest: false,
            relied_on: Some("d7".to_owned()),
        };
        let options = FillOptions {
            duplicate: Duplicate::Link,
            is_guarded: true,
            directory: DirectoryState::Absent,
            unchecked: &Assumptions {
                directories: vec![(relied_on, Manifest::default())],
                touched: vec!["t".to_owned()],
            },
        };
        let lock = Lock { root: "/srv/it's here".to_owned(), run: "r".to_owned() };
        let step = fill(&lock, &record, plan, &options, &pack);
        want.assert_eq(&step.act.script.values());
    }

    #[test]
    fn a_plan_reaches_the_script_as_values() {
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
        let (managed, _) = rules().split(&source);
        let plan = Plan::new(last(base, &["edited"]), None, &managed, &rules(), vec![path("up")]);
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
                protects='yes'
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
                kept_links() {
                  :
                }
            "#]],
        );
    }
}
