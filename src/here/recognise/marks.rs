//! The files by which a project is recognised.

use std::fs;
use std::path::Path;

/// No file that is looked at is larger, unless something is wrong with it.
const MAX_BYTES: u64 = 4 << 20;

pub struct Marks<'a> {
    directory: &'a Path,
}

impl<'a> Marks<'a> {
    pub fn new(directory: &'a Path) -> Self {
        Self { directory }
    }

    pub fn has(&self, path: &str) -> bool {
        self.directory.join(path).exists()
    }

    pub fn has_directory(&self, path: &str) -> bool {
        self.directory.join(path).is_dir()
    }

    /// The first of these that exists.
    pub fn first<'p>(&self, paths: &[&'p str]) -> Option<&'p str> {
        paths.iter().copied().find(|path| self.has(path))
    }

    /// The text of a file; empty if it cannot be read.
    pub fn text(&self, path: &str) -> String {
        let path = self.directory.join(path);
        let is_small = fs::metadata(&path).is_ok_and(|data| data.is_file() && data.len() <= MAX_BYTES);
        let bytes = if is_small { fs::read(path).unwrap_or_default() } else { Vec::new() };
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(self.text(path).trim_start_matches('\u{feff}')).unwrap_or_default()
    }

    /// Whether `composer.json` requires a package.
    pub fn requires(&self, package: &str) -> bool {
        self.json("composer.json").pointer("/require").and_then(|all| all.get(package)).is_some()
    }
}

/// The quoted text after `key` and a colon or an equals sign: `outDir: "../dist"`.
pub fn quoted_after(text: &str, key: &str) -> Option<String> {
    text.match_indices(key).find_map(|(at, _)| {
        let rest = text[at + key.len()..].trim_start_matches(['"', '\'']).trim_start();
        let rest = rest.strip_prefix([':', '='])?.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
        let value = rest[1..].split(quote).next()?;
        Some(value.trim_start_matches("./").trim_end_matches('/').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_value_is_found_after_its_key() {
        let case = |text: &str, want: Option<&str>| {
            assert_eq!(quoted_after(text, "outDir").as_deref(), want, "{text}");
        };
        case("build: { outDir: './www/' }", Some("www"));
        case("outDir = \"build\"", Some("build"));
        case("\"outDir\": \"x\"", Some("x"));
        case("outDir: path.join('a', 'b')", None);
        case("const outDirs = 3; outDir: `out`", Some("out"));
        case("", None);
    }
}
