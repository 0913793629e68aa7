//! What listens on a host is asked, through the connection.

use anyhow::{Result, bail};

use crate::shell::Effect;
use crate::site::state::Site;
use crate::transport::RequestResult;
use crate::web::{Request, Response};

/// What came of a request to an application.
#[derive(Debug, Clone)]
pub enum RequestOutcome {
    Answered {
        response: Response,
        /// From the first byte of the request to the last of the answer; once to the host and back is in it.
        seconds: f64,
    },
    /// Why there was no answer.
    Failed(String),
    /// A plan does not ask.
    Planned,
}

/// Sends a request, which is called `title`. A plan sends only what changes nothing, and not to a release that is not
/// there.
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
        Some(RequestResult::Interrupted) => bail!("interrupted"),
    }
}

/// The absolute path of a file of the release, or of what is served where there is none. Not by way of `current`: what
/// a process has learnt of that may be of before the swap.
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
