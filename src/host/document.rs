//! A TOML document whose values know their places, so that errors can point at them.

use std::ops::Range;

use anyhow::Result;
use toml::de::{DeString, DeTable, DeValue};
use toml::{Spanned, Value};

use crate::event::{Excerpt, Report, Suggestion};
use crate::host::list::List;

/// The text, and the name of its file in messages.
#[derive(Clone, Copy)]
pub struct Document<'a> {
    pub file: &'a str,
    pub text: &'a str,
}

impl<'a> Document<'a> {
    pub fn parse(&self) -> Result<DeTable<'a>> {
        DeTable::parse(self.text).map(Spanned::into_inner).map_err(|error| {
            let report = Report::new(format!("invalid TOML: {}", error.message()));
            match error.span() {
                Some(span) => report.at(self.excerpt(self.visible(span))).into(),
                None => report.into(),
            }
        })
    }

    pub fn root(&self, table: &'a DeTable<'a>) -> Table<'a> {
        Table { document: *self, table }
    }

    fn excerpt(&self, span: Range<usize>) -> Excerpt {
        // The excerpt shows only the first line of a value, so the caret ends there.
        let spanned = self.text.get(span.clone()).unwrap_or_default();
        let width = spanned.lines().next().unwrap_or_default().chars().count();
        Excerpt::at_offset(self.file, self.text, span.start, width.max(1))
    }

    /// If the error is at the end of the text, points behind the last word instead of at an empty line.
    fn visible(&self, span: Range<usize>) -> Range<usize> {
        let last_word = self.text.trim_end().len();
        if span.start > last_word { last_word..last_word } else { span }
    }
}

#[derive(Clone, Copy)]
pub struct Table<'a> {
    document: Document<'a>,
    table: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    /// All fields, in file order.
    pub fn fields(&self) -> Vec<Field<'a>> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries.into_iter().map(|(key, value)| self.field(key, value)).collect()
    }

    pub fn get(&self, key: &str) -> Option<Field<'a>> {
        self.table.get_key_value(key).map(|(key, value)| self.field(key, value))
    }

    /// Refuses the first key that is not one of `known`. `place` completes the message. `elsewhere` is the hint for a
    /// key that is similar to none of them.
    pub fn refuse_unknown(&self, place: &str, known: &[&str], elsewhere: &str) -> Result<()> {
        let Some(field) = self.fields().into_iter().find(|f| !known.contains(&f.key)) else {
            return Ok(());
        };
        let suggestion = Suggestion::new(field.key, known.iter().copied()).to_string();
        let report = Report::new(format!("unknown key `{}` {place}{suggestion}", field.key))
            .at(field.key_place())
            .note(format!("known: {}", List::new(known.iter().copied())));
        Err(if suggestion.is_empty() { report.hint(elsewhere) } else { report }.into())
    }

    fn field(&self, key: &'a Spanned<DeString<'a>>, value: &'a Spanned<DeValue<'a>>) -> Field<'a> {
        Field { document: self.document, key: key.get_ref(), key_span: key.span(), is_item: false, value }
    }
}

/// A key with its value, or an item of a list with the list's key.
pub struct Field<'a> {
    document: Document<'a>,
    pub key: &'a str,
    key_span: Range<usize>,
    is_item: bool,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Field<'a> {
    pub fn key_place(&self) -> Excerpt {
        self.document.excerpt(self.key_span.clone())
    }

    pub fn place(&self) -> Excerpt {
        self.document.excerpt(self.value.span())
    }

    pub fn report(&self, message: impl Into<String>) -> Report {
        Report::new(message).at(self.place())
    }

    /// An error such as "`port` must be a whole number, not text".
    pub fn must_be(&self, wanted: &str) -> Report {
        let each = if self.is_item { "each of " } else { "" };
        let found = match self.value.get_ref() {
            DeValue::String(_) => "text".to_owned(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(truth) => truth.to_string(),
            DeValue::Datetime(_) => "a date".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.report(format!("{each}`{}` must be {wanted}, not {found}", self.key))
    }

    pub fn is_text(&self) -> bool {
        self.value.get_ref().is_str()
    }

    /// The text, which must not be empty: no key allows that.
    pub fn text(&self) -> Result<&'a str> {
        match self.value.get_ref() {
            DeValue::String(text) if text.is_empty() => {
                Err(self.report(format!("`{}` must not be empty", self.key)).into())
            }
            DeValue::String(text) => Ok(text),
            _ => Err(self.must_be("text").into()),
        }
    }

    pub fn port(&self) -> Result<u16> {
        let number = self.value.get_ref().as_integer();
        number
            .and_then(|n| u16::from_str_radix(n.as_str(), n.radix()).ok())
            .filter(|port| *port != 0)
            .ok_or_else(|| self.must_be("a whole number from 1 to 65535").into())
    }

    pub fn table(&self) -> Result<Table<'a>> {
        match self.value.get_ref() {
            DeValue::Table(table) => Ok(self.document.root(table)),
            _ => Err(self.must_be("a table").into()),
        }
    }

    pub fn list(&self) -> Result<Vec<Field<'a>>> {
        match self.value.get_ref() {
            DeValue::Array(items) => Ok(items
                .iter()
                .map(|item| Field {
                    document: self.document,
                    key: self.key,
                    key_span: item.span(),
                    is_item: true,
                    value: item,
                })
                .collect()),
            _ => Err(self.must_be("a list").into()),
        }
    }

    pub fn value(&self) -> Result<Value> {
        value_of(self.value.get_ref())
            .ok_or_else(|| self.report(format!("`{}` contains a number that is too large", self.key)).into())
    }
}

/// The value without places, or `None` if a number is too large. Dates become text, since recipes have no dates.
pub fn value_of(value: &DeValue) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Integer(n) => Value::Integer(i64::from_str_radix(n.as_str(), n.radix()).ok()?),
        DeValue::Float(n) => Value::Float(n.as_str().parse().ok()?),
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Datetime(date) => Value::String(date.to_string()),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| value_of(item.get_ref())).collect::<Option<_>>()?)
        }
        DeValue::Table(table) => Value::Table(
            table
                .iter()
                .map(|(key, value)| {
                    let key = key.get_ref().clone().into_owned();
                    Some((key, value_of(value.get_ref())?))
                })
                .collect::<Option<_>>()?,
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::layout::plain;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn refused(text: &str, want: Expect) {
        let document = Document { file: "runner.toml", text };
        let error = document.parse().expect_err("must be refused");
        want.assert_eq(&plain(&Report::of(&error)));
    }

    #[test]
    fn a_text_that_is_not_toml_is_shown_at_its_place() {
        refused(
            "application = shop\n",
            expect![[r#"
            invalid TOML: string values must be quoted, expected literal string
             --> runner.toml:1:15
              |
            1 | application = shop
              |               ^^^^"#]],
        );
        refused(
            "recipe = \"deploy.rhai\nx = 1\n",
            expect![[r#"
            invalid TOML: invalid basic string, expected `"`
             --> runner.toml:1:22
              |
            1 | recipe = "deploy.rhai
              |                      ^"#]],
        );
        refused(
            "[stage.prod]\nhosts = [\"a\",\n\n",
            expect![[r#"
            invalid TOML: unclosed array, expected `]`
             --> runner.toml:2:14
              |
            2 | hosts = ["a",
              |              ^"#]],
        );
        refused(
            "[stage.prod\npath = \"/x\"\n",
            expect![[r#"
            invalid TOML: unclosed table, expected `]`
             --> runner.toml:1:12
              |
            1 | [stage.prod
              |            ^"#]],
        );
        refused(
            "key\n",
            expect![[r#"
            invalid TOML: key with no value, expected `=`
             --> runner.toml:1:4
              |
            1 | key
              |    ^"#]],
        );
    }

    #[test]
    fn a_key_said_twice_is_shown_at_the_second() {
        refused(
            "recipe = \"a\"\nrecipe = \"b\"\n",
            expect![[r#"
            invalid TOML: duplicate key
             --> runner.toml:2:1
              |
            2 | recipe = "b"
              | ^^^^^^"#]],
        );
        refused(
            "[stage.a]\npath = \"/a\"\n[stage.a]\n",
            expect![[r#"
            invalid TOML: duplicate key
             --> runner.toml:3:8
              |
            3 | [stage.a]
              |        ^"#]],
        );
    }

    #[test]
    fn values_keep_their_type_and_dates_become_text() {
        let parsed = DeValue::parse("[1, 0x1F, -2.5, true, 2024-01-01, { a = \"b\" }]").unwrap();
        let value = value_of(parsed.get_ref()).unwrap();
        assert_eq!(value.to_string(), r#"[1, 31, -2.5, true, "2024-01-01", { a = "b" }]"#);
        assert!(value_of(DeValue::parse("99999999999999999999").unwrap().get_ref()).is_none());
    }
}
