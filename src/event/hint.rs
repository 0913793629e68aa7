//! What the user can do about a problem: a text, or a command of this program that works in this very run as it is
//! shown.

use std::fmt;

use serde::{Serialize, Serializer};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    Text(String),
    /// `runner` with some words, between two texts. The renderer adds the options of the command line for the same
    /// project, stage and hosts: the code that reports a problem does not know them.
    Runner {
        before: String,
        words: Vec<String>,
        after: String,
    },
}

impl Hint {
    /// A hint that begins with a command: "`runner tasks` lists them".
    pub fn runner<const N: usize>(words: [&str; N], after: &str) -> Self {
        let words = words.map(str::to_owned).into();
        Self::Runner { before: String::new(), words, after: after.to_owned() }
    }

    /// The same hint with each of its texts replaced.
    pub fn map(self, mut change: impl FnMut(String) -> String) -> Self {
        match self {
            Self::Text(text) => Self::Text(change(text)),
            Self::Runner { before, words, after } => Self::Runner {
                before: change(before),
                words: words.into_iter().map(&mut change).collect(),
                after: change(after),
            },
        }
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Hint {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Runner { before, words, after } => write!(f, "{before}`runner {}`{after}", words.join(" ")),
        }
    }
}

impl Serialize for Hint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
