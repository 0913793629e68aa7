//! `runner releases`: the releases of each host, and which one is live.

use std::sync::Arc;

use crate::cli::args::Args;
use crate::cli::out;
use crate::cli::signals::cancel_on_signals;
use crate::cli::table::TextTable;
use crate::cli::verb::{VerbError, VerbResult};
use crate::cli::{project, prompt};
use crate::event::grouping::group;
use crate::event::{Event, Report, Sink};
use crate::fleet::Fleet;
use crate::fleet::dropping::OnHostFailure;
use crate::host::{Host, Inventory, SelectedHosts};
use crate::release::seen::Seen;
use crate::release::{Record, State};
use crate::site::{Options, Site};
use crate::transport::CancelToken;

/// The result for each selected host, in file order.
pub type HostAnswers<A> = Vec<(String, Result<A, Report>)>;

/// Probes all hosts in parallel. Changes nothing.
pub fn probe(
    args: &Args,
    cancel_token: &CancelToken,
    events: &Arc<dyn Sink>,
) -> Result<HostAnswers<Seen>, VerbError> {
    on_hosts(args, cancel_token, events, |site| site.look().cloned())
}

/// Runs `act` on all hosts in parallel.
pub fn on_hosts<A: Send>(
    args: &Args,
    cancel_token: &CancelToken,
    events: &Arc<dyn Sink>,
    act: impl Fn(&mut Site) -> anyhow::Result<A> + Sync,
) -> Result<HostAnswers<A>, VerbError> {
    let inventory = Inventory::find(args.directory.as_deref())?;
    let selected = project::select(args, &inventory)?;
    let options = options(args, &inventory, &selected, cancel_token, events)?;
    cancel_on_signals(cancel_token)?;
    let access = prompt::access(cancel_token, events);
    let fleet = Fleet::open(&selected, options, OnHostFailure::default(), &access)?;
    let answers = fleet.on_all(act);
    match cancel_token.is_cancelled() {
        true => Err(VerbError::interrupted()),
        false => Ok(answers),
    }
}

/// The options that matter without a run, according to the recipe and the settings.
pub fn options(
    args: &Args,
    inventory: &Inventory,
    selected: &SelectedHosts,
    cancel_token: &CancelToken,
    events: &Arc<dyn Sink>,
) -> Result<Vec<Options>, VerbError> {
    let load = |source| project::load(source, &inventory.dir, cancel_token, events);
    let recipe = match project::source(Some(inventory), None).map_err(|report| vec![report]).and_then(load) {
        Ok(recipe) => recipe,
        // A recipe with mistakes must not keep anyone from seeing what the hosts serve.
        Err(problems) => {
            if let Some(report) = problems.into_iter().next() {
                let context = "the recipe has mistakes, so its settings are ignored";
                events.event(Event::Failed { report: report.warning().context(context) });
            }
            load(None)?
        }
    };
    let cli = args.settings()?;
    let of_host = |host: &Host| {
        let layers = [&inventory.settings, &selected.stage.settings, &host.settings, &cli];
        recipe.reading_options(&layers)
    };
    Ok(selected.hosts.iter().map(of_host).collect())
}

/// Fails with the errors of the hosts that failed, for the end of the output.
pub fn fail_if_any_failed<A>(seen: &HostAnswers<A>) -> VerbResult {
    let report = |(host, seen): &(String, Result<A, Report>)| {
        let report = seen.as_ref().err()?.clone();
        Some(Report { hosts: vec![host.clone()], ..report })
    };
    let reports = group(seen.iter().filter_map(report));
    match reports.is_empty() {
        true => Ok(0),
        false => Err(VerbError::failed(reports)),
    }
}

pub fn short(revision: Option<&str>) -> String {
    revision.map_or(String::new(), |revision| revision.chars().take(10).collect())
}

pub fn releases(args: &Args, cancel_token: &CancelToken, events: &Arc<dyn Sink>) -> VerbResult {
    let all = probe(args, cancel_token, events)?;
    for (host, seen) in &all {
        let Ok(seen) = seen else { continue };
        match args.json {
            true => seen.records.iter().for_each(|record| out::data(json(host, seen, record))),
            false => print_host(host, seen, all.len() > 1),
        }
    }
    fail_if_any_failed(&all)
}

fn json(host: &str, seen: &Seen, record: &Record) -> serde_json::Value {
    serde_json::json!({
        "host": host,
        "release": record.name,
        "state": record.state,
        "is_live": seen.live() == Some(&record.name),
        "is_complete": seen.is_complete(record),
        "is_gone": seen.is_gone(record),
        "created": record.created,
        "by": record.by,
        "revision": record.revision,
        "dirty": record.dirty,
        "first_served": record.first_served,
    })
}

fn print_host(host: &str, seen: &Seen, is_one_of_many: bool) {
    if is_one_of_many {
        out::data(host);
    }
    let mut table = TextTable::default();
    table.row(["release", "state", "created (UTC)", "by", "revision", ""].map(str::to_owned));
    for record in &seen.records {
        let live = if seen.live() == Some(&record.name) { "<- live" } else { "" };
        let dirty = if record.dirty { "+" } else { "" };
        let gone = if seen.is_gone(record) { ", gone" } else { "" };
        let state = match (record.state, record.adopted) {
            (State::Complete, true) => "adopted".to_owned(),
            (state, true) => format!("{state}, adopted"),
            (state, false) => state.to_string(),
        };
        table.row([
            record.name.to_string(),
            format!("{state}{gone}"),
            record.created.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            record.by.clone(),
            format!("{}{dirty}", short(record.revision.as_deref())),
            live.to_owned(),
        ]);
    }
    match seen.records.is_empty() {
        true => out::data("no release yet"),
        false => out::data(table.to_string().trim_end()),
    }
    let unknown = seen.unknown_directories();
    if !unknown.is_empty() {
        out::data(format!("not made by runner: {}", unknown.join(", ")));
    }
}
