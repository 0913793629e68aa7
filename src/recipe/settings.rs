//! Settings resolved: a recipe's default, then the layers of `runner.toml`, then `--set`; types and names checked.

use indexmap::IndexMap;
use rhai::Dynamic;

use crate::event::{Report, Suggestion};
use crate::host::{self, Settings};
use crate::recipe::draft::Declared;
use crate::recipe::kept::Kept;
use crate::recipe::value::{fits, to_dynamic, type_name};

#[derive(Clone)]
pub struct Setting {
    pub value: Dynamic,
    /// Worked out when it is asked for.
    pub function: Option<Kept>,
}

pub type Resolved = IndexMap<String, Setting>;

/// The problems of `layers`: settings that no recipe has, and values of another type than the recipe's.
pub fn check(declared: &Declared, layers: &[&Settings]) -> Vec<Report> {
    let mut problems = Vec::new();
    for (key, setting) in layers.iter().flat_map(|layer| layer.iter()) {
        let Some(known) = declared.settings.get(key) else {
            let near = Suggestion::new(key, declared.settings.keys().map(String::as_str));
            problems.push(
                Report::new(format!("no recipe has a setting `{key}`{near}"))
                    .at(setting.place.clone())
                    .hint("`runner docs` lists the settings"),
            );
            continue;
        };
        let (value, what) = match &setting.change {
            host::Change::Set(value) => (to_dynamic(value), "must be"),
            host::Change::Add(items) => {
                (items.iter().map(to_dynamic).collect::<rhai::Array>().into(), "cannot be added to: it is")
            }
        };
        if !fits(&known.default, &value) {
            problems.push(
                Report::new(format!(
                    "setting `{key}` {what} {}, not {}",
                    type_name(&known.default),
                    type_name(&value)
                ))
                .at(setting.place.clone())
                .note(format!("its default is set at {}", known.place.place)),
            );
        }
    }
    problems
}

/// The value of every setting under `layers`, lowest first. One that nobody gave is a problem.
pub fn resolve(declared: &Declared, layers: &[&Settings]) -> Result<Resolved, Vec<Report>> {
    let mut resolved = Resolved::new();
    let mut problems = Vec::new();
    for (key, setting) in &declared.settings {
        match override_of(layers, key, &setting.default) {
            Err(report) => problems.push(report),
            Ok(Some(value)) => {
                let given = Setting { value, function: None };
                resolved.insert(key.clone(), given);
            }
            Ok(None) if setting.default.is_unit() && setting.function.is_none() => problems.push(
                Report::new(format!("setting `{key}` has no value: the project must give it"))
                    .at(setting.place.clone())
                    .hint(format!("write `{key} = ...` under `[settings]` in `runner.toml`")),
            ),
            Ok(None) => {
                let default = Setting { value: setting.default.clone(), function: setting.function.clone() };
                resolved.insert(key.clone(), default);
            }
        }
    }
    match problems.is_empty() {
        true => Ok(resolved),
        false => Err(problems),
    }
}

/// What the layers make of a default; `None` when none of them speaks of it.
fn override_of(layers: &[&Settings], key: &str, default: &Dynamic) -> Result<Option<Dynamic>, Report> {
    let mut value: Option<Dynamic> = None;
    for setting in layers.iter().filter_map(|layer| layer.get(key)) {
        value = Some(match &setting.change {
            host::Change::Set(new) => to_dynamic(new),
            host::Change::Add(items) => {
                let below = value.as_ref().unwrap_or(default);
                let mut list = below.clone().try_cast::<rhai::Array>().ok_or_else(|| {
                    Report::new(format!(
                        "setting `{key}` is {}: only a list can be added to",
                        type_name(below)
                    ))
                    .at(setting.place.clone())
                })?;
                list.extend(items.iter().map(to_dynamic));
                list.into()
            }
        });
    }
    Ok(value)
}
