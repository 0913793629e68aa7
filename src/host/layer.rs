//! Precedence of settings: a plain value replaces all below it, lists that are added append in order.

use anyhow::Result;
use toml::Value;

use crate::event::Excerpt;
use crate::host::settings::{Change, Settings, not_a_list};

/// A setting as all layers together give it.
#[derive(Debug, Clone, PartialEq)]
pub struct Layered {
    /// `None` if neither the default nor any layer says anything.
    pub value: Option<Value>,
    /// Where the highest layer that speaks of it does; `None` is the default.
    pub place: Option<Excerpt>,
}

/// Resolves `key` through `layers`, lowest first: `[settings]`, stage, host, `--set`. `default` is the recipe's value,
/// below them all. Fails if a layer adds to what is no list.
pub fn layer(layers: &[&Settings], key: &str, default: Option<Value>) -> Result<Layered> {
    let mut change = default.map(Change::Set);
    let mut place = None;
    for setting in layers.iter().filter_map(|settings| settings.get(key)) {
        let Some(changed) = setting.change.clone().after(change) else {
            return Err(not_a_list(key, setting.place.clone()).into());
        };
        change = Some(changed);
        place = Some(setting.place.clone());
    }
    let value = change.map(Change::into_value);
    Ok(Layered { value, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Layers are written as the command line would set `x`; an empty text is a layer that is silent.
    #[track_caller]
    fn case(default: Option<Value>, layers: &[&str], want: &str, want_place: &str) {
        let layers: Vec<_> = layers
            .iter()
            .map(|text| {
                Settings::from_cli(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).unwrap()
            })
            .collect();
        let layered = layer(&layers.iter().collect::<Vec<_>>(), "x", default);
        let got = match layered {
            Ok(Layered { value, place }) => {
                assert_eq!(place.map(|p| p.text).unwrap_or_default(), want_place);
                value.map(|v| v.to_string()).unwrap_or_default()
            }
            Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        assert_eq!(got, want);
    }

    fn list(items: &[i64]) -> Option<Value> {
        Some(Value::Array(items.iter().map(|n| Value::Integer(*n)).collect()))
    }

    #[test]
    fn the_highest_layer_that_sets_a_value_wins() {
        case(None, &[], "", "");
        case(Some(Value::Integer(3)), &["", "y=1"], "3", "");
        case(Some(Value::Integer(3)), &["x=5", "x=10", "", ""], "10", "x=10");
        case(None, &["x=5", "", "", "x=1"], "1", "x=1");
    }

    #[test]
    fn added_items_follow_those_of_the_layers_below() {
        case(list(&[1]), &["x.add=2", "x.add=[3,4]"], "[1, 2, 3, 4]", "x.add=[3,4]");
        case(None, &["x.add=2", "", "x.add=3"], "[2, 3]", "x.add=3");
        case(list(&[1]), &["x.add=2", "x=[7]", "x.add=8"], "[7, 8]", "x.add=8");
        case(list(&[1]), &["x.add=2", "x=[]"], "[]", "x=[]");
    }

    #[test]
    fn adding_to_what_is_no_list_is_refused() {
        let want = "`x` is not a list, so nothing can be added to it";
        case(Some(Value::Integer(3)), &["x.add=2"], want, "");
        case(list(&[1]), &["x=2", "x.add=3"], want, "");
    }
}
