//! Closures. Rhai turns each into a function named `anon$...`.

use crate::event::Report;

/// Whether a function was written as a closure.
pub fn is_closure(function: &str) -> bool {
    function.starts_with("anon$")
}

/// The error for calling a closure that a function of another file returned.
pub fn foreign_closure() -> Report {
    Report::new("a closure from another file cannot be called here")
        .hint("make it a function in that file, and call it from a closure in this file: `|host| name::check(host)`")
}
