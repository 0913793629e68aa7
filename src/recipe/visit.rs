//! Reads the settings `url` and `ask`: how visitors are imitated on a host.

use anyhow::{Context, Result, anyhow, bail};
use rhai::{Dynamic, Map};

use crate::event::Suggestion;
use crate::recipe::value::type_name;
use crate::web::http::encoded;
use crate::web::{Address, Expected, Visit, check_header};

const KEYS: [&str; 4] = ["at", "headers", "path", "expect"];

/// The values of the settings that say what visitors request. `domain` and `health` are of recipes that have them.
#[derive(Default)]
pub struct VisitSettings {
    pub url: Option<Dynamic>,
    pub ask: Option<Dynamic>,
    pub domain: Option<Dynamic>,
    pub health: Option<Dynamic>,
}

impl VisitSettings {
    /// `None` if `url` is empty.
    pub fn read(self) -> Result<Option<Visit>> {
        let text =
            |value: Option<Dynamic>| value.and_then(|value| value.into_string().ok()).unwrap_or_default();
        let url = text(self.url);
        if url.is_empty() {
            return Ok(None);
        }
        let mut visit = Visit::new(&url)?;
        let domain = text(self.domain);
        visit.host = Some(domain).filter(|domain| !domain.is_empty());
        // Of some recipes it is a command.
        let health = text(self.health);
        if health.starts_with('/') && visit.url.target == "/" {
            visit.url.target = encoded(&health);
        }
        if let Some(ask) = self.ask {
            apply(&mut visit, ask)?;
        }
        Ok(Some(visit))
    }
}

/// Changes a visit as the setting `ask` says.
fn apply(visit: &mut Visit, ask: Dynamic) -> Result<()> {
    let kind = type_name(&ask);
    let Some(ask) = ask.try_cast::<Map>() else { bail!("it must be a table, not {kind}") };
    for (key, value) in ask {
        let kind = type_name(&value);
        let wrong = |wanted: &str| anyhow!("`{key}` must be {wanted}, not {kind}");
        match key.as_str() {
            "at" => {
                let text = value.into_string().map_err(|_| wrong("an address with a port"))?;
                visit.at = Address::parse(&text)?;
            }
            "headers" => {
                visit.headers = pairs(value).ok_or_else(|| wrong("a table"))?;
                visit.headers.iter().try_for_each(|(name, value)| check_header(name, value))?;
            }
            "path" => {
                let path = value.into_string().map_err(|_| wrong("a path"))?;
                visit.url.target = match path.starts_with('/') {
                    true => encoded(&path),
                    false => bail!("path `{path}` must begin with `/`"),
                };
            }
            "expect" => {
                visit.expected = expected(value).with_context(|| {
                    format!("`expect` must be a status, a text of the body, or a list of these, not {kind}")
                })?;
            }
            _ => bail!("unknown key `{key}`{}", Suggestion::new(&key, KEYS)),
        }
    }
    Ok(())
}

/// A table as names with their values.
pub fn pairs(value: Dynamic) -> Option<Vec<(String, String)>> {
    let map = value.try_cast::<Map>()?;
    Some(map.into_iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
}

/// Reads which responses are good; `None` if the value cannot say that.
pub fn expected(value: Dynamic) -> Option<Expected> {
    if value.is_unit() {
        return Some(Expected::Any);
    }
    let values = match value.is_array() {
        true => value.into_array().ok()?,
        false => vec![value],
    };
    let (mut statuses, mut texts) = (Vec::new(), Vec::new());
    for value in values {
        match value.as_int() {
            Ok(status) => statuses.push(status),
            Err(_) => texts.push(value.into_string().ok()?),
        }
    }
    Some(Expected::All { statuses, texts })
}
