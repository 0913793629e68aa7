//! Commands of a recipe on one host, and the files it reads and writes there.

use std::time::Duration;

use anyhow::Result;

use super::build::texts;
use super::{Site, Told, Work};
use crate::event::Event;
use crate::release::command::{self, Command, Place};
use crate::release::survey;
use crate::shell::Answer;
use crate::transport::{Remote, Reply};
use crate::tree::TreePath;

/// What a recipe asks for when it runs a command.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub text: String,
    pub cwd: String,
    pub env: Vec<(String, String)>,
    pub timeout: Option<Duration>,
    pub user: Option<String>,
}

/// How a command ended.
pub enum Ran {
    /// Its answer, and files shared with the last release that it wrote in place.
    Done(Answer, Vec<TreePath>),
    /// A plan does not run it.
    Planned,
}

impl Site {
    /// Runs a command where the run is at: in the release being built, else in `current`, else in the site.
    pub fn run(&mut self, asked: &Asked, tag: &str) -> Result<Ran> {
        let lock = self.locked()?;
        let command = self.command(asked)?;
        self.events.event(Event::Command { host: self.host.name.clone(), text: asked.text.clone() });
        let step = command.run(&lock, tag);
        self.prepare(&step.act)?;
        let mut listener = Told::new(&self.host.name, &self.events, None).lines();
        let reply = self.remote.perform(&step.act, &mut listener);
        drop(listener);
        self.is_cut |= reply.is_err();
        if matches!(reply, Ok(Reply::Recorded)) {
            self.planned(format!("run `{}`", asked.text));
            return Ok(Ran::Planned);
        }
        let Some(said) = self.read(step, reply)? else {
            return Ok(Ran::Planned);
        };
        if said.differs.is_empty() {
            return Ok(Ran::Done(said.answer, Vec::new()));
        }
        if let Some((record, manifest)) = self.guarded() {
            record.touched = texts(&survey::named(manifest, &said.differs));
        }
        let written = self.inspect()?;
        Ok(Ran::Done(said.answer, written))
    }

    /// Asks by a command; it is expected to change nothing, and a plan runs it where its release exists.
    pub fn test(&mut self, asked: &Asked) -> Result<Ran> {
        let root = self.root()?;
        if self.is_imaginary() {
            return Ok(Ran::Planned);
        }
        let step = self.command(asked)?.test(&root);
        Ok(Ran::Done(self.ask(step)?, Vec::new()))
    }

    pub fn read_file(&mut self, path: &str) -> Result<Option<Vec<u8>>> {
        let root = self.root()?;
        if self.is_imaginary() {
            return Ok(None);
        }
        let step = command::read_file(&root, &self.place()?, path);
        self.ask(step).map(Some)
    }

    /// Reads a file of a release by its name, for a diff.
    pub fn read_from(&mut self, release: &Place, path: &str) -> Result<Vec<u8>> {
        let root = self.root()?;
        self.ask(command::read_file(&root, release, path))
    }

    /// Replaces a file by a new one, so that nothing linked is ever written.
    pub fn write_file(&mut self, path: &str, content: &str) -> Result<()> {
        let root = self.root()?;
        let step = command::write_file(&root, &self.place()?, path, content);
        self.is_worked_in |= self.release().is_some();
        if self.act(step)?.is_none() {
            self.planned(format!("write `{path}`"));
        }
        Ok(())
    }

    pub fn exists(&mut self, path: &str) -> Result<Option<bool>> {
        let root = self.root()?;
        if self.is_imaginary() {
            return Ok(None);
        }
        let step = command::exists(&root, &self.place()?, path);
        self.ask(step).map(Some)
    }

    pub fn has(&mut self, program: &str) -> Result<bool> {
        if self.seen.as_ref().is_some_and(|seen| seen.facts.has(program)) {
            return Ok(true);
        }
        let mut step = command::has(program);
        for (key, value) in &self.options.env {
            step.act.script = step.act.script.export(key, value);
        }
        self.ask(step)
    }

    fn command(&mut self, asked: &Asked) -> Result<Command> {
        let place = self.place()?;
        self.is_worked_in |= self.release().is_some();
        let mut env = self.options.env.clone();
        let live = self.seen.as_ref().and_then(|seen| seen.live());
        let release = if self.is_in_current { live } else { self.release() };
        if let Some(release) = release {
            env.push(("RELEASE".to_owned(), release.to_string()));
        }
        env.extend(asked.env.iter().cloned());
        let guard = self.guarded().map(|(record, _)| record.name.clone());
        Ok(Command {
            text: asked.text.clone(),
            place,
            cwd: asked.cwd.clone(),
            env,
            timeout: asked.timeout,
            user: asked.user.clone(),
            guard: guard.filter(|_| self.seen.as_ref().is_some_and(|s| s.facts.has("stat"))),
        })
    }

    /// Where commands work by default; it is there when this returns.
    fn place(&mut self) -> Result<Place> {
        let is_live = self.seen.as_ref().is_some_and(|seen| seen.live().is_some());
        Ok(match &self.work {
            _ if self.is_in_current && is_live => Place::Current,
            // An undo works where its task did.
            Work::Building { record, .. } | Work::Complete { record, .. } | Work::TakenBack { record } => {
                let place = Place::Release(record.name.clone());
                self.make_release()?;
                place
            }
            Work::Swapped { .. } => Place::Current,
            Work::None if is_live => Place::Current,
            Work::None => Place::Site,
        })
    }

    /// Whether commands would work in a release that a plan has not made.
    pub(super) fn is_imaginary(&self) -> bool {
        self.is_planning && !matches!(self.work, Work::None)
    }
}
