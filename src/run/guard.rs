//! Runs commands of a recipe, and restores files that one of them wrote in place although releases share them.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};

use crate::event::{Event, Report, few};
use crate::release::survey;
use crate::release::swap::Phase;
use crate::run::Run;
use crate::shell::Answer;
use crate::site::command::{self, CommandOutcome, CommandRequest, LiveWrites, WrittenInPlace};
use crate::site::guard::restore_others as restore_in_others;
use crate::site::manifest_of;
use crate::transport::mark::Nonce;
use crate::tree::{Contents, Manifest, Pack, Tree, TreePath};

/// Runs a command. `None` in a plan. If it wrote shared files in place, they are restored at once, and the command fails.
pub fn command(run: &Run, host: usize, request: &CommandRequest) -> Result<Option<Answer>> {
    let tag = Nonce::random().mark(0).to_string();
    let ran = command::run(&mut run.fleet.site(host), request, &tag)?;
    match ran {
        CommandOutcome::Planned => Ok(None),
        CommandOutcome::Done(answer, WrittenInPlace::Nothing) => Ok(Some(answer)),
        CommandOutcome::Done(answer, WrittenInPlace::Live(writes)) => {
            mend_others(run, host, &writes, &request.text);
            Ok(Some(answer))
        }
        CommandOutcome::Done(answer, WrittenInPlace::Building(written)) => {
            let mut report = put_back(run, host, &written, Some(&request.text));
            if !answer.exit.is_success() {
                report = report.note(format!("the command also {}", answer.exit));
            }
            Err(report.into())
        }
    }
}

pub fn seal(run: &Run, host: usize) -> Result<()> {
    let written = run.fleet.site(host).seal()?;
    has_none_written(run, host, &written)
}

/// One phase of a swap, on one host.
pub fn swap_one(run: &Run, host: usize, phase: Phase) -> Result<()> {
    let written = run.fleet.site(host).swap(phase)?;
    has_none_written(run, host, &written)
}

fn has_none_written(run: &Run, host: usize, written: &[TreePath]) -> Result<()> {
    match written.is_empty() {
        true => Ok(()),
        false => Err(put_back(run, host, written, None).into()),
    }
}

/// Restores what was written in place. Returns the error, which names the command if it is known.
fn put_back(run: &Run, host: usize, written: &[TreePath], command: Option<&str>) -> Report {
    let who = command.map_or("a command".to_owned(), |text| format!("`{text}`"));
    let report = Report::new(format!("{who} wrote {} in place, which the live release shares", few(written)));
    let first = &written[0];
    match restore(run, host, written) {
        Ok(()) => report.note("it was restored in every release").hint(format!(
            "declare what commands write: `add(\"generated\", [\"{first}\"])`, or let the command write a new file"
        )),
        Err(error) => report
            .note(format!("restoring it failed: {error:#}"))
            .hint("deploy the same source again, to send these files once more"),
    }
}

fn restore(run: &Run, host: usize, written: &[TreePath]) -> Result<()> {
    let tree = run.here.source.tree()?;
    let mut site = run.fleet.site(host);
    let manifest = site.guarded().map(|(_, manifest)| manifest.clone());
    let pack = originals(&tree, &run.here.source.contents, manifest.as_ref(), written)?;
    site.restore(written, &pack)
}

/// A pack of files as they are here, with the times that a manifest has.
fn originals(
    tree: &Tree,
    contents: &Arc<Contents>,
    manifest: Option<&Manifest>,
    written: &[TreePath],
) -> Result<Pack> {
    let mut tree = tree.clone();
    let mut send = Vec::new();
    for path in written {
        let index = tree.position(path).ok_or_else(|| anyhow!("`{path}` is not in the source"))?;
        if let Some(line) = manifest.and_then(|manifest| manifest.get(path)) {
            tree.entries[index].mtime = line.entry.mtime;
        }
        send.push(index);
    }
    Pack::new(&Arc::new(tree), contents, &send, b".runner/restore", &[])
}

/// Restores what a command wrote through the live release into others, as far as its content is here, and warns.
fn mend_others(run: &Run, host: usize, writes: &LiveWrites, command: &str) {
    let warn = |text: String| {
        run.events.event(Event::Warning { host: Some(run.fleet.name(host).to_owned()), text });
    };
    let LiveWrites { lines, others, .. } = writes;
    let all: Vec<String> = lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let what = format!("`{command}` wrote {} of the live release in place", few(&all));
    match restore_others(run, host, writes) {
        Ok(left) if left.is_empty() => {
            warn(format!("{what}; {} had the same files, which were restored there", of(others)));
        }
        Ok(left) => warn(format!(
            "{what}; this changed {} in {}, too, since the original is not in the source: a rollback refuses them",
            few(&left),
            of(others)
        )),
        Err(error) => warn(format!(
            "{what}; this changed {}, too, so that a rollback refuses them: restoring them failed: {error:#}",
            of(others)
        )),
    }
}

fn of(others: &[String]) -> String {
    format!("release{} {}", if others.len() == 1 { "" } else { "s" }, few(others))
}

/// Returns the files whose content is not here.
fn restore_others(run: &Run, host: usize, writes: &LiveWrites) -> Result<Vec<String>> {
    let LiveWrites { release, lines, .. } = writes;
    let manifest = manifest_of(&mut run.fleet.site(host), release, &run.here.store)?;
    let manifest = manifest.context("the manifest of the release is missing")?;
    let (tree, contents) = run.here.source.tree_now()?;
    let is_here = |path: &TreePath| {
        let here = tree.position(path).map(|index| tree.entries[index].hash);
        here.is_some() && here == manifest.get(path).map(|line| line.entry.hash)
    };
    let (here, left): (Vec<TreePath>, Vec<TreePath>) =
        survey::named(&manifest, lines).into_iter().partition(is_here);
    if !here.is_empty() {
        let pack = originals(&tree, &contents, Some(&manifest), &here)?;
        restore_in_others(&mut run.fleet.site(host), release, &here, &pack)?;
    }
    Ok(left.iter().map(ToString::to_string).collect())
}

/// Restores what an interrupted command wrote into other releases: it ended before its writes were checked. This must
/// come before the run's own release is removed, because the check compares with that.
pub fn mend(run: &Run, host: usize) -> Result<()> {
    let written = run.fleet.site(host).inspect()?;
    if written.is_empty() {
        return Ok(());
    }
    restore(run, host, &written)?;
    run.warn(format!("{} was written in place; it was restored in every release", few(&written)));
    Ok(())
}
