//! The options that primitives take in a table, with their types: the static check reads them here.

use crate::recipe::literal::LiteralType;
use crate::recipe::primitives::{command, fetch, file, watch, web};

/// What an option may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    Text,
    Flag,
    Table,
    /// A whole number of seconds or of other things, at least 1.
    Count,
    Number,
    Any,
}

impl OptionKind {
    fn of(name: &str) -> Self {
        match name {
            "at" | "cwd" | "user" | "host" | "method" | "path" | "mode" | "strategy" | "settles" => {
                Self::Text
            }
            "errexit" | "https" | "mkdir" | "allow_apart" | "allow_edited" => Self::Flag,
            "env" | "headers" | "params" | "cache" => Self::Table,
            "max_error_rate" | "max_p99_ms" | "rate" | "seconds" | "min_samples" => Self::Number,
            _ => Self::Any,
        }
    }

    pub fn takes(self, kind: LiteralType) -> bool {
        match self {
            Self::Text => kind == LiteralType::Text,
            Self::Flag => kind == LiteralType::Flag,
            Self::Table => kind == LiteralType::Table,
            Self::Count => kind == LiteralType::Whole,
            Self::Number => matches!(kind, LiteralType::Whole | LiteralType::Fraction),
            Self::Any => true,
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Flag => "true or false",
            Self::Table => "a table",
            Self::Count => "a whole number",
            Self::Number => "a number",
            Self::Any => "a value",
        }
    }

    pub fn is_count(self) -> bool {
        self == Self::Count
    }
}

/// The options of a primitive, by its name; `None` if it takes no table of options.
pub fn options_of(primitive: &str) -> Option<Vec<(&'static str, OptionKind)>> {
    // The time limit of a command counts whole seconds, that of a request can be a fraction.
    let (names, timeout): (Vec<&str>, OptionKind) = match primitive {
        "run" | "output" | "test" => (command::OPTIONS.into(), OptionKind::Count),
        "local" => ([&command::OPTIONS[..], &["cache"]].concat(), OptionKind::Count),
        "http" => (web::HTTP.into(), OptionKind::Number),
        "fastcgi" => (web::FASTCGI.into(), OptionKind::Number),
        "watch" => (watch::WATCH.into(), OptionKind::Number),
        "http_get" => (fetch::GET.into(), OptionKind::Number),
        "http_post" => (fetch::POST.into(), OptionKind::Number),
        "write" | "template" => (file::OPTIONS.into(), OptionKind::Any),
        "fill" => (vec!["strategy"], OptionKind::Any),
        "rollback" => (vec!["allow_apart", "allow_edited"], OptionKind::Any),
        _ => return None,
    };
    let kind = |name| if name == "timeout" { timeout } else { OptionKind::of(name) };
    Some(names.into_iter().map(|name| (name, kind(name))).collect())
}
