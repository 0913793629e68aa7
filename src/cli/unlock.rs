//! `runner unlock`: ends the runs that hold the locks of the sites, and prints whose runs they were.

use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::out;
use crate::cli::releases::{fail_if_any_failed, on_hosts};
use crate::cli::verb::VerbResult;
use crate::event::Sink;
use crate::transport::CancelToken;

pub fn unlock(args: &Args, cancel_token: &CancelToken, events: &Arc<dyn Sink>) -> VerbResult {
    let all = on_hosts(args, cancel_token, events, |site| crate::site::unlock(&mut site.session))?;
    for (host, ended) in &all {
        let Ok(ended) = ended else { continue };
        out::data(match (args.json, ended) {
            (true, owner) => serde_json::json!({ "host": host, "ended": owner }).to_string(),
            (false, None) => format!("{host}: nobody held the lock"),
            (false, Some(owner)) if owner.run.is_empty() => {
                format!("{host}: ended the run that held the lock")
            }
            (false, Some(owner)) => format!("{host}: ended the run of {owner}"),
        });
    }
    fail_if_any_failed(&all)
}
