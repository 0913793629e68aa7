//! "did you mean": suggests the known name that is most similar to a mistyped one.

use std::fmt;

/// The text after a mistyped name: ` (did you mean `swap`?)`, or nothing if no known name is similar.
pub struct Suggestion<'a>(Option<&'a str>);

impl<'a> Suggestion<'a> {
    pub fn new(word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let best = known
            .into_iter()
            .map(|name| (strsim::damerau_levenshtein(word, name), name))
            .filter(|(distance, name)| *distance <= 1 + word.chars().count().max(name.chars().count()) / 4)
            .min();
        Self(best.map(|(_, name)| name))
    }

    /// The similar name itself.
    pub fn name(&self) -> Option<&'a str> {
        self.0
    }
}

impl fmt::Display for Suggestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, " (did you mean `{name}`?)"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(word: &str, want: &str) {
        let got = Suggestion::new(word, ["swap", "upload", "keep_releases"]).to_string();
        assert_eq!(got, want);
    }

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        case("swpa", " (did you mean `swap`?)");
        case("keep_relases", " (did you mean `keep_releases`?)");
        case("reindex", "");
    }
}
