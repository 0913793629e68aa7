//! What `doctor` finds on a host.

use rhai::Array;
use rhai::plugin::*;

use crate::recipe::context::ScriptHost;
use crate::recipe::failure::ScriptResult;
use crate::site::{Comparison, verify};

#[export_module]
pub mod api {
    /// Records a problem of the host; the flow `doctor` fails at its end with all of them. The text has the fix in
    /// its last lines.
    #[rhai_fn(pure)]
    pub fn finding(host: &mut ScriptHost, text: &str) {
        host.site().findings.push(text.to_owned());
    }

    /// Compares the files of the live release with what was deployed, by size, time and mode, for the flow `doctor`: it
    /// keeps files that differ as a finding. Returns whether there was something to compare.
    #[rhai_fn(pure, return_raw)]
    pub fn examine_release(host: &mut ScriptHost) -> ScriptResult<bool> {
        let compared = verify::compare_live(&mut host.site(), false, &host.context.run().here.store);
        let Some((live, comparison)) = host.outcome(compared)? else { return Ok(false) };
        if let Comparison::Differs(differs) = &comparison {
            let fix = "bring the change into the source and deploy; a deployment does not copy it";
            host.site().findings.push(format!("{}\n{fix}", verify::changed(&live, differs)));
        }
        Ok(!matches!(comparison, Comparison::Unknown))
    }

    /// The problems that `host.finding` has kept.
    #[rhai_fn(pure)]
    pub fn findings(host: &mut ScriptHost) -> Array {
        host.site().findings.iter().map(|text| text.clone().into()).collect()
    }
}
