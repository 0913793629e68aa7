//! Errors that no `try` of a script may end: mistakes of its author, and a `()` in a text.
//!
//! **Invariant:** Rhai lets a script catch them, and even ignores an error of `to_string`. So they are remembered for the
//! thread, and the script stops at its next operation. A call of a primitive is an operation.

use std::cell::{Cell, RefCell};

use rhai::{Dynamic, EvalAltResult, Position};

thread_local! {
    static FOUND: RefCell<Option<Dynamic>> = const { RefCell::new(None) };
    /// How many scripts are running, each called by a primitive of the one before.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Remembers what must stop the script.
pub fn remember(value: Dynamic) {
    // The first one is the cause.
    FOUND.with_borrow_mut(|first| {
        first.get_or_insert(value);
    });
}

/// The value that stops a script.
pub fn found() -> Option<Dynamic> {
    FOUND.with_borrow(Clone::clone)
}

/// Calls a script. Fails if it caught such an error in its last operation.
pub fn heeded<T>(script: impl FnOnce() -> Result<T, Box<EvalAltResult>>) -> Result<T, Box<EvalAltResult>> {
    DEPTH.set(DEPTH.get() + 1);
    let result = script();
    DEPTH.set(DEPTH.get() - 1);
    let found = match DEPTH.get() {
        0 => FOUND.with_borrow_mut(Option::take),
        // A script around this one must not catch it either.
        _ => found(),
    };
    match (result, found) {
        (Ok(_), Some(found)) => Err(EvalAltResult::ErrorTerminated(found, Position::NONE).into()),
        (result, _) => result,
    }
}
