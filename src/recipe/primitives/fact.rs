//! Properties of a host and of a failure.

use anyhow::anyhow;
use rhai::plugin::*;
use rhai::{Array, Dynamic};

use crate::event::Report;
use crate::recipe::context::ScriptHost;
use crate::recipe::failure::{Failure, ScriptResult, mistake_text};
use crate::recipe::value::texts;
use crate::site::command;

#[export_module]
pub mod api {
    /// The name of the host in `runner.toml`.
    #[rhai_fn(get = "name", pure)]
    pub fn name(host: &mut ScriptHost) -> String {
        host.name()
    }

    /// The roles of the host in `runner.toml`, as a list. If it is empty, the host has every role.
    #[rhai_fn(get = "roles", pure)]
    pub fn roles(host: &mut ScriptHost) -> Array {
        let roles = host.context.run().fleet.hosts[host.index].roles.clone();
        roles.unwrap_or_default().into_iter().map(Dynamic::from).collect()
    }

    /// The absolute deploy path on the host. Fails if the run has not connected to the host yet.
    #[rhai_fn(get = "path", pure, return_raw)]
    pub fn path(host: &mut ScriptHost) -> ScriptResult<String> {
        let root = host.site().seen().map(|seen| seen.root.clone());
        host.outcome(root)
    }

    /// The path of the release that this run made or went back to; `()` if there is none yet.
    #[rhai_fn(get = "release", pure, return_raw)]
    pub fn release(host: &mut ScriptHost) -> ScriptResult<Dynamic> {
        let site = host.site();
        let root = host.outcome(site.seen().map(|seen| seen.root.clone()))?;
        let name = site.release();
        Ok(name.map_or(Dynamic::UNIT, |name| format!("{root}/releases/{name}").into()))
    }

    /// The path of the release that was live when this run began; `()` if none was.
    #[rhai_fn(get = "previous", pure, return_raw)]
    pub fn previous(host: &mut ScriptHost) -> ScriptResult<Dynamic> {
        let site = host.site();
        let root = host.outcome(site.seen().map(|seen| seen.root.clone()))?;
        let name = site.session.view().previous();
        Ok(name.map_or(Dynamic::UNIT, |name| format!("{root}/releases/{name}").into()))
    }

    /// The path of the live release; `()` if there is none.
    #[rhai_fn(get = "live", pure, return_raw)]
    pub fn live(host: &mut ScriptHost) -> ScriptResult<Dynamic> {
        let site = host.site();
        let seen = host.outcome(site.seen())?;
        Ok(seen.live().map_or(Dynamic::UNIT, |name| format!("{}/releases/{name}", seen.root).into()))
    }

    /// The path of the `current` link.
    #[rhai_fn(get = "current", pure, return_raw)]
    pub fn current(host: &mut ScriptHost) -> ScriptResult<String> {
        Ok(format!("{}/current", path(host)?))
    }

    /// The operating system of the host, as `uname` prints it: `Linux`.
    #[rhai_fn(get = "os", pure, return_raw)]
    pub fn os(host: &mut ScriptHost) -> ScriptResult<String> {
        let os = host.site().seen().map(|seen| seen.facts.os.clone());
        host.outcome(os)
    }

    /// Whether a program is in the `PATH` of the host. A plan checks it, too.
    #[rhai_fn(pure, return_raw)]
    pub fn has(host: &mut ScriptHost, program: &str) -> ScriptResult<bool> {
        let has = command::has(&mut host.site(), program);
        host.outcome(has)
    }

    /// Prints a line about the host in the output of the run.
    #[rhai_fn(pure)]
    pub fn note(host: &mut ScriptHost, text: &str) {
        host.context.note(&format!("`{}`: {text}", host.name()));
    }

    /// Prints a warning about the host in the output of the run.
    #[rhai_fn(pure)]
    pub fn warn(host: &mut ScriptHost, text: &str) {
        host.context.run().warn(format!("`{}`: {text}", host.name()));
    }

    /// Fails the task on this host with this message.
    #[rhai_fn(pure, return_raw)]
    pub fn fail(host: &mut ScriptHost, message: &str) -> ScriptResult<()> {
        Err(host.failed(anyhow!("{message}")).into())
    }

    /// Like `host.fail(message)`, with a list of problems to print below the message.
    #[rhai_fn(name = "fail", pure, return_raw)]
    pub fn fail_with(host: &mut ScriptHost, message: &str, found: Array) -> ScriptResult<()> {
        let notes = texts(found, "the second argument of `fail`").map_err(mistake_text)?;
        let failure = host.failed(Report { notes, ..Report::new(message) });
        Err(Failure { is_found: true, ..failure }.into())
    }

    /// The message of the failure.
    #[rhai_fn(get = "message", pure)]
    pub fn message(failure: &mut Failure) -> String {
        failure.message()
    }

    // A script may throw a text, which is its own message.
    #[rhai_fn(get = "message", pure, name = "message_of_text")]
    pub fn message_of_text(text: &mut ImmutableString) -> ImmutableString {
        text.clone()
    }

    /// The name of the host where it failed; empty for this machine and for a set of hosts.
    #[rhai_fn(get = "host", pure)]
    pub fn host(failure: &mut Failure) -> String {
        failure.host.clone()
    }

    /// The task that failed.
    #[rhai_fn(get = "task", pure)]
    pub fn task(failure: &mut Failure) -> String {
        failure.task.clone()
    }

    /// The command that failed; `()` if it was not a command.
    #[rhai_fn(get = "command", pure)]
    pub fn command(failure: &mut Failure) -> Dynamic {
        failure.ended().map_or(Dynamic::UNIT, |end| end.command.clone().into())
    }

    /// The exit status of the command: 128 + n after signal n, -1 after a timeout. `()` if it was not a command.
    #[rhai_fn(get = "status", pure)]
    pub fn status(failure: &mut Failure) -> Dynamic {
        failure.ended().map_or(Dynamic::UNIT, |end| end.status().into())
    }

    /// The lines of the command's output that say why it failed: its first errors and its last lines, of standard output, then of
    /// standard error.
    #[rhai_fn(get = "output", pure)]
    pub fn output(failure: &mut Failure) -> String {
        failure.ended().map(|end| end.output.clone()).unwrap_or_default()
    }

    /// The message of the failure.
    #[rhai_fn(name = "to_string", pure)]
    pub fn failure_to_string(failure: &mut Failure) -> String {
        failure.message()
    }

    /// The name of the host.
    #[rhai_fn(name = "to_string", pure)]
    pub fn host_to_string(host: &mut ScriptHost) -> String {
        host.name()
    }
}
