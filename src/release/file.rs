//! Files that a recipe reads and writes on a server.

use anyhow::Result;

use crate::release::answer::unfollowed;
use crate::release::command::CommandPlace;
use crate::release::scripts::{FILE, REACH, flag};
use crate::shell::{Answer, Effect, Exit, Script, Step};

/// Reads a file on the server: nothing but a regular one, and through no link that somebody else may have made.
pub fn read(root: &str, place: &CommandPlace, path: &str) -> Step<Vec<u8>> {
    let shown = path.to_owned();
    let script = file_script(root, place, path, include_str!("sh/file_read.sh"));
    Step::new("read", Effect::Reads, script, move |answer| {
        succeeded(answer, || format!("failed to read `{shown}`"))?;
        Ok(answer.stdout.clone())
    })
    .data("path", path)
}

/// A file to write on a server.
#[derive(Debug, Clone, Copy)]
pub struct WrittenFile<'a> {
    /// Below a directory of the site, or absolute.
    pub path: &'a str,
    pub content: &'a str,
    /// In octal, as for `chmod`. Without it, the mode of the file before stays, and a new file gets 644.
    pub mode: Option<&'a str>,
    /// Whether directories that are missing are made.
    pub makes_directories: bool,
}

/// Replaces a file on the server by one rename. `nonce` is a text that nobody can predict, new for each step.
pub fn write(root: &str, place: &CommandPlace, file: WrittenFile, nonce: &str) -> Step<()> {
    let WrittenFile { path, content, mode, makes_directories } = file;
    let shown = path.to_owned();
    let script = file_script(root, place, path, include_str!("sh/file_write.sh"))
        .var("content", content)
        .var("mode", mode.unwrap_or_default())
        .var("directories", flag(makes_directories))
        .var("temporary", format!(".{nonce}.new"));
    Step::new("write", Effect::Writes, script, move |answer| {
        succeeded(answer, || format!("failed to write `{shown}`"))
    })
    .data("path", path)
}

pub fn exists(root: &str, place: &CommandPlace, path: &str) -> Step<bool> {
    let shown = path.to_owned();
    let script = file_script(root, place, path, include_str!("sh/file_exists.sh"));
    Step::new("exists", Effect::Reads, script, move |answer| match answer.exit {
        Exit::Code(REFUSED) => {
            succeeded(answer, || format!("failed to look for `{shown}`"))?;
            Ok(false)
        }
        exit => Ok(exit.is_success()),
    })
    .data("path", path)
}

/// The exit code of `file_lib.sh` for a way that must not be followed.
const REFUSED: i32 = 3;

fn file_script(root: &str, place: &CommandPlace, path: &str, body: &'static str) -> Script {
    let script = Script::new(body).with(REACH).with(FILE);
    script.var("root", root).var("place", place.path()).var("file", path)
}

fn succeeded(answer: &Answer, what: impl Fn() -> String) -> Result<()> {
    if answer.exit.is_success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&answer.stderr);
    let why = format!("{}: {}", what(), said.trim());
    Err(unfollowed(&why).map_or_else(|| anyhow::anyhow!("{why}"), Into::into))
}
