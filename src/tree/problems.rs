//! Collects the paths that a walk cannot send, so that the user sees all of them at once.

use std::fmt;
use std::fs::FileType;
use std::io;
use std::os::unix::fs::FileTypeExt;

use anyhow::Result;

use crate::event::Report;

/// The maximum number of names in a message.
const SHOWN: usize = 10;

/// Paths that are not files, directories or symlinks, and paths that could not be read, each with the reason.
#[derive(Debug, Default)]
pub struct Problems {
    special: Vec<String>,
    unreadable: Vec<String>,
    vanished: Vec<String>,
}

impl Problems {
    pub fn special(&mut self, path: impl fmt::Display, file_type: FileType) {
        let what = if file_type.is_socket() {
            "socket"
        } else if file_type.is_fifo() {
            "fifo"
        } else if file_type.is_char_device() || file_type.is_block_device() {
            "device"
        } else {
            "unknown kind"
        };
        self.special.push(format!("`{path}` ({what})"));
    }

    pub fn unreadable(&mut self, path: impl fmt::Display, error: &io::Error) {
        match error.kind() {
            io::ErrorKind::NotFound => self.vanished.push(format!("`{path}`")),
            _ => self.unreadable.push(format!("`{path}` ({error})")),
        }
    }

    pub fn into_result(mut self) -> Result<()> {
        let (names, message, hint) = if !self.special.is_empty() {
            let hint = "only files, directories and symlinks can be sent; add the others to `exclude` or `.runnerignore`";
            (&mut self.special, "cannot send", hint)
        } else if !self.unreadable.is_empty() {
            let hint = "make it readable for this user, or add it to `exclude` or `.runnerignore`";
            (&mut self.unreadable, "failed to read", hint)
        } else if !self.vanished.is_empty() {
            let hint = "wait until whatever writes in the source has ended, then run this again";
            (&mut self.vanished, "removed while the source was read:", hint)
        } else {
            return Ok(());
        };
        names.sort();
        Err(Report::new(format!("{message} {}", Names(names))).hint(hint).into())
    }
}

/// `a`, `b` and 3 more.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(SHOWN)];
        f.write_str(&shown.join(", "))?;
        match self.0.len() - shown.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::layout::plain;
    use expect_test::expect;

    #[test]
    fn at_most_ten_names_are_shown() {
        let mut problems = Problems::default();
        for n in 10..23 {
            let error = io::Error::from(io::ErrorKind::PermissionDenied);
            problems.unreadable(format!("f{n}"), &error);
        }
        let error = problems.into_result().unwrap_err();
        expect![[r#"
            failed to read `f10` (permission denied), `f11` (permission denied), `f12` (permission denied), `f13` (permission denied), `f14` (permission denied), `f15` (permission denied), `f16` (permission denied), `f17` (permission denied), `f18` (permission denied), `f19` (permission denied) and 3 more
            hint: make it readable for this user, or add it to `exclude` or `.runnerignore`"#]].assert_eq(&plain(&Report::of(&error)));
    }

    #[test]
    fn a_file_that_is_gone_is_not_called_unreadable() {
        let mut problems = Problems::default();
        problems.unreadable("a", &io::Error::from(io::ErrorKind::NotFound));
        let error = problems.into_result().unwrap_err();
        expect![[r#"
            removed while the source was read: `a`
            hint: wait until whatever writes in the source has ended, then run this again"#]]
        .assert_eq(&plain(&Report::of(&error)));
    }
}
