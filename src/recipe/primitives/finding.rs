//! What `doctor` finds on a host.

use rhai::Array;
use rhai::plugin::*;

use crate::recipe::context::ScriptHost;

#[export_module]
pub mod api {
    /// Keeps a problem of the host for the end of the flow `doctor`, which fails with all of them: a text with the fix in
    /// its last lines.
    #[rhai_fn(pure)]
    pub fn finding(host: &mut ScriptHost, text: &str) {
        host.site().findings.push(text.to_owned());
    }

    /// The problems that `host.finding` has kept.
    #[rhai_fn(pure)]
    pub fn findings(host: &mut ScriptHost) -> Array {
        host.site().findings.iter().map(|text| text.clone().into()).collect()
    }
}
