//! A shell script as a value: a constant text, preceded by quoted assignments of the values that it uses.
//!
//! **Invariant:** only a `Word` is ever inserted into the text of a script.

use crate::shell::Word;

/// A POSIX shell script. The values come before the text, so the text is a constant that can be read, checked and
/// tested as a file of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    values: Vec<u8>,
    libraries: Vec<&'static str>,
    body: &'static str,
}

impl Script {
    pub fn new(body: &'static str) -> Self {
        Self { body, ..Self::default() }
    }

    /// Sets the shell variable `name`.
    pub fn var(mut self, name: &'static str, value: impl Into<Word>) -> Self {
        self.values.extend(name.as_bytes());
        self.values.push(b'=');
        self.values.extend(value.into().quoted());
        self.values.push(b'\n');
        self
    }

    /// Sets and exports an environment variable. The caller must check that `name` is an identifier.
    pub fn export(mut self, name: &str, value: impl Into<Word>) -> Self {
        debug_assert!(is_identifier(name));
        self.values.extend(b"export ");
        self.values.extend(name.as_bytes());
        self.values.push(b'=');
        self.values.extend(value.into().quoted());
        self.values.push(b'\n');
        self
    }

    /// Defines the shell function `name`. It gets a command as arguments and runs it once for each row, with the
    /// row's words appended. It stops at the first failure.
    pub fn rows<R>(mut self, name: &'static str, rows: impl IntoIterator<Item = R>) -> Self
    where
        R: IntoIterator,
        R::Item: Into<Word>,
    {
        self.values.extend(name.as_bytes());
        self.values.extend(b"() {\n");
        for row in rows {
            self.values.extend(b"  \"$@\"");
            for word in row {
                self.values.push(b' ');
                self.values.extend(word.into().quoted());
            }
            self.values.extend(b" || return\n");
        }
        self.values.extend(b"  :\n}\n");
        self
    }

    /// Inserts the text of `library` between the values and the script.
    pub fn with(mut self, library: &'static str) -> Self {
        self.libraries.push(library);
        self
    }

    /// The complete text for a shell.
    pub fn text(&self) -> Vec<u8> {
        let mut text = self.values.clone();
        for code in self.libraries.iter().chain([&self.body]) {
            push_code(&mut text, code);
        }
        text
    }

    /// The assignments, without the constant text.
    #[cfg(test)]
    pub fn values(&self) -> String {
        String::from_utf8_lossy(&self.values).into_owned()
    }
}

/// Appends code without comments and indentation: they are a third of it, and servers do not need them. In our
/// scripts, no line inside quotes begins with `#` or needs its indentation.
fn push_code(text: &mut Vec<u8>, code: &str) {
    for line in code.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        text.extend(line.as_bytes());
        text.push(b'\n');
    }
    if !code.ends_with('\n') {
        text.pop();
    }
}

/// Whether `name` is a valid name of a variable (POSIX XBD 3.216).
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
    fn only_code_is_sent() {
        let script = Script::new("# Says it.\nif [ \"$x\" ]; then\n  # Twice.\n  echo '#'\n\nfi\n")
            .with("f() { :; } # no\n");
        assert_eq!(script.text(), b"f() { :; } # no\nif [ \"$x\" ]; then\necho '#'\nfi\n");
    }

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
