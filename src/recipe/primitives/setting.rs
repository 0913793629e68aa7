//! Declares, changes and reads settings.

use rhai::plugin::*;
use rhai::{Array, Dynamic, FnPtr};

use crate::event::{Report, Suggestion};
use crate::recipe::callback::Callback;
use crate::recipe::context::{Context, ScriptHost};
use crate::recipe::draft::{Content, SettingDraft};
use crate::recipe::failure::{ScriptResult, mistake};
use crate::recipe::foreign_settings::{self, Layer};
use crate::recipe::primitives::arity::{Arity, kept};
use crate::recipe::settings::{may_be, without};
use crate::recipe::statement::Statement;
use crate::recipe::value::type_name;

/// The value of a setting for a host or the stage.
fn value_of(context: &Context, host: Option<usize>, key: &str) -> ScriptResult<Dynamic> {
    let world = context.world();
    if let Some(value) = context.setting(host, key)? {
        return Ok(value);
    }
    let known = world.declared.settings.keys().map(String::as_str);
    Err(mistake(match world.declared.settings.contains_key(key) {
        true => Report::new(format!("setting `{key}` has no value for the stage, only for each host"))
            .hint(format!("use `host.get(\"{key}\")`")),
        false => Report::new(format!("unknown setting `{key}`{}", Suggestion::new(key, known))),
    }))
}

fn is_name(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

fn change(statement: &Statement, key: &str, mut default: Dynamic, function: Option<Callback>) {
    if !is_name(key) {
        let report = Report::new(format!("`{key}` is not a valid name for a setting"));
        statement.refuse_text(key, report.note("a name may only contain letters, digits, `_` and `-`"));
        return;
    }
    let mut declared = statement.draft.lock();
    let place = statement.place_of(&declared, key);
    let content = match &function {
        Some(function) => Content::Function(function.name().to_owned(), function.arity),
        None => Content::Value(default.clone()),
    };
    declared.declare(statement.declaration("setting", key, &place, content));
    let kept = declared.kept_additions(key, &statement.file);
    if let Some(mut list) = default.write_lock::<Array>() {
        list.extend(kept);
    }
    let doc = declared.pending_doc.take();
    let Some(setting) = declared.settings.get_mut(key) else {
        let is_shipped = statement.is_shipped;
        let setting = SettingDraft { default, function, place, is_shipped, doc: doc.unwrap_or_default() };
        declared.settings.insert(key.to_owned(), setting);
        return;
    };
    if function.is_none() && !default.is_unit() && !may_be(key, &setting.default, &default) {
        let report = Report::new(format!(
            "setting `{key}` must be {}, not {}",
            type_name(&setting.default),
            type_name(&default)
        ))
        .at(place)
        .note(format!("its default is set at {}", setting.place.place));
        declared.problems.push(report);
        return;
    }
    setting.default = default;
    setting.function = function;
    setting.place = place;
    if let Some(doc) = doc {
        setting.doc = doc;
    }
}

/// Edits the list of a setting. Returns whether it could.
fn edit(
    statement: &Statement,
    what: &str,
    key: &str,
    items: &Dynamic,
    edit: impl FnOnce(&mut Array) -> Result<(), Report>,
) -> bool {
    let mut declared = statement.draft.lock();
    let place = statement.place_of(&declared, key);
    let near = Suggestion::new(key, declared.settings.keys().map(String::as_str)).to_string();
    let edited = match declared.settings.get_mut(key) {
        None if foreign_settings::is_foreign(key) => {
            let report = Report::new(format!("cannot {what} unknown setting `{key}`"));
            Err(foreign_settings::translate(report, key, items, Layer::Recipe))
        }
        None => Err(Report::new(format!("cannot {what} unknown setting `{key}`{near}"))),
        Some(setting) if setting.function.is_some() => {
            Err(Report::new(format!("cannot {what} setting `{key}`: a function computes its value"))
                .note(format!("it is set at {}", setting.place.place)))
        }
        Some(setting) => {
            let kind = type_name(&setting.default);
            let (note, now) = (format!("its default is set at {}", setting.place.place), place.clone());
            match setting.default.write_lock::<Array>() {
                None => Err(Report::new(format!("cannot {what} setting `{key}`: it is {kind}, not a list"))
                    .note(note)),
                Some(mut list) => edit(&mut list).map(|()| setting.place = now),
            }
        }
    };
    let is_edited = edited.is_ok();
    declared.problems.extend(edited.err().map(|report| report.at(place)));
    is_edited
}

#[export_module]
pub mod api {
    /// Sets the value of a setting, or declares a new setting. If `value` is a function, it returns the value:
    /// `|| ...` is called once in a run, `|host| ...` once for each host. `()` means that the project must set it. The
    /// type of a setting cannot change.
    #[rhai_fn(return_raw)]
    pub fn set(context: NativeCallContext, key: &str, value: Dynamic) -> ScriptResult<()> {
        let statement = Statement::of(&context)?;
        match value.try_cast_result::<FnPtr>() {
            Ok(function) => {
                if let Some(function) = kept(&statement, &context, function, Arity::NoneOrHost, "a setting") {
                    change(&statement, key, Dynamic::UNIT, Some(function));
                }
            }
            Err(value) => change(&statement, key, value, None),
        }
        Ok(())
    }

    /// Appends items to a setting that is a list.
    #[rhai_fn(return_raw)]
    pub fn add(context: NativeCallContext, key: &str, items: Array) -> ScriptResult<()> {
        let statement = Statement::of(&context)?;
        let added = (key.to_owned(), statement.file.clone(), items.clone());
        if edit(&statement, "add to", key, &items.clone().into(), |list| {
            list.extend(items);
            Ok(())
        }) {
            statement.draft.lock().additions.push(added);
        }
        Ok(())
    }

    /// Removes items from a setting that is a list: `remove("shared", ["storage/"])`.
    #[rhai_fn(name = "remove", return_raw)]
    pub fn remove_items(context: NativeCallContext, key: &str, items: Array) -> ScriptResult<()> {
        let statement = Statement::of(&context)?;
        edit(&statement, "remove from", key, &items.clone().into(), |list| without(key, list, &items));
        Ok(())
    }

    /// The value of a setting for this host. Fails if no recipe declares the setting.
    #[rhai_fn(name = "get", pure, return_raw)]
    pub fn get_of_host(host: &mut ScriptHost, key: &str) -> ScriptResult<Dynamic> {
        value_of(&host.context, Some(host.index), key)
    }

    /// The value of a setting for the stage. Hosts may have other values: see `host.get(key)`. Fails if no recipe
    /// declares the setting.
    #[rhai_fn(return_raw)]
    pub fn get(context: NativeCallContext, key: &str) -> ScriptResult<Dynamic> {
        value_of(&Context::of(&context)?, None, key)
    }
}
