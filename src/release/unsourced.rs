//! What a directory that is to be adopted has and the source does not, and what of it is proposed for the setting
//! `shared`.

use crate::release::contents::ReleaseContents;
use crate::release::plan::{PathRules, left_behind};
use crate::release::{SharedKind, SharedPath};
use crate::tree::{Tree, TreePath};

/// Endings of names that a web server or an interpreter may run, or that pages are made of. Whoever has such a file beside
/// uploads decides about it alone.
const CODE: [&str; 42] = [
    "php", "php3", "php4", "php5", "php7", "php8", "phtml", "phar", "phps", "inc", "module", "pl", "pm",
    "py", "pyc", "rb", "cgi", "fcgi", "sh", "js", "mjs", "cjs", "ts", "jsx", "tsx", "vue", "map", "html",
    "htm", "xhtml", "css", "scss", "twig", "tpl", "jsp", "asp", "aspx", "lua", "so", "jar", "exe", "wasm",
];

/// Paths without those inside of another one of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unsourced {
    /// Directories without code.
    pub directories: Vec<SharedPath>,
    /// All the other paths.
    pub rest: Vec<SharedPath>,
}

/// What no rule names, and `tree`, the source, does not have.
pub fn unsourced(contents: &ReleaseContents, rules: &PathRules, tree: &Tree) -> Unsourced {
    let strangers = contents.strangers(rules);
    let with_code: Vec<&TreePath> =
        strangers.iter().map(|stranger| &stranger.path).filter(|path| is_code(path)).collect();
    let is_proposed = |left: &SharedPath| {
        let has_code = with_code.iter().any(|code| code.starts_with(&left.path));
        left.kind == SharedKind::Directory && !has_code && is_text(&left.path)
    };
    let (directories, rest) = left_behind(&strangers, tree).into_iter().partition(is_proposed);
    Unsourced { directories, rest }
}

/// Whether `runner.toml` can name it.
fn is_text(path: &TreePath) -> bool {
    std::str::from_utf8(path.as_bytes()).is_ok_and(|text| !text.contains(char::is_control))
}

fn is_code(path: &TreePath) -> bool {
    let bytes = path.as_bytes();
    let name = bytes.rsplit(|byte| *byte == b'/').next().unwrap_or(bytes).to_ascii_lowercase();
    if name.starts_with(b".ht") || name == b".user.ini" {
        return true;
    }
    // All endings: a web server may run `shell.php.jpg`.
    name.split(|byte| *byte == b'.').skip(1).any(|ending| CODE.iter().any(|code| code.as_bytes() == ending))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::plan::tests::{path, tree};

    #[test]
    fn directories_without_code_are_told_from_the_rest() {
        let directories = ["admin", "photos", "photos/2024", "empty", "lib", "lib/cache", "site"];
        let files = [
            "admin/x.png",
            "admin/shell.PHP.jpg",
            "photos/2024/it's a.jpg",
            "photos/readme.txt",
            "lib/cache/a.bin",
            "lib/cache/.htaccess",
            "old.php",
            "notes.txt",
            "site/index.html",
            ".env",
            "logs/x",
        ];
        let contents = ReleaseContents::of(&directories, &files);
        let rules = PathRules { shared: vec![path("logs"), path(".env")], ..PathRules::default() };
        let found = unsourced(&contents, &rules, &tree(&["site/", "site/index.html=x"]));
        let texts = |paths: &[SharedPath]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(&found.directories), ["empty/", "photos/"]);
        assert_eq!(texts(&found.rest), ["admin/", "lib/", "notes.txt", "old.php"]);
    }
}
