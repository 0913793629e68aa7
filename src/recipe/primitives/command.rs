//! Commands and files on a host.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rhai::plugin::*;
use rhai::{Dynamic, Map};

use crate::event::Suggestion;
use crate::recipe::context::{Context, ScriptHost};
use crate::recipe::failure::{CommandFailed, ScriptResult, mistake, mistake_text, uncaught};
use crate::recipe::primitives::cause;
use crate::recipe::value::{environment, text_of, type_name};
use crate::run::guard;
use crate::shell::{Answer, Exit};
use crate::site::command::{self, CommandOutcome, CommandRequest};
use crate::site::file;

/// The output of a command, or how it failed.
pub fn checked_output(command: &str, answer: &Answer, path: Option<&str>) -> Result<String, CommandFailed> {
    if answer.exit.is_success() {
        return Ok(command::text_of(answer));
    }
    let is_missing = answer.exit == Exit::Code(127);
    Err(CommandFailed {
        command: command.to_owned(),
        exit: answer.exit,
        output: cause::lines(answer),
        path: path.filter(|_| is_missing).map(str::to_owned),
    })
}

/// The options of a command.
pub const OPTIONS: [&str; 5] = ["cwd", "env", "errexit", "timeout", "user"];

/// Reads `#{cwd, env, errexit, timeout, user}`.
pub fn command_request(context: &Context, command: &str, options: Map) -> ScriptResult<CommandRequest> {
    let mut request = CommandRequest { text: command.to_owned(), ..CommandRequest::default() };
    for (key, value) in options {
        let kind = type_name(&value);
        let wrong = |wanted: &str| mistake_text(format!("option `{key}` must be {wanted}, not {kind}"));
        match key.as_str() {
            "cwd" => request.cwd = value.into_string().map_err(|_| wrong("a path"))?,
            "user" => request.user = Some(value.into_string().map_err(|_| wrong("a user name"))?),
            "errexit" => request.errexit = Some(value.as_bool().map_err(|_| wrong("true or false"))?),
            "timeout" => {
                let seconds = value.as_int().map_err(|_| wrong("a number of seconds"))?;
                let seconds = u64::try_from(seconds).ok().filter(|n| *n > 0);
                let least = || mistake_text(format!("option `{key}` must be at least 1 second"));
                request.timeout = Some(Duration::from_secs(seconds.ok_or_else(least)?));
            }
            "env" => {
                let map = value.try_cast::<Map>().ok_or_else(|| wrong("a table"))?;
                request.env = environment(map).map_err(mistake)?;
            }
            other => {
                let near = Suggestion::new(other, OPTIONS);
                return Err(mistake_text(format!("unknown option `{other}`{near}")));
            }
        }
    }
    request.timeout = context.timeout(request.timeout);
    Ok(request)
}

fn run_it(call: &NativeCallContext, host: &ScriptHost, command: &str, options: Map) -> ScriptResult<Dynamic> {
    let context = &host.context;
    let request = command_request(context, command, options).map_err(|error| uncaught(call, error))?;
    let Some(answer) = host.outcome(guard::command(context.run(), host.index, &request))? else {
        return Ok(context.unanswered(command));
    };
    let path = host.site().seen().map(|seen| seen.facts.path.clone()).ok();
    Ok(checked_output(command, &answer, path.as_deref())
        .map(Dynamic::from)
        .map_err(|end| host.failed(end).raised_in(call))?)
}

fn output_of(
    call: &NativeCallContext,
    host: &ScriptHost,
    command: &str,
    options: Map,
) -> ScriptResult<Dynamic> {
    let context = &host.context;
    let request = command_request(context, command, options).map_err(|error| uncaught(call, error))?;
    let ran = command::test(&mut host.site(), &request);
    match host.outcome(ran)? {
        CommandOutcome::Planned => Ok(context.unanswered(command)),
        CommandOutcome::Done(answer, _) => Ok(checked_output(command, &answer, None)
            .map(Dynamic::from)
            .map_err(|end| host.failed(end).raised_in(call))?),
    }
}

fn test_it(
    call: &NativeCallContext,
    host: &ScriptHost,
    command: &str,
    options: Map,
) -> ScriptResult<Dynamic> {
    let context = &host.context;
    let request = command_request(context, command, options).map_err(|error| uncaught(call, error))?;
    let ran = command::test(&mut host.site(), &request);
    match host.outcome(ran)? {
        CommandOutcome::Planned => Ok(context.unanswered(command)),
        CommandOutcome::Done(answer, _) => match answer.exit {
            Exit::Code(code) => Ok((code == 0).into()),
            exit => {
                let end = CommandFailed {
                    command: command.to_owned(),
                    exit,
                    output: cause::lines(&answer),
                    path: None,
                };
                Err(host.failed(end).raised_in(call).into())
            }
        },
    }
}

#[export_module]
pub mod api {
    /// Runs a command on the host and returns its output, without the final newline. Before the swap, the command
    /// runs in the new release; after it, in `current`. Fails if the command fails, or if it writes into a file that
    /// other releases share. A plan only lists the command, and its output is unknown.
    #[rhai_fn(pure, return_raw)]
    pub fn run(call: NativeCallContext, host: &mut ScriptHost, command: &str) -> ScriptResult<Dynamic> {
        run_it(&call, host, command, Map::new())
    }

    /// Like `host.run(command)`, with options:
    /// - `cwd`: the directory to run in, absolute or relative to the default
    /// - `env`: a table of environment variables
    /// - `errexit`: whether a failing line ends the command (`set -e`); by default, if it has more than one line
    /// - `timeout`: the limit in seconds
    /// - `user`: another user, by `sudo -n`
    #[rhai_fn(name = "run", pure, return_raw)]
    pub fn run_with(
        call: NativeCallContext,
        host: &mut ScriptHost,
        command: &str,
        options: Map,
    ) -> ScriptResult<Dynamic> {
        run_it(&call, host, command, options)
    }

    /// Runs a command that changes nothing, in the directory of `host.run`, and returns its output. It needs no lock.
    /// Fails if the command fails. A plan runs it, too, unless its directory does not exist yet.
    #[rhai_fn(pure, return_raw)]
    pub fn output(call: NativeCallContext, host: &mut ScriptHost, command: &str) -> ScriptResult<Dynamic> {
        output_of(&call, host, command, Map::new())
    }

    /// Like `host.output(command)`, with the options of `host.run`.
    #[rhai_fn(name = "output", pure, return_raw)]
    pub fn output_with(
        call: NativeCallContext,
        host: &mut ScriptHost,
        command: &str,
        options: Map,
    ) -> ScriptResult<Dynamic> {
        output_of(&call, host, command, options)
    }

    /// Whether a command succeeds. The command must change nothing. It runs in the directory of `host.run`, and needs
    /// no lock. Fails if the command is ended by a timeout or a signal. A plan runs it, too, unless its directory
    /// does not exist yet.
    #[rhai_fn(pure, return_raw)]
    pub fn test(call: NativeCallContext, host: &mut ScriptHost, command: &str) -> ScriptResult<Dynamic> {
        test_it(&call, host, command, Map::new())
    }

    /// Like `host.test(command)`, with the options of `host.run`.
    #[rhai_fn(name = "test", pure, return_raw)]
    pub fn test_with(
        call: NativeCallContext,
        host: &mut ScriptHost,
        command: &str,
        options: Map,
    ) -> ScriptResult<Dynamic> {
        test_it(&call, host, command, options)
    }

    /// The content of a file on the host, as text. A relative path starts in the directory of `host.run`. Fails if
    /// the file cannot be read.
    #[rhai_fn(pure, return_raw)]
    pub fn read(host: &mut ScriptHost, path: &str) -> ScriptResult<Dynamic> {
        let bytes = file::read(&mut host.site(), path);
        match host.outcome(bytes)? {
            None => Ok(host.context.unanswered(&format!("read {path}"))),
            Some(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned().into()),
        }
    }

    /// Writes a text to a file on the host. A relative path starts in the directory of `host.run`. The file's
    /// directory must exist. The file is replaced by a new one in one step, so that other releases keep theirs. A
    /// plan only lists the file.
    #[rhai_fn(pure, return_raw)]
    pub fn write(host: &mut ScriptHost, path: &str, text: &str) -> ScriptResult<()> {
        let written = file::write(&mut host.site(), path, text);
        host.outcome(written)
    }

    /// Whether there is a file, a directory or a link on the host. A relative path starts in the directory of
    /// `host.run`.
    #[rhai_fn(pure, return_raw)]
    pub fn exists(host: &mut ScriptHost, path: &str) -> ScriptResult<Dynamic> {
        let exists = file::exists(&mut host.site(), path);
        match host.outcome(exists)? {
            None => Ok(host.context.unanswered(&format!("exists {path}"))),
            Some(exists) => Ok(exists.into()),
        }
    }

    /// Fills a template and writes it to a file on the host, as `host.write` does. `from` is a file on this machine,
    /// relative to `runner.toml`. Each `{{ name }}` in it is replaced by the value of that name. Fails if a name has
    /// no value.
    #[rhai_fn(pure, return_raw)]
    pub fn template(host: &mut ScriptHost, from: &str, to: &str, values: Map) -> ScriptResult<()> {
        let path = host.outcome(host.context.world().directory())?.join(from);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("failed to read template `{from}`"));
        let text = host.outcome(text.and_then(|text| fill_in(&text, &values)))?;
        write(host, to, &text)
    }

    /// Copies a file from the host to this machine. `to` is relative to `runner.toml`. A plan copies nothing.
    #[rhai_fn(pure, return_raw)]
    pub fn download(host: &mut ScriptHost, from: &str, to: &str) -> ScriptResult<()> {
        let bytes = file::read(&mut host.site(), from);
        let Some(bytes) = host.outcome(bytes)? else {
            return Ok(());
        };
        if host.context.run().mode.is_plan() {
            return Ok(());
        }
        let path = host.context.run().here.project.own_directory().join(to);
        let written = std::fs::write(&path, bytes).with_context(|| format!("failed to write `{to}`"));
        host.outcome(written)
    }
}

/// Replaces every `{{ name }}`; a name without a value is an error.
fn fill_in(text: &str, values: &Map) -> anyhow::Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, tail) =
            after.split_once("}}").ok_or_else(|| anyhow!("the template has a `{{{{` without `}}}}`"))?;
        let name = name.trim();
        let value = values.get(name).ok_or_else(|| {
            let near = Suggestion::new(name, values.keys().map(|key| key.as_str()));
            anyhow!("the template needs a value for `{name}`{near}")
        })?;
        out.push_str(before);
        out.push_str(&text_of(value, &format!("the value of `{name}`"))?);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_in_and_a_missing_value_is_named() {
        let mut values = Map::new();
        values.insert("name".into(), "shop".into());
        values.insert("port".into(), 8080_i64.into());
        let text = fill_in("{{ name }} on {{port}}\n", &values).unwrap();
        assert_eq!(text, "shop on 8080\n");
        let error = fill_in("{{ nme }}", &values).unwrap_err().to_string();
        assert_eq!(error, "the template needs a value for `nme` (did you mean `name`?)");
    }
}
