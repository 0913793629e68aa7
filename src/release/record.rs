//! The record of a release, kept on the server. Each change of a record is one rename.

use std::fmt;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::release::{ReleaseName, SharedKind, SharedPath};
use crate::shell::Word;
use crate::tree::TreePath;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Being built; its content is never used.
    Building,
    Complete,
    /// Was swapped to by a run that then failed.
    Failed,
    /// Was rolled back from.
    Bad,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            State::Building => "building",
            State::Complete => "complete",
            State::Failed => "failed",
            State::Bad => "bad",
        })
    }
}

/// A release's record. Releases are ordered by `created`, never by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub name: ReleaseName,
    pub state: State,
    pub created: Timestamp,
    /// `user@machine` of whoever ran the deploy.
    pub by: String,
    /// The commit of the source, and whether the work tree had uncommitted changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub dirty: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Digest of the manifest kept as `.runner/manifests/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_served: Option<Timestamp>,
    /// When a rollback went to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_served: Option<Timestamp>,
    /// Taken over from another tool: copied from, never linked from.
    #[serde(default, skip_serializing_if = "is_false")]
    pub adopted: bool,
    /// The directory that was served before `runner adopt`. It may have files that are nowhere else, so no prune removes it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub moved: bool,
    /// Managed files that the recipe's own commands replaced: if they differ next time, that is no drift.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched: Vec<String>,
    /// The shared paths that are linked in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<String>,
    /// Those of them that are directories. The first versions did not say so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_directories: Vec<String>,
    /// Links into `shared/` that another tool made and that no setting names, as a setting would.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_links: Vec<String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Record {
    pub fn building(name: ReleaseName, created: Timestamp, by: &str) -> Self {
        Self {
            name,
            state: State::Building,
            created,
            by: by.to_owned(),
            revision: None,
            dirty: false,
            strategy: None,
            manifest: None,
            first_served: None,
            last_served: None,
            adopted: false,
            moved: false,
            touched: Vec::new(),
            shared: Vec::new(),
            shared_directories: Vec::new(),
            foreign_links: Vec::new(),
        }
    }

    /// A part of this record's text that is the same in every state, and that no other run's record has.
    pub fn claim(&self) -> String {
        let [created, by] = [self.created.to_string(), self.by.clone()].map(serde_json::Value::from);
        format!("\"created\":{created},\"by\":{by}")
    }

    pub fn adopted(name: ReleaseName, created: Timestamp, by: &str) -> Self {
        Self {
            state: State::Complete,
            adopted: true,
            first_served: Some(created),
            ..Self::building(name, created, by)
        }
    }

    /// Notes what is linked into it: what settings name, and what another tool has made.
    pub fn link(&mut self, shared: &[SharedPath], foreign: &[SharedPath]) {
        let directories = shared.iter().filter(|path| path.kind == SharedKind::Directory);
        self.shared_directories = directories.map(|path| path.path.to_string()).collect();
        self.shared = shared.iter().map(|path| path.path.to_string()).collect();
        self.foreign_links = foreign.iter().map(ToString::to_string).collect();
    }

    /// The shared paths that are linked in it. Where the record does not say which are directories, their names must.
    pub fn shared_paths(&self) -> Vec<SharedPath> {
        let read = |text: &String| {
            let is_directory = match self.shared_directories.is_empty() {
                true => !text.rsplit('/').next().is_some_and(|name| name.contains('.')),
                false => self.shared_directories.contains(text),
            };
            let kind = if is_directory { SharedKind::Directory } else { SharedKind::File };
            Some(SharedPath { path: TreePath::new(text.as_bytes()).ok()?, kind })
        };
        self.shared.iter().filter_map(read).collect()
    }

    /// Whether it is bad if a run leaves it for `to`: one goes back to an older release from a bad one, and on to a newer
    /// release from a good one.
    pub fn is_bad_after(&self, to: &Record) -> bool {
        (to.created, &to.name) < (self.created, &self.name)
    }

    /// When it was last swapped to.
    pub fn served(&self) -> Option<Timestamp> {
        self.last_served.or(self.first_served)
    }

    pub fn with_state(&self, state: State) -> Self {
        Self { state, ..self.clone() }
    }

    /// Reads the record that is kept under `name`.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let record: Self = serde_json::from_str(text)
            .with_context(|| format!("failed to read the record of release `{name}`"))?;
        if record.name.as_str() != name {
            bail!("the record of release `{name}` belongs to `{}`", record.name);
        }
        Ok(record)
    }
}

impl Record {
    /// A record as a row for a script: name, text.
    pub(super) fn row(&self) -> [Word; 2] {
        [Word::from(&self.name), Word::from(self)]
    }
}

impl From<&Record> for Word {
    fn from(record: &Record) -> Self {
        // Strings, numbers and booleans only: serializing these cannot fail.
        Word::new(serde_json::to_vec(record).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_record_is_one_line_and_reads_back() {
        let name = ReleaseName::new("20261121193000").unwrap();
        let at = "2026-11-21T19:30:00Z".parse().unwrap();
        let record = Record::building(name, at, "ann@laptop");
        let word = Word::from(&record);
        let text = String::from_utf8_lossy(word.as_bytes());
        expect![[r#"{"name":"20261121193000","state":"building","created":"2026-11-21T19:30:00Z","by":"ann@laptop"}"#]]
            .assert_eq(&text);
        assert_eq!(Record::parse("20261121193000", &text).unwrap(), record);
        assert!(
            text.contains(&record.claim())
                && !text.contains(&Record::building(record.name.clone(), at, "bob@desk").claim())
        );
        assert!(Record::parse("20261121193001", &text).is_err());
    }
}
