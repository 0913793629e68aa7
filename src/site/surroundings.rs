//! A first look at a host where nothing may be deployed yet.

use anyhow::Result;

use crate::release::surroundings::{self as step, Surroundings};
use crate::site::state::Site;

/// What lies at the deploy path of a site, and which web servers could serve it. Changes nothing.
pub fn surroundings(site: &mut Site) -> Result<Surroundings> {
    let path = site.host().path.as_str().to_owned();
    site.session.query(step::surroundings(&path, ""))
}
