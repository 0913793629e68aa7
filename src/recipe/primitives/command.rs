//! Commands on a host.

use std::time::Duration;

use rhai::plugin::*;
use rhai::{Dynamic, Map};

use crate::event::Suggestion;
use crate::recipe::context::{Context, ScriptHost};
use crate::recipe::failure::{CommandFailed, ScriptResult, mistake, mistake_text, uncaught};
use crate::recipe::primitives::cause;
use crate::recipe::value::{environment, type_name};
use crate::run::guard;
use crate::shell::{Answer, Exit};
use crate::site::command::{self, CommandOutcome, CommandRequest};

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
}
