//! Calls of primitives with a value of a type that they do not take: no `try` hides them.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};

use rhai::{Array, Dynamic, Engine, EvalAltResult, FuncMetadata, ImmutableString, NativeCallContext};

use crate::event::Report;
use crate::recipe::context::{ScriptHost, ScriptHosts};
use crate::recipe::failure::{Failure, ScriptResult, Unanswered, mistake, uncaught};
use crate::recipe::functions::functions;
use crate::recipe::literal::LiteralType;
use crate::recipe::primitives::declare::ScriptTask;
use crate::recipe::value::type_name;

/// The types of the parameters behind the receiver; `None` for one that takes any value, or a value of ours.
type Params = Vec<Option<LiteralType>>;

/// A name, the number of parameters, and the type that it is a method of.
type Key = (String, usize, Option<TypeId>);

/// Methods of lists that call a function, and how many arguments they have behind it.
const CALLING: [(&str, usize); 15] = [
    ("map", 0),
    ("filter", 0),
    ("for_each", 0),
    ("some", 0),
    ("all", 0),
    ("find", 0),
    ("find_map", 0),
    ("reduce", 0),
    ("reduce", 1),
    ("reduce_rev", 0),
    ("reduce_rev", 1),
    ("sort", 0),
    ("dedup", 0),
    ("retain", 0),
    ("drain", 0),
];

/// Makes each primitive take values of any type, and refuse them. If the types are right, Rhai finds the primitive itself
/// first.
pub fn register(engine: &mut Engine) {
    for ((name, n, receiver), overloads) in primitives(engine) {
        let mut types = vec![TypeId::of::<Dynamic>(); n];
        let skipped = usize::from(receiver.is_some());
        types[..skipped].copy_from_slice(receiver.as_slice());
        engine.register_raw_fn(name, types, move |call, values| -> ScriptResult<Dynamic> {
            Err(refused(&call, &overloads, &values[skipped..]))
        });
    }
    for (name, n_more) in CALLING {
        let mut types = vec![TypeId::of::<Array>(), TypeId::of::<ImmutableString>()];
        types.extend(vec![TypeId::of::<Dynamic>(); n_more]);
        engine.register_raw_fn(name, types, move |call, _| -> ScriptResult<Dynamic> {
            let report = Report::new(format!("`{name}` takes a function, not the name of one"))
                .hint("write the function itself, or a closure: `|item| ...`");
            Err(uncaught(&call, mistake(report)))
        });
    }
}

/// The primitives with parameters.
fn primitives(engine: &Engine) -> BTreeMap<Key, Vec<Params>> {
    let documented = engine.collect_fn_metadata(None, |info| primitive(info.metadata), false);
    let signature = |of: &FuncMetadata| (of.name.to_string(), of.param_types.to_vec());
    let of_ours = engine.collect_fn_metadata(None, |info| Some(signature(info.metadata)), false);
    // A function of Rhai that takes any value is found by the same search.
    let all = engine.collect_fn_metadata(None, |info| Some(signature(info.metadata)), true);
    let of_rhai = all.into_iter().filter(|function| !of_ours.contains(function));
    let taken: BTreeSet<(String, usize)> = of_rhai
        .filter(|(_, types)| types.contains(&TypeId::of::<Dynamic>()))
        .map(|(name, types)| (name, types.len()))
        .collect();
    let mut primitives: BTreeMap<Key, Vec<Params>> = BTreeMap::new();
    for (key, params) in documented {
        if key.2.is_some() || !taken.contains(&(key.0.clone(), key.1)) {
            primitives.entry(key).or_default().push(params);
        }
    }
    primitives
}

/// A primitive that has parameters, and is no method of a value that has methods of Rhai's, too.
fn primitive(of: &FuncMetadata) -> Option<(Key, Params)> {
    let receiver = of.param_types.first().copied().filter(|first| is_ours(*first));
    let kind = |text: &str| LiteralType::of_parameter(text.split_once(':').map_or("", |(_, kind)| kind));
    let behind = of.params_info.iter().skip(usize::from(receiver.is_some()));
    let params: Params = behind.map(|text| kind(text)).collect();
    let is_other_method = receiver.is_none() && of.params_info.iter().any(|text| text.contains("mut "));
    let is_primitive = !of.comments.is_empty() && !of.name.contains('$') && !params.is_empty();
    (is_primitive && !is_other_method).then(|| ((of.name.to_string(), of.num_params, receiver), params))
}

fn is_ours(kind: TypeId) -> bool {
    let ours = [TypeId::of::<ScriptHost>(), TypeId::of::<ScriptHosts>(), TypeId::of::<ScriptTask>()];
    ours.contains(&kind)
}

/// The mistake in a call that no overload takes.
fn refused(call: &NativeCallContext, overloads: &[Params], values: &[&mut Dynamic]) -> Box<EvalAltResult> {
    if let Some(unknown) = values.iter().find_map(|value| value.read_lock::<Unanswered>()) {
        return Failure::new("", "", unknown.clone()).into();
    }
    let name = call.fn_name();
    let is_wrong = |(wanted, value): (&Option<LiteralType>, &&mut Dynamic)| {
        wanted.is_some_and(|wanted| LiteralType::of_value(value) != Some(wanted))
    };
    // Of the overload that fits best, the first argument that it does not take.
    let wrong = overloads.iter().filter_map(|params| params.iter().zip(values).position(is_wrong)).max();
    let report = match wrong {
        Some(n) => {
            let mut wanted: Vec<&str> =
                overloads.iter().filter_map(|params| params.get(n)?.map(LiteralType::words)).collect();
            wanted.sort_unstable();
            wanted.dedup();
            let which =
                if values.len() == 1 { "the argument".to_owned() } else { format!("argument {}", n + 1) };
            let got = LiteralType::of_value(values[n]).map_or(type_name(values[n]), LiteralType::words);
            Report::new(format!("{which} of `{name}` must be {}, not {got}", wanted.join(" or ")))
        }
        None => Report::new(format!("`{name}` cannot be called with these values")),
    };
    let known = functions(call.engine());
    let usages = known.iter().filter(|function| function.name == name);
    uncaught(
        call,
        mistake(usages.fold(report, |report, of| report.note(format!("usage: `{}`", of.signature)))),
    )
}
