//! What a plan says of an act: one line for each thing that would be done.

use crate::shell::Op;

/// An act that only brings about what another one is told of has no line.
pub(super) fn lines(op: &Op) -> Vec<String> {
    let each = |key, say: fn(&str) -> String| op.all(key).map(say).collect();
    match op.name {
        "lock" => each("adopt", |name| format!("adopt `{name}`, which is being served")),
        "create" => each("release", |name| format!("make release `{name}`")),
        "link" => each("path", |path| format!("link `{path}`")),
        "writable" => {
            let paths: Vec<String> = op.all("path").map(|path| format!("`{path}`")).collect();
            vec![format!("make writable {}", paths.join(", "))]
        }
        "run" => each("command", |command| format!("run `{command}`")),
        "write" => each("path", |path| format!("write `{path}`")),
        "request" => each("title", |title| format!("ask `{title}`")),
        "swap" => each("to", |to| format!("re-point `current` to `{to}`")),
        "end" => each("prunes", |name| format!("prune `{name}`")),
        _ => Vec::new(),
    }
}
