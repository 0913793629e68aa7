//! Prints lines to standard output and standard error. Ignores errors: a closed pipe or a lost terminal must not end
//! a deployment.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the user requires colour, even if the output is not a terminal.
pub static IS_COLOURED: AtomicBool = AtomicBool::new(false);

/// Prints a line of data to standard output. Keeps colours only on a terminal, unless the user requires them: whether
/// standard error is a terminal does not matter here.
pub fn data(line: impl Display) {
    let is_plain = !std::io::stdout().is_terminal() && !IS_COLOURED.load(Ordering::Relaxed);
    let line = if is_plain { plain(&line.to_string()) } else { line.to_string() };
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// The text without escape sequences for colours (ECMA-48, SGR).
fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    let is_colour = |code: &str| code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';');
    parts.fold(first, |plain, part| match part.split_once('m').filter(|(code, _)| is_colour(code)) {
        Some((_, rest)) => plain + rest,
        None => plain + "\u{1b}[" + part,
    })
}

/// Prints a message to standard error.
pub fn talk(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_are_taken_out_of_a_text() {
        for (text, want) in [
            ("a\u{1b}[1;31mred\u{1b}[0m m", "ared m"),
            ("\u{1b}[2K m", "\u{1b}[2K m"),
            ("\u{1b}[m", ""),
            ("none", "none"),
        ] {
            assert_eq!(plain(text), want);
        }
    }
}
