//! Hints for a missing `runner.toml`, or one without stages.

use crate::event::Report;

/// A minimal `runner.toml`.
pub(super) fn example() -> &'static str {
    r#"a minimal `runner.toml`:
    [stage.prod]
    path = "/var/www/shop"
    user = "deploy"
    hosts = ["web1.example.com"]"#
}

/// The error if there is no stage to run on.
pub(in crate::host) fn no_stage(file: &str) -> Report {
    Report::new(format!("`{file}` has no stage")).hint(example())
}
