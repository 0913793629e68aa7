//! The rule of layers: a module uses only layers below its own.

use crate::tokens::{Token, is_at, tokens};

/// From the top down, as in docs/architecture.md.
pub const LAYERS: [&str; 14] = [
    "cli",
    "recipe",
    "flow",
    "run",
    "fleet",
    "here",
    "site",
    "release",
    "host",
    "transport",
    "tree",
    "web",
    "shell",
    "event",
];

/// What a file uses that it must not. `path` is its path below `src/`.
pub fn upward(path: &str, source: &str) -> Vec<String> {
    let module = module_of(path);
    let Some(own) = module.first().map(String::as_str) else {
        return Vec::new();
    };
    let Some(height) = LAYERS.iter().position(|layer| *layer == own) else {
        return vec![format!("src/{path}: `{own}` is no layer")];
    };
    let mut problems = Vec::new();
    for (line, used) in used(&tokens(source), module.len()) {
        let problem = match LAYERS.iter().position(|layer| *layer == used) {
            Some(other) if other >= height => continue,
            Some(_) => format!("layer `{own}` uses `{used}`, which is above it"),
            None => format!("`{used}` of the crate's root is no layer"),
        };
        problems.push(format!("src/{path}:{line}: {problem}"));
    }
    problems
}

/// `site/mod.rs` is `site`, `site/serve.rs` is `site::serve`, `lib.rs`, `main.rs` and `parts.rs` are the root, which may use all.
fn module_of(path: &str) -> Vec<String> {
    let bare = path.strip_suffix(".rs").unwrap_or(path);
    let parts = bare.split('/').filter(|part| !matches!(*part, "mod" | "lib" | "main" | "parts"));
    parts.map(str::to_owned).collect()
}

/// The names taken from the crate's root, by `crate::` or by more `super::` than the module is deep.
fn used(tokens: &[Token], depth: usize) -> Vec<(usize, String)> {
    let mut used = Vec::new();
    // How deep each inline module lies in braces.
    let mut inline: Vec<usize> = Vec::new();
    let mut braces = 0;
    let mut at = 0;
    while at < tokens.len() {
        let line = tokens[at].line;
        match tokens[at].text.as_str() {
            "{" => {
                braces += 1;
                if at >= 2 && tokens[at - 2].text == "mod" {
                    inline.push(braces);
                }
            }
            "}" => {
                inline.pop_if(|start| *start == braces);
                braces -= 1;
            }
            "crate" if is_at(tokens, at + 1, &[":", ":"]) => {
                used.extend(names_at(tokens, at + 3).into_iter().map(|name| (line, name)));
            }
            // `use crate as other` would hide what is used.
            "crate" if is_at(tokens, at + 1, &["as"]) => used.push((line, "crate as".to_owned())),
            "super" => {
                let start = at;
                while is_at(tokens, at, &["super", ":", ":", "super"]) {
                    at += 3;
                }
                let n_up = (at - start) / 3 + 1;
                if n_up >= depth + inline.len() && is_at(tokens, at + 1, &[":", ":"]) {
                    used.extend(names_at(tokens, at + 3).into_iter().map(|name| (line, name)));
                }
            }
            _ => {}
        }
        at += 1;
    }
    used
}

/// The name at a place, or the first names of the group there: `{a::b, c::{d, e}}` is `a` and `c`.
fn names_at(tokens: &[Token], at: usize) -> Vec<String> {
    if !is_at(tokens, at, &["{"]) {
        return tokens.get(at).map(|token| token.text.clone()).into_iter().collect();
    }
    let mut names = Vec::new();
    let mut depth = 0;
    for (n, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        let is_first = depth == 1 && matches!(token.text.as_str(), "{" | ",");
        if is_first && let Some(next) = tokens.get(n + 1).filter(|next| next.text != "}") {
            names.push(next.text.clone());
        }
        if depth == 0 {
            break;
        }
    }
    names
}
