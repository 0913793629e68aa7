//! A shell script as a value: a fixed text, and the values it works on as quoted assignments before it.
//!
//! **Invariant:** nothing but a `Word` is ever put into a script's text.

use crate::shell::Word;

/// A POSIX shell script. Values come before the text, so the text itself is a constant that can be read,
/// checked and tested as a file of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    head: Vec<u8>,
    body: &'static str,
}

impl Script {
    pub fn new(body: &'static str) -> Self {
        Self { head: Vec::new(), body }
    }

    /// Sets the shell variable `name`.
    pub fn var(mut self, name: &'static str, value: impl Into<Word>) -> Self {
        self.head.extend(name.as_bytes());
        self.head.push(b'=');
        self.head.extend(value.into().quoted());
        self.head.push(b'\n');
        self
    }

    /// Sets and exports an environment variable. The caller has checked that `name` is an identifier.
    pub fn export(mut self, name: &str, value: impl Into<Word>) -> Self {
        debug_assert!(is_identifier(name));
        self.head.extend(b"export ");
        self.head.extend(name.as_bytes());
        self.head.push(b'=');
        self.head.extend(value.into().quoted());
        self.head.push(b'\n');
        self
    }

    /// Defines the shell function `name`: called with a command, it runs that command once for each row,
    /// the row's words behind it, and stops at the first that fails.
    pub fn rows<R>(mut self, name: &'static str, rows: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator,
        R::Item: Into<Word>,
    {
        self.head.extend(name.as_bytes());
        self.head.extend(b"() {\n");
        for row in rows {
            self.head.extend(b"  \"$@\"");
            for word in row {
                self.head.push(b' ');
                self.head.extend(word.into().quoted());
            }
            self.head.extend(b" || return\n");
        }
        self.head.extend(b"  :\n}\n");
        self
    }

    /// Puts the shell text of `library` (functions only) before the text.
    pub fn with(mut self, library: &'static str) -> Self {
        self.head.extend(library.as_bytes());
        self
    }

    /// The whole text, as a shell reads it.
    pub fn text(&self) -> Vec<u8> {
        let mut text = self.head.clone();
        text.extend(self.body.as_bytes());
        text
    }
}

/// Whether `name` can name a variable (POSIX XBD 3.216).
pub fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn values_come_before_the_text_and_are_quoted() {
        let script = Script::new("mkdir -p \"$root\"\npaths link\n")
            .var("root", "/srv/it's here")
            .export("APP_ENV", "$HOME")
            .rows("paths", [["dir", "storage"], ["file", "-x y"]]);
        expect![[r#"
            root='/srv/it'\''s here'
            export APP_ENV='$HOME'
            paths() {
              "$@" 'dir' 'storage' || return
              "$@" 'file' '-x y' || return
              :
            }
            mkdir -p "$root"
            paths link
        "#]]
        .assert_eq(&String::from_utf8_lossy(&script.text()));
    }
}
