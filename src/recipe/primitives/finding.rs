//! What `doctor` finds on a host.

use rhai::plugin::*;
use rhai::{Array, Dynamic};

use crate::event::{Event, Report};
use crate::recipe::check::commands;
use crate::recipe::context::ScriptHost;
use crate::recipe::failure::ScriptResult;
use crate::release::plan::Strategy;
use crate::run::examine::{self, Refusals};
use crate::site::{Comparison, verify};

/// Keeps a report as a finding, its fix in the last lines.
pub fn keep(host: &ScriptHost, report: Report) {
    let Report { message, notes, hint, .. } = report;
    let hint = hint.map(|hint| hint.to_string());
    let lines: Vec<String> = [message].into_iter().chain(notes).chain(hint).collect();
    host.site().findings.push(lines.join("\n"));
}

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

    /// Compares the source with the host as `host.fill` does, for the flow `doctor`. Records a finding for each reason to
    /// refuse a deployment, such as too little free space. Returns false if the source could not be read, for example
    /// because a build has to make it first.
    #[rhai_fn(pure, return_raw)]
    pub fn examine_source(host: &mut ScriptHost, strategy: &str) -> ScriptResult<bool> {
        let strategy = host.outcome(Strategy::parse(strategy))?;
        let refusals = examine::refusals(host.context.run(), host.index, strategy);
        Ok(match host.outcome(refusals)? {
            Refusals::Known(reports) => {
                reports.into_iter().for_each(|report| keep(host, report));
                true
            }
            Refusals::Unknown(why) => {
                let text = format!("could not compare the source with the host: {why}");
                host.context.run().events.event(Event::Note { host: Some(host.name()), text });
                false
            }
        })
    }

    /// The commands that tasks run on hosts with `sudo`, for the flow `doctor`. Commands that are computed, or that have the
    /// option `user`, are left out.
    #[rhai_fn(pure)]
    pub fn sudo_commands(host: &mut ScriptHost) -> Array {
        let commands = commands::with_sudo(&host.context.world().trees);
        commands.into_iter().map(Dynamic::from).collect()
    }

    /// The problems that `host.finding` has kept.
    #[rhai_fn(pure)]
    pub fn findings(host: &mut ScriptHost) -> Array {
        host.site().findings.iter().map(|text| text.clone().into()).collect()
    }
}
