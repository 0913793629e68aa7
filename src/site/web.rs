//! What listens on a host is asked, through the connection.

use anyhow::{Result, bail};

use crate::shell::Effect;
use crate::site::state::Site;
use crate::transport::QuestionOutcome;
use crate::web::{Question, Response};

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
pub fn request(site: &mut Site, question: &Question, title: &str, is_safe: bool) -> Result<RequestOutcome> {
    let effect = match is_safe && !site.is_imaginary() {
        true => Effect::Reads,
        false => Effect::Writes,
    };
    match site.session.request(question, title, effect)? {
        None => Ok(RequestOutcome::Planned),
        Some(QuestionOutcome::Answered(response, took)) => {
            Ok(RequestOutcome::Answered { response, seconds: took.as_secs_f64() })
        }
        Some(QuestionOutcome::Failed(why)) => Ok(RequestOutcome::Failed(why)),
        Some(QuestionOutcome::Interrupted) => bail!("interrupted"),
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
