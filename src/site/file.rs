//! Files that a recipe reads and writes on one host.

use anyhow::Result;

use crate::release::command::{self as step, CommandPlace};
use crate::site::command::place;
use crate::site::state::Site;

/// The bytes of a file; `None` if it is in a release that does not exist because this is a plan.
pub fn read(site: &mut Site, path: &str) -> Result<Option<Vec<u8>>> {
    let root = site.root()?;
    if site.is_imaginary() {
        return Ok(None);
    }
    let step = step::read_file(&root, &place(site)?, path);
    site.session.query(step).map(Some)
}

/// Reads a file of any release, for a diff.
pub fn read_from(site: &mut Site, release: &CommandPlace, path: &str) -> Result<Vec<u8>> {
    let root = site.root()?;
    site.session.query(step::read_file(&root, release, path))
}

/// Replaces a file by a new one, so that other releases keep theirs.
pub fn write(site: &mut Site, path: &str, content: &str) -> Result<()> {
    let root = site.root()?;
    let step = step::write_file(&root, &place(site)?, path, content);
    site.work.work_in();
    site.session.act(step).map(drop)
}

/// Whether a file exists; `None` as for `read`.
pub fn exists(site: &mut Site, path: &str) -> Result<Option<bool>> {
    let root = site.root()?;
    if site.is_imaginary() {
        return Ok(None);
    }
    let step = step::exists(&root, &place(site)?, path);
    site.session.query(step).map(Some)
}
