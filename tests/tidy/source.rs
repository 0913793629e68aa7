//! The crate's own source, read once for the rules that look at all of it: files without their tests, and the items in them.

use crate::tokens::{Token, is_at, tokens, without_tests};

/// A file of `src/` without what stands under `#[cfg(test)]`.
pub struct File {
    /// From the root of the repository.
    pub path: String,
    /// `site/serve.rs` is `site`, `serve`; `site/mod.rs` is `site`; `lib.rs` is the root.
    pub module: Vec<String>,
    pub tokens: Vec<Token>,
    pub n_lines: usize,
}

/// A function with a body.
pub struct Function {
    pub name: String,
    pub n_lines: usize,
}

/// The files with these paths and texts that are no test of their own.
pub fn read(texts: &[(String, String)]) -> Vec<File> {
    let mut tests = Vec::new();
    let mut files = Vec::new();
    for (path, text) in texts {
        let code = without_tests(&tokens(text));
        let dir = path.strip_suffix("mod.rs").map_or_else(|| path.replace(".rs", "/"), str::to_owned);
        tests.extend(code.test_files.iter().map(|name| format!("{dir}{name}.rs")));
        let n_lines = text.lines().count() - code.n_test_lines;
        files.push(File { path: path.clone(), module: module_of(path), tokens: code.tokens, n_lines });
    }
    files.retain(|file| !tests.contains(&file.path));
    files
}

fn module_of(path: &str) -> Vec<String> {
    let bare = path.trim_start_matches("src/").trim_end_matches(".rs");
    let parts = bare.split('/').filter(|part| !matches!(*part, "mod" | "lib" | "main"));
    parts.map(str::to_owned).collect()
}

impl File {
    fn is(&self, at: usize, texts: &[&str]) -> bool {
        is_at(&self.tokens, at, texts)
    }

    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    /// The end of what a bracket at `open` encloses: the place of its partner.
    fn closing(&self, open: usize) -> usize {
        let mut depth = 0;
        for at in open..self.tokens.len() {
            match self.text(at) {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        self.tokens.len().saturating_sub(1)
    }

    /// Where the body of the item at `at` opens; `None` if it ends without one.
    fn body(&self, at: usize) -> Option<usize> {
        let mut at = at;
        while at < self.tokens.len() {
            match self.text(at) {
                "{" => return Some(at),
                ";" => return None,
                "(" | "[" => at = self.closing(at),
                _ => {}
            }
            at += 1;
        }
        None
    }

    pub fn functions(&self) -> Vec<Function> {
        let starts = (0..self.tokens.len()).filter(|at| self.is(*at, &["fn"]) && is_word(self.text(at + 1)));
        let function = |at: usize| {
            let end = self.closing(self.body(at)?);
            let n_lines = self.tokens[end].line - self.tokens[at].line + 1;
            Some(Function { name: self.text(at + 1).to_owned(), n_lines })
        };
        starts.filter_map(function).collect()
    }

    /// The bodies of `impl` and `trait` items: where they open and close, and whose methods an inherent one holds.
    fn blocks(&self) -> Vec<(usize, usize, Option<String>)> {
        let mut blocks = Vec::new();
        for at in 0..self.tokens.len() {
            let is_item = at == 0 || matches!(self.text(at - 1), "}" | ";" | "{" | "]");
            let is_impl = is_item && self.is(at, &["impl"]);
            if (is_impl || self.is(at, &["trait"]))
                && let Some(open) = self.body(at)
            {
                let whose = is_impl.then(|| self.implemented(at + 1, open)).flatten();
                blocks.push((open, self.closing(open), whose));
            }
        }
        blocks
    }

    /// The type of an inherent `impl` with this head.
    fn implemented(&self, start: usize, end: usize) -> Option<String> {
        let is_for = |at: usize| self.is(at, &["for"]) && !self.is(at + 1, &["<"]);
        if (start..end).any(is_for) {
            return None;
        }
        let mut depth = 0;
        let mut name = None;
        for at in start..end {
            match self.text(at) {
                "<" => depth += 1,
                ">" if self.text(at - 1) != "-" => depth -= 1,
                "where" => break,
                word if depth == 0 && is_word(word) => name = Some(word.to_owned()),
                _ => {}
            }
        }
        name
    }

    /// The type and the number of methods of each inherent `impl`.
    pub fn methods(&self) -> Vec<(String, usize)> {
        let blocks = self.blocks();
        let of = |(open, close, whose): &(usize, usize, Option<String>)| {
            let mut n = 0;
            let mut at = open + 1;
            while at < *close {
                match self.text(at) {
                    "{" | "(" | "[" => at = self.closing(at),
                    "fn" => n += 1,
                    _ => {}
                }
                at += 1;
            }
            Some((whose.clone()?, n))
        };
        blocks.iter().filter_map(of).collect()
    }

    /// The names of its structs, enums, traits and aliases; the types of `impl` and `trait` blocks are no items.
    pub fn types(&self) -> Vec<String> {
        let blocks = self.blocks();
        let is_inside = |at: usize| blocks.iter().any(|(open, close, _)| (*open..*close).contains(&at));
        let is_type = |at: &usize| match self.text(*at) {
            "struct" | "enum" | "trait" => true,
            "type" => !is_inside(*at),
            _ => false,
        };
        let types = (0..self.tokens.len()).filter(is_type).map(|at| self.text(at + 1));
        types.filter(|name| is_word(name)).map(str::to_owned).collect()
    }
}

pub fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}
