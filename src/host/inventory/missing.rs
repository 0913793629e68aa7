//! What is said where there is no `runner.toml`, or no stage in it.

use crate::event::Report;

/// What a first `runner.toml` may say.
pub(super) fn example() -> &'static str {
    r#"a `runner.toml` may be as short as this:
    recipe = "deploy.rhai"

    [stage.prod]
    path = "/var/www/shop"
    user = "deploy"
    hosts = ["web1.example.com"]"#
}

/// A run was asked for, and no stage is there to run on.
pub(in crate::host) fn no_stage(file: &str) -> Report {
    Report::new(format!("`{file}` has no stage")).hint(example())
}
