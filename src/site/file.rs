//! Files that a recipe reads and writes on one host.

use anyhow::Result;

use crate::release::command::CommandPlace;
use crate::release::file::{self as step, WrittenFile};
use crate::site::command::place;
use crate::site::state::Site;
use crate::transport::mark::Nonce;

/// The bytes of a file; `None` if it is in a release that does not exist because this is a plan.
pub fn read(site: &mut Site, path: &str) -> Result<Option<Vec<u8>>> {
    let root = site.root()?;
    if site.is_imaginary() {
        return Ok(None);
    }
    let step = step::read(&root, &place(site)?, path);
    site.session.query(step).map(Some)
}

/// Reads a file of any release, for a diff.
pub fn read_from(site: &mut Site, release: &CommandPlace, path: &str) -> Result<Vec<u8>> {
    let root = site.root()?;
    site.session.query(step::read(&root, release, path))
}

/// Replaces a file by a new one, so that other releases keep theirs.
pub fn write(site: &mut Site, file: WrittenFile) -> Result<()> {
    let root = site.root()?;
    let step = step::write(&root, &place(site)?, file, &Nonce::random().to_string());
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
