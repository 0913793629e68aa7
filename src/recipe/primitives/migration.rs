//! What scripts see of migrations.

use rhai::plugin::*;
use rhai::{Array, Dynamic};

use crate::recipe::migration;

#[export_module]
pub mod api {
    /// What a migration of Laravel may break in the release that is live while it runs, as a list of texts: for example,
    /// a column that is removed, or a new one that is `NOT NULL` without a default. What `down` does is left out.
    pub fn migration_risks(text: &str) -> Array {
        migration::risks(text).into_iter().map(Dynamic::from).collect()
    }
}
