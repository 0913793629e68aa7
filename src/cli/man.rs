//! `runner completions man`: the man page, made from the definition of the command line.

use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::args::Args;
use crate::cli::out;
use crate::cli::verb::{VERBS, VerbResult};

/// Prints the page.
pub fn print() -> VerbResult {
    out::data(String::from_utf8_lossy(&man_page()?).trim_end());
    Ok(0)
}

/// The page `runner(1)`, in troff.
pub fn man_page() -> anyhow::Result<Vec<u8>> {
    // The words have more than one form, which only the usage shows.
    let mut command = Args::command();
    let usage = command.render_usage().to_string();
    let man = Man::new(command);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    synopsis(&usage).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    verbs().to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    exit_status().to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

fn synopsis(usage: &str) -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["SYNOPSIS"]);
    for line in usage.trim_start_matches("Usage:").lines() {
        let line = line.trim();
        let words = line.strip_prefix("runner").unwrap_or(line);
        section.text([bold("runner"), roman(words)]).control("br", []);
    }
    section
}

fn verbs() -> Roff {
    described("VERBS", VERBS.iter().map(|verb| (verb.name, verb.about)))
}

fn exit_status() -> Roff {
    let codes = [
        ("0", "done"),
        ("1", "failed; every host serves what it served before"),
        ("2", "a mistake on the command line, in runner.toml or in the recipe; no host was touched"),
        ("3", "another run holds the lock of a site; nothing was done"),
        ("4", "some host does not serve what it served before, or could not be reached: you must act"),
        ("5", "the new release is live, but a task after the one that settles the flow failed"),
        ("130", "interrupted, and undone"),
    ];
    described("EXIT STATUS", codes.into_iter())
}

/// A section of words with what they mean.
fn described<'a>(title: &str, words: impl Iterator<Item = (&'a str, &'a str)>) -> Roff {
    let mut section = Roff::new();
    section.control("SH", [title]);
    for (word, meaning) in words {
        section.control("TP", []).text([bold(word)]).text([roman(meaning)]);
    }
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_options_and_says_the_version() {
        let page = String::from_utf8(man_page().unwrap()).unwrap();
        for text in [".SH SYNOPSIS", "\\-\\-stage", ".SH \"EXIT STATUS\"", env!("CARGO_PKG_VERSION")] {
            assert!(page.contains(text), "{text} is not in\n{page}");
        }
    }
}
