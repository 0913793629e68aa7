//! Runs commands of a recipe, and restores files that one of them wrote in place although releases share them.

use std::sync::Arc;

use anyhow::{Result, anyhow};

use crate::event::{Report, few};
use crate::release::swap::Phase;
use crate::run::Run;
use crate::shell::Answer;
use crate::site::command::{self, CommandOutcome, CommandRequest};
use crate::transport::mark::Nonce;
use crate::tree::{Pack, TreePath};

/// Runs a command. `None` in a plan. If it wrote shared files in place, they are restored at once, and the command fails.
pub fn command(run: &Run, host: usize, request: &CommandRequest) -> Result<Option<Answer>> {
    let tag = Nonce::random().mark(0).to_string();
    let ran = command::run(&mut run.fleet.site(host), request, &tag)?;
    match ran {
        CommandOutcome::Planned => Ok(None),
        CommandOutcome::Done(answer, written) if written.is_empty() => Ok(Some(answer)),
        CommandOutcome::Done(answer, written) => {
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
    let mut tree = (*run.here.source.tree()?).clone();
    let mut site = run.fleet.site(host);
    let mut send = Vec::new();
    for path in written {
        let index = tree.position(path).ok_or_else(|| anyhow!("`{path}` is not in the source"))?;
        // The manifests of the releases have this time.
        if let Some(line) = site.guarded().and_then(|(_, manifest)| manifest.get(path)) {
            tree.entries[index].mtime = line.entry.mtime;
        }
        send.push(index);
    }
    let pack = Pack::new(&Arc::new(tree), &run.here.source.contents, &send, b".runner/restore", &[])?;
    site.restore(written, &pack)
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
