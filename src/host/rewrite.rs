//! Changes texts in `runner.toml`, and what its `[settings]` share; nothing else of the file.

use std::fs;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

use anyhow::{Context, Result, bail};
use toml_edit::{Array, Decor, DocumentMut, Item, RawString, TableLike};

use crate::event::Place;

/// A text in the file: where it is with its quotes, and what it says.
fn text_at(file: &str, place: &Place) -> Option<(Range<usize>, String)> {
    let line_start: usize = file.split_inclusive('\n').take(place.line.checked_sub(1)?).map(str::len).sum();
    let column = place.column.checked_sub(1)?;
    let start = line_start + file.get(line_start..)?.chars().take(column).map(char::len_utf8).sum::<usize>();
    let rest = file.get(start..)?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    // Texts of several lines have three quotes.
    if rest[1..].starts_with([quote]) {
        return None;
    }
    let mut is_escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, c)| {
        let is_end = *c == quote && !is_escaped;
        is_escaped = *c == '\\' && quote == '"' && !is_escaped;
        is_end
    })?;
    let literal = &rest[..=end.0];
    let table: toml::Table = format!("text = {literal}").parse().ok()?;
    Some((start..start + literal.len(), table.get("text")?.as_str()?.to_owned()))
}

/// What the file says at a place.
pub fn written(file: &Path, place: &Place) -> Result<String> {
    let text = read(file)?;
    let (_, written) = text_at(&text, place).with_context(|| format!("`{place}` is no text in quotes"))?;
    Ok(written)
}

/// Puts another text at each place that says `old` now, and adds `shared` to the setting of that name, of all stages. The
/// file is replaced by one rename, and keeps its mode.
pub fn rewrite(file: &Path, changes: &[(Place, String, String)], shared: &[String]) -> Result<()> {
    // The file that a link leads to, not the link.
    let file = &fs::canonicalize(file).with_context(|| format!("failed to find `{}`", file.display()))?;
    let mut text = read(file)?;
    // From the end, so that the places before stay where they are.
    let mut changes: Vec<_> = changes.iter().collect();
    changes.sort_by_key(|(place, ..)| std::cmp::Reverse((place.line, place.column)));
    for (place, old, new) in changes {
        match text_at(&text, place) {
            Some((span, written)) if written == *old => {
                text.replace_range(span, &toml::Value::String(new.clone()).to_string());
            }
            _ => bail!("`{place}` does not say `{old}` any more"),
        }
    }
    if !shared.is_empty() {
        text = with_shared(&text, shared).with_context(|| by_hand(file, shared))?;
    }
    replace(file, &text).with_context(|| format!("failed to write `{}`", file.display()))
}

fn by_hand(file: &Path, shared: &[String]) -> String {
    format!("write in `{}`, in its table `settings`: {}", file.display(), shared_line(shared))
}

/// The line of `runner.toml` that shares these paths, too.
pub fn shared_line(shared: &[String]) -> String {
    format!("shared.add = {}", shared.iter().collect::<Array>())
}

fn with_shared(text: &str, shared: &[String]) -> Result<String> {
    let mut document: DocumentMut = text.parse()?;
    let settings = document.entry("settings").or_insert_with(toml_edit::table);
    let settings = settings.as_table_like_mut().context("`settings` is no table")?;
    extend(settings, shared)?;
    let after = document.to_string();
    // `toml_edit` ends all lines as Unix does.
    match text.contains("\r\n") {
        true => Ok(after.replace("\r\n", "\n").replace('\n', "\r\n")),
        false => Ok(after),
    }
}

/// `shared = [...]`, `shared.add = [...]`, or neither is there.
fn extend(settings: &mut dyn TableLike, shared: &[String]) -> Result<()> {
    let setting = settings.entry("shared").or_insert_with(|| {
        let mut edit = toml_edit::Table::new();
        edit.set_dotted(true);
        Item::Table(edit)
    });
    let list = match setting.as_table_like_mut() {
        Some(edit) => edit.entry("add").or_insert_with(|| toml_edit::value(Array::new())),
        None => setting,
    };
    let list = list.as_array_mut().context("`shared` is no list")?;
    let text = |raw: Option<&RawString>| raw.and_then(RawString::as_str).unwrap_or_default().to_owned();
    let last = list.iter().last().map(toml_edit::Value::decor);
    // Each in a line of its own, if the others are; the space before the bracket stays there.
    let prefix = text(last.and_then(Decor::prefix));
    let suffix = text(last.and_then(Decor::suffix));
    let prefix = prefix.rfind('\n').map_or(" ", |at| &prefix[at..]);
    let is_empty = list.is_empty();
    if let Some(last) = list.iter_mut().last() {
        last.decor_mut().set_suffix("");
    }
    for (n, path) in shared.iter().enumerate() {
        let mut item = toml_edit::Value::from(path);
        *item.decor_mut() = Decor::new(if is_empty && n == 0 { "" } else { prefix }, "");
        list.push_formatted(item);
    }
    if let Some(last) = list.iter_mut().last() {
        last.decor_mut().set_suffix(suffix);
    }
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("failed to read `{}`", file.display()))
}

fn replace(file: &Path, text: &str) -> Result<()> {
    let before = fs::metadata(file)?;
    // Of a name that nobody can have put a link at, and for nobody else until it has its mode.
    let mut written = tempfile::NamedTempFile::new_in(file.parent().context("it is no file")?)?;
    written.write_all(text.as_bytes())?;
    if rustix::process::geteuid().is_root() {
        fchown(written.as_file(), Some(before.uid()), Some(before.gid()))?;
    }
    written.as_file().set_permissions(before.permissions())?;
    // A power cut after the rename must not leave an empty file.
    written.as_file().sync_all()?;
    written.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: usize, column: usize) -> Place {
        Place { file: String::new(), line, column }
    }

    #[track_caller]
    fn case(file: &str, at: Place, want: Option<&str>) {
        assert_eq!(text_at(file, &at).map(|(_, text)| text).as_deref(), want);
    }

    #[test]
    fn a_text_is_found_whatever_its_quotes() {
        case("a = 1\npath = \"/x\" # c\n", place(2, 8), Some("/x"));
        case("path = '/x\"\\'", place(1, 8), Some("/x\"\\"));
        case("ü = 1\nü = { path = \"/a\\\"b\\\\\" }", place(2, 14), Some("/a\"b\\"));
        case("path = 1", place(1, 8), None);
        case("path = \"\"\"x\"\"\"", place(1, 8), None);
        case("path = \"", place(1, 8), None);
        case("", place(7, 1), None);
    }

    #[test]
    fn only_the_text_changes_and_the_mode_stays() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("runner.toml");
        fs::write(&file, "# c\nx  =  [ '/a', \"/b\" ] # d\r\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let change = |column, old: &str, new: &str| (place(2, column), old.to_owned(), new.to_owned());
        rewrite(&file, &[change(9, "/a", "/a.site"), change(15, "/b", "/it's")], &[]).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "# c\nx  =  [ \"/a.site\", \"/it's\" ] # d\r\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(rewrite(&file, &[change(9, "/a", "/z")], &[]).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[track_caller]
    fn shares(text: &str, want: &str) {
        let after = with_shared(text, &["up/".to_owned(), "it's".to_owned()]).unwrap();
        assert_eq!(after, want);
        let table: toml::Table = after.parse().unwrap();
        assert!(table["settings"]["shared"].to_string().contains(r#""up/", "it's"]"#), "{table}");
    }

    #[test]
    fn shared_paths_are_added_and_the_rest_stays() {
        shares(
            "[stage.a] # x\npath = \"/x\"\n",
            "[stage.a] # x\npath = \"/x\"\n\n[settings]\nshared.add = [\"up/\", \"it's\"]\n",
        );
        shares(
            "[settings]\nsource = \"x\" # y\n\n# the servers\n[stage.a]\n",
            "[settings]\nsource = \"x\" # y\nshared.add = [\"up/\", \"it's\"]\n\n# the servers\n[stage.a]\n",
        );
        shares("[settings]\nshared = [ '.env' ]\n", "[settings]\nshared = [ '.env', \"up/\", \"it's\" ]\n");
        shares(
            "[settings]\nshared.add = [\n  \"a\", # b\n  \"c\",\n]\n",
            "[settings]\nshared.add = [\n  \"a\", # b\n  \"c\",\n  \"up/\",\n  \"it's\",\n]\n",
        );
        shares(
            "[settings]\nshared.remove = [\"a\"]\n",
            "[settings]\nshared.remove = [\"a\"]\nshared.add = [\"up/\", \"it's\"]\n",
        );
        shares("[settings.shared]\nadd = []\n", "[settings.shared]\nadd = [\"up/\", \"it's\"]\n");
        shares(
            "settings = { source = \"x\" }\n",
            "settings = { source = \"x\" , shared.add = [\"up/\", \"it's\"] }\n",
        );
        shares(
            "settings.source = \"x\"\n[stage.a]\n",
            "settings.source = \"x\"\nsettings.shared.add = [\"up/\", \"it's\"]\n[stage.a]\n",
        );
        // Lines that end as on Windows.
        shares("[settings]\r\na = 1\r\n", "[settings]\r\na = 1\r\nshared.add = [\"up/\", \"it's\"]\r\n");
        assert!(with_shared("settings = 1", &["x".to_owned()]).is_err());
    }
}
