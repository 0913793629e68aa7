//! Rust source as tokens: what a rule of the house must not see (comments, strings, characters) is gone.

/// A word, or one character of punctuation; and the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
}

pub fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: source, line: 1 };
    let mut tokens = Vec::new();
    while let Some(first) = lexer.rest.chars().next() {
        let line = lexer.line;
        if let Some(length) = lexer.not_code(first) {
            lexer.skip(length);
            continue;
        }
        let word = lexer.rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_');
        let length = word.map(char::len_utf8).sum::<usize>().max(first.len_utf8());
        tokens.push(Token { text: lexer.rest[..length].to_owned(), line });
        lexer.skip(length);
    }
    tokens
}

impl Lexer<'_> {
    fn skip(&mut self, length: usize) {
        let (gone, rest) = self.rest.split_at(length);
        self.line += gone.matches('\n').count();
        self.rest = rest;
    }

    /// The length of the white space, comment, string, character or lifetime that begins here.
    fn not_code(&self, first: char) -> Option<usize> {
        let rest = self.rest;
        if first.is_whitespace() {
            return Some(first.len_utf8());
        }
        if rest.starts_with("//") {
            return Some(rest.find('\n').unwrap_or(rest.len()));
        }
        if rest.starts_with("/*") {
            return Some(block_comment(rest));
        }
        // Prefixes of strings: b"", c"", r"", br#""#.
        let letters = rest.chars().take_while(|c| matches!(c, 'b' | 'c' | 'r')).count();
        let (prefix, quoted) = rest.split_at(letters);
        if prefix.ends_with('r') {
            let hashes = quoted.chars().take_while(|c| *c == '#').count();
            if quoted[hashes..].starts_with('"') {
                let end = format!("\"{}", "#".repeat(hashes));
                let body = letters + hashes + 1;
                return Some(rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len()));
            }
        }
        if prefix.len() < 2 && quoted.starts_with('"') {
            return Some(letters + string(quoted));
        }
        if prefix.len() < 2 && quoted.starts_with('\'') {
            return Some(letters + character(quoted));
        }
        None
    }
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        match rest {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A character, else the quote of a lifetime or label.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    let Some((_, first)) = chars.next() else {
        return text.len();
    };
    if first == '\\' {
        // What is escaped may itself be a quote.
        let end = text.char_indices().skip(3).find(|(_, c)| *c == '\'');
        return end.map_or(text.len(), |(at, _)| at + 1);
    }
    match chars.next() {
        Some((at, '\'')) => at + 1,
        _ => 1,
    }
}

/// What is left of a file without the items that stand under `#[cfg(test)]`.
pub struct Code {
    pub tokens: Vec<Token>,
    /// The names of modules that are files so marked.
    pub test_files: Vec<String>,
    pub n_test_lines: usize,
}

pub fn without_tests(tokens: &[Token]) -> Code {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut code = Code { tokens: Vec::new(), test_files: Vec::new(), n_test_lines: 0 };
    let mut at = 0;
    while at < tokens.len() {
        if !is_at(tokens, at, &mark) {
            code.tokens.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let first_line = tokens[at].line;
        at += mark.len();
        let mut depth = 0;
        while at < tokens.len() {
            let text = tokens[at].text.as_str();
            if text == "mod" && tokens.get(at + 2).is_some_and(|token| token.text == ";") {
                code.test_files.push(tokens[at + 1].text.clone());
            }
            at += 1;
            match text {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 && matches!(text, "}" | ";") {
                break;
            }
        }
        code.n_test_lines += tokens[at - 1].line - first_line + 1;
    }
    code
}

/// Whether these texts stand at a place, one after the other.
pub fn is_at(tokens: &[Token], at: usize, texts: &[&str]) -> bool {
    let here = tokens.iter().skip(at).map(|token| token.text.as_str());
    tokens.len() >= at + texts.len() && here.zip(texts).all(|(have, want)| have == *want)
}
