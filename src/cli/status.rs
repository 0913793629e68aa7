//! `runner status`: what each host serves, since when, and from which revision.

use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::out;
use crate::cli::releases::{fail_if_any_failed, probe, short};
use crate::cli::table::TextTable;
use crate::cli::verb::VerbResult;
use crate::event::Sink;
use crate::release::State;
use crate::release::seen::Seen;
use crate::transport::CancelToken;

pub fn status(args: &Args, cancel_token: &CancelToken, events: &Arc<dyn Sink>) -> VerbResult {
    let all = probe(args, cancel_token, events)?;
    let mut table = TextTable::default();
    table.row(["host", "serves", "since (UTC)", "by", "revision", "complete releases"].map(str::to_owned));
    for (host, seen) in &all {
        let Ok(seen) = seen else { continue };
        match args.json {
            true => out::data(json(host, seen)),
            false => table.row(row(host, seen)),
        }
    }
    if !args.json {
        out::data(table.to_string().trim_end());
    }
    fail_if_any_failed(&all)
}

fn json(host: &str, seen: &Seen) -> serde_json::Value {
    let record = seen.live().and_then(|live| seen.record(live));
    serde_json::json!({
        "host": host,
        "release": seen.live(),
        "since": record.and_then(|record| record.first_served),
        "by": record.map(|record| &record.by),
        "revision": record.and_then(|record| record.revision.as_deref()),
        "complete_releases": seen.complete().count(),
    })
}

fn row(host: &str, seen: &Seen) -> [String; 6] {
    let record = seen.live().and_then(|live| seen.record(live));
    let n_complete = seen.complete().count();
    let complete = match seen.records.iter().filter(|r| r.state == State::Building).count() {
        0 => n_complete.to_string(),
        n => format!("{n_complete} ({n} unfinished)"),
    };
    let since = record.and_then(|record| record.first_served);
    [
        host.to_owned(),
        seen.live().map_or("nothing".to_owned(), ToString::to_string),
        since.map_or(String::new(), |since| since.strftime("%Y-%m-%d %H:%M:%S").to_string()),
        record.map_or(String::new(), |record| record.by.clone()),
        short(record.and_then(|record| record.revision.as_deref())),
        complete,
    ]
}
