//! Hints for a missing `runner.toml`, or one without stages.

use crate::event::Report;

/// As short as it can be: it works as it is copied, with the user's own values.
const MINIMAL: &str = r#"
    [stage.prod]
    path = "/var/www/shop"
    user = "deploy"
    hosts = ["web1.example.com"]"#;

/// How to get a `runner.toml`.
pub(super) fn example() -> String {
    format!("`runner init` writes one; a minimal one is:{MINIMAL}")
}

/// The error if there is no stage to run on.
pub(in crate::host) fn no_stage(file: &str) -> Report {
    Report::new(format!("`{file}` has no stage")).hint(format!("a minimal one is:{MINIMAL}"))
}
