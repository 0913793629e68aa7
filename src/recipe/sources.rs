//! The scripts of a recipe: where they come from, how messages name them, and their texts.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use crate::event::report::Provenance;
use crate::event::{Excerpt, Place};

static STDLIB: Dir = include_dir!("$CARGO_MANIFEST_DIR/stdlib");
static RECIPES: Dir = include_dir!("$CARGO_MANIFEST_DIR/recipes");

/// Where a script comes from. Shipped scripts are evaluated first, so that the user's can override them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Embedded in the program, known by its name alone.
    Shipped(String),
    File(PathBuf),
}

#[derive(Debug, Clone)]
pub struct RecipeSource {
    pub origin: Origin,
    /// How messages name it.
    pub name: String,
    pub text: String,
}

impl RecipeSource {
    pub fn is_shipped(&self) -> bool {
        matches!(self.origin, Origin::Shipped(_))
    }

    /// Whether it belongs to the standard library, which every recipe builds on.
    pub fn is_stdlib(&self) -> bool {
        matches!(&self.origin, Origin::Shipped(name) if stdlib_names().contains(&name.as_str()))
    }

    fn provenance(&self) -> Provenance {
        match self.origin {
            Origin::File(_) => Provenance::User,
            Origin::Shipped(_) if self.is_stdlib() => Provenance::Stdlib,
            Origin::Shipped(_) => Provenance::Recipe,
        }
    }

    pub fn excerpt(&self, line: usize, column: usize) -> Excerpt {
        let place = Place { file: self.name.clone(), line, column };
        let text = self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        Excerpt::new(place, &self.text, width(text, column)).of(self.provenance())
    }

    /// The place of the literal `text` in the statement that begins here; the beginning if it is not in there.
    pub fn excerpt_of(&self, line: usize, column: usize, text: &str) -> Excerpt {
        let Some(start) = self.offset(line, column) else {
            return self.excerpt(line, column);
        };
        let rest = &self.text[start..];
        let statement = &rest[..rest.find(';').unwrap_or(rest.len())];
        let quoted = format!("\"{text}\"");
        match statement.find(&quoted) {
            Some(at) => Excerpt::at_offset(&self.name, &self.text, start + at, quoted.chars().count())
                .of(self.provenance()),
            None => self.excerpt(line, column),
        }
    }

    /// The byte offset of a place.
    pub fn offset(&self, line: usize, column: usize) -> Option<usize> {
        let before: usize = self.text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
        let text = self.text.get(before..)?.lines().next().unwrap_or_default();
        let within: usize = text.chars().take(column.checked_sub(1)?).map(char::len_utf8).sum();
        Some(before + within)
    }
}

/// How many characters the caret marks: the word or the quoted text that begins at `column`, or one.
fn width(line: &str, column: usize) -> usize {
    let mut rest = line.chars().skip(column.saturating_sub(1));
    match rest.next() {
        Some(quote @ ('"' | '`' | '\'')) => {
            let mut is_escaped = false;
            let end = rest.position(|c| {
                let ends = c == quote && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                ends
            });
            end.map_or(1, |n| n + 2)
        }
        Some(c) if is_word(c) => 1 + rest.take_while(|c| is_word(*c)).count(),
        _ => 1,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn shipped_file(name: &str) -> Option<&'static str> {
    let file = format!("{name}.rhai");
    [&STDLIB, &RECIPES].iter().find_map(|dir| dir.get_file(&file)).and_then(|file| file.contents_utf8())
}

/// A script embedded in the program.
pub fn shipped(name: &str) -> Option<RecipeSource> {
    Some(RecipeSource {
        origin: Origin::Shipped(name.to_owned()),
        name: format!("shipped/{name}.rhai"),
        text: shipped_file(name)?.to_owned(),
    })
}

fn names_of(dir: &'static Dir) -> impl Iterator<Item = &'static str> {
    dir.files().filter_map(|file| file.path().file_name()?.to_str()?.strip_suffix(".rhai"))
}

/// The recipes that a user can run or import by name.
pub fn recipe_names() -> Vec<&'static str> {
    let mut names: Vec<&str> = names_of(&RECIPES).collect();
    names.sort_unstable();
    names
}

/// The scripts that every recipe builds on, in the order they are evaluated.
pub fn stdlib_names() -> Vec<&'static str> {
    let mut names: Vec<&str> = names_of(&STDLIB).collect();
    names.sort_unstable();
    names
}

/// A file of the user's.
pub fn file(path: &Path) -> std::io::Result<RecipeSource> {
    let text = std::fs::read_to_string(path)?;
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    let path = path.canonicalize()?;
    Ok(RecipeSource { name: shown(&path), origin: Origin::File(path), text })
}

/// The names of the scripts beside a file, to suggest one if the file does not exist.
pub fn beside(file: &Path) -> Vec<String> {
    let entries = file.parent().and_then(|dir| dir.read_dir().ok());
    let names = entries.into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.ends_with(".rhai")).collect()
}

/// A path as messages name it: relative to the working directory if it is below it.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().and_then(|dir| dir.canonicalize());
    let below = here.ok().and_then(|dir| path.strip_prefix(&dir).ok());
    below.unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> RecipeSource {
        RecipeSource {
            origin: Origin::Shipped("x".to_owned()),
            name: "x.rhai".to_owned(),
            text: text.to_owned(),
        }
    }

    /// What the caret marks.
    fn pointed_at(excerpt: &Excerpt) -> String {
        excerpt.text.chars().skip(excerpt.place.column - 1).take(excerpt.width).collect()
    }

    #[test]
    fn the_caret_is_under_a_word_or_a_text_in_quotes_or_one_character() {
        let source = source("let käse = host.run(\"a \\\" b\", `c`);");
        for (column, want) in [(5, "käse"), (17, "run"), (21, "\"a \\\" b\""), (31, "`c`"), (10, "=")] {
            assert_eq!(pointed_at(&source.excerpt(1, column)), want);
        }
    }

    #[test]
    fn a_text_is_pointed_at_where_its_statement_says_it() {
        let source = source("// ä\nflow(\"deploy\", [\n  \"ä\", \"swap\",\n]);\ntask(\"later\");\n");
        let excerpt = source.excerpt_of(2, 1, "swap");
        assert_eq!((excerpt.place.line, excerpt.place.column), (3, 8));
        assert_eq!(pointed_at(&excerpt), "\"swap\"");
        assert_eq!(pointed_at(&source.excerpt_of(2, 1, "later")), "flow");
    }
}
