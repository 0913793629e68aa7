//! Which paths to leave out: by default, and by the setting `exclude` and `.runnerignore` files, in gitignore syntax.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::path::TreePath;
use crate::event::Report;

/// The name of a file with patterns for its directory and everything below it.
pub const FILE_NAME: &str = ".runnerignore";

/// Patterns for paths that are not sent unless the user says so: history, the project's own files, local secrets. The
/// tasks of Laravel Envoy are no secrets.
const DEFAULTS: [&str; 7] = [".git", "runner.toml", "runner.lock", "*.rhai", ".env*", "!.envoy.*", FILE_NAME];

/// The patterns that apply to every source.
pub fn defaults() -> Result<Gitignore> {
    let mut builder = builder();
    for pattern in DEFAULTS {
        add(&mut builder, pattern)?;
    }
    builder.build().context("failed to compile the default patterns")
}

/// Whether the name of a path says that it holds secrets of an environment.
pub fn is_env_file(path: &TreePath) -> bool {
    let name = path.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.starts_with(b".env")
}

/// The patterns that apply in one directory: its own, then those of its parents.
pub struct Rules {
    matcher: Gitignore,
    /// The length of this directory's path, with the slash.
    base: usize,
    outer: Option<Arc<Rules>>,
}

impl Rules {
    /// The rules for the root before any file is read.
    pub fn new(exclude: &[String]) -> Result<Arc<Self>> {
        let mut builder = builder();
        for pattern in exclude {
            add(&mut builder, pattern).with_context(|| format!("bad pattern `{pattern}` in `exclude`"))?;
        }
        let matcher = builder.build().context("failed to compile `exclude`")?;
        let (base, outer) = (0, None);
        Ok(Arc::new(Self { matcher, base, outer }))
    }

    /// The rules for `dir` (`None`: the root), whose ignore file contains `text`.
    pub fn with_file(self: &Arc<Self>, dir: Option<&TreePath>, text: &[u8]) -> Result<Arc<Self>> {
        let file = TreePath::child(dir, OsStr::new(FILE_NAME));
        let mut builder = builder();
        // Some editors on Windows write a byte order mark first.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for (index, line) in text.split(|b| *b == b'\n').enumerate() {
            str::from_utf8(line)
                .map_err(|_| anyhow!("not UTF-8"))
                .and_then(|line| add(&mut builder, line))
                .with_context(|| {
                let shown = String::from_utf8_lossy(line);
                format!("bad pattern `{}` in `{file}`, line {}", shown.trim_end(), index + 1)
            })?;
        }
        let matcher = builder.build().with_context(|| format!("failed to compile `{file}`"))?;
        let base = dir.map_or(0, |dir| dir.as_bytes().len() + 1);
        let outer = Some(Arc::clone(self));
        Ok(Arc::new(Self { matcher, base, outer }))
    }

    /// Whether to leave out `path`, which is in this directory or below; `None` if no pattern matches. The closest file
    /// with a matching pattern decides.
    pub fn excludes(&self, path: &TreePath, is_directory: bool) -> Option<bool> {
        let mut rules = Some(self);
        while let Some(now) = rules {
            let relative = Path::new(OsStr::from_bytes(&path.as_bytes()[now.base..]));
            match now.matcher.matched(relative, is_directory) {
                Match::Ignore(_) => return Some(true),
                Match::Whitelist(_) => return Some(false),
                Match::None => rules = now.outer.as_deref(),
            }
        }
        None
    }
}

pub(super) fn builder() -> GitignoreBuilder {
    // The paths to match are relative to the file's directory already, so there is no root to strip.
    let mut builder = GitignoreBuilder::new("");
    // By default, `[a` matches itself. That hides the mistake, and sends files that should have been left out.
    builder.allow_unclosed_class(false);
    builder
}

pub(super) fn add(builder: &mut GitignoreBuilder, pattern: &str) -> Result<()> {
    let path = pattern.strip_prefix('!').unwrap_or(pattern);
    if let Some(rest) = path.strip_prefix("./") {
        let hint = format!("write `/{rest}`");
        return Err(Report::new("a pattern that starts with `./` matches nothing").hint(hint).into());
    }
    if path.starts_with("../") {
        bail!("a pattern that starts with `../` matches nothing");
    }
    match builder.add_line(None, pattern) {
        Ok(_) => Ok(()),
        Err(ignore::Error::Glob { err, .. }) => Err(anyhow!(err)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::layout::plain;
    use expect_test::expect;

    fn rules(exclude: &[&str]) -> Arc<Rules> {
        let exclude: Vec<String> = exclude.iter().map(|s| s.to_string()).collect();
        Rules::new(&exclude).unwrap()
    }

    #[track_caller]
    fn case(rules: &Rules, path: &[u8], want: bool) {
        let path = TreePath::new(path).unwrap();
        assert_eq!(rules.excludes(&path, false) == Some(true), want, "{path}");
    }

    #[test]
    fn history_configuration_and_secrets_stay_here_by_default() {
        let defaults = defaults().unwrap();
        let is_left = |path: &str| defaults.matched(path, false).is_ignore();
        for path in [
            ".git",
            "lib/.git",
            "runner.toml",
            "x/runner.toml",
            "runner.lock",
            "a.rhai",
            "x/y/a.test.rhai",
            ".env",
            "x/.env.local",
            ".envrc",
            "x/.runnerignore",
        ] {
            assert!(is_left(path), "{path}");
        }
        for path in [".gitignore", "env", "a.env", ".envoy.blade.php", "rhai", "runner.toml.example"] {
            assert!(!is_left(path), "{path}");
        }
    }

    #[test]
    fn the_closest_pattern_wins_and_the_last_of_a_file() {
        let outer = rules(&["!.env.example", "*.log", "/tmp"]);
        case(&outer, b".env.example", false);
        case(&outer, b"a/x.log", true);
        case(&outer, b"a/tmp", false);
        let root = outer.with_file(None, b"# talk\n!keep.log\r\n/a/b").unwrap();
        case(&root, b"a/keep.log", false);
        case(&root, b"a/x.log", true);
        case(&root, b"a/b", true);
        let dir = TreePath::new(b"a").unwrap();
        let nested = root.with_file(Some(&dir), b"*.log\n!x.log\n/only").unwrap();
        case(&nested, b"a/keep.log", true);
        case(&nested, b"a/x.log", false);
        case(&nested, b"a/only", true);
        case(&nested, b"a/c/only", false);
        case(&nested, b"a/tmp", false);
    }

    #[test]
    fn patterns_match_names_of_any_bytes() {
        let rules = rules(&["*.log", "a?b", "dot."]);
        case(&rules, b"\xff\xfe.log", true);
        case(&rules, b"new\nline.log", true);
        case(&rules, b"a\xffb", true);
        case(&rules, b"a\nb", true);
        case(&rules, b"-dash", false);
        case(&rules, b"dot.", true);
        case(&rules, b"x/dot.", true);
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let bad = |pattern: &str| {
            let error = Rules::new(&[pattern.to_owned()]).err().unwrap();
            plain(&Report::of(&error))
        };
        expect!["bad pattern `log[a` in `exclude`: unclosed character class; missing ']'"]
            .assert_eq(&bad("log[a"));
        expect![[r#"
            bad pattern `./build` in `exclude`: a pattern that starts with `./` matches nothing
            hint: write `/build`"#]]
        .assert_eq(&bad("./build"));
        let dir = TreePath::new(b"sub").unwrap();
        let file = rules(&[]).with_file(Some(&dir), b"fine\n{a\n");
        expect!["bad pattern `{a` in `sub/.runnerignore`, line 2: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)"].assert_eq(&format!("{:#}", file.err().unwrap()));
        let file = rules(&[]).with_file(None, b"\xff");
        expect!["bad pattern `�` in `.runnerignore`, line 1: not UTF-8"]
            .assert_eq(&format!("{:#}", file.err().unwrap()));
    }
}
