//! The name of a release: a directory under `releases/`.

use std::fmt;

use anyhow::{Result, bail};
use jiff::civil::DateTime;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::shell::Word;

const FORMAT: &str = "%Y%m%d%H%M%S";

/// Ours are UTC times, `YYYYMMDDHHMMSS`; an adopted one may be any directory's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseName(String);

impl ReleaseName {
    pub fn new(name: &str) -> Result<Self> {
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0', '\n']) {
            bail!("`{name}` is not a valid release name");
        }
        Ok(Self(name.to_owned()))
    }

    /// The name for a new release: the time now, but always after every name that exists on any host.
    pub fn next<'a>(now: Timestamp, names: impl IntoIterator<Item = &'a str>) -> Self {
        let now = TimeZone::UTC.to_datetime(now);
        let newest = names
            .into_iter()
            .filter(|name| name.len() == 14)
            .filter_map(|name| DateTime::strptime(FORMAT, name).ok())
            .max();
        let time = match newest.and_then(|newest| newest.checked_add(1.second()).ok()) {
            Some(after) if after > now => after,
            _ => now,
        };
        Self(time.strftime(FORMAT).to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ReleaseName {
    type Error = anyhow::Error;

    fn try_from(name: String) -> Result<Self> {
        Self::new(&name)
    }
}

impl From<ReleaseName> for String {
    fn from(name: ReleaseName) -> Self {
        name.0
    }
}

impl From<&ReleaseName> for Word {
    fn from(name: &ReleaseName) -> Self {
        Word::from(name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(names: &[&str], want: &str) {
        let now = "2026-11-21T19:30:00Z".parse().unwrap();
        assert_eq!(ReleaseName::next(now, names.iter().copied()).as_str(), want);
    }

    #[test]
    fn the_next_name_is_now_or_a_second_after_the_newest() {
        case(&[], "20261121193000");
        case(&["20261121192959"], "20261121193000");
        case(&["20261121193000", "20261121192959"], "20261121193001");
        case(&["20301231235959"], "20310101000000");
        case(&["12", "current-2", "99999999999999"], "20261121193000");
    }
}
