//! What visitors get: the settings `url` and `ask`, asked on the host.

use std::time::{Duration, Instant};

use rhai::plugin::*;
use rhai::{Dynamic, Map};

use crate::event::{Event, Report};
use crate::recipe::context::ScriptHost;
use crate::recipe::failure::ScriptResult;
use crate::recipe::primitives::finding;
use crate::recipe::visit::VisitSettings;
use crate::site::{VisitOutcome, Visited, visit};
use crate::web::Visit;

/// How long services may take to serve the live release.
const LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);

/// What visitors request, from the settings of the host.
fn visit_of(host: &ScriptHost) -> ScriptResult<Visit> {
    let setting = |key| host.context.setting(Some(host.index), key);
    let settings = VisitSettings {
        url: setting("url")?,
        ask: setting("ask")?,
        domain: setting("domain")?,
        health: setting("health")?,
    };
    let visit = host.outcome(settings.read())?;
    Ok(visit.ok_or_else(|| host.failed(Report::new("setting `url` is empty")))?)
}

fn once(host: &ScriptHost, asked: &Visit, is_thorough: bool) -> ScriptResult<VisitOutcome> {
    let outcome = visit::visit(&mut host.site(), asked, is_thorough);
    host.outcome(outcome)
}

/// Visits until the response is one that stays, or the time is over.
fn settled(host: &ScriptHost, visit: &Visit) -> ScriptResult<VisitOutcome> {
    let began = Instant::now();
    loop {
        let outcome = once(host, visit, false)?;
        let may_change = match &outcome {
            VisitOutcome::Visited(visited) => visited.may_change(),
            VisitOutcome::NotUnderstood(_) => true,
            VisitOutcome::Planned => false,
        };
        if !may_change || began.elapsed() >= LIMIT {
            return Ok(outcome);
        }
        host.outcome(host.context.wait(PAUSE))?;
    }
}

fn tell(host: &ScriptHost, event: impl FnOnce(Option<String>) -> Event) {
    host.context.run().events.event(event(Some(host.name())));
}

/// Before anything changes, only what a deployment cannot change is a failure.
fn before(host: &ScriptHost, visited: &Visited) -> ScriptResult<()> {
    if let Some(report) = visited.misdirected() {
        return Err(host.failed(report).into());
    }
    if let Some(report) = visited.unhealthy().filter(|_| visited.live.is_some()) {
        let text = format!("before this deployment, {}", report.message);
        tell(host, |host| Event::Warning { host, text });
    } else if host.context.run().mode.is_plan() {
        let text = format!("visitors get {}", visited.text());
        tell(host, |host| Event::Note { host, text });
    }
    Ok(())
}

fn judge(
    host: &ScriptHost,
    outcome: VisitOutcome,
    judge: impl Fn(&Visited) -> ScriptResult<()>,
) -> ScriptResult<()> {
    match outcome {
        VisitOutcome::Planned => Ok(()),
        VisitOutcome::NotUnderstood(report) => Err(host.failed(report).into()),
        VisitOutcome::Visited(visited) => judge(&visited),
    }
}

fn healthy(host: &ScriptHost, visited: &Visited) -> ScriptResult<()> {
    match visited.misdirected().or_else(|| visited.unhealthy()) {
        Some(report) => Err(host.failed(report).into()),
        None => Ok(()),
    }
}

#[export_module]
pub mod api {
    /// Requests `url` from the host's own web server, as visitors do, and fails if the response says nothing about the
    /// site: nobody listens, a password, a redirect to another site, a wrong web root. A plan sends the request, too.
    #[rhai_fn(pure, return_raw)]
    pub fn reach_visitors(host: &mut ScriptHost) -> ScriptResult<()> {
        let outcome = once(host, &visit_of(host)?, false)?;
        judge(host, outcome, |visited| before(host, visited))
    }

    /// Requests `url` from the host's own web server, as visitors do, and fails if the response is not good or comes from
    /// another release than the live one. It waits up to 10 seconds for services that restart.
    #[rhai_fn(pure, return_raw)]
    pub fn check_visitors(host: &mut ScriptHost) -> ScriptResult<()> {
        let outcome = settled(host, &visit_of(host)?)?;
        judge(host, outcome, |visited| healthy(host, visited))
    }

    /// Like `host.check_visitors()`, without waiting, for the flow `doctor`: it keeps what is wrong as a finding, and also
    /// checks whether visitors can read `.runner`. Before the first deployment, it only finds what `host.reach_visitors()`
    /// does.
    #[rhai_fn(pure, return_raw)]
    pub fn examine_visitors(host: &mut ScriptHost) -> ScriptResult<()> {
        let report = match once(host, &visit_of(host)?, true)? {
            VisitOutcome::Planned => None,
            VisitOutcome::NotUnderstood(report) => Some(report),
            VisitOutcome::Visited(visited) => {
                let text = format!("visitors get {}", visited.text());
                tell(host, |host| Event::Note { host, text });
                visited.misdirected().or_else(|| visited.unhealthy().filter(|_| visited.live.is_some()))
            }
        };
        if let Some(report) = report {
            finding::keep(host, report);
        }
        Ok(())
    }

    /// How visitors are imitated on the host: a table with `url`, the address with the path to request, and `options` for
    /// `host.http` and `host.watch`.
    #[rhai_fn(pure, return_raw)]
    pub fn as_visitor(host: &mut ScriptHost) -> ScriptResult<Map> {
        let visit = visit_of(host)?;
        let mut options = Map::new();
        options.insert("at".into(), visit.at.to_string().into());
        let name = visit.host.clone().unwrap_or_else(|| visit.url.authority.clone());
        options.insert("host".into(), name.into());
        let headers = visit.headers.iter().map(|(name, value)| (name.into(), value.into()));
        options.insert("headers".into(), Dynamic::from_map(headers.collect()));
        let mut map = Map::new();
        map.insert("url".into(), format!("{}{}", visit.origin(), visit.url.target).into());
        map.insert("options".into(), options.into());
        Ok(map)
    }

    /// Records that requests get the live release, if something other than a response has shown it. The end of the run
    /// says so.
    #[rhai_fn(pure, return_raw)]
    pub fn show_live(host: &mut ScriptHost) -> ScriptResult<()> {
        let shown = visit::show_live(&mut host.site());
        host.outcome(shown)
    }
}
