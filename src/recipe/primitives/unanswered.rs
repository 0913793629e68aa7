//! The answer of a command that a plan does not run: whatever is asked of it ends the task's plan.

use rhai::plugin::*;
use rhai::{Dynamic, Engine};

use crate::recipe::failure::{Failure, ScriptResult, Unanswered};

fn refused<T>(unknown: &Unanswered) -> ScriptResult<T> {
    Err(Failure::new("", "", unknown.clone()).into())
}

/// Rhai compares values of different types without asking anybody: they differ. Nobody knows whether these do.
pub fn register(engine: &mut Engine) {
    for operator in ["==", "!=", "<", "<=", ">", ">=", "+", "-", "in"] {
        engine.register_fn(operator, |unknown: Unanswered, _: Dynamic| refused::<bool>(&unknown));
        engine.register_fn(operator, |_: Dynamic, unknown: Unanswered| refused::<bool>(&unknown));
        engine.register_fn(operator, |unknown: Unanswered, _: Unanswered| refused::<bool>(&unknown));
    }
    for name in ["!", "len", "trim", "split", "contains"] {
        engine.register_fn(name, |unknown: &mut Unanswered| refused::<ImmutableString>(unknown));
    }
    // Within a text it is named: a plan shows `deploy --tag <answer of ...>`. Rhai lets no error out of here anyway.
    for name in ["to_string", "to_debug"] {
        engine.register_fn(name, |unknown: &mut Unanswered| format!("<answer of `{}`>", unknown.command));
    }
}
