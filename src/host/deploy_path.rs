//! The directory on a host to deploy to.
//!
//! **Invariant:** absolute or below `~/`; no `.`, `..`, empty component, NUL or newline; never `/` or the home
//! directory itself. So two paths name the same directory exactly if they are equal, apart from links.

use std::fmt;
use std::path::Path;

/// An absolute path, or one that starts with `~/` (the home directory of the user on the host).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeployPath(String);

impl DeployPath {
    /// Parses a path on a server. An error continues a sentence that starts with the name of the key.
    pub fn remote(text: &str) -> Result<Self, String> {
        check_text(text)?;
        let (root, rest) = if let Some(rest) = text.strip_prefix("~/") {
            ("~", rest)
        } else if let Some(rest) = text.strip_prefix('/') {
            ("", rest)
        } else {
            return Err(format!("must be absolute or start with `~/`, not `{text}`"));
        };
        if rest.split('/').any(|part| part == "..") {
            return Err(format!("must not contain `..`, as `{text}` does"));
        }
        Self::join(root, parts(rest))
    }

    /// Parses a path on this machine. A relative path starts at `dir`, which is absolute. Does not follow links.
    pub fn local(text: &str, dir: &Path) -> Result<Self, String> {
        if text.starts_with("~/") {
            return Self::remote(text);
        }
        check_text(text)?;
        let absolute = dir.join(text);
        let Some(absolute) = absolute.to_str() else {
            return Err(format!("is below `{}`, whose name is not UTF-8", dir.display()));
        };
        check_text(absolute)?;
        let mut kept = Vec::new();
        for part in parts(absolute) {
            match part {
                ".." => drop(kept.pop()),
                part => kept.push(part),
            }
        }
        Self::join("", kept)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn join<'a>(root: &str, parts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut path = root.to_owned();
        for part in parts {
            path.push('/');
            path.push_str(part);
        }
        // Releases would be mixed with the directories of the system or the user.
        if path == root {
            return Err(format!("must not be `{root}/` itself"));
        }
        Ok(Self(path))
    }
}

/// Whether a path is another one, or lies below it, as text.
pub fn is_at_or_below(path: &str, other: &str) -> bool {
    let mut below = parts(path);
    parts(other).all(|part| below.next() == Some(part))
}

fn check_text(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("must not be empty".to_owned());
    }
    if text.contains(['\0', '\n']) {
        return Err("must not contain a NUL or a newline".to_owned());
    }
    Ok(())
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !matches!(*part, "" | "."))
}

impl fmt::Display for DeployPath {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(path: Result<DeployPath, String>) -> String {
        path.map_or_else(|problem| problem, |path| path.to_string())
    }

    #[track_caller]
    fn remote(text: &str, want: &str) {
        assert_eq!(say(DeployPath::remote(text)), want);
    }

    #[track_caller]
    fn local(text: &str, want: &str) {
        assert_eq!(say(DeployPath::local(text, Path::new("/home/me/shop"))), want);
    }

    #[test]
    fn a_path_on_a_server_is_absolute_or_below_home() {
        remote("/var/www/shop", "/var/www/shop");
        remote("//var/./www//shop/", "/var/www/shop");
        remote("~/shop", "~/shop");
        remote("/srv/it's a \"shop\"/-rf/bücher", "/srv/it's a \"shop\"/-rf/bücher");
        remote("/srv/..shop", "/srv/..shop");
        remote("www/shop", "must be absolute or start with `~/`, not `www/shop`");
        remote("~other/shop", "must be absolute or start with `~/`, not `~other/shop`");
        remote("/srv/../etc", "must not contain `..`, as `/srv/../etc` does");
        remote("", "must not be empty");
        remote("/", "must not be `/` itself");
        remote("//.", "must not be `/` itself");
        remote("~/", "must not be `~/` itself");
        remote("/a\nb", "must not contain a NUL or a newline");
        remote("/a\0b", "must not contain a NUL or a newline");
    }

    #[test]
    fn a_path_on_this_machine_counts_from_the_directory_of_the_file() {
        local("site", "/home/me/shop/site");
        local("./a/../b", "/home/me/shop/b");
        local("../site", "/home/me/site");
        local("/srv/./site/", "/srv/site");
        local("~/site", "~/site");
        local("~/../site", "must not contain `..`, as `~/../site` does");
        local("../../../../..", "must not be `/` itself");
        local("", "must not be empty");
    }
}
