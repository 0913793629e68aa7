//! Reads calls and their literal arguments from PHP and Ruby. Whatever is computed is `Computed`.

use crate::here::former::lexer::{Dialect, Lexed, Lexeme};

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Text(String),
    List(Vec<Value>),
    Table(Vec<(String, Value)>),
    /// What only running it would tell.
    Computed,
}

impl Value {
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) | Self::Table(_) | Self::Computed => None,
        }
    }

    /// The texts of a list, or of one text. `None` if there is anything else.
    pub fn texts(&self) -> Option<Vec<String>> {
        match self {
            Self::Text(text) => Some(vec![text.clone()]),
            Self::List(items) => items.iter().map(|item| item.text().map(str::to_owned)).collect(),
            Self::Table(_) | Self::Computed => None,
        }
    }

    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Table(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Self::Text(_) | Self::List(_) | Self::Computed => None,
        }
    }
}

/// A call: `name(arguments)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Called {
    pub name: String,
    pub line: usize,
    pub arguments: Vec<Value>,
    /// Of Ruby: `user: "deploy"`.
    pub named: Vec<(String, Value)>,
    /// All quoted texts in it, also in what is computed.
    pub quoted: Vec<String>,
}

impl Called {
    pub fn text(&self, n: usize) -> Option<&str> {
        self.arguments.get(n)?.text()
    }
}

pub struct CallReader<'l> {
    rest: &'l [Lexed],
    dialect: Dialect,
}

impl<'l> CallReader<'l> {
    pub fn new(lexed: &'l [Lexed], dialect: Dialect) -> Self {
        Self { rest: lexed, dialect }
    }

    fn peek(&self) -> Option<&'l Lexeme> {
        self.rest.first().map(|lexed| &lexed.lexeme)
    }

    fn next(&mut self) -> Option<&'l Lexed> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn skip_lines(&mut self) {
        while self.peek() == Some(&Lexeme::NewLine) {
            self.next();
        }
    }

    /// The next call of one of these functions, outside of the bodies of others.
    pub fn call(&mut self, names: &[&str]) -> Option<Called> {
        match self.dialect {
            Dialect::Php => self.call_in_parentheses(names),
            Dialect::Ruby => self.call_in_a_line(names),
        }
    }

    fn call_in_parentheses(&mut self, names: &[&str]) -> Option<Called> {
        let mut depth = 0;
        while let Some(lexed) = self.next() {
            match &lexed.lexeme {
                Lexeme::Sign('{') => depth += 1,
                Lexeme::Sign('}') => depth -= 1,
                Lexeme::Word(name)
                    if depth <= 0
                        && names.contains(&name.as_str())
                        && self.peek() == Some(&Lexeme::Sign('(')) =>
                {
                    self.next();
                    return Some(self.arguments(name, lexed.line, Some(')')));
                }
                _ => {}
            }
        }
        None
    }

    fn call_in_a_line(&mut self, names: &[&str]) -> Option<Called> {
        let mut is_start = true;
        while let Some(lexed) = self.next() {
            match &lexed.lexeme {
                Lexeme::Word(name) if is_start && names.contains(&name.as_str()) => {
                    let close = (self.peek() == Some(&Lexeme::Sign('('))).then(|| self.next()).map(|_| ')');
                    return Some(self.arguments(name, lexed.line, close));
                }
                lexeme => is_start = matches!(lexeme, Lexeme::NewLine | Lexeme::Sign(';')),
            }
        }
        None
    }

    /// The next call in a chain: `->name(arguments)`.
    pub fn method(&mut self) -> Option<Called> {
        let before = self.rest;
        self.skip_lines();
        if self.peek() == Some(&Lexeme::Arrow) {
            self.next();
            self.skip_lines();
            if let [
                Lexed { lexeme: Lexeme::Word(name), line },
                Lexed { lexeme: Lexeme::Sign('('), .. },
                rest @ ..,
            ] = self.rest
            {
                self.rest = rest;
                return Some(self.arguments(name, *line, Some(')')));
            }
        }
        self.rest = before;
        None
    }

    fn arguments(&mut self, name: &str, line: usize, close: Option<char>) -> Called {
        let before = self.rest;
        let (arguments, named) = self.items(close);
        let read = &before[..before.len() - self.rest.len()];
        let quoted = read.iter().flat_map(|lexed| match &lexed.lexeme {
            Lexeme::Text(text) => vec![text.clone()],
            Lexeme::Words(words) => words.clone(),
            _ => Vec::new(),
        });
        Called { name: name.to_owned(), line, arguments, named, quoted: quoted.collect() }
    }

    /// Items up to a bracket, else to the end of the line.
    fn items(&mut self, close: Option<char>) -> (Vec<Value>, Vec<(String, Value)>) {
        let (mut items, mut named) = (Vec::new(), Vec::new());
        loop {
            if close.is_some() {
                self.skip_lines();
            }
            match self.peek() {
                None => break,
                Some(Lexeme::Sign(sign)) if Some(*sign) == close => {
                    self.next();
                    break;
                }
                Some(Lexeme::NewLine | Lexeme::Sign(';')) if close.is_none() => break,
                Some(Lexeme::Sign(',')) => {
                    self.next();
                    // A line that ends in a comma goes on.
                    self.skip_lines();
                }
                Some(Lexeme::Label(key)) => {
                    self.next();
                    self.skip_lines();
                    named.push((key.clone(), self.value(close)));
                }
                Some(_) => match (self.value(close), self.peek()) {
                    (Value::Text(key), Some(Lexeme::FatArrow)) => {
                        self.next();
                        self.skip_lines();
                        named.push((key, self.value(close)));
                    }
                    (value, _) => items.push(value),
                },
            }
        }
        (items, named)
    }

    /// One value, up to the comma, arrow or bracket behind it.
    fn value(&mut self, close: Option<char>) -> Value {
        let value = match self.next().map(|lexed| &lexed.lexeme) {
            Some(Lexeme::Text(text) | Lexeme::Symbol(text)) => Value::Text(text.clone()),
            Some(Lexeme::Words(words)) => Value::List(words.iter().cloned().map(Value::Text).collect()),
            Some(Lexeme::Sign('[')) => self.bracketed(']'),
            Some(Lexeme::Sign('{')) if self.dialect == Dialect::Ruby => self.bracketed('}'),
            Some(Lexeme::Word(word)) if word == "array" && self.peek() == Some(&Lexeme::Sign('(')) => {
                self.next();
                self.bracketed(')')
            }
            Some(Lexeme::Word(word)) if word.bytes().all(|byte| byte.is_ascii_digit()) => {
                Value::Text(word.clone())
            }
            Some(lexeme) => {
                // The sign that ends this value may be the one that was read.
                self.skip_computed(close, lexeme);
                return Value::Computed;
            }
            None => return Value::Computed,
        };
        if self.is_at_end(close) {
            return value;
        }
        self.skip_computed(close, &Lexeme::Sign('.'));
        Value::Computed
    }

    fn bracketed(&mut self, close: char) -> Value {
        match self.items(Some(close)) {
            (items, named) if named.is_empty() => Value::List(items),
            (_, named) => Value::Table(named),
        }
    }

    fn is_at_end(&mut self, close: Option<char>) -> bool {
        if close.is_some() {
            self.skip_lines();
        }
        match self.peek() {
            None | Some(Lexeme::Sign(',') | Lexeme::FatArrow) => true,
            Some(Lexeme::Sign(sign)) if close.is_some() => Some(*sign) == close,
            Some(Lexeme::NewLine | Lexeme::Sign(';')) => true,
            Some(Lexeme::Word(word)) => matches!(word.as_str(), "if" | "unless" | "do"),
            Some(_) => false,
        }
    }

    /// Skips the rest of an expression, with whatever is in brackets.
    fn skip_computed(&mut self, close: Option<char>, first: &Lexeme) {
        let mut depth: usize = matches!(first, Lexeme::Sign('(' | '[' | '{')).into();
        while let Some(lexeme) = self.peek() {
            match lexeme {
                Lexeme::Sign('(' | '[' | '{') => depth += 1,
                Lexeme::Sign(')' | ']' | '}') if depth > 0 => depth -= 1,
                Lexeme::Sign(sign) if depth == 0 && (*sign == ',' || Some(*sign) == close) => return,
                Lexeme::NewLine | Lexeme::Sign(';') if depth == 0 && close.is_none() => return,
                _ => {}
            }
            self.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::here::former::lexer::lex;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn what_is_computed_does_not_hide_what_is_behind_it() {
        let lexed = lex(
            "set('a', getenv('X') . ['y'][0]); set('b', function () { set('c', 1); }); set('d', 'e');",
            Dialect::Php,
        );
        let mut reader = CallReader::new(&lexed, Dialect::Php);
        let mut found = Vec::new();
        while let Some(call) = reader.call(&["set"]) {
            found.push(call.arguments);
        }
        assert_eq!(
            found,
            [vec![text("a"), Value::Computed], vec![text("b"), Value::Computed], vec![text("d"), text("e")]]
        );
    }

    #[test]
    fn a_line_of_ruby_goes_on_behind_a_comma() {
        let lexed = lex("server 'x',\n  user: 'd',\n  roles: [:app, 'db']\nserver \"y\"\n", Dialect::Ruby);
        let mut reader = CallReader::new(&lexed, Dialect::Ruby);
        let call = reader.call(&["server"]).unwrap();
        assert_eq!(call.named[1], ("roles".to_owned(), Value::List(vec![text("app"), text("db")])));
        assert_eq!(reader.call(&["server"]).unwrap().arguments, [text("y")]);
        assert_eq!(reader.call(&["server"]), None);
    }
}
