//! `runner status`: what each host serves, since when, and from which revision; and whether it is as it was deployed.

use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::out;
use crate::cli::releases::{HostAnswers, fail_if_any_failed, on_hosts, short};
use crate::cli::table::TextTable;
use crate::cli::verb::VerbResult;
use crate::event::{Hint, Report, Sink};
use crate::release::seen::Seen;
use crate::release::{ReleaseName, State};
use crate::site::{Comparison, Site, VisitOutcome, verify, visit};
use crate::transport::CancelToken;
use crate::tree::Store;

/// The state of a host.
struct HostStatus {
    seen: Seen,
    /// What its visitors get.
    visitors: Option<String>,
    /// How the live release compares with what was deployed.
    compared: Option<(ReleaseName, Comparison)>,
}

pub fn status(args: &Args, cancel_token: &CancelToken, events: &Arc<dyn Sink>) -> VerbResult {
    let store = Store::from_env().map_err(|error| vec![Report::of(&error)])?;
    let mut all = on_hosts(args, cancel_token, events, |site| ask(site, args.verify.then_some(&store)))?;
    match args.json {
        true => {
            all.iter().for_each(|(host, answer)| answer.iter().for_each(|has| out::data(json(host, has))))
        }
        false => out::data(table(&all, args.verify).to_string().trim_end()),
    }
    for (_, answer) in &mut all {
        if let Ok(Some(report)) = answer.as_ref().map(changed) {
            *answer = Err(report);
        }
    }
    fail_if_any_failed(&all)
}

/// The state of a site. Compares the live release if there is a store of manifests for it.
fn ask(site: &mut Site, store: Option<&Store>) -> anyhow::Result<HostStatus> {
    let seen = site.look()?.clone();
    let compared = match store {
        Some(store) => verify::compare_live(site, true, store)?,
        None => None,
    };
    let visitors = match site.options().visit.clone() {
        Some(asked) => visitors(visit::visit(site, &asked, false)?),
        None => None,
    };
    Ok(HostStatus { seen, visitors, compared })
}

fn visitors(outcome: VisitOutcome) -> Option<String> {
    match outcome {
        VisitOutcome::Visited(visited) => Some(visited.text()),
        VisitOutcome::NotUnderstood(report) => Some(report.message),
        VisitOutcome::Planned => None,
    }
}

/// The problem of a host whose live release is not as it was deployed.
fn changed(has: &HostStatus) -> Option<Report> {
    let Some((live, Comparison::Differs(differs))) = &has.compared else { return None };
    let report = Report::new(verify::changed(live, differs));
    Some(report.hint(Hint::runner(["deploy"], " replaces it by a release that is as it is here")))
}

fn table(all: &HostAnswers<HostStatus>, verifies: bool) -> TextTable {
    let mut table = TextTable::default();
    let has_visitors = all.iter().any(|(_, answer)| answer.as_ref().is_ok_and(|has| has.visitors.is_some()));
    let mut heads = ["host", "serves", "since (UTC)", "by", "revision", "kept"].map(str::to_owned).to_vec();
    heads.extend(verifies.then(|| "files".to_owned()));
    heads.extend(has_visitors.then(|| "visitors get".to_owned()));
    table.row(heads);
    for (host, answer) in all {
        let Ok(has) = answer else { continue };
        let mut row = row(host, &has.seen).to_vec();
        row.extend(verifies.then(|| files(has)));
        row.extend(has_visitors.then(|| has.visitors.clone().unwrap_or_default()));
        table.row(row);
    }
    table
}

/// How the live release compares, as a cell.
fn files(has: &HostStatus) -> String {
    match &has.compared {
        None => String::new(),
        Some((_, Comparison::Same)) => "as deployed".to_owned(),
        Some((_, Comparison::Differs(differs))) => format!("{} changed", differs.len()),
        Some((_, Comparison::Unknown)) => "cannot be compared".to_owned(),
    }
}

fn json(host: &str, has: &HostStatus) -> serde_json::Value {
    let seen = &has.seen;
    let record = seen.live().and_then(|live| seen.record(live));
    let changed = match &has.compared {
        Some((_, Comparison::Same)) => Some(Vec::new()),
        Some((_, Comparison::Differs(differs))) => Some(differs.clone()),
        Some((_, Comparison::Unknown)) | None => None,
    };
    serde_json::json!({
        "host": host,
        "release": seen.live(),
        "since": record.and_then(|record| record.first_served),
        "by": record.map(|record| &record.by),
        "revision": record.and_then(|record| record.revision.as_deref()),
        "complete_releases": seen.complete().count(),
        "changed": changed,
        "visitors": has.visitors,
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
