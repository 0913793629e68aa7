//! Commands on this machine. They run like those on a server, in a shell of their own.

use std::sync::PoisonError;

use anyhow::Result;

use crate::event::Event;
use crate::here::{Here, NAME};
use crate::release::command::{Command, CommandPlace};
use crate::shell::Answer;
use crate::site::CommandRequest;
use crate::site::listener::OutputListener;

impl Here {
    /// Runs a command here; a plan only lists it.
    pub fn local(&self, request: &CommandRequest) -> Result<Option<Answer>> {
        if self.plans(|| format!("run `{}` (this plan does not include what it changes)", request.text)) {
            return Ok(None);
        }
        self.events.event(Event::Command { host: NAME.to_owned(), text: request.text.clone() });
        let mut remote = self.remote.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = self.project.directory()?;
        let mut env = Vec::new();
        if let Some(export) = self.project.export()? {
            // git must not find a repository that the cache directory happens to be in.
            env.push(("GIT_CEILING_DIRECTORIES".to_owned(), export.ceiling().to_string_lossy().into_owned()));
        }
        env.extend(self.env.iter().cloned());
        env.extend(request.env.iter().cloned());
        let command = Command {
            text: request.text.clone(),
            place: CommandPlace::Site,
            cwd: request.cwd.clone(),
            env,
            timeout: request.timeout,
            user: request.user.clone(),
            errexit: request.errexit,
            guard: None,
        };
        let step = command.test(directory.as_path());
        let mut lines = OutputListener::new(NAME, &self.events, None).lines();
        Ok(Some(remote.perform(&step.act, &mut lines)?))
    }
}
