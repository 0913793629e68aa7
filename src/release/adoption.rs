//! How a site that is served already becomes one of ours: what is found, what is noted in `.runner/adoption`, and the steps.
//!
//! **Invariant:** a directory that visitors see changes places with a link in one system call. All that is made before
//! leads nowhere, and all that is removed after leads nowhere.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::release::answer::Fields;
use crate::release::history::HistoryEntry;
use crate::release::lock::Lock;
use crate::release::old_log::LoggedRelease;
use crate::release::scripts::{EXCHANGE, LIB, MOVING, OURS, REACH};
use crate::release::{Record, ReleaseName, SharedPath};
use crate::shell::{Effect, Script, Step, Word};

/// What is exchanged for a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum AdoptionKind {
    /// `current`, a directory.
    Current,
    /// The directory that the web server serves. The site is beside it.
    Docroot {
        directory: String,
        /// The text of the link that takes its place.
        link: String,
        /// `path` as runner.toml had it.
        path: String,
    },
    /// Nothing: `current` was a link already.
    Layout,
}

/// How a site is or was adopted, as `.runner/adoption` says it. Without that file, no adoption can be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adoption {
    pub release: ReleaseName,
    #[serde(flatten)]
    pub kind: AdoptionKind,
    /// What of the directory moves to `shared/`, as the setting writes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shares: Vec<String>,
    /// Releases of another tool, to be recorded with it.
    #[serde(skip)]
    pub records: Vec<Record>,
}

impl Adoption {
    pub fn new(release: ReleaseName, kind: AdoptionKind) -> Self {
        Self { release, kind, shares: Vec::new(), records: Vec::new() }
    }

    pub fn share(&mut self, paths: &[SharedPath]) {
        self.shares = paths.iter().map(ToString::to_string).collect();
    }

    /// What of the directory moves to `shared/`.
    pub fn shared(&self) -> Vec<SharedPath> {
        // Who could have written anything else there could do more than that.
        SharedPath::parse_all(self.shares.iter().map(String::as_str)).unwrap_or_default()
    }

    /// What is exchanged, and the text of the link that takes its place.
    pub fn exchange(&self) -> (&str, String) {
        match &self.kind {
            AdoptionKind::Current => ("current", format!("releases/{}", self.release)),
            AdoptionKind::Docroot { directory, link, .. } => (directory, link.clone()),
            AdoptionKind::Layout => ("", String::new()),
        }
    }
}

impl From<&Adoption> for Word {
    fn from(adoption: &Adoption) -> Self {
        // Strings only: serializing them cannot fail.
        Word::new(serde_json::to_vec(adoption).unwrap_or_default())
    }
}

/// What is at a path. A link is not followed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Occupant {
    #[default]
    Nothing,
    Link(String),
    Directory {
        owner: String,
    },
    Other,
}

impl Occupant {
    fn parse(text: &str) -> Self {
        match text.split_once(' ') {
            Some(("link", target)) => Self::Link(target.to_owned()),
            Some(("directory", owner)) => Self::Directory { owner: owner.to_owned() },
            _ if text == "nothing" => Self::Nothing,
            _ => Self::Other,
        }
    }
}

/// What a deploy path has that is to be adopted, and how names can be exchanged on the server.
#[derive(Debug, Clone, Default)]
pub struct AdoptionFacts {
    /// The deploy path, and the site that is made beside it if it is served as it is; both with `~` resolved.
    pub root: String,
    pub beside: String,
    pub user: String,
    pub at_root: Occupant,
    pub at_current: Occupant,
    pub at_beside: Occupant,
    /// `current` of the site beside.
    pub at_next: Occupant,
    /// Whether the directory above the deploy path can be written in.
    pub is_parent_writable: bool,
    /// How the site, and the site beside it, were adopted.
    pub adoption: Option<Adoption>,
    pub adoption_beside: Option<Adoption>,
    /// Whether something of the adopted release was not moved to `shared/` that was to be moved.
    pub is_unfinished: bool,
    /// Whether something was deployed to the site beside.
    pub is_deployed: bool,
    /// Whether others can pass all directories above the deploy path, but not those above the site beside.
    pub is_beside_closed: bool,
    /// A directory above the site beside that looks like a web root.
    pub webroot_above: Option<String>,
    /// Relative links that lead out of the directory, which would lead elsewhere once it has moved.
    pub outside: Vec<String>,
    /// The file systems of `current`, `releases`, the deploy path, and the directory above the site beside, where known.
    pub devices: [String; 4],
    /// What other tools have noted of their releases, the oldest first.
    pub logged: Vec<LoggedRelease>,
    /// Where Deployer's link to a release leads that it has not finished.
    pub unfinished: String,
    /// The program that can exchange names, if there is one.
    pub exchanger: Option<String>,
    /// The number of the system call.
    pub call: String,
}

pub fn look(root: &str, beside: &str) -> Step<AdoptionFacts> {
    let script = Script::new(include_str!("sh/adopt_look.sh")).var("root", root).var("beside", beside);
    let script = script.with(LIB).with(OURS).with(EXCHANGE).with(MOVING);
    Step::new("adopt-look", Effect::Reads, script, |answer| {
        let fields = Fields::read(answer, "looked")?;
        let text = |key| fields.get(key).unwrap_or_default();
        let occupant = |key| Occupant::parse(&text(key));
        let mut adoptions = fields.list("adoption").into_iter().map(|text| serde_json::from_str(&text).ok());
        let mut devices = fields.list("device").into_iter();
        Ok(AdoptionFacts {
            root: text("root"),
            beside: text("beside"),
            user: text("user"),
            at_root: occupant("at_root"),
            at_current: occupant("at_current"),
            at_beside: occupant("at_beside"),
            at_next: occupant("at_next"),
            is_parent_writable: fields.get("writable").is_some(),
            adoption: adoptions.next().flatten(),
            adoption_beside: adoptions.next().flatten(),
            is_unfinished: false,
            is_deployed: fields.get("deployed").is_some(),
            is_beside_closed: fields.get("closed").is_some(),
            webroot_above: fields.get("webroot"),
            outside: fields.list("outside"),
            devices: std::array::from_fn(|_| devices.next().unwrap_or_default()),
            logged: fields.list("logged").iter().filter_map(|line| LoggedRelease::parse(line)).collect(),
            unfinished: text("unfinished"),
            exchanger: fields.get("exchanger").filter(|program| !program.is_empty()),
            call: text("call"),
        })
    })
}

fn script(lock: &Lock, adoption: &Adoption, body: &'static str) -> Script {
    let (place, link) = adoption.exchange();
    let script = lock.script(body).with(REACH).with(EXCHANGE).var("name", &adoption.release);
    let script = script.rows("shares", adoption.shared().iter().map(SharedPath::row));
    script.var("place", place).var("link", link)
}

/// What `adopt` has done.
#[derive(Debug)]
pub struct Adopted {
    /// Whether this step exchanged the directory; another run may have done it before.
    pub has_exchanged: bool,
    /// What it could not finish.
    pub ended: Result<()>,
}

/// Exchanges the directory for a link to the release that it becomes, moves what is shared, and notes how the site is
/// adopted. Its record is made when the lock is taken again, as that of any release of another tool.
pub fn adopt(lock: &Lock, adoption: &Adoption) -> Step<Adopted> {
    let script = script(lock, adoption, include_str!("sh/adopt.sh"))
        .var("adoption", adoption)
        .rows("records", adoption.records.iter().map(Record::row));
    Step::new("adopt", Effect::Writes, script, |answer| {
        let has_exchanged = Fields::parse(&answer.stdout).get("exchanged").is_some();
        Ok(Adopted { has_exchanged, ended: Fields::read(answer, "adopted").map(drop) })
    })
    .data("release", &adoption.release)
}

/// Takes the adoption back, and forgets the releases that it recorded. The note about it stays.
pub fn undo<'a>(lock: &Lock, adoption: &Adoption, adopted: impl IntoIterator<Item = &'a Record>) -> Step<()> {
    let script = script(lock, adoption, include_str!("sh/adopt_undo.sh"))
        .rows("records", adopted.into_iter().map(|record| [&record.name]));
    Step::new("adopt-undo", Effect::Writes, script, |answer| Fields::read(answer, "undone").map(drop))
        .data("release", &adoption.release)
}

/// Forgets an adoption that was taken back.
pub fn forget(lock: &Lock, entry: &HistoryEntry) -> Step<()> {
    let script = lock.script(include_str!("sh/adopt_forget.sh")).var("entry", entry);
    Step::new("adopt-forget", Effect::Writes, script, |answer| Fields::read(answer, "forgotten").map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn an_adoption_is_one_line_and_reads_back() {
        let text = |kind| {
            let adoption = Adoption::new(ReleaseName::new("7").unwrap(), kind);
            let text = String::from_utf8(Word::from(&adoption).as_bytes().to_vec()).unwrap();
            assert_eq!(serde_json::from_str::<Adoption>(&text).unwrap(), adoption);
            text
        };
        let docroot = AdoptionKind::Docroot {
            directory: "/srv/html".to_owned(),
            link: "html.site/current".to_owned(),
            path: "/srv/html".to_owned(),
        };
        expect![[r#"
            {"release":"7","kind":"current"}
            {"release":"7","kind":"docroot","directory":"/srv/html","link":"html.site/current","path":"/srv/html"}
            {"release":"7","kind":"layout"}"#]]
        .assert_eq(&[text(AdoptionKind::Current), text(docroot), text(AdoptionKind::Layout)].join("\n"));
    }
}
