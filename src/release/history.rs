//! The history of a site: `.runner/history` has a line for each change of its releases, or of which one is live.
//!
//! A line is `TIME EVENT RELEASE BY`, with one blank between its parts. TIME is UTC, as `date -u +%Y-%m-%dT%H:%M:%SZ`
//! prints it. BY is `user@machine`, or `watch` if the server did it by itself; for `seed` it is the shared path. Most
//! lines are made here and passed to the step that writes them. Scripts make two of their own: `seed` (link.sh) and
//! `revert` (swap_lib.sh).

use std::fmt;

use jiff::Timestamp;

use crate::release::ReleaseName;
use crate::release::scripts::script;
use crate::shell::{Effect, Step, Word};

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryEvent {
    Adopt,
    /// A shared path was filled from the release.
    Seed,
    Swap,
    SwapBack,
    Rollback,
    /// The server swapped back by itself.
    Revert,
    Heal,
    Prune,
    Discard,
}

impl HistoryEvent {
    const ALL: [Self; 9] = [
        Self::Adopt,
        Self::Seed,
        Self::Swap,
        Self::SwapBack,
        Self::Rollback,
        Self::Revert,
        Self::Heal,
        Self::Prune,
        Self::Discard,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::Seed => "seed",
            Self::Swap => "swap",
            Self::SwapBack => "swap-back",
            Self::Rollback => "rollback",
            Self::Revert => "revert",
            Self::Heal => "heal",
            Self::Prune => "prune",
            Self::Discard => "discard",
        }
    }
}

/// A line of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    pub at: Timestamp,
    pub event: HistoryEvent,
    pub release: ReleaseName,
    /// For a seed, the shared path.
    pub by: String,
}

impl HistoryEntry {
    pub fn new(at: Timestamp, event: HistoryEvent, release: &ReleaseName, by: &str) -> Self {
        Self { at, event, release: release.clone(), by: by.to_owned() }
    }

    /// Reads what its `Display` writes and nothing else. The name of an adopted release may have blanks, as a seeded
    /// path may; the release of a seed is always ours.
    pub fn parse(line: &str) -> Option<Self> {
        let (at, rest) = line.split_once(' ')?;
        let (name, rest) = rest.split_once(' ')?;
        let event = HistoryEvent::ALL.into_iter().find(|event| event.name() == name)?;
        let (release, by) = match event {
            HistoryEvent::Seed => rest.split_once(' ')?,
            _ => rest.rsplit_once(' ')?,
        };
        let entry = Self::new(at.parse().ok()?, event, &ReleaseName::new(release).ok()?, by);
        (entry.to_string() == line).then_some(entry)
    }
}

impl fmt::Display for HistoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {} {} {}", stamp(self.at), self.event.name(), self.release, self.by)
    }
}

impl From<&HistoryEntry> for Word {
    fn from(entry: &HistoryEntry) -> Self {
        Word::from(entry.to_string())
    }
}

/// Empty for scripts that have no line to write.
impl From<Option<&HistoryEntry>> for Word {
    fn from(entry: Option<&HistoryEntry>) -> Self {
        entry.map_or(Word::from(""), Word::from)
    }
}

/// The time of a line.
pub(super) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The lines of a site's history, oldest first. A line that cannot be parsed, as a newer program or a full disk may
/// leave it, is returned as it is.
pub fn history(root: &str) -> Step<Vec<Result<HistoryEntry, String>>> {
    let script = script(root, "enter\ncat .runner/history 2>/dev/null || :\n");
    Step::new("history", Effect::Reads, script, |answer| {
        let text = String::from_utf8_lossy(&answer.stdout);
        Ok(text.lines().map(|line| HistoryEntry::parse(line).ok_or_else(|| line.to_owned())).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn name(text: &str) -> ReleaseName {
        ReleaseName::new(text).unwrap()
    }

    #[track_caller]
    fn case(line: &str, event: HistoryEvent, release: &str, by: &str) {
        let at = "2026-11-21T19:30:00Z".parse().unwrap();
        assert_eq!(HistoryEntry::parse(line), Some(HistoryEntry::new(at, event, &name(release), by)));
    }

    #[test]
    fn a_line_reads_back_as_what_it_was_made_of() {
        let at = "2026-11-21T19:30:00.7Z".parse().unwrap();
        for event in HistoryEvent::ALL {
            let line = HistoryEntry::new(at, event, &name("20261121193000"), "ann@laptop").to_string();
            case(&line, event, "20261121193000", "ann@laptop");
        }
        case("2026-11-21T19:30:00Z adopt my shop 1 a@b", HistoryEvent::Adopt, "my shop 1", "a@b");
        case("2026-11-21T19:30:00Z seed 7 a  dir/x", HistoryEvent::Seed, "7", "a  dir/x");
    }

    #[test]
    fn what_is_not_written_so_is_no_entry() {
        for line in [
            "",
            "2026-11-21T19:30:00Z swap 7",
            "2026-11-21T19:30:00Z sing 7 ann@laptop",
            "2026-11-21T19:30:00.5Z swap 7 ann@laptop",
            "2026-11-21T19:30Z swap 7 ann@laptop",
            "yesterday swap 7 ann@laptop",
            "2026-11-21T19:30:00Z swap a/b ann@laptop",
        ] {
            assert_eq!(HistoryEntry::parse(line), None, "{line}");
        }
    }

    /// The line of a script that makes a line of the history itself, run with these values.
    fn written(script: &str, values: &str) -> String {
        let mut own = script
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("note ") && !matches!(*line, r#"note "$entry""#));
        let (line, None) = (own.next().unwrap(), own.next()) else { panic!("more than one line") };
        let text = format!("note() {{ printf '%s\\n' \"$1\"; }}\n{values}\n{line}\n");
        let output = Command::new("sh").args(["-c", &text]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    #[test]
    fn the_lines_that_scripts_make_are_read() {
        let at = "2026-11-21T19:30:00Z".parse().unwrap();
        let values = format!("stamp='{}' name=20261121193000; set -- directory 'a b/c'", stamp(at));
        let seed = written(include_str!("sh/link.sh"), &values);
        case(&seed, HistoryEvent::Seed, "20261121193000", "a b/c");

        let revert = written(include_str!("sh/swap_lib.sh"), "name=20261121193000");
        let entry = HistoryEntry::parse(&revert).unwrap();
        assert_eq!(entry.event, HistoryEvent::Revert);
        assert_eq!((entry.release.as_str(), entry.by.as_str()), ("20261121193000", "watch"));
    }
}
