//! What Capistrano and Deployer have noted about their releases.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::release::{Record, ReleaseName};

/// A release in the log of another tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRelease {
    pub name: ReleaseName,
    pub created: Timestamp,
    pub by: String,
    pub revision: Option<String>,
    /// Capistrano writes its log when a deployment has succeeded, Deployer when one begins.
    pub has_succeeded: bool,
}

impl LoggedRelease {
    /// A line of Capistrano's `revisions.log`, or of Deployer's `.dep/releases_log`.
    pub fn parse(line: &str) -> Option<Self> {
        if line.starts_with('{') { deployer(line) } else { capistrano(line) }
    }

    /// The record of the release. Where nobody knows whether it was ever live, a rollback must name it.
    pub fn record(&self) -> Record {
        let first_served = self.has_succeeded.then_some(self.created);
        let revision = self.revision.clone();
        Record { first_served, revision, ..Record::adopted(self.name.clone(), self.created, &self.by) }
    }
}

/// `Branch main (at deadbeef) deployed as release 20210101000000 by ann`; the name is a UTC time.
fn capistrano(line: &str) -> Option<LoggedRelease> {
    let (what, rest) = line.split_once(" deployed as release ")?;
    let (name, by) = rest.split_once(" by ")?;
    let revision = what.rsplit_once("(at ").and_then(|(_, rest)| rest.split_once(')'));
    let time = DateTime::strptime("%Y%m%d%H%M%S", name).ok()?;
    Some(LoggedRelease {
        name: ReleaseName::new(name).ok()?,
        created: TimeZone::UTC.to_timestamp(time).ok()?,
        by: by.trim().to_owned(),
        revision: revision.map(|(revision, _)| revision.to_owned()).filter(|text| !text.is_empty()),
        has_succeeded: true,
    })
}

fn deployer(line: &str) -> Option<LoggedRelease> {
    #[derive(Deserialize)]
    struct DeployerLine {
        created_at: String,
        release_name: String,
        user: String,
        revision: Option<String>,
    }
    let line: DeployerLine = serde_json::from_str(line).ok()?;
    let time = &line.created_at;
    let created = time.parse().ok().or_else(|| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", time).ok())?;
    Some(LoggedRelease {
        name: ReleaseName::new(&line.release_name).ok()?,
        created,
        by: line.user,
        revision: line.revision,
        has_succeeded: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(line: &str, want: Option<(&str, &str, &str, Option<&str>)>) {
        let found = LoggedRelease::parse(line);
        let found = found.as_ref().map(|release| {
            let LoggedRelease { name, created, by, revision, .. } = release;
            (name.as_str().to_owned(), created.to_string(), by.clone(), revision.clone())
        });
        let want = want.map(|(name, created, by, revision)| {
            (name.to_owned(), created.to_owned(), by.to_owned(), revision.map(str::to_owned))
        });
        assert_eq!(found, want, "{line}");
    }

    #[test]
    fn a_line_of_either_tool_tells_name_time_person_and_revision() {
        case(
            "Branch main (at deadbeef) deployed as release 20210101000000 by ann",
            Some(("20210101000000", "2021-01-01T00:00:00Z", "ann", Some("deadbeef"))),
        );
        case(
            "Branch a (at b) (at c) deployed as release 20210101000001 by ann b",
            Some(("20210101000001", "2021-01-01T00:00:01Z", "ann b", Some("c"))),
        );
        case(
            r#"{"created_at":"2021-01-01T10:00:00+0100","release_name":"7","user":"ann","target":"main"}"#,
            Some(("7", "2021-01-01T09:00:00Z", "ann", None)),
        );
        case(
            r#"{"created_at":"2021-01-01T10:00:00+00:00","release_name":"8","user":"bob","target":"HEAD","revision":"abc"}"#,
            Some(("8", "2021-01-01T10:00:00Z", "bob", Some("abc"))),
        );
        for line in [
            "ann rolled back to release 20210101000000",
            "Branch main (at x) deployed as release soon by ann",
            r#"{"created_at":"soon","release_name":"7","user":"ann"}"#,
            r#"{"created_at":"2021-01-01T10:00:00+0000","release_name":"../x","user":"ann"}"#,
            "",
        ] {
            case(line, None);
        }
    }
}
