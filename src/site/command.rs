//! Commands of a recipe on one host.

use std::time::Duration;

use anyhow::Result;

use crate::event::Event;
use crate::release::command::{self as step, Command, CommandGuard, CommandPlace};
use crate::release::survey;
use crate::release::{ReleaseName, guard};
use crate::shell::Answer;
use crate::site::guard::texts;
use crate::site::state::Site;
use crate::site::swapping::Swapping;
use crate::tree::TreePath;

/// A command that a recipe wants to run.
#[derive(Debug, Clone, Default)]
pub struct CommandRequest {
    pub text: String,
    pub cwd: String,
    pub env: Vec<(String, String)>,
    pub timeout: Option<Duration>,
    pub user: Option<String>,
    /// Whether it ends at its first failure; `None` for the default.
    pub errexit: Option<bool>,
}

/// The outcome of a command.
pub enum CommandOutcome {
    Done(Answer, WrittenInPlace),
    /// A plan did not run it.
    Planned,
}

/// The files that a command wrote in place although other releases share them.
pub enum WrittenInPlace {
    Nothing,
    /// In a release that is not live yet.
    Building(Vec<TreePath>),
    Live(LiveWrites),
}

/// Files of the live release that a command wrote in place.
pub struct LiveWrites {
    pub release: ReleaseName,
    /// Their names, as lines.
    pub lines: Vec<Vec<u8>>,
    /// The other releases that share them.
    pub others: Vec<String>,
}

/// Runs a command in the release that is being built, else in `current`, else in the deploy path.
pub fn run(site: &mut Site, request: &CommandRequest, tag: &str) -> Result<CommandOutcome> {
    let lock = site.session.locked()?;
    let command = command(site, request)?;
    let guard = command.guard.clone();
    site.session.events.event(Event::Command { host: site.host().name.clone(), text: request.text.clone() });
    let Some(said) = site.session.act_with_output(command.run(&lock, tag))? else {
        return Ok(CommandOutcome::Planned);
    };
    if let Some(CommandGuard { release, begins: true }) = &guard {
        site.watched = Some(release.clone());
    }
    let written = match guard {
        Some(guard) if !said.differs.is_empty() => written(site, guard.release, &said.differs)?,
        _ => WrittenInPlace::Nothing,
    };
    Ok(CommandOutcome::Done(said.answer, written))
}

/// What of the files that differ after a command is shared and was written in place.
fn written(site: &mut Site, release: ReleaseName, differs: &[Vec<u8>]) -> Result<WrittenInPlace> {
    if let Some((record, manifest)) = site.guarded() {
        record.touched = texts(&survey::named(manifest, differs));
        let written = site.inspect()?;
        return Ok(match written.is_empty() {
            true => WrittenInPlace::Nothing,
            false => WrittenInPlace::Building(written),
        });
    }
    let lock = site.session.locked()?;
    let found = site.session.act(guard::inspect(&lock, &release))?.unwrap_or_default();
    Ok(match found.lines.is_empty() {
        true => WrittenInPlace::Nothing,
        false => WrittenInPlace::Live(LiveWrites { release, lines: found.lines, others: found.others }),
    })
}

/// Runs a command that must change nothing. A plan runs it, too, if its release exists.
pub fn test(site: &mut Site, request: &CommandRequest) -> Result<CommandOutcome> {
    let root = site.root()?;
    if site.is_imaginary() {
        return Ok(CommandOutcome::Planned);
    }
    let command = Command { guard: None, ..command(site, request)? };
    Ok(CommandOutcome::Done(site.session.query(command.test(&root))?, WrittenInPlace::Nothing))
}

/// Whether a program is in the `PATH` of the server's user.
pub fn has(site: &mut Site, program: &str) -> Result<bool> {
    if site.session.view().has(program) {
        return Ok(true);
    }
    let mut step = step::has(program);
    for (key, value) in &site.options().env {
        step.act.script = step.act.script.export(key, value);
    }
    site.session.query(step)
}

fn command(site: &mut Site, request: &CommandRequest) -> Result<Command> {
    let place = place(site)?;
    site.work.work_in();
    let mut env = site.options().env.clone();
    let live = site.session.view().live();
    let release = if site.is_in_current { live } else { site.release() };
    if let Some(release) = release {
        env.push(("RELEASE".to_owned(), release.to_string()));
    }
    env.extend(request.env.iter().cloned());
    let has_stat = site.session.view().has("stat");
    let guard = match site.guarded().map(|(record, _)| record.name.clone()) {
        Some(release) => Some(CommandGuard { release, begins: false }),
        None if place == CommandPlace::Current => live_guard(site),
        None => None,
    };
    Ok(Command {
        text: request.text.clone(),
        place,
        cwd: request.cwd.clone(),
        env,
        timeout: request.timeout,
        user: request.user.clone(),
        errexit: request.errexit,
        guard: guard.filter(|_| has_stat),
    })
}

/// The guard of the live release, unless another tool made it. What this run has filled, it watches since then.
fn live_guard(site: &mut Site) -> Option<CommandGuard> {
    let seen = site.seen().ok()?;
    let release = seen.live()?.clone();
    seen.record(&release).filter(|record| !record.adopted && record.manifest.is_some())?;
    let is_filled = site.work.filled().is_some_and(|(record, _)| record.name == release);
    let begins = match &site.watched {
        Some(watched) => *watched != release,
        None => !is_filled,
    };
    Some(CommandGuard { release, begins })
}

/// The directory in which commands run by default. It is created if it does not exist.
pub(super) fn place(site: &mut Site) -> Result<CommandPlace> {
    let is_live = site.session.view().live().is_some();
    if site.is_in_current && is_live || site.swapping.is_live() {
        return Ok(CommandPlace::Current);
    }
    // An undo runs where its task did.
    if let Swapping::SwappedBack { record } = &site.swapping {
        return Ok(CommandPlace::Release(record.name.clone()));
    }
    match site.work.record().map(|record| record.name.clone()) {
        Some(name) => {
            site.make_release()?;
            Ok(CommandPlace::Release(name))
        }
        None if is_live => Ok(CommandPlace::Current),
        None => Ok(CommandPlace::Site),
    }
}

/// The standard output of a command as text, without the final newline.
pub fn text_of(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.stdout);
    text.strip_suffix('\n').unwrap_or(&text).to_owned()
}
