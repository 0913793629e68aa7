//! What listens on a host is asked, through the connection.

use anyhow::{Context, Result, bail};

use super::Site;
use crate::event::Event;
use crate::transport::{QuestionOutcome, Remote};
use crate::web::{Question, Response};

/// What came of a question to an application.
#[derive(Debug, Clone)]
pub enum Heard {
    Answered {
        response: Response,
        /// From the first byte of the question to the last of the answer; once to the host and back is in it.
        seconds: f64,
    },
    /// Why there was no answer.
    Failed(String),
    /// A plan does not ask.
    Planned,
}

impl Site {
    /// Asks a question, which is called `title`. A plan asks only what changes nothing, and not of a release that is not there.
    pub fn hear(&mut self, question: &Question, title: &str, is_safe: bool) -> Result<Heard> {
        if self.is_planning && (!is_safe || self.is_imaginary()) {
            self.planned(format!("ask `{title}`"));
            return Ok(Heard::Planned);
        }
        self.events.event(Event::Command { host: self.host.name.clone(), text: title.to_owned() });
        let told = self.remote.ask(question);
        self.is_cut |= told.is_err();
        match told.with_context(|| format!("`{title}` of `{}` was cut off", self.host.name))? {
            QuestionOutcome::Answered(response, took) => {
                Ok(Heard::Answered { response, seconds: took.as_secs_f64() })
            }
            QuestionOutcome::Failed(why) => Ok(Heard::Failed(why)),
            QuestionOutcome::Interrupted => bail!("interrupted"),
        }
    }

    /// The absolute path of a file of the release, or of what is served where there is none. Not by way of `current`: what
    /// a process has learnt of that may be of before the swap.
    pub fn absolute(&self, path: &str) -> Result<String> {
        if path.starts_with('/') {
            return Ok(path.to_owned());
        }
        let live = self.seen()?.live();
        let release = if self.is_in_current { live } else { self.release().or(live) };
        let root = self.root()?;
        Ok(match release {
            Some(name) => format!("{root}/releases/{name}/{path}"),
            None => format!("{root}/current/{path}"),
        })
    }
}
