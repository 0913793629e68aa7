//! Requests to applications on a host, through the connection to it.

use anyhow::{Result, bail};

use crate::event::Report;
use crate::shell::Effect;
use crate::site::state::Site;
use crate::transport::RequestResult;
use crate::web::{Request, Response};

/// The outcome of a request to an application.
#[derive(Debug, Clone)]
pub enum RequestOutcome {
    Answered {
        response: Response,
        /// From the first byte of the request to the last byte of the response, including one round trip to the host.
        seconds: f64,
    },
    /// Why there was no response.
    Failed(String),
    /// A plan did not send the request.
    Planned,
}

/// Sends a request, which messages call `title`. A plan sends it only if it is safe and its release exists.
pub fn request(site: &mut Site, request: &Request, title: &str, is_safe: bool) -> Result<RequestOutcome> {
    let effect = match is_safe && !site.is_imaginary() {
        true => Effect::Reads,
        false => Effect::Writes,
    };
    match site.session.request(request, title, effect)? {
        None => Ok(RequestOutcome::Planned),
        Some(RequestResult::Answered(response, took)) => {
            Ok(RequestOutcome::Answered { response, seconds: took.as_secs_f64() })
        }
        Some(RequestResult::Failed(why)) => Ok(RequestOutcome::Failed(why)),
        Some(RequestResult::Interrupted) => bail!(Report::interrupted()),
    }
}

/// The absolute path of a file in the release, or in the live release if this run has none. It avoids `current`: a
/// process may have cached what that pointed to before the swap.
pub fn absolute(site: &Site, path: &str) -> Result<String> {
    if path.starts_with('/') {
        return Ok(path.to_owned());
    }
    let live = site.seen()?.live();
    let release = if site.is_in_current { live } else { site.release().or(live) };
    let root = site.root()?;
    Ok(match release {
        Some(name) => format!("{root}/releases/{name}/{path}"),
        None => format!("{root}/current/{path}"),
    })
}
