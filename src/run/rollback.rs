//! Rolls hosts back to a release that they still have.

use std::sync::Arc;

use anyhow::{Result, bail};

use crate::event::{Hint, Report};
use crate::release::seen::Seen;
use crate::release::survey::By;
use crate::release::{Record, ReleaseName, State};
use crate::run::Run;
use crate::run::rollback_target::rollback_target;
use crate::run::serve::roll_out;
use crate::site::{Comparison, compare, verify};

/// What a rollback may do that it usually refuses.
#[derive(Debug, Clone, Copy, Default)]
pub struct RollbackOptions {
    /// Without the name of a release, from hosts that serve different releases.
    pub may_be_apart: bool,
    /// To a release whose files were changed on a host.
    pub may_be_edited: bool,
}

/// Rolls `hosts` back to the complete release that was live before, and that all of them have.
pub fn roll_back(run: &Arc<Run>, hosts: &[usize], options: RollbackOptions) -> Result<ReleaseName> {
    roll_back_to(run, hosts, &rollback_target(run, hosts, options.may_be_apart)?, options)
}

/// Rolls `hosts` back to `name`. Hosts that already serve it stay as they are. Fails if all do.
pub fn roll_back_to(
    run: &Arc<Run>,
    hosts: &[usize],
    name: &ReleaseName,
    options: RollbackOptions,
) -> Result<ReleaseName> {
    let (mut staying, mut going) = (Vec::new(), Vec::new());
    for &host in hosts {
        let site = run.fleet.site(host);
        let seen = site.seen()?;
        let Some(record) = seen.record(name).filter(|record| seen.can_return_to(record)) else {
            bail!(no_way_to(name, seen, &site.host().name));
        };
        let is_there = seen.live() == Some(name);
        if !is_there {
            warn_if_bad(run, record, &site.host().name);
        }
        if is_there { &mut staying } else { &mut going }.push(host);
    }
    if going.is_empty() {
        bail!("release `{name}` is already live on all hosts");
    }
    run.fleet.none_failed(run.on_each(&going, |host| is_as_deployed(run, host, name, options)))?;
    for &host in &staying {
        run.fleet.site(host).keep_current()?;
    }
    roll_out(run, &going, |run, host, request| run.fleet.site(host).prepare_rollback(name, request))?;
    let _ = run.release.set(name.clone());
    Ok(name.clone())
}

fn warn_if_bad(run: &Run, record: &Record, host: &str) {
    if record.state == State::Bad {
        run.warn(format!("release `{}` is marked as bad on `{host}`", record.name));
    }
}

/// Fails if a release is not as it was deployed: visitors would get something that nobody sent.
fn is_as_deployed(run: &Run, host: usize, name: &ReleaseName, options: RollbackOptions) -> Result<()> {
    let mut site = run.fleet.site(host);
    let differs = match compare(&mut site, name, By::Stat, &run.here.store)? {
        Comparison::Same => return Ok(()),
        Comparison::Unknown => {
            site.session.note(verify::not_compared(site.seen()?, name));
            return Ok(());
        }
        Comparison::Differs(differs) => differs,
    };
    let message = verify::changed(name, &differs);
    if options.may_be_edited {
        run.warn(format!("{message} (on `{}`)", site.host().name));
        return Ok(());
    }
    let words = ["rollback", "--release", name.as_str(), "--set", "allow_edited=true"];
    bail!(
        Report::new(message)
            .hint(Hint::runner(words, " rolls back to it anyway; `runner releases` lists the others"))
    )
}

/// Why `host` cannot be rolled back to the release `name`.
fn no_way_to(name: &ReleaseName, seen: &Seen, host: &str) -> Report {
    let what = match seen.record(name) {
        Some(record) if seen.is_gone(record) => "is not there any more".to_owned(),
        Some(record) => format!("is {}", record.state),
        None => "does not exist".to_owned(),
    };
    let report = Report::new(format!("release `{name}` {what} on `{host}`"));
    let complete: Vec<String> = seen.complete().map(|record| format!("`{}`", record.name)).collect();
    report.hint(match complete.is_empty() {
        true => "there is no complete release: deploy one".to_owned(),
        false => format!("complete releases there: {}", complete.join(", ")),
    })
}
