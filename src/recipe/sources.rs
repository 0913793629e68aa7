//! The scripts of a recipe by the names that messages call them by, with their texts.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use crate::event::{Excerpt, Place};

static STDLIB: Dir = include_dir!("$CARGO_MANIFEST_DIR/stdlib");
static RECIPES: Dir = include_dir!("$CARGO_MANIFEST_DIR/recipes");

/// Where a script comes from. Shipped ones are declared before a user's, and may be overridden by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Embedded in the program, known by its name alone.
    Shipped(String),
    File(PathBuf),
}

#[derive(Debug, Clone)]
pub struct Source {
    pub origin: Origin,
    /// How messages name it.
    pub name: String,
    pub text: String,
}

impl Source {
    pub fn is_shipped(&self) -> bool {
        matches!(self.origin, Origin::Shipped(_))
    }

    pub fn excerpt(&self, line: usize, column: usize) -> Excerpt {
        let place = Place { file: self.name.clone(), line, column };
        let text = self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        Excerpt::new(place, &self.text, word_width(text, column))
    }
}

/// How many characters the caret covers: the word that begins at `column`, or one.
fn word_width(line: &str, column: usize) -> usize {
    let rest = line.chars().skip(column.saturating_sub(1));
    let word = rest.take_while(|c| c.is_alphanumeric() || *c == '_').count();
    word.max(1)
}

fn shipped_file(name: &str) -> Option<&'static str> {
    let file = format!("{name}.rhai");
    [&STDLIB, &RECIPES].iter().find_map(|dir| dir.get_file(&file)).and_then(|file| file.contents_utf8())
}

/// A script embedded in the program.
pub fn shipped(name: &str) -> Option<Source> {
    Some(Source {
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

/// A file of the user's. Named relative to the working directory where it is below it.
pub fn file(path: &Path) -> std::io::Result<Source> {
    let text = std::fs::read_to_string(path)?;
    let path = path.canonicalize()?;
    let shown = std::env::current_dir()
        .and_then(|dir| dir.canonicalize())
        .ok()
        .and_then(|dir| path.strip_prefix(&dir).ok().map(Path::to_path_buf))
        .unwrap_or_else(|| path.clone());
    Ok(Source { name: shown.display().to_string(), origin: Origin::File(path), text })
}
