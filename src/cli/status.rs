//! `runner status`: what each host serves, since when, and from which revision.

use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::out;
use crate::cli::releases::{fail_if_any_failed, on_hosts, short};
use crate::cli::table::TextTable;
use crate::cli::verb::VerbResult;
use crate::event::Sink;
use crate::release::State;
use crate::release::seen::Seen;
use crate::site::{Site, VisitOutcome, visit};
use crate::transport::CancelToken;

pub fn status(args: &Args, cancel_token: &CancelToken, events: &Arc<dyn Sink>) -> VerbResult {
    let all = on_hosts(args, cancel_token, events, ask)?;
    let mut table = TextTable::default();
    let has_visitors = all.iter().any(|(_, answer)| answer.as_ref().is_ok_and(|(_, got)| got.is_some()));
    let mut heads =
        ["host", "serves", "since (UTC)", "by", "revision", "complete releases"].map(str::to_owned).to_vec();
    heads.extend(has_visitors.then(|| "visitors get".to_owned()));
    table.row(heads);
    for (host, answer) in &all {
        let Ok((seen, visitors)) = answer else { continue };
        match args.json {
            true => out::data(json(host, seen, visitors.as_deref())),
            false => {
                let mut row = row(host, seen).to_vec();
                row.extend(has_visitors.then(|| visitors.clone().unwrap_or_default()));
                table.row(row);
            }
        }
    }
    if !args.json {
        out::data(table.to_string().trim_end());
    }
    fail_if_any_failed(&all)
}

/// The state of a site, and what its visitors get.
fn ask(site: &mut Site) -> anyhow::Result<(Seen, Option<String>)> {
    let seen = site.look()?.clone();
    let Some(asked) = site.options().visit.clone() else { return Ok((seen, None)) };
    let visitors = match visit::visit(site, &asked, false)? {
        VisitOutcome::Visited(visited) => visited.text(),
        VisitOutcome::NotUnderstood(report) => report.message,
        VisitOutcome::Planned => return Ok((seen, None)),
    };
    Ok((seen, Some(visitors)))
}

fn json(host: &str, seen: &Seen, visitors: Option<&str>) -> serde_json::Value {
    let record = seen.live().and_then(|live| seen.record(live));
    serde_json::json!({
        "host": host,
        "release": seen.live(),
        "since": record.and_then(|record| record.first_served),
        "by": record.map(|record| &record.by),
        "revision": record.and_then(|record| record.revision.as_deref()),
        "complete_releases": seen.complete().count(),
        "visitors": visitors,
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
