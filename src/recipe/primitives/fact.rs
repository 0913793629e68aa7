//! What is known of a host, and of a failure.

use anyhow::anyhow;
use rhai::plugin::*;
use rhai::{Array, Dynamic};

use crate::event::Report;
use crate::recipe::context::Host;
use crate::recipe::failure::{Failure, Outcome, mistake_text};
use crate::recipe::primitives::declare::texts;

#[export_module]
pub mod api {
    /// The name of the host in `runner.toml`.
    #[rhai_fn(get = "name", pure)]
    pub fn name(host: &mut Host) -> String {
        host.name()
    }

    /// The roles of the host; empty when it has every role.
    #[rhai_fn(get = "roles", pure)]
    pub fn roles(host: &mut Host) -> Array {
        let roles = host.context.run().fleet.hosts[host.index].roles.clone();
        roles.unwrap_or_default().into_iter().map(Dynamic::from).collect()
    }

    /// The deploy path.
    #[rhai_fn(get = "path", pure, return_raw)]
    pub fn path(host: &mut Host) -> Outcome<String> {
        let root = host.site().seen().map(|seen| seen.root.clone());
        host.outcome(root)
    }

    /// The path of the release of this run; `()` while there is none.
    #[rhai_fn(get = "release", pure, return_raw)]
    pub fn release(host: &mut Host) -> Outcome<Dynamic> {
        let site = host.site();
        let root = host.outcome(site.seen().map(|seen| seen.root.clone()))?;
        let name = site.release();
        Ok(name.map_or(Dynamic::UNIT, |name| format!("{root}/releases/{name}").into()))
    }

    /// The path of the release before this run's: what is live until the swap; `()` on a first deploy.
    #[rhai_fn(get = "previous", pure, return_raw)]
    pub fn previous(host: &mut Host) -> Outcome<Dynamic> {
        let site = host.site();
        let root = host.outcome(site.seen().map(|seen| seen.root.clone()))?;
        let name = site.previous();
        Ok(name.map_or(Dynamic::UNIT, |name| format!("{root}/releases/{name}").into()))
    }

    /// The path of the release that is served now; `()` where there is none.
    #[rhai_fn(get = "live", pure, return_raw)]
    pub fn live(host: &mut Host) -> Outcome<Dynamic> {
        let site = host.site();
        let seen = host.outcome(site.seen())?;
        Ok(seen.live().map_or(Dynamic::UNIT, |name| format!("{}/releases/{name}", seen.root).into()))
    }

    /// The path of `current`.
    #[rhai_fn(get = "current", pure, return_raw)]
    pub fn current(host: &mut Host) -> Outcome<String> {
        Ok(format!("{}/current", path(host)?))
    }

    /// The operating system, as `uname` names it: `Linux`.
    #[rhai_fn(get = "os", pure, return_raw)]
    pub fn os(host: &mut Host) -> Outcome<String> {
        let os = host.site().seen().map(|seen| seen.facts.os.clone());
        host.outcome(os)
    }

    /// Whether a program is on the host's search path.
    #[rhai_fn(pure, return_raw)]
    pub fn has(host: &mut Host, program: &str) -> Outcome<bool> {
        let has = host.site().has(program);
        host.outcome(has)
    }

    /// Says something about the host in the run's output.
    #[rhai_fn(pure)]
    pub fn note(host: &mut Host, text: &str) {
        host.context.note(&format!("`{}`: {text}", host.name()));
    }

    /// Says something about the host that deserves attention.
    #[rhai_fn(pure)]
    pub fn warn(host: &mut Host, text: &str) {
        host.context.run().warn(format!("`{}`: {text}", host.name()));
    }

    /// Fails the task on this host with a message.
    #[rhai_fn(pure, return_raw)]
    pub fn fail(host: &mut Host, message: &str) -> Outcome<()> {
        Err(host.failed(anyhow!("{message}")).into())
    }

    /// The same with a list of what was found on the host: texts, told below the message.
    #[rhai_fn(name = "fail", pure, return_raw)]
    pub fn fail_with(host: &mut Host, message: &str, found: Array) -> Outcome<()> {
        let notes = texts(found, "what was found").map_err(mistake_text)?;
        let failure = host.failed(Report { notes, ..Report::new(message) });
        Err(Failure { is_found: true, ..failure }.into())
    }

    /// What went wrong.
    #[rhai_fn(get = "message", pure)]
    pub fn message(failure: &mut Failure) -> String {
        failure.message()
    }

    // A script may throw a text: it is its own message.
    #[rhai_fn(get = "message", pure, name = "message_of_text")]
    pub fn message_of_text(text: &mut ImmutableString) -> ImmutableString {
        text.clone()
    }

    /// The host it went wrong on; empty for this machine.
    #[rhai_fn(get = "host", pure)]
    pub fn host(failure: &mut Failure) -> String {
        failure.host.clone()
    }

    /// The task it went wrong in.
    #[rhai_fn(get = "task", pure)]
    pub fn task(failure: &mut Failure) -> String {
        failure.task.clone()
    }

    /// The command that failed; `()` when it was none.
    #[rhai_fn(get = "command", pure)]
    pub fn command(failure: &mut Failure) -> Dynamic {
        failure.ended().map_or(Dynamic::UNIT, |end| end.command.clone().into())
    }

    /// The command's exit status; 128 + n for signal n, -1 for a timeout, `()` when it was no command.
    #[rhai_fn(get = "status", pure)]
    pub fn status(failure: &mut Failure) -> Dynamic {
        failure.ended().map_or(Dynamic::UNIT, |end| end.status().into())
    }

    /// The last lines the command said.
    #[rhai_fn(get = "output", pure)]
    pub fn output(failure: &mut Failure) -> String {
        failure.ended().map(|end| end.output.clone()).unwrap_or_default()
    }

    /// A failure as text.
    #[rhai_fn(name = "to_string", pure)]
    pub fn failure_to_string(failure: &mut Failure) -> String {
        failure.message()
    }

    /// A host as text: its name.
    #[rhai_fn(name = "to_string", pure)]
    pub fn host_to_string(host: &mut Host) -> String {
        host.name()
    }
}
