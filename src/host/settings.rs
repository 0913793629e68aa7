//! The settings of one layer (a table of `runner.toml`, or the command line), each with its place.

use anyhow::Result;
use indexmap::IndexMap;
use toml::Value;
use toml::de::DeValue;

use crate::event::{Excerpt, Place, Report};
use crate::host::document::{Field, Table, value_of};

/// How a layer changes a setting.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingChange {
    /// `key = value`: replaces the value of the layers below.
    Set(Value),
    /// `key.add = [...]` and `key.remove = [...]`: changes the list of the layers below.
    Edit(ListEdit),
}

/// Items are removed first, then others are added.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListEdit {
    pub remove: Vec<Value>,
    pub add: Vec<Value>,
}

impl ListEdit {
    fn then(mut self, next: ListEdit) -> ListEdit {
        let (of_added, of_below) =
            next.remove.into_iter().partition::<Vec<_>, _>(|item| self.add.contains(item));
        self.add.retain(|item| !of_added.contains(item));
        self.add.extend(next.add);
        self.remove.extend(of_below);
        self
    }
}

impl SettingChange {
    /// Applies this change on top of `below`. `None` if `below` is not a list to edit.
    pub fn after(self, below: Option<SettingChange>) -> Option<SettingChange> {
        match (below, self) {
            (_, SettingChange::Set(value)) => Some(SettingChange::Set(value)),
            (None, edit) => Some(edit),
            (Some(SettingChange::Edit(edit)), SettingChange::Edit(next)) => {
                Some(SettingChange::Edit(edit.then(next)))
            }
            (Some(SettingChange::Set(Value::Array(items))), SettingChange::Edit(edit)) => {
                let list = ListEdit { remove: Vec::new(), add: items };
                Some(SettingChange::Set(Value::Array(list.then(edit).add)))
            }
            (Some(SettingChange::Set(_)), SettingChange::Edit(_)) => None,
        }
    }

    fn of(value: Value) -> Self {
        let Value::Table(table) = &value else { return SettingChange::Set(value) };
        let is_edit = !table.is_empty()
            && table.iter().all(|(key, items)| ["add", "remove"].contains(&key.as_str()) && items.is_array());
        if !is_edit {
            return SettingChange::Set(value);
        }
        let items = |key| table.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        SettingChange::Edit(ListEdit { remove: items("remove"), add: items("add") })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    pub change: SettingChange,
    /// The key in `runner.toml`, or the argument of `--set`.
    pub place: Excerpt,
    /// The text on the command line. It matters for a tag such as `1.10`, which is not a number.
    pub typed: Option<String>,
}

/// The settings, in the order of the file or the command line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings(IndexMap<String, Setting>);

impl Settings {
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.0.get(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.0.iter().map(|(key, setting)| (key.as_str(), setting))
    }

    /// Reads the arguments of `--set`: `KEY=VALUE`, `KEY.add=VALUE` or `KEY.remove=VALUE`, where a value that is not a list is one
    /// item. A value that is not TOML is text. If two arguments set the same key, the later one wins.
    pub fn from_cli(arguments: &[String]) -> Result<Self> {
        let mut settings = Self::default();
        for argument in arguments {
            settings.set_from_cli(argument)?;
        }
        Ok(settings)
    }

    fn set_from_cli(&mut self, argument: &str) -> Result<()> {
        let (name, text) = match argument.split_once('=') {
            Some((name, text)) if !name.trim().is_empty() => (name.trim(), text),
            _ => {
                return Err(Report::new("`--set` needs `KEY=VALUE` or `KEY.add=VALUE`")
                    .at(argument_place(argument, argument))
                    .into());
            }
        };
        let place = argument_place(argument, name);
        let items = || match read_value(text) {
            Value::Array(items) => items,
            item => vec![item],
        };
        let (key, change) = if let Some(key) = name.strip_suffix(".add") {
            (key, SettingChange::Edit(ListEdit { add: items(), ..ListEdit::default() }))
        } else if let Some(key) = name.strip_suffix(".remove") {
            (key, SettingChange::Edit(ListEdit { remove: items(), ..ListEdit::default() }))
        } else {
            (name, SettingChange::of(read_value(text)))
        };
        if let Some((table, rest)) = key.split_once('.') {
            return Err(Report::new(format!("a setting's name must not contain a dot: `{key}`"))
                .at(place)
                .hint(format!("set the whole table: `--set '{table}={{ {rest} = ... }}'`"))
                .into());
        }
        let below = self.0.get(key).map(|setting| setting.change.clone());
        let Some(change) = change.after(below) else {
            return Err(not_a_list(key, place).into());
        };
        self.0.insert(key.to_owned(), Setting { change, place, typed: Some(text.to_owned()) });
        Ok(())
    }

    /// Reads the table `settings` in `table`; empty if it is missing.
    pub(in crate::host) fn below(table: &Table) -> Result<Self> {
        let settings = table.get("settings").map(|field| Self::read(&field.table()?));
        settings.transpose().map(Option::unwrap_or_default)
    }

    fn read(table: &Table) -> Result<Self> {
        let read = |field: Field| {
            let change = SettingChange::of(field.value()?);
            let place = field.key_place();
            Ok((field.key.to_owned(), Setting { change, place, typed: None }))
        };
        table.fields().into_iter().map(read).collect::<Result<_>>().map(Self)
    }
}

pub(in crate::host) fn not_a_list(key: &str, place: Excerpt) -> Report {
    Report::new(format!("`{key}` is not a list; `.add` and `.remove` work only for lists")).at(place)
}

fn read_value(text: &str) -> Value {
    // A date stays as it was typed: recipes have no dates.
    match DeValue::parse(text).as_ref().map(|value| value.get_ref()) {
        Ok(DeValue::Datetime(_)) | Err(_) => None,
        Ok(value) => value_of(value),
    }
    .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn argument_place(argument: &str, pointed_at: &str) -> Excerpt {
    let place = Place { file: "--set".to_owned(), line: 0, column: 1 };
    let width = pointed_at.chars().count();
    Excerpt { place, text: argument.to_owned(), width, ..Excerpt::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::layout::plain;
    use crate::host::document::Document;
    use expect_test::{Expect, expect};

    fn from_cli(arguments: &[&str]) -> Result<Settings> {
        Settings::from_cli(&arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>())
    }

    fn say(settings: &Settings) -> String {
        let lines = settings.iter().map(|(key, Setting { change, place, .. })| {
            let place = format!("{}:{}", place.place, place.place.column);
            match change {
                SettingChange::Set(value) => format!("{key} = {value}  # {place}\n"),
                SettingChange::Edit(ListEdit { remove, add }) => {
                    let list = |sign, items: &Vec<Value>| match items.is_empty() {
                        true => String::new(),
                        false => format!(" {sign}= {}", Value::Array(items.clone())),
                    };
                    format!("{key}{}{}  # {place}\n", list("-", remove), list("+", add))
                }
            }
        });
        lines.collect()
    }

    #[track_caller]
    fn value(text: &str, want: &str) {
        let settings = from_cli(&[&format!("key={text}")]).unwrap();
        // Without other layers, the list is just the added items.
        let value = match settings.get("key").unwrap().change.clone() {
            SettingChange::Set(value) => value,
            SettingChange::Edit(edit) => Value::Array(edit.add),
        };
        assert_eq!(value.to_string(), want);
    }

    #[track_caller]
    fn refused(arguments: &[&str], want: Expect) {
        want.assert_eq(&plain(&Report::of(&from_cli(arguments).unwrap_err())));
    }

    #[test]
    fn a_table_gives_settings_in_file_order_with_their_places() {
        let document = Document {
            file: "runner.toml",
            text: "z = 1\n  a = \"x\"\nshared.add = [\"up/\"]\nexclude = { add = [\"*.log\"] }\n\
                   env = { add = \"1\" }\nother = { a = 1, add = [] }\ndate = 2024-01-01\n",
        };
        let table = document.parse().unwrap();
        let settings = Settings::read(&document.root(&table)).unwrap();
        expect![[r#"
            z = 1  # runner.toml:1:1
            a = "x"  # runner.toml:2:3
            shared += ["up/"]  # runner.toml:3:1
            exclude += ["*.log"]  # runner.toml:4:1
            env = { add = "1" }  # runner.toml:5:1
            other = { a = 1, add = [] }  # runner.toml:6:1
            date = "2024-01-01"  # runner.toml:7:1
        "#]]
        .assert_eq(&say(&settings));
    }

    #[test]
    fn a_value_of_the_command_line_is_toml_if_it_can_be_and_else_text() {
        value("v1.2", r#""v1.2""#);
        value("3", "3");
        value("-1.5", "-1.5");
        value("true", "true");
        value("[1,2]", "[1, 2]");
        value("\"3\"", r#""3""#);
        value("{ a = 1 }", "{ a = 1 }");
        value("2024-01-01", r#""2024-01-01""#);
        value("", r#""""#);
        value("a=b", r#""a=b""#);
        value("99999999999999999999", r#""99999999999999999999""#);
        value("1 2", r#""1 2""#);
    }

    #[test]
    fn the_later_argument_wins_and_added_items_add_up() {
        let settings = from_cli(&[
            "n=1",
            "n=2",
            "x.add=*.log",
            "x.add=[\"a\",\"b\"]",
            "y=[1]",
            "y.add=2",
            "z.add=1",
            "z=[]",
            "s.remove=a",
            "s.add=b",
            "s.remove=[\"b\",\"c\"]",
        ]);
        expect![[r#"
            n = 2  # --set:1
            x += ["*.log", "a", "b"]  # --set:1
            y = [1, 2]  # --set:1
            z = []  # --set:1
            s -= ["a", "c"]  # --set:1
        "#]]
        .assert_eq(&say(&settings.unwrap()));
    }

    #[test]
    fn an_argument_that_sets_nothing_is_refused() {
        refused(
            &["keep_releases"],
            expect![[r#"
                `--set` needs `KEY=VALUE` or `KEY.add=VALUE`
                 --> --set
                  |
                  | keep_releases
                  | ^^^^^^^^^^^^^"#]],
        );
        refused(
            &["=3"],
            expect![[r#"
                `--set` needs `KEY=VALUE` or `KEY.add=VALUE`
                 --> --set
                  |
                  | =3
                  | ^^"#]],
        );
        refused(
            &["env.PATH=/bin"],
            expect![[r#"
                a setting's name must not contain a dot: `env.PATH`
                 --> --set
                  |
                  | env.PATH=/bin
                  | ^^^^^^^^
                hint: set the whole table: `--set 'env={ PATH = ... }'`"#]],
        );
        refused(
            &["n=3", "n.add=4"],
            expect![[r#"
                `n` is not a list; `.add` and `.remove` work only for lists
                 --> --set
                  |
                  | n.add=4
                  | ^^^^^"#]],
        );
    }
}
