//! Parses the output of `ssh -G`: one option per line, its name in lower case before the first space.

use std::collections::HashMap;

/// The values of each option, in order.
#[derive(Debug, Default)]
pub struct ConfigAnswers(HashMap<String, Vec<String>>);

impl ConfigAnswers {
    pub fn parse(text: &str) -> Self {
        let mut all: HashMap<String, Vec<String>> = HashMap::new();
        for line in text.lines() {
            if let Some((name, value)) = line.split_once(' ') {
                all.entry(name.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
            }
        }
        Self(all)
    }

    /// All values of an option that can be repeated. `none` counts as no value.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().map(String::as_str).filter(|value| is_some(value))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The first value as it is printed, which may be empty.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.first().map(String::as_str)
    }

    /// Whether the option is set to `none`.
    pub fn is_none(&self, name: &str) -> bool {
        self.0.contains_key(name) && self.get(name).is_none()
    }

    /// Reads a boolean option. Some versions print `true` and `false` instead of `yes` and `no` for some options.
    pub fn is(&self, name: &str, otherwise: bool) -> bool {
        match self.get(name) {
            Some("yes" | "true") => true,
            Some("no" | "false") => false,
            _ => otherwise,
        }
    }

    /// Several paths in one line, each absolute or starting with `~`. They are printed without quotes, so a word that
    /// begins otherwise continues the previous path.
    pub fn paths(&self, name: &str) -> Vec<String> {
        let mut paths: Vec<String> = Vec::new();
        for word in self.get(name).unwrap_or_default().split(' ') {
            match paths.last_mut() {
                Some(last) if !word.starts_with(['/', '~', '$', '%']) => {
                    last.push(' ');
                    last.push_str(word);
                }
                _ if word.is_empty() => {}
                _ => paths.push(word.to_owned()),
            }
        }
        paths
    }
}

fn is_some(value: &str) -> bool {
    !value.is_empty() && !value.eq_ignore_ascii_case("none")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_in_order() {
        let answers = ConfigAnswers::parse(
            "port 22\nidentityfile ~/a b\nidentityfile c\ncanonicalizePermittedcnames x\n",
        );
        assert_eq!(answers.all("identityfile").collect::<Vec<_>>(), ["~/a b", "c"]);
        assert_eq!(answers.get("canonicalizepermittedcnames"), Some("x"));
        assert_eq!(answers.get("hostname"), None);
    }

    #[test]
    fn none_is_no_value() {
        let answers = ConfigAnswers::parse("identityfile none\nproxycommand none\nconnecttimeout none\n");
        assert_eq!(answers.all("identityfile").count(), 0);
        assert_eq!(answers.get("proxycommand"), None);
    }

    #[test]
    fn yes_and_true_are_the_same() {
        let answers = ConfigAnswers::parse(
            "pubkeyauthentication true\nidentitiesonly yes\npasswordauthentication no\n",
        );
        assert!(answers.is("pubkeyauthentication", false));
        assert!(answers.is("identitiesonly", false));
        assert!(!answers.is("passwordauthentication", true));
        assert!(answers.is("kbdinteractiveauthentication", true));
    }

    #[test]
    fn paths_of_one_line_may_hold_spaces() {
        #[track_caller]
        fn case(line: &str, want: &[&str]) {
            assert_eq!(ConfigAnswers::parse(&format!("files {line}")).paths("files"), want, "{line}");
        }
        case("/a /b", &["/a", "/b"]);
        case("/root/kh /tmp/a b/kh ~/c", &["/root/kh", "/tmp/a b/kh", "~/c"]);
        case("none", &[]);
        case("relative", &["relative"]);
    }
}
