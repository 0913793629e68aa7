//! A function that a recipe passes: kept if it has the right parameters, otherwise reported.

use std::fmt;

use rhai::{FnPtr, NativeCallContext};

use crate::event::Report;
use crate::recipe::callback::Callback;
use crate::recipe::statement::Statement;

/// The parameters that a function must have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    NoneOrHost,
    Host,
    Outcome,
}

impl Arity {
    fn allows(self, n: usize) -> bool {
        n == 1 || (n == 0 && self == Arity::NoneOrHost)
    }
}

impl fmt::Display for Arity {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Arity::NoneOrHost => "no parameter or one (the host)",
            Arity::Host => "one parameter (the host)",
            Arity::Outcome => "one parameter (the outcome)",
        })
    }
}

/// Keeps the function of a declaration. Reports a mistake if it has the wrong parameters.
pub fn kept(
    statement: &Statement,
    context: &NativeCallContext,
    function: FnPtr,
    arity: Arity,
    what: &str,
) -> Option<Callback> {
    match Callback::new(context, function) {
        Ok(kept) if arity.allows(kept.arity) => return Some(kept),
        Ok(kept) => {
            let n = if kept.arity == 0 { "none".to_owned() } else { kept.arity.to_string() };
            let report = Report::new(format!("the function of {what} must have {arity}, not {n}"));
            statement.refuse(match arity {
                Arity::NoneOrHost => report.hint(
                    "write `|host| ...` to run on every host, or `|| ...` to run once, on this machine",
                ),
                Arity::Host => report.hint("write `|host| ...`"),
                Arity::Outcome => report.hint("write `|outcome| ...`"),
            });
        }
        Err(report) => statement.refuse(report),
    }
    None
}
