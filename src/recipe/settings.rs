//! Settings resolved: a recipe's default, then the layers of `runner.toml`, then `--set`; types and names checked.

use indexmap::IndexMap;
use rhai::Dynamic;

use crate::event::{Excerpt, Hint, Report, Suggestion};
use crate::host::{self, Settings};
use crate::recipe::callback::Callback;
use crate::recipe::draft::Declared;
use crate::recipe::value::{AS_TYPED, OF_SEVERAL_TYPES, fits, to_dynamic, type_name};

#[derive(Clone)]
pub struct ResolvedSetting {
    pub value: Dynamic,
    /// Worked out when it is asked for.
    pub function: Option<Callback>,
    /// Where the value is given: in a recipe, in `runner.toml`, or by `--set`.
    pub place: Excerpt,
}

pub type Resolved = IndexMap<String, ResolvedSetting>;

/// The problems of `layers`: settings that no recipe has, and values of another type than the recipe's.
pub fn check(declared: &Declared, layers: &[&Settings]) -> Vec<Report> {
    let mut problems = Vec::new();
    for (key, setting) in layers.iter().flat_map(|layer| layer.iter()) {
        let Some(known) = declared.settings.get(key) else {
            let near = Suggestion::new(key, declared.settings.keys().map(String::as_str)).to_string();
            let report =
                Report::new(format!("no recipe has a setting `{key}`{near}")).at(setting.place.clone());
            problems.push(match near.is_empty() {
                true => report.hint(Hint::runner(["docs"], " lists the settings")),
                false => report,
            });
            continue;
        };
        let what = match &setting.change {
            host::SettingChange::Set(_) => "must be",
            host::SettingChange::Add(_) => "cannot be added to: it is",
        };
        let value = value_of(&meant(key, setting));
        if !may_be(key, &known.default, &value) {
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

/// Whether a setting may have a value, by the type of its default.
pub fn may_be(key: &str, default: &Dynamic, value: &Dynamic) -> bool {
    OF_SEVERAL_TYPES.contains(&key) || fits(default, value)
}

/// What a layer does to a setting that may look like something else than the text it is.
fn meant(key: &str, setting: &host::Setting) -> host::SettingChange {
    match (&setting.typed, &setting.change) {
        (Some(text), host::SettingChange::Set(value)) if AS_TYPED.contains(&key) && !value.is_str() => {
            host::SettingChange::Set(text.clone().into())
        }
        _ => setting.change.clone(),
    }
}

/// What a layer says, as a value of its type.
fn value_of(change: &host::SettingChange) -> Dynamic {
    match change {
        host::SettingChange::Set(value) => to_dynamic(value),
        host::SettingChange::Add(items) => items.iter().map(to_dynamic).collect::<rhai::Array>().into(),
    }
}

/// The value of every setting under `layers`, lowest first, and what is wrong with them. One that nobody gave is left out.
pub fn resolve(declared: &Declared, layers: &[&Settings]) -> (Resolved, Vec<Report>) {
    let mut resolved = Resolved::new();
    let mut problems = Vec::new();
    for (key, default) in &declared.settings {
        let function = default.function.clone();
        let default =
            ResolvedSetting { value: default.default.clone(), function, place: default.place.clone() };
        match layered(layers, key, default) {
            Err(report) => problems.push(report),
            Ok(setting) if setting.value.is_unit() && setting.function.is_none() => problems.push(
                Report::new(format!("setting `{key}` has no value: the project must give it"))
                    .at(setting.place)
                    .hint(format!("write `{key} = ...` below `[settings]` in `runner.toml`")),
            ),
            Ok(setting) => {
                resolved.insert(key.clone(), setting);
            }
        }
    }
    (resolved, problems)
}

/// What the layers make of a default.
fn layered(layers: &[&Settings], key: &str, mut setting: ResolvedSetting) -> Result<ResolvedSetting, Report> {
    let default = setting.value.clone();
    for given in layers.iter().filter_map(|layer| layer.get(key)) {
        let change = meant(key, given);
        // A value of another type is a problem of its own, and not looked at any further.
        if !may_be(key, &default, &value_of(&change)) {
            continue;
        }
        setting.value = match &change {
            host::SettingChange::Set(new) => to_dynamic(new),
            host::SettingChange::Add(items) => {
                let kind = match setting.function {
                    Some(_) => "worked out by a function",
                    None => type_name(&setting.value),
                };
                let mut list = setting.value.try_cast::<rhai::Array>().ok_or_else(|| {
                    Report::new(format!("setting `{key}` is {kind}: only a list can be added to"))
                        .at(given.place.clone())
                })?;
                list.extend(items.iter().map(to_dynamic));
                list.into()
            }
        };
        setting.function = None;
        setting.place = given.place.clone();
    }
    Ok(setting)
}
