//! Lines to the two outputs. A reader that went away (a closed pipe, a lost terminal) must not end a deployment.

use std::fmt::Display;
use std::io::Write;

/// Data, on standard output.
pub fn data(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Talk, on standard error.
pub fn talk(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
