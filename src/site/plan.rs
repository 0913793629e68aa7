//! The lines that a plan prints for an act: one for each thing that it would do.

use crate::shell::Op;

/// An act has no line if another act's lines describe its effect.
pub(super) fn lines(op: &Op) -> Vec<String> {
    let each = |key, say: fn(&str) -> String| op.all(key).map(say).collect();
    match op.name {
        "lock" => each("adopt", |name| format!("adopt `{name}`, which is live")),
        "create" => each("release", |name| format!("create release `{name}`")),
        "link" => each("path", |path| format!("link `{path}`")),
        "writable" => {
            let paths: Vec<String> = op.all("path").map(|path| format!("`{path}`")).collect();
            vec![format!("make {} writable", paths.join(", "))]
        }
        "run" => each("command", |command| format!("run `{command}`")),
        "write" => each("path", |path| format!("write `{path}`")),
        "request" => each("title", |title| format!("send `{title}`")),
        "swap" => each("to", |to| format!("re-point `current` to `{to}`")),
        "end" => each("prunes", |name| format!("prune `{name}`")),
        _ => Vec::new(),
    }
}
