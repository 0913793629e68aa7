//! `runner status`: what every host serves, since when, and from which revision.

use std::sync::Arc;

use crate::cli::Ended;
use crate::cli::args::Args;
use crate::cli::out;
use crate::cli::releases::{look, short, unasked};
use crate::cli::table::Table;
use crate::event::Sink;
use crate::release::State;
use crate::transport::Interrupt;

pub fn status(args: &Args, interrupt: &Interrupt, events: &Arc<dyn Sink>) -> Ended {
    let all = look(args, interrupt, events)?;
    let mut table = Table::default();
    table.row(["host", "serves", "since (UTC)", "by", "revision", "complete releases"].map(str::to_owned));
    for (host, seen) in &all {
        let Ok(seen) = seen else { continue };
        let live = seen.live();
        let record = live.and_then(|live| seen.record(live));
        let n_complete = seen.complete().count();
        if args.json {
            let line = serde_json::json!({
                "host": host,
                "release": live,
                "since": record.and_then(|record| record.first_served),
                "by": record.map(|record| &record.by),
                "revision": record.and_then(|record| record.revision.as_deref()),
                "complete_releases": n_complete,
            });
            out::data(line);
            continue;
        }
        let left_over = seen.records.iter().filter(|r| r.state == State::Building).count();
        let left_over = match left_over {
            0 => String::new(),
            n => format!(" ({n} unfinished)"),
        };
        let since = record.and_then(|record| record.first_served);
        table.row([
            host.clone(),
            live.map_or("nothing".to_owned(), ToString::to_string),
            since.map_or(String::new(), |since| since.strftime("%Y-%m-%d %H:%M:%S").to_string()),
            record.map_or(String::new(), |record| record.by.clone()),
            short(record.and_then(|record| record.revision.as_deref())),
            format!("{n_complete}{left_over}"),
        ]);
    }
    if !args.json {
        out::data(table.to_string().trim_end());
    }
    unasked(&all)
}
