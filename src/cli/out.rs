//! Prints lines to standard output and standard error: nothing that a terminal would act on but our own colours. Ignores
//! errors: a closed pipe or a lost terminal must not end a deployment.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::event::visible::{visible, visible_but_colours};

/// Whether the user requires colour, even if the output is not a terminal.
pub static IS_COLOURED: AtomicBool = AtomicBool::new(false);

/// Prints a line of data to standard output. Keeps colours only on a terminal, unless the user requires them: whether
/// standard error is a terminal does not matter here.
pub fn data(line: impl Display) {
    let is_plain = !std::io::stdout().is_terminal() && !IS_COLOURED.load(Ordering::Relaxed);
    let line = if is_plain { visible(&line.to_string()) } else { visible_but_colours(&line.to_string()) };
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a message to standard error.
pub fn talk(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{}", visible_but_colours(&line.to_string()));
}
