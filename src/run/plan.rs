//! The lines that a plan prints for a fill: the files that it would send and remove, and their differences.

use anyhow::Result;

use crate::event::Event;
use crate::release::ReleaseName;
use crate::release::command::CommandPlace;
use crate::run::Run;
use crate::run::source_change::SourceChange;
use crate::site::{Site, carried, file};
use crate::tree::{Kind, hash, text_diff};

/// How many changed files a plan lists.
const PLANNED_FILES: usize = 200;
/// For how many changed files a plan shows the difference, and the limit for their size.
const DIFF_FILES: usize = 100;
const DIFF_BYTES: u64 = 1 << 20;

pub fn plan_fill(run: &Run, site: &mut Site, change: &SourceChange, with_diff: bool) -> Result<()> {
    let left = carried(site, &change.plan)?;
    let SourceChange { plan, tree: sent, send, .. } = change;
    let host = site.host().name.clone();
    let planned = |text: String| {
        run.events.event(Event::Planned { host: host.clone(), text });
    };
    let sends = send.iter().map(|&index| &sent.entries[index]).filter(|e| e.kind != Kind::Directory);
    let mut changes: Vec<String> = sends
        .map(|entry| {
            let is_known = plan.base.manifest.get(&entry.path).is_some();
            let verb = if is_known { "change" } else { "add" };
            format!("{verb} `{}`", entry.path)
        })
        .collect();
    changes.extend(left.iter().map(|path| format!("copy `{path}` from the previous release")));
    changes.extend(plan.change.remove.iter().map(|path| format!("remove `{path}`")));
    let n_more = changes.len().saturating_sub(PLANNED_FILES);
    changes.into_iter().take(PLANNED_FILES).for_each(&planned);
    if n_more > 0 {
        planned(format!("and {n_more} more"));
    }
    if with_diff {
        show_differences(run, site, change);
    }
    Ok(())
}

/// The live release, if another tool or a person has made it.
fn adopted(site: &Site) -> Option<ReleaseName> {
    let seen = site.seen().ok()?;
    let live = seen.live()?;
    seen.record(live).is_none_or(|record| record.adopted).then(|| live.clone())
}

/// Shows how the files that would be sent differ from those on the host.
fn show_differences(run: &Run, site: &mut Site, change: &SourceChange) {
    let SourceChange { plan, tree: sent, send, .. } = change;
    let host = site.host().name.clone();
    let planned = |text: String| run.events.event(Event::Planned { host: host.clone(), text });
    let adopted = adopted(site);
    let (place, below) = match plan.base.release.clone().or(adopted.clone()) {
        Some(base) => (CommandPlace::Release(base), ""),
        None => (CommandPlace::Site, "cache/"),
    };
    let files = send.iter().map(|&index| &sent.entries[index]);
    let files = files.filter(|entry| entry.kind == Kind::File && entry.size <= DIFF_BYTES);
    for entry in files.take(DIFF_FILES) {
        let path = String::from_utf8_lossy(entry.path.as_bytes()).into_owned();
        let old = match plan.base.manifest.get(&entry.path) {
            // No manifest says what it has.
            None if adopted.is_some() => Ok(file::read_from(site, &place, &path).unwrap_or_default()),
            None => Ok(Vec::new()),
            Some(line) if line.entry.size > DIFF_BYTES => continue,
            Some(_) => file::read_from(site, &place, &format!("{below}{path}")),
        };
        // Either may have become a link or a pipe since it was listed.
        let new = hash::read_file(&entry.local_path(&sent.root), DIFF_BYTES);
        let (old, new) = match (old, new) {
            (Ok(old), Ok(new)) => (old, new),
            (Err(error), _) => {
                planned(format!("cannot show the diff of `{}`: {error}", entry.path));
                continue;
            }
            (_, Err(error)) => {
                planned(format!(
                    "cannot show the diff of `{}`: failed to read it on this machine: {error}",
                    entry.path
                ));
                continue;
            }
        };
        if let Some(text) = text_diff(&entry.path.to_string(), &old, &new) {
            run.events.event(Event::Diff { host: host.clone(), text });
        }
    }
}
