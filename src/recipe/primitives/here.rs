//! What happens on this machine: commands, the environment, questions, files.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};

use crate::event::{Report, Suggestion, mask};
use crate::here::build_cache::CacheRule;
use crate::here::question;
use crate::recipe::context::{Context, ScriptHosts};
use crate::recipe::failure::{Failure, ScriptResult, mistake, mistake_text, uncaught};
use crate::recipe::options::paths;
use crate::recipe::primitives::command::{checked_output, command_request};
use crate::recipe::value::{text_of, texts};
use crate::recipe::world::{World, locked};
use crate::shell::Word;

/// Fails if there is no terminal to ask on.
fn prompt_allowed(context: &Context, what: &str, instead: &str) -> ScriptResult<()> {
    if context.world().can_prompt {
        return Ok(());
    }
    Err(mistake(
        Report::new(format!("cannot ask without a terminal: {what}"))
            .hint(format!("run it in a terminal, or {instead}")),
    ))
}

/// How a recipe can do without a question.
const BY_SETTING: &str =
    "read a setting instead: `get(\"answer\")` in the recipe, `--set answer=...` on the command line";

/// The fields of the option `cache`.
const CACHE: [&str; 4] = ["key", "paths", "version", "unless"];

fn read_line(context: &Context, question: &str) -> ScriptResult<String> {
    let _one_at_a_time = locked(&context.world().typed);
    let line = question::line(&format!("{question} "), &context.run().cancel_token, &*context.run().events);
    Ok(line.map_err(|error| unanswered(context, error))?.trim().to_owned())
}

/// Why there is no answer to a question.
fn unanswered(context: &Context, error: std::io::Error) -> Failure {
    match context.run().cancel_token.is_cancelled() {
        true => context.failure("", Report::interrupted()),
        false => context.failure("", error),
    }
}

/// Reads `#{key, paths, version, unless}`.
fn cache_rule(value: Dynamic) -> ScriptResult<CacheRule> {
    let wrong = |wanted: &str| mistake_text(format!("option `cache` {wanted}"));
    let Some(mut map) = value.try_cast::<Map>() else {
        return Err(wrong("must be a table: `#{ key: [\"package-lock.json\"], paths: [\"node_modules\"] }`"));
    };
    let mut list = |name: &str| -> ScriptResult<Vec<String>> {
        let list = map.remove(name).and_then(|value| value.try_cast::<Array>()).unwrap_or_default();
        texts(list, &format!("`{name}` of option `cache`")).map_err(mistake_text)
    };
    let (key, made, unless) = (list("key")?, list("paths")?, list("unless")?);
    if key.is_empty() || made.is_empty() {
        return Err(wrong("must have `key` and `paths`, two lists of paths"));
    }
    let [key, made] =
        [key, made].map(|texts| paths("cache", &texts).map_err(|error| mistake(Report::of(&error))));
    let (key, made) = (key?, made?);
    for (n, path) in made.iter().enumerate() {
        if let Some(other) = made[..n].iter().find(|other| path.starts_with(other) || other.starts_with(path))
        {
            return Err(wrong(&format!("has overlapping `paths`: `{other}` and `{path}`")));
        }
    }
    let version = map.remove("version");
    let version = version.map(|value| text_of(&value, "`version` of option `cache`").map_err(mistake));
    let version = version.transpose()?.unwrap_or_default();
    match map.keys().next() {
        Some(other) => Err(wrong(&format!("has no field `{other}`{}", Suggestion::new(other, CACHE)))),
        None => Ok(CacheRule { key, version, unless, paths: made }),
    }
}

fn run_here(call: &NativeCallContext, command: &str, mut options: Map) -> ScriptResult<Dynamic> {
    let context = Context::of(call)?;
    let wrong = |error| uncaught(call, error);
    let cached = options.remove("cache").map(cache_rule).transpose().map_err(wrong)?;
    let request = command_request(&context, command, options).map_err(wrong)?;
    let answer = match cached {
        Some(cached) => context.run().here.local_cached(&request, &cached),
        None => context.run().here.local(&request),
    };
    let answer = answer.map_err(|error| context.failure("", error))?;
    match answer {
        None => Ok(context.unanswered(command)),
        Some(answer) => Ok(checked_output(&request.text, &answer, None)
            .map(Dynamic::from)
            .map_err(|end| context.failure("", end).raised_in(call))?),
    }
}

#[export_module]
pub mod api {
    /// Runs a command on this machine and returns its output, without the final newline. It runs in the directory of
    /// `runner.toml`; with the setting `ref`, in the copy of that directory in the export. Fails if the command
    /// fails. A plan only lists the command.
    #[rhai_fn(return_raw)]
    pub fn local(call: NativeCallContext, command: &str) -> ScriptResult<Dynamic> {
        run_here(&call, command, Map::new())
    }

    /// Like `local(command)`, with options:
    /// - `cwd`: the directory to run in
    /// - `env`: a table of environment variables
    /// - `errexit`: whether a failing line ends the command (`set -e`); by default, if it has more than one line
    /// - `timeout`: the limit in seconds
    /// - `user`: another user, by `sudo -n`
    /// - `cache`: keeps what the command makes, and reuses it: `#{ key: ["package-lock.json"], paths:
    ///   ["node_modules"] }`
    ///
    /// A cached result is used instead of running the command, and the output is then empty, if all of this is true:
    /// - the command, its other options and the setting `env` are the same
    /// - all files of `key` exist and have the same content
    /// - the text `version`, if given, is the same
    /// - no file of `key` contains one of the texts in `unless`
    /// - none of `paths` exists yet
    #[rhai_fn(name = "local", return_raw)]
    pub fn local_with(call: NativeCallContext, command: &str, options: Map) -> ScriptResult<Dynamic> {
        run_here(&call, command, options)
    }

    /// Quotes a text as one word of a shell command: `host.run("rm " + quote(path))`.
    pub fn quote(text: &str) -> String {
        String::from_utf8_lossy(&Word::from(text).quoted()).into_owned()
    }

    /// Waits for this many seconds. Ctrl-C and the timeout of the task end the wait, and the task fails.
    #[rhai_fn(return_raw)]
    pub fn sleep(context: NativeCallContext, seconds: i64) -> ScriptResult<()> {
        let context = Context::of(&context)?;
        Ok(context
            .wait(Duration::from_secs(seconds.max(0).unsigned_abs()))
            .map_err(|error| context.failure("", error))?)
    }

    /// Like `sleep(seconds)`, for fractions such as `0.5`.
    #[rhai_fn(name = "sleep", return_raw)]
    pub fn sleep_fraction(context: NativeCallContext, seconds: f64) -> ScriptResult<()> {
        let context = Context::of(&context)?;
        let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Ok(context.wait(time).map_err(|error| context.failure("", error))?)
    }

    /// The value of an environment variable of this machine; `()` if it is not set.
    pub fn env(name: &str) -> Dynamic {
        std::env::var(name).map_or(Dynamic::UNIT, Dynamic::from)
    }

    /// The value of an environment variable of this machine; `default` if it is not set.
    #[rhai_fn(name = "env")]
    pub fn env_or(name: &str, default: &str) -> String {
        std::env::var(name).unwrap_or_else(|_| default.to_owned())
    }

    /// The value of an environment variable of this machine or, if it is not set, what the user types at a prompt.
    /// The value is masked in all output. Fails if there is no terminal to ask on.
    #[rhai_fn(return_raw)]
    pub fn secret(context: NativeCallContext, name: &str) -> ScriptResult<String> {
        let context = Context::of(&context)?;
        let value = match std::env::var(name) {
            Ok(value) => value,
            Err(_) => {
                let mut typed = locked(&context.world().typed);
                if let Some(value) = typed.get(name) {
                    return Ok(value.clone());
                }
                let what = format!("secret `{name}` is not set in the environment");
                prompt_allowed(&context, &what, &format!("set the variable: `{name}=... runner ...`"))?;
                let value = question::secret(
                    &format!("{name}: "),
                    &context.run().cancel_token,
                    &*context.run().events,
                );
                let value = value.map_err(|error| unanswered(&context, error))?;
                typed.insert(name.to_owned(), value.clone());
                value
            }
        };
        mask::check(name, &value).map_err(|report| context.failure("", report))?;
        context.run().here.mask.add(&value);
        Ok(value)
    }

    /// Asks the user a question and returns the line that they type. Fails if there is no terminal to ask on.
    #[rhai_fn(return_raw)]
    pub fn ask(context: NativeCallContext, question: &str) -> ScriptResult<String> {
        let context = Context::of(&context)?;
        prompt_allowed(&context, question, BY_SETTING)?;
        read_line(&context, question)
    }

    /// Asks the user a yes-or-no question. Only `y` and `yes` mean yes. Fails if there is no terminal to ask on. A
    /// plan does not ask, and assumes yes.
    #[rhai_fn(return_raw)]
    pub fn confirm(context: NativeCallContext, question: &str) -> ScriptResult<bool> {
        let context = Context::of(&context)?;
        if context.run().mode.is_plan() {
            return Ok(true);
        }
        prompt_allowed(&context, question, BY_SETTING)?;
        let answer = read_line(&context, &format!("{question} [y/N]"))?;
        Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes"))
    }

    /// The paths on this machine that match a pattern, sorted. A relative pattern starts in the directory of
    /// `runner.toml`; with the setting `ref`, in the copy of that directory in the export.
    #[rhai_fn(return_raw)]
    pub fn glob(context: NativeCallContext, pattern: &str) -> ScriptResult<Array> {
        let context = Context::of(&context)?;
        let found = find(context.world(), pattern);
        let found = found.map_err(|error| context.failure("", error))?;
        Ok(found.into_iter().map(Dynamic::from).collect())
    }

    /// All hosts of this run, as a set.
    #[rhai_fn(return_raw)]
    pub fn hosts(context: NativeCallContext) -> ScriptResult<ScriptHosts> {
        let context = Context::of(&context)?;
        let indices = context.run().fleet.all();
        Ok(ScriptHosts { context, indices })
    }

    /// The name of the stage.
    #[rhai_fn(return_raw)]
    pub fn stage(context: NativeCallContext) -> ScriptResult<String> {
        Ok(Context::of(&context)?.run().stage.clone())
    }

    /// The git commit of the source; `()` if it has none.
    #[rhai_fn(return_raw)]
    pub fn revision(context: NativeCallContext) -> ScriptResult<Dynamic> {
        let context = Context::of(&context)?;
        let commit = context.run().here.revision.commit.as_ref();
        Ok(commit.map_or(Dynamic::UNIT, |commit| commit.clone().into()))
    }

    /// The release that `--release` names; `()` without that option.
    #[rhai_fn(return_raw)]
    pub fn wanted_release(context: NativeCallContext) -> ScriptResult<Dynamic> {
        let context = Context::of(&context)?;
        let wanted = context.run().wanted.as_ref();
        Ok(wanted.map_or(Dynamic::UNIT, |name| name.to_string().into()))
    }

    /// Prints a line in the output of the run.
    #[rhai_fn(return_raw)]
    pub fn note(context: NativeCallContext, text: &str) -> ScriptResult<()> {
        Context::of(&context)?.note(text);
        Ok(())
    }

    /// Prints a warning in the output of the run.
    #[rhai_fn(return_raw)]
    pub fn warn(context: NativeCallContext, text: &str) -> ScriptResult<()> {
        Context::of(&context)?.run().warn(text);
        Ok(())
    }

    /// Fails the task with this message.
    #[rhai_fn(return_raw)]
    pub fn fail(context: NativeCallContext, message: &str) -> ScriptResult<()> {
        let context = Context::of(&context)?;
        Err(context.failure("", anyhow!("{message}")).into())
    }
}

fn find(world: &World, pattern: &str) -> anyhow::Result<Vec<String>> {
    let (directory, source) = (world.directory()?, world.export()?);
    // The names of these directories are not patterns.
    let escaped = |path: &Path| glob::Pattern::escape(&path.to_string_lossy());
    let known = [source.as_deref(), Some(&directory)].into_iter().flatten();
    let below = known.filter_map(|path| Some((path, pattern.strip_prefix(&*path.to_string_lossy())?))).next();
    let whole = match below {
        Some((path, rest)) => format!("{}{rest}", escaped(path)),
        None if pattern.starts_with('/') => pattern.to_owned(),
        None => format!("{}/{pattern}", escaped(&directory)),
    };
    let paths = glob::glob(&whole).with_context(|| format!("`{pattern}` is not a valid pattern"))?;
    let mut found = Vec::new();
    for path in paths {
        let path = path?;
        let path = path.strip_prefix(&directory).unwrap_or(&path);
        found.push(path.to_string_lossy().into_owned());
    }
    Ok(found)
}
