//! Closures, which Rhai makes to functions with names of its own.

use crate::event::Report;

/// Whether a function was written as a closure.
pub fn is_closure(function: &str) -> bool {
    function.starts_with("anon$")
}

/// The mistake of calling a closure that a function of another file returned.
pub fn foreign_closure() -> Report {
    Report::new("a closure of another file cannot be called here")
        .hint("make it a function there, and call that in a closure of this file: `|host| name::check(host)`")
}
