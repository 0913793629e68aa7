//! The types of literals, and which parameters of the engine's functions take them.

use rhai::{Dynamic, Expr};

/// The type of an expression that its text alone shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiteralType {
    Text,
    Whole,
    Fraction,
    Flag,
    Character,
    List,
    Table,
    Function,
    Nothing,
}

impl LiteralType {
    pub fn of(expr: &Expr) -> Option<Self> {
        Some(match expr {
            Expr::StringConstant(..) | Expr::InterpolatedString(..) => LiteralType::Text,
            Expr::IntegerConstant(..) => LiteralType::Whole,
            Expr::FloatConstant(..) => LiteralType::Fraction,
            Expr::BoolConstant(..) => LiteralType::Flag,
            Expr::CharConstant(..) => LiteralType::Character,
            Expr::Array(..) => LiteralType::List,
            Expr::Map(..) => LiteralType::Table,
            Expr::Unit(..) => LiteralType::Nothing,
            Expr::DynamicConstant(value, _) => return Self::of_value(value),
            // A closure that captures variables.
            Expr::FnCall(call, _) if call.name == "curry" => LiteralType::Function,
            _ => return None,
        })
    }

    pub fn of_value(value: &Dynamic) -> Option<Self> {
        let tests: [(bool, LiteralType); 9] = [
            (value.is_string(), LiteralType::Text),
            (value.is_int(), LiteralType::Whole),
            (value.is_float(), LiteralType::Fraction),
            (value.is_bool(), LiteralType::Flag),
            (value.is_char(), LiteralType::Character),
            (value.is_array(), LiteralType::List),
            (value.is_map(), LiteralType::Table),
            (value.is_fnptr(), LiteralType::Function),
            (value.is_unit(), LiteralType::Nothing),
        ];
        tests.into_iter().find_map(|(is_it, kind)| is_it.then_some(kind))
    }

    /// The type of a parameter, from its name in Rust; `None` for any value, and for values of our own types.
    pub fn of_parameter(rust: &str) -> Option<Self> {
        Some(match rust.trim().trim_start_matches("&mut ").trim() {
            "i64" | "INT" => LiteralType::Whole,
            "f64" | "FLOAT" => LiteralType::Fraction,
            "bool" => LiteralType::Flag,
            "char" => LiteralType::Character,
            "Array" => LiteralType::List,
            "Map" => LiteralType::Table,
            "FnPtr" => LiteralType::Function,
            "()" => LiteralType::Nothing,
            name if name.contains("str") || name.contains("String") => LiteralType::Text,
            _ => return None,
        })
    }

    /// "must be text, not a number".
    pub fn words(self) -> &'static str {
        match self {
            LiteralType::Text => "text",
            LiteralType::Whole => "a whole number",
            LiteralType::Fraction => "a number",
            LiteralType::Flag => "true or false",
            LiteralType::Character => "a character",
            LiteralType::List => "a list",
            LiteralType::Table => "a table",
            LiteralType::Function => "a function",
            LiteralType::Nothing => "nothing",
        }
    }
}
