//! The unknown answer of a command that a plan does not run. Using it ends the plan of the task.

use rhai::plugin::*;
use rhai::{Dynamic, Engine};

use crate::recipe::failure::{Failure, ScriptResult, Unanswered};

fn refused<T>(unknown: &Unanswered) -> ScriptResult<T> {
    Err(Failure::new("", "", unknown.clone()).into())
}

/// By default, values of different types are never equal in Rhai. An unknown answer may be equal to anything.
pub fn register(engine: &mut Engine) {
    for operator in ["==", "!=", "<", "<=", ">", ">=", "+", "-", "in"] {
        engine.register_fn(operator, |unknown: Unanswered, _: Dynamic| refused::<bool>(&unknown));
        engine.register_fn(operator, |_: Dynamic, unknown: Unanswered| refused::<bool>(&unknown));
        engine.register_fn(operator, |unknown: Unanswered, _: Unanswered| refused::<bool>(&unknown));
    }
    for name in ["!", "len", "trim", "split", "contains"] {
        engine.register_fn(name, |unknown: &mut Unanswered| refused::<ImmutableString>(unknown));
    }
    // In a text, it is named: a plan shows `deploy --tag <answer of ...>`. Rhai would drop an error from here anyway.
    for name in ["to_string", "to_debug"] {
        engine.register_fn(name, |unknown: &mut Unanswered| format!("<answer of `{}`>", unknown.command));
    }
}
