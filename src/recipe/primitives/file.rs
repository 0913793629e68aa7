//! Files on a host.

use anyhow::{Context as _, anyhow};
use rhai::plugin::*;
use rhai::{Dynamic, Map};

use crate::event::Suggestion;
use crate::recipe::context::ScriptHost;
use crate::recipe::failure::{ScriptResult, mistake_text};
use crate::recipe::value::text_of;
use crate::release::file::WrittenFile;
use crate::site::file;

#[export_module]
pub mod api {
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
    /// directory must exist. The file is replaced by a new one in one step, so that other releases keep theirs. It keeps
    /// its mode; a new file gets 0644. If the text has a secret in it, the mode is 0600. A plan only lists the file.
    #[rhai_fn(pure, return_raw)]
    pub fn write(host: &mut ScriptHost, path: &str, text: &str) -> ScriptResult<()> {
        write_file(host, path, text, &FileOptions::default())
    }

    /// Like `host.write(path, text)`, with options:
    ///
    /// - `mode`: the mode of the file, also of one with a secret in it, as a text of octal digits: `"0640"`
    /// - `mkdir`: whether to create directories that are missing
    #[rhai_fn(name = "write", pure, return_raw)]
    pub fn write_with(host: &mut ScriptHost, path: &str, text: &str, options: Map) -> ScriptResult<()> {
        write_file(host, path, text, &file_options(options)?)
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
        fill_template(host, from, to, &values, &FileOptions::default())
    }

    /// Like `host.template(from, to, values)`, with the options of `host.write`.
    #[rhai_fn(name = "template", pure, return_raw)]
    pub fn template_with(
        host: &mut ScriptHost,
        from: &str,
        to: &str,
        values: Map,
        options: Map,
    ) -> ScriptResult<()> {
        fill_template(host, from, to, &values, &file_options(options)?)
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

fn fill_template(
    host: &ScriptHost,
    from: &str,
    to: &str,
    values: &Map,
    options: &FileOptions,
) -> ScriptResult<()> {
    let path = host.outcome(host.context.world().directory())?.join(from);
    let text = std::fs::read_to_string(&path).with_context(|| format!("failed to read template `{from}`"));
    let text = host.outcome(text.and_then(|text| fill_in(&text, values)))?;
    write_file(host, to, &text, options)
}

fn write_file(host: &ScriptHost, path: &str, content: &str, options: &FileOptions) -> ScriptResult<()> {
    let mask = &host.context.run().here.mask;
    let has_secret = mask.masked(content) != content;
    let mode = options.mode.as_deref().or(has_secret.then_some("0600"));
    let file = WrittenFile { path, content, mode, makes_directories: options.mkdir };
    let written = file::write(&mut host.site(), file);
    host.outcome(written)
}

#[derive(Default)]
struct FileOptions {
    mode: Option<String>,
    mkdir: bool,
}

/// The names of these options.
pub const OPTIONS: [&str; 2] = ["mkdir", "mode"];

/// Reads `#{mkdir, mode}`.
fn file_options(map: Map) -> ScriptResult<FileOptions> {
    let mut options = FileOptions::default();
    for (key, value) in map {
        match key.as_str() {
            "mkdir" => {
                let wrong = |_| mistake_text("option `mkdir` must be true or false");
                options.mkdir = value.as_bool().map_err(wrong)?;
            }
            "mode" => {
                let text = value.into_string().unwrap_or_default();
                if !matches!(text.len(), 3 | 4) || !text.bytes().all(|digit| matches!(digit, b'0'..=b'7')) {
                    return Err(mistake_text(
                        "option `mode` must be 3 or 4 octal digits in quotes, such as \"0640\"",
                    ));
                }
                options.mode = Some(text);
            }
            other => {
                let near = Suggestion::new(other, OPTIONS);
                return Err(mistake_text(format!("unknown option `{other}`{near}")));
            }
        }
    }
    Ok(options)
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
