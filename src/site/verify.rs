//! Compares a sealed release with its manifest: before a rollback makes it live again, and the live one on request.

use anyhow::Result;

use crate::event::few;
use crate::release::ReleaseName;
use crate::release::seen::Seen;
use crate::release::survey::By;
use crate::site::base::{KnownDirectory, survey};
use crate::site::guard::texts;
use crate::site::state::Site;
use crate::tree::Store;

/// How a sealed release compares with its manifest.
pub enum Comparison {
    Same,
    /// The files, directories and links that differ or are gone.
    Differs(Vec<String>),
    /// Another tool made the release, its manifest is missing, or the host lacks the tools.
    Unknown,
}

/// Compares a release with its manifest. What a command of its own deploy has replaced does not count.
pub fn compare(site: &mut Site, name: &ReleaseName, by: By, store: &Store) -> Result<Comparison> {
    let seen = site.seen()?;
    let Some(record) = seen.record(name).filter(|record| !record.adopted).cloned() else {
        return Ok(Comparison::Unknown);
    };
    let place = [&format!("releases/{name}"), name.as_str()];
    let mut known = KnownDirectory::new(seen, place, record.manifest.as_deref(), by, store);
    survey(&mut site.session, vec![&mut known])?;
    let Some(differs) = known.differs() else {
        return Ok(Comparison::Unknown);
    };
    let mut differs = texts(differs);
    differs.retain(|path| !record.touched.contains(path));
    Ok(if differs.is_empty() { Comparison::Same } else { Comparison::Differs(differs) })
}

/// Compares the live release, if there is one: by the content of its files where the host has the tools for it and
/// `is_thorough` asks for it, else by size, time and mode.
pub fn compare_live(
    site: &mut Site,
    is_thorough: bool,
    store: &Store,
) -> Result<Option<(ReleaseName, Comparison)>> {
    let seen = site.seen()?;
    let Some(live) = seen.live().cloned() else { return Ok(None) };
    let by = if is_thorough && seen.facts.has("sha256sum") { By::Hash } else { By::Stat };
    let comparison = compare(site, &live, by, store)?;
    Ok(Some((live, comparison)))
}

/// The message for a release that differs.
pub fn changed(name: &ReleaseName, differs: &[String]) -> String {
    format!("release `{name}` was changed after it was deployed: {}", few(differs))
}

/// The message for a release that could not be compared.
pub fn not_compared(seen: &Seen, name: &ReleaseName) -> String {
    if seen.record(name).is_some_and(|record| record.adopted) {
        return format!("release `{name}` was adopted: nothing says whether it was changed since");
    }
    format!(
        "release `{name}` could not be compared with what was deployed: it has no manifest, or the server has no `stat`"
    )
}
