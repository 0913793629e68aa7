//! What of an adopted directory moves to `shared/`: what is found there, and a pure decision.

use crate::event::{Report, few};
use crate::release::adoption::{Adoption, AdoptionFacts, AdoptionKind, Occupant};
use crate::release::answer::Fields;
use crate::release::scripts::{MOVING, script};
use crate::release::{SharedKind, SharedPath};
use crate::shell::{Effect, Step, Word};
use crate::tree::TreePath;

/// How many paths a line of the plan names, as `few` does.
const SHOWN: usize = 5;

/// Where a directory is that is adopted, and where its site's `shared/` is or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptedPlace {
    pub root: String,
    /// In `root`.
    pub place: String,
    pub shared: String,
}

impl AdoptedPlace {
    pub fn of(found: &AdoptionFacts, adoption: &Adoption) -> Self {
        let release = || format!("releases/{}", adoption.release);
        let is_exchanged = matches!(found.at_root, Occupant::Link(_));
        let (root, place, site) = match adoption.kind {
            AdoptionKind::Docroot { .. } if is_exchanged => (&found.beside, release(), &found.beside),
            AdoptionKind::Docroot { .. } => (&found.root, ".".to_owned(), &found.beside),
            AdoptionKind::Current if matches!(found.at_current, Occupant::Directory { .. }) => {
                (&found.root, "current".to_owned(), &found.root)
            }
            AdoptionKind::Current | AdoptionKind::Layout => (&found.root, release(), &found.root),
        };
        Self { root: root.clone(), place, shared: format!("{site}/shared") }
    }
}

/// What is at a path that is to be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtPath {
    Nothing,
    /// A file or directory, or a link to one.
    Here(SharedKind),
    /// It leads to `shared/` already.
    Shared,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareFound {
    pub at: AtPath,
    /// What keeps it where it is.
    pub obstacle: Option<Obstacle>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    pub why: String,
    pub cure: String,
    /// Both the directory and `shared/` have it.
    pub is_twofold: bool,
}

/// Looks at paths, for each of them.
pub fn look(at: &AdoptedPlace, user: &str, paths: &[SharedPath]) -> Step<Vec<ShareFound>> {
    let AdoptedPlace { root, place, shared } = at;
    let script = script(root, include_str!("sh/adopt_shares.sh")).with(MOVING);
    let rows = paths.iter().map(|path| {
        let [_, path, link] = path.row();
        [path, link]
    });
    let script = script.var("place", place).var("shared", shared).rows("asked", rows);
    let (paths, at, user) = (paths.to_vec(), at.clone(), user.to_owned());
    Step::new("adopt-shares", Effect::Reads, script, move |answer| {
        let fields = Fields::read(answer, "looked")?;
        let obstacles = fields.list("obstacle");
        let found = fields.list("at").into_iter().zip(obstacles).zip(&paths);
        Ok(found.map(|((word, obstacle), path)| read(&word, &obstacle, &at, &user, path)).collect())
    })
}

fn read(word: &str, obstacle: &str, at: &AdoptedPlace, user: &str, path: &SharedPath) -> ShareFound {
    let (kind, detail) = obstacle.split_once(' ').unwrap_or((obstacle, ""));
    let bare = &path.path;
    let full = match at.place.as_str() {
        "." => format!("{}/{bare}", at.root),
        place => format!("{}/{place}/{bare}", at.root),
    };
    let full = Word::shown(&full);
    let (me, shared) = (Word::shown(user), &at.shared);
    let (why, cure) = match kind {
        "parent" => (
            format!("`{user}` cannot write in `{detail}`"),
            format!("on the server: `sudo chown {me} {detail}`"),
        ),
        "denied" => (
            format!("it belongs to `{detail}`, and `{user}` cannot write in it"),
            format!("on the server: `sudo chgrp $(id -g {me}) {full}; sudo chmod g+rwx {full}`"),
        ),
        "mount" => (
            "it is on another file system".to_owned(),
            format!("mount it at another place, and make `{full}` a link to that place"),
        ),
        "relative" => (
            format!("it is a relative link, to `{detail}`"),
            format!("make it absolute, such as `ln -sfn /srv/data {full}`"),
        ),
        "out" => (
            format!("it has a relative link that would lead elsewhere: {detail}"),
            "make such links absolute".to_owned(),
        ),
        "taken" => (
            format!("`{shared}/{bare}` exists already"),
            "look at both on the server, and keep one of them".to_owned(),
        ),
        _ => Default::default(),
    };
    let at = match word {
        "directory" => AtPath::Here(SharedKind::Directory),
        "file" => AtPath::Here(SharedKind::File),
        "shared" => AtPath::Shared,
        _ => AtPath::Nothing,
    };
    let obstacle = (!why.is_empty()).then_some(Obstacle { why, cure, is_twofold: kind == "taken" });
    ShareFound { at, obstacle }
}

/// Who wants a path to be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedBy {
    Setting,
    CommandLine,
    /// Nobody yet: it is proposed.
    Proposal,
}

/// What happens with the paths of one host.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SharePlan {
    /// They move.
    pub moves: Vec<SharedPath>,
    /// `runner.toml` does not name them yet.
    pub adds: Vec<SharedPath>,
    /// Proposals that cannot move.
    pub stay: Vec<(SharedPath, Obstacle)>,
    /// Paths of the setting that cannot move: the first deployment copies them.
    pub copied: Vec<(SharedPath, Obstacle)>,
    /// What the command line names and the directory does not have.
    pub absent: Vec<TreePath>,
}

/// Decides about each of `wanted`, of which the server says what is `found`.
pub fn decide(wanted: &[(SharedPath, WantedBy)], found: &[ShareFound]) -> Result<SharePlan, Report> {
    let mut sharing = SharePlan::default();
    for ((path, by), ShareFound { at, obstacle }) in wanted.iter().zip(found) {
        let kind = match at {
            AtPath::Nothing => {
                sharing.absent.extend((*by == WantedBy::CommandLine).then(|| path.path.clone()));
                continue;
            }
            AtPath::Here(kind) => *kind,
            AtPath::Shared => path.kind,
        };
        let path = SharedPath { kind, ..path.clone() };
        let adds = (*by != WantedBy::Setting).then(|| path.clone());
        match (obstacle, by) {
            (None, _) => {
                sharing.adds.extend(adds);
                sharing.moves.extend((*at != AtPath::Shared).then_some(path));
            }
            (Some(obstacle), WantedBy::Proposal) => sharing.stay.push((path, obstacle.clone())),
            (Some(obstacle), WantedBy::Setting) if !obstacle.is_twofold => {
                sharing.copied.push((path, obstacle.clone()));
            }
            (Some(Obstacle { why, cure, .. }), _) => {
                return Err(
                    Report::new(format!("`{path}` cannot move to `shared/`: {why}")).hint(cure.clone())
                );
            }
        }
    }
    Ok(sharing)
}

impl SharePlan {
    /// What would be done on the host, a line each.
    pub fn lines(&self) -> Vec<String> {
        let moved = self.moves.iter().map(|path| {
            let bare = &path.path;
            format!("`{path}` becomes `shared/{bare}`; a link takes its place in the same instant")
        });
        let copied = self.copied.iter().map(|(path, Obstacle { why, cure, .. })| {
            format!("`{path}` stays, because {why}: the first deployment copies it; to have it moved, {cure}")
        });
        let stay = self.stay.iter().map(|(path, Obstacle { why, cure, .. })| {
            format!(
                "`{path}`, which the source does not have, stays, because {why}; to have it shared, {cure}"
            )
        });
        moved.chain(copied).chain(stay).collect()
    }
}

/// Names what stays in the adopted release alone, with the words that share it.
pub fn left(rest: &[SharedPath]) -> String {
    let words: Vec<String> = rest
        .iter()
        .take(SHOWN)
        .map(|path| format!("--share {}", Word::shown(&path.path.to_string())))
        .collect();
    format!(
        "the source lacks {}: it stays in the adopted release alone; for all releases, add `{}`",
        few(rest),
        words.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> AdoptedPlace {
        AdoptedPlace {
            root: "/srv/my shop".into(),
            place: "current".into(),
            shared: "/srv/my shop/shared".into(),
        }
    }

    #[track_caller]
    fn case(by: WantedBy, word: &str, obstacle: &str, want: &str) {
        let path = SharedPath::parse("up").unwrap();
        let found = read(word, obstacle, &at(), "deploy", &path);
        let said = match decide(&[(path, by)], &[found]) {
            Ok(sharing) => {
                let adds = sharing.adds.iter().map(|path| format!("adds {path}"));
                let absent = sharing.absent.iter().map(|path| format!("no {path}"));
                sharing.lines().into_iter().chain(adds).chain(absent).collect::<Vec<_>>().join("\n")
            }
            Err(report) => report.message,
        };
        assert!(said.starts_with(want) && said.is_empty() == want.is_empty(), "{said}");
    }

    #[test]
    fn what_can_move_moves_and_the_rest_is_named() {
        use WantedBy::{CommandLine, Proposal, Setting};
        let moved = "`up/` becomes `shared/up`; a link takes its place in the same instant";
        case(Setting, "directory", "", moved);
        case(Proposal, "directory", "", &format!("{moved}\nadds up/"));
        case(
            CommandLine,
            "file",
            "",
            "`up` becomes `shared/up`; a link takes its place in the same instant\nadds up",
        );
        case(Setting, "nothing", "", "");
        case(CommandLine, "nothing", "", "no up");
        case(Setting, "shared", "", "");
        case(CommandLine, "shared", "", "adds up");
        case(Setting, "directory", "denied www-data", "`up/` stays, because it belongs to `www-data`");
        case(
            Proposal,
            "directory",
            "mount",
            "`up/`, which the source does not have, stays, because it is on another",
        );
        case(
            CommandLine,
            "file",
            "relative x/y",
            "`up` cannot move to `shared/`: it is a relative link, to `x/y`",
        );
        case(
            Setting,
            "file",
            "taken /x",
            "`up` cannot move to `shared/`: `/srv/my shop/shared/up` exists already",
        );
    }
}
