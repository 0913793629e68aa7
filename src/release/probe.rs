//! The first step on a server: finds out what the server has, and the state of the site.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::event::Report;
use crate::host::facts::Facts;
use crate::release::answer::Fields;
use crate::release::current::Current;
use crate::release::identity::Identity;
use crate::release::intent::Intent;
use crate::release::lock::Owner;
use crate::release::path_kinds::{FoundShared, InShared};
use crate::release::scripts::{KINDS, LITTER, SAY, word};
use crate::release::seen::{Cache, Seen, SitePart};
use crate::release::{Record, ReleaseName, SharedPath};
use crate::shell::{Effect, Script, Step, Word};
use crate::tree::TreePath;

/// The layout that this program writes; a newer one is refused.
pub const FORMAT: u32 = 1;

pub fn probe(root: &str, shared: &[SharedPath]) -> Step<Seen> {
    let script = places(Script::new(include_str!("sh/probe.sh")).var("root", root), shared).with(SAY);
    Step::new("probe", Effect::Reads, script, |answer| read(&Fields::read(answer, "nearest")?)).public()
}

/// Adds what a script with `probe.sh` looks for: paths in `shared/`, and leftovers.
pub(super) fn places(script: Script, shared: &[SharedPath]) -> Script {
    script.rows("shared", shared.iter().map(|p| [word(&p.path)])).var("litter", LITTER).with(KINDS)
}

pub(super) fn read(fields: &Fields) -> Result<Seen> {
    let text = |key| fields.get(key).unwrap_or_default();
    let root = text("root");
    let mut facts = Facts {
        user: text("user"),
        os: text("os"),
        path: text("path"),
        programs: fields.list("program").into_iter().collect(),
        free_kib: fields.get("free_kib").and_then(|n| n.parse().ok()),
        n_free_inodes: fields.get("inodes").as_deref().and_then(free_inodes),
        nearest: text("nearest"),
        is_writable: fields.get("writable").is_some(),
        lacks: fields.list("lacks"),
    };
    if let Some(format) = fields.get("format")
        && format.trim().parse::<u32>().ok().is_none_or(|n| n > FORMAT)
    {
        return Err(Report::new(format!(
            "`{root}` has layout {}, but this program supports only layout {FORMAT}",
            format.trim()
        ))
        .hint("use the newer version of `runner` that wrote it")
        .into());
    }
    if let Some(part) = fields.get("sealed_off") {
        facts.nearest = format!("{root}/{part}");
        facts.is_writable = false;
    }
    let recorded = fields.list("recorded").into_iter().zip(fields.list("record"));
    let mut records = recorded
        .map(|(name, text)| Record::parse(&name, &text).map_err(|error| unreadable(&root, &name, &error)))
        .collect::<Result<Vec<_>>>()?;
    records.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
    Ok(Seen {
        current: current(fields, &root)?,
        facts,
        is_open: fields.get("opened").is_some(),
        records,
        directories: fields.list("release").into_iter().collect(),
        shared: shared(fields),
        intents: intents(fields)?,
        was_moved: fields.get("moved").is_some(),
        has_litter: fields.get("litter").is_some(),
        webroot: fields.list("webroot"),
        parts: fields.list("part").iter().filter_map(|line| SitePart::parse(line)).collect(),
        foreign: fields.list("foreign"),
        identity: fields.get("site").map(|text| Identity::parse(&text)).transpose()?,
        owner: fields.get("owner").and_then(|text| Owner::parse(&text)),
        cache: match fields.get("cache").as_deref().map(str::trim) {
            None => Cache::Absent,
            Some("dirty") => Cache::Dirty,
            Some(digest) => Cache::Clean(digest.to_owned()),
        },
        root,
    })
}

fn shared(fields: &Fields) -> BTreeMap<TreePath, FoundShared> {
    let found = fields.list("shared_kind").into_iter().zip(fields.list("shared_at"));
    let all = fields.bytes("shared").zip(found);
    all.filter_map(|(path, (kind, at))| {
        Some((TreePath::new(path).ok()?, FoundShared { kind: InShared::parse(&kind)?, at }))
    })
    .collect()
}

fn intents(fields: &Fields) -> Result<Vec<Intent>> {
    let all = fields.list("intent").into_iter().zip(fields.list("intended"));
    all.map(|(name, text)| {
        serde_json::from_str(&text)
            .with_context(|| format!("failed to read `.runner/{name}`, which an interrupted run left"))
    })
    .collect()
}

/// The first number of "free total". btrfs and others have no limit of inodes, and print 0 for both.
fn free_inodes(text: &str) -> Option<u64> {
    let (free, total) = text.split_once(' ')?;
    (total.parse() != Ok(0_u64)).then_some(free.parse().ok()?)
}

fn unreadable(root: &str, name: &str, error: &anyhow::Error) -> anyhow::Error {
    Report::of(error)
        .hint(format!(
            "run `rm {}` on the server: the directory is then left alone, or adopted if it is live",
            Word::shown(&format!("{root}/.runner/records/{name}"))
        ))
        .into()
}

fn current(fields: &Fields, root: &str) -> Result<Current> {
    if let Some(what) = fields.get("blocked") {
        if what == "directory" {
            return Ok(Current::Directory);
        }
        let hint = format!(
            "run `mv {} {}` on the server, then run again",
            Word::shown(&format!("{root}/current")),
            Word::shown(&format!("{root}/current.old"))
        );
        let message = format!("`{root}/current` is a {what}, not a link to a release");
        return Err(Report::new(message).hint(hint).into());
    }
    let Some(link) = fields.get("current") else {
        return Ok(Current::Absent);
    };
    if let Some(name) = fields.get("live") {
        return Ok(Current::Release { link, name: ReleaseName::new(&name)? });
    }
    match fields.get("served") {
        None => Ok(Current::Dangling { link }),
        Some(target) => Err(Report::new(format!(
            "`{root}/current` points to `{target}`, which is not under `releases/`"
        ))
        .hint(format!(
            "move that directory to `{root}/releases/1`, point `current` to `releases/1`, then run again to adopt it"
        ))
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_inodes_has_no_limit_that_is_known() {
        assert_eq!(free_inodes("7 10"), Some(7));
        assert_eq!(free_inodes("0 10"), Some(0));
        assert_eq!(free_inodes("0 0"), None);
        assert_eq!(free_inodes(""), None);
        assert_eq!(free_inodes("? ?"), None);
    }
}
