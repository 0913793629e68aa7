//! Converts values between `runner.toml`, Rhai and JSON, and names their types in messages.

use rhai::{Array, Dynamic, Map};
use toml::Value;

use crate::event::Report;
use crate::recipe::nothing::has_nothing;
use crate::shell::script::is_identifier;

/// Settings whose values can have more than one type. `options` checks them.
pub const OF_SEVERAL_TYPES: [&str; 2] = ["on_host_failure", "min_healthy"];

/// Settings that are always text on the command line: the tag `1.10` is not a number.
pub const AS_TYPED: [&str; 1] = ["ref"];

pub fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::String(text) => text.clone().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Boolean(flag) => (*flag).into(),
        Value::Datetime(time) => time.to_string().into(),
        Value::Array(list) => Dynamic::from_array(list.iter().map(to_dynamic).collect()),
        Value::Table(table) => Dynamic::from_map(
            table.iter().map(|(key, value)| (key.as_str().into(), to_dynamic(value))).collect(),
        ),
    }
}

/// A value as JSON, or the name of a type that JSON does not have.
pub fn to_json(value: &Dynamic) -> Result<serde_json::Value, &'static str> {
    if value.is_unit() {
        return Ok(serde_json::Value::Null);
    }
    if let Some(list) = value.read_lock::<rhai::Array>() {
        return list.iter().map(to_json).collect();
    }
    if let Some(map) = value.read_lock::<rhai::Map>() {
        return map.iter().map(|(key, value)| Ok((key.to_string(), to_json(value)?))).collect();
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(flag.into());
    }
    if let Ok(number) = value.as_int() {
        return Ok(number.into());
    }
    if let Ok(number) = value.as_float() {
        return serde_json::Number::from_f64(number).map(Into::into).ok_or("a number that is not finite");
    }
    match value.is_string() || value.is_char() {
        true => Ok(value.to_string().into()),
        false => Err(type_name(value)),
    }
}

/// The type of a value, as messages name it.
pub fn type_name(value: &Dynamic) -> &'static str {
    if value.is_unit() {
        "nothing"
    } else if value.is_bool() {
        "true or false"
    } else if value.is_int() {
        "a whole number"
    } else if value.is_float() {
        "a number"
    } else if value.is_string() {
        "text"
    } else if value.is_array() {
        "a list"
    } else if value.is_map() {
        "a table"
    } else if value.is_fnptr() {
        "a function"
    } else {
        "a value of another type"
    }
}

/// The name that scripts use for a type, from its name in Rust or Rhai.
pub fn plain_type(kind: &str) -> String {
    let kind = kind.trim().trim_start_matches("&mut ").trim();
    let kind =
        kind.strip_prefix("ScriptResult<").and_then(|inner| inner.strip_suffix('>')).unwrap_or(kind).trim();
    match kind {
        "&str" | "String" | "ImmutableString" | "string" | "&str | ImmutableString | String" => "text",
        "i64" | "f64" => "number",
        "char" => "character",
        "Array" | "array" => "list",
        "Map" | "map" => "table",
        "FnPtr" | "Fn" => "function",
        "Dynamic" => "value",
        "()" => "nothing",
        // Ours: scripts know `ScriptHost` as `Host`.
        other => other.strip_prefix("Script").unwrap_or(other),
    }
    .to_owned()
}

/// The texts of a list.
pub fn texts(list: Array, what: &str) -> Result<Vec<String>, String> {
    list.into_iter()
        .map(|item| {
            let kind = type_name(&item);
            item.into_string().map_err(|_| format!("{what} must be a list of texts, but it contains {kind}"))
        })
        .collect()
}

/// A table as environment variables.
pub fn environment(map: Map) -> Result<Vec<(String, String)>, Report> {
    map.into_iter()
        .map(|(key, value)| {
            if !is_identifier(&key) {
                return Err(Report::new(format!("`{key}` is not a valid name for an environment variable")));
            }
            let value = text_of(&value, &format!("environment variable `{key}`"))?;
            Ok((key.to_string(), value))
        })
        .collect()
}

/// A value as text. `()` is refused: it must never become part of a text.
pub fn text_of(value: &Dynamic, what: &str) -> Result<String, Report> {
    match has_nothing(value) {
        true if value.is_unit() => {
            Err(Report::new(format!("{what} is `()`, which cannot be part of a text"))
                .hint("say what to use instead: `env(\"NAME\") ?? \"none\"`"))
        }
        true => Err(Report::new(format!("{what} contains `()`, which cannot be part of a text"))),
        false => Ok(value.to_string()),
    }
}

/// Whether a setting whose default is `default` may hold `value`.
pub fn fits(default: &Dynamic, value: &Dynamic) -> bool {
    default.is_unit()
        || default.is_fnptr()
        || type_name(default) == type_name(value)
        || (default.is_float() && value.is_int())
}

/// A value as `runner docs` shows it.
pub fn shown(value: &Dynamic) -> String {
    if value.is_unit() {
        return "(must be set)".to_owned();
    }
    if value.is_fnptr() {
        return "(a function)".to_owned();
    }
    if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        return format!("\"{}\"", *text);
    }
    if let Some(list) = value.read_lock::<rhai::Array>() {
        let items: Vec<String> = list.iter().map(shown).collect();
        return format!("[{}]", items.join(", "));
    }
    if let Some(map) = value.read_lock::<rhai::Map>() {
        let items: Vec<String> = map.iter().map(|(k, v)| format!("{k}: {}", shown(v))).collect();
        return format!("#{{ {} }}", items.join(", "));
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_called_by_the_names_that_scripts_know() {
        for (kind, want) in [
            ("&mut ScriptHost", "Host"),
            ("ScriptResult<Array >", "list"),
            ("&str | ImmutableString | String", "text"),
            ("i64", "number"),
            ("()", "nothing"),
        ] {
            assert_eq!(plain_type(kind), want);
        }
    }

    #[test]
    fn json_has_what_scripts_can_write() {
        let json = |script: &str| to_json(&rhai::Engine::new().eval::<Dynamic>(script).unwrap());
        let script = "let n = 7; let f = || n; #{ b: [1, 2.5, true, ()], a: \"it's \\\"so\\\"\\n\", c: 'x', d: #{}, n: n }";
        let want = r#"{"a":"it's \"so\"\n","b":[1,2.5,true,null],"c":"x","d":{},"n":7}"#;
        assert_eq!(json(script).unwrap().to_string(), want);
        assert_eq!(json("[1, [|x| x]]"), Err("a function"));
        assert_eq!(json("1.0 / 0.0"), Err("a number that is not finite"));
    }

    #[test]
    fn a_value_fits_a_default_of_its_type_and_a_default_of_none() {
        let (text, number, float) = (Dynamic::from("a"), Dynamic::from(1_i64), Dynamic::from(1.5_f64));
        assert!(fits(&Dynamic::UNIT, &text) && fits(&number, &number) && fits(&float, &number));
        assert!(!fits(&number, &float) && !fits(&text, &number));
    }
}
