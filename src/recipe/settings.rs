//! Resolves settings: the recipe's default, then the layers of `runner.toml`, then `--set`. Checks names and types.

use indexmap::IndexMap;
use rhai::Dynamic;

use crate::event::{Excerpt, Hint, Report, Suggestion};
use crate::host::{self, Settings};
use crate::recipe::callback::Callback;
use crate::recipe::draft::Declared;
use crate::recipe::foreign_settings::{self, Layer};
use crate::recipe::value::{AS_TYPED, OF_SEVERAL_TYPES, fits, to_dynamic, type_name};

#[derive(Clone)]
pub struct ResolvedSetting {
    pub value: Dynamic,
    /// Computes the value when it is needed.
    pub function: Option<Callback>,
    /// Where the value was set: in a recipe, in `runner.toml`, or by `--set`.
    pub place: Excerpt,
}

pub type Resolved = IndexMap<String, ResolvedSetting>;

/// The mistakes in `layers`: unknown settings, and values of another type than the default.
pub fn check(declared: &Declared, layers: &[&Settings]) -> Vec<Report> {
    let mut problems = Vec::new();
    for (key, setting) in layers.iter().flat_map(|layer| layer.iter()) {
        let Some(known) = declared.settings.get(key) else {
            let near = Suggestion::new(key, declared.settings.keys().map(String::as_str)).to_string();
            let report = Report::new(format!("unknown setting `{key}`{near}")).at(setting.place.clone());
            problems.push(match near.is_empty() {
                _ if foreign_settings::is_foreign(key) => {
                    let report = Report::new(format!("unknown setting `{key}`")).at(setting.place.clone());
                    foreign_settings::translate(report, key, &value_of(&setting.change), Layer::Project)
                }
                true => report.hint(Hint::runner(["docs"], " lists the settings")),
                false => report,
            });
            continue;
        };
        let what = match &setting.change {
            host::SettingChange::Set(_) => format!("setting `{key}`"),
            host::SettingChange::Edit(edit) => format!("cannot {} setting `{key}`: it", verb(edit)),
        };
        let value = value_of(&meant(key, setting));
        if !may_be(key, &known.default, &value) {
            problems.push(
                Report::new(format!(
                    "{what} must be {}, not {}",
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

/// Whether a value has a type that the setting may have.
pub fn may_be(key: &str, default: &Dynamic, value: &Dynamic) -> bool {
    OF_SEVERAL_TYPES.contains(&key) || fits(default, value)
}

/// The change that a layer makes. A setting of `AS_TYPED` stays text, even if the text looks like another type.
fn meant(key: &str, setting: &host::Setting) -> host::SettingChange {
    match (&setting.typed, &setting.change) {
        (Some(text), host::SettingChange::Set(value)) if AS_TYPED.contains(&key) && !value.is_str() => {
            host::SettingChange::Set(text.clone().into())
        }
        _ => setting.change.clone(),
    }
}

/// The value of a change, for Rhai.
fn value_of(change: &host::SettingChange) -> Dynamic {
    match change {
        host::SettingChange::Set(value) => to_dynamic(value),
        host::SettingChange::Edit(edit) => {
            let items = edit.remove.iter().chain(&edit.add);
            items.map(to_dynamic).collect::<rhai::Array>().into()
        }
    }
}

/// The values of all settings under `layers` (lowest first), and mistakes in them. A setting without a value is left out.
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
                Report::new(format!("setting `{key}` is required but has no value"))
                    .at(setting.place)
                    .hint(format!("add `{key} = ...` to `[settings]` in `runner.toml`")),
            ),
            Ok(setting) => {
                resolved.insert(key.clone(), setting);
            }
        }
    }
    (resolved, problems)
}

/// Applies the layers to a default.
fn layered(layers: &[&Settings], key: &str, mut setting: ResolvedSetting) -> Result<ResolvedSetting, Report> {
    let default = setting.value.clone();
    for given in layers.iter().filter_map(|layer| layer.get(key)) {
        let change = meant(key, given);
        // `check` reports a value of another type. It is skipped here.
        if !may_be(key, &default, &value_of(&change)) {
            continue;
        }
        setting.value = match &change {
            host::SettingChange::Set(new) => to_dynamic(new),
            host::SettingChange::Edit(edit) => {
                let why = match setting.function {
                    Some(_) => "a function computes its value".to_owned(),
                    None => format!("it is {}, not a list", type_name(&setting.value)),
                };
                let mut list = setting.value.try_cast::<rhai::Array>().ok_or_else(|| {
                    let message = format!("cannot {} setting `{key}`: {why}", verb(edit));
                    Report::new(message).at(given.place.clone())
                })?;
                let removed: rhai::Array = edit.remove.iter().map(to_dynamic).collect();
                without(key, &mut list, &removed).map_err(|report| report.at(given.place.clone()))?;
                list.extend(edit.add.iter().map(to_dynamic));
                list.into()
            }
        };
        setting.function = None;
        setting.place = given.place.clone();
    }
    Ok(setting)
}

fn verb(edit: &host::ListEdit) -> &'static str {
    if edit.add.is_empty() { "remove from" } else { "add to" }
}

/// Removes items from the list of a setting. One that is not in there is a mistake: removing it would change nothing.
pub fn without(key: &str, list: &mut rhai::Array, items: &[Dynamic]) -> Result<(), Report> {
    let shown = |item: &Dynamic| item.clone().into_string().unwrap_or_else(|_| format!("{item:?}"));
    for item in items.iter().map(shown) {
        let known: Vec<String> = list.iter().map(shown).collect();
        if !known.contains(&item) {
            let near = Suggestion::new(&item, known.iter().map(String::as_str));
            let report = Report::new(format!("setting `{key}` does not contain `{item}`{near}"));
            return Err(match known.is_empty() {
                true => report.note("it is empty"),
                false => report.note(format!("it contains `{}`", known.join("`, `"))),
            });
        }
        list.retain(|other| shown(other) != item);
    }
    Ok(())
}
