//! Splits PHP and Ruby into words, texts and signs, as far as configurations of deployment tools need it. What it does not
//! understand becomes signs.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Php,
    Ruby,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lexeme {
    /// A name, a variable or a number.
    Word(String),
    /// Quoted. What the language would insert is left as it is written.
    Text(String),
    /// Ruby: `:name`.
    Symbol(String),
    /// Ruby: `name:`.
    Label(String),
    /// Ruby: `%w{a b}`.
    Words(Vec<String>),
    /// `->`
    Arrow,
    /// `=>`
    FatArrow,
    Sign(char),
    NewLine,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lexed {
    pub lexeme: Lexeme,
    pub line: usize,
}

pub fn lex(text: &str, dialect: Dialect) -> Vec<Lexed> {
    let mut lexer = Lexer { rest: text, line: 1, dialect, lexed: Vec::new() };
    while lexer.step() {}
    lexer.lexed
}

struct Lexer<'t> {
    rest: &'t str,
    line: usize,
    dialect: Dialect,
    lexed: Vec<Lexed>,
}

impl<'t> Lexer<'t> {
    /// Reads one lexeme or comment. False at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        let is_ruby = self.dialect == Dialect::Ruby;
        match first {
            '\n' => self.push(Lexeme::NewLine, 1),
            c if c.is_whitespace() => self.skip(c.len_utf8()),
            '\\' if is_ruby && self.rest.starts_with("\\\n") => self.skip(2),
            '#' => self.skip_line(),
            '/' if !is_ruby && self.rest.starts_with("//") => self.skip_line(),
            '/' if !is_ruby && self.rest.starts_with("/*") => self.skip_behind("*/"),
            '=' if is_ruby && self.rest.starts_with("=begin") => self.skip_behind("=end"),
            '<' if !is_ruby && self.rest.starts_with("<?php") => self.skip(5),
            '-' if self.rest.starts_with("->") => self.push(Lexeme::Arrow, 2),
            '=' if self.rest.starts_with("=>") => self.push(Lexeme::FatArrow, 2),
            '\'' | '"' => self.text(first),
            '%' if is_ruby && self.words() => {}
            ':' if is_ruby && self.symbol() => {}
            c if c.is_alphanumeric() || matches!(c, '_' | '$' | '@') => self.word(),
            c => self.push(Lexeme::Sign(c), c.len_utf8()),
        }
        true
    }

    /// Ends a lexeme that is `n_bytes` long.
    fn push(&mut self, lexeme: Lexeme, n_bytes: usize) {
        self.lexed.push(Lexed { lexeme, line: self.line });
        self.skip(n_bytes);
    }

    fn skip(&mut self, n_bytes: usize) {
        let (skipped, rest) = self.rest.split_at(n_bytes.min(self.rest.len()));
        self.line += skipped.matches('\n').count();
        self.rest = rest;
    }

    fn skip_line(&mut self) {
        self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
    }

    fn skip_behind(&mut self, end: &str) {
        self.skip(self.rest.find(end).map_or(self.rest.len(), |at| at + end.len()));
    }

    fn text(&mut self, quote: char) {
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((at, c)) = letters.next() {
            match c {
                '\\' => text.extend(letters.next().map(|(_, escaped)| escaped)),
                c if c == quote => return self.push(Lexeme::Text(text), at + 1),
                c => text.push(c),
            }
        }
        // It never ends: the quote was none.
        self.push(Lexeme::Sign(quote), 1);
    }

    /// `%w{a b}`, with any brackets.
    fn words(&mut self) -> bool {
        let mut letters = self.rest.chars().skip(1);
        let (Some('w' | 'W' | 'i' | 'I'), Some(open)) = (letters.next(), letters.next()) else {
            return false;
        };
        let close = match open {
            '{' => '}',
            '[' => ']',
            '(' => ')',
            '<' => '>',
            '|' | '/' | '!' => open,
            _ => return false,
        };
        let Some(end) = self.rest[3..].find(close) else { return false };
        let words = self.rest[3..3 + end].split_whitespace().map(str::to_owned).collect();
        self.push(Lexeme::Words(words), 3 + end + close.len_utf8());
        true
    }

    fn symbol(&mut self) -> bool {
        let name = leading_word(&self.rest[1..]);
        let is_symbol = !name.is_empty();
        if is_symbol {
            self.push(Lexeme::Symbol(name.to_owned()), 1 + name.len());
        } else if self.rest.starts_with("::") {
            // A path of modules.
            self.push(Lexeme::Sign(':'), 2);
            return true;
        }
        is_symbol
    }

    fn word(&mut self) {
        let first = self.rest.chars().next().map_or(1, char::len_utf8);
        let word: &'t str = &self.rest[..first + leading_word(&self.rest[first..]).len()];
        let after = &self.rest[word.len()..];
        let is_label = self.dialect == Dialect::Ruby && after.starts_with(':') && !after.starts_with("::");
        match is_label {
            true => self.push(Lexeme::Label(word.to_owned()), word.len() + 1),
            false => self.push(Lexeme::Word(word.to_owned()), word.len()),
        }
    }
}

fn leading_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(text: &str, dialect: Dialect) -> String {
        let shown = |lexed: Lexed| match lexed.lexeme {
            Lexeme::Word(word) => word,
            Lexeme::Text(text) => format!("'{text}'"),
            Lexeme::Symbol(name) => format!(":{name}"),
            Lexeme::Label(name) => format!("{name}:"),
            Lexeme::Words(words) => format!("{words:?}"),
            Lexeme::Arrow => "->".to_owned(),
            Lexeme::FatArrow => "=>".to_owned(),
            Lexeme::Sign(sign) => sign.to_string(),
            Lexeme::NewLine => format!("/{}", lexed.line),
        };
        lex(text, dialect).into_iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn php_is_split_without_its_comments() {
        let text = "<?php\n// no 'quote\nhost('a\\'b')->set(\"x\", [1, 'y' => $z]); /* ' */ # it's\n";
        assert_eq!(case(text, Dialect::Php), "/1 /2 host ( 'a'b' ) -> set ( 'x' , [ 1 , 'y' => $z ] ) ; /3");
    }

    #[test]
    fn ruby_is_split_without_its_comments() {
        let text =
            "=begin\nset\n=end\nserver 'x', user: \"d\", roles: %w{app db}, :a => B::C # '\nset :b, :c\n";
        let want = "/3 server 'x' , user: 'd' , roles: [\"app\", \"db\"] , :a => B : C /4 set :b , :c /5";
        assert_eq!(case(text, Dialect::Ruby), want);
    }

    #[test]
    fn a_text_that_never_ends_hides_nothing() {
        assert_eq!(case("a 'b c", Dialect::Php), "a ' b c");
        assert_eq!(case("%w{a b", Dialect::Ruby), "% w { a b");
    }
}
