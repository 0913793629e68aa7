//! Writes files that must not exist yet: all of them, or none.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The first of these names that is taken, even by a link to nothing.
pub fn taken<'n>(directory: &Path, names: &[&'n str]) -> Option<&'n str> {
    names.iter().copied().find(|name| fs::symlink_metadata(directory.join(name)).is_ok())
}

/// Writes texts to names in a directory. Never replaces a file, and never follows a link (`O_EXCL`). If one cannot be
/// written, those before it are removed.
pub fn write(directory: &Path, files: &[(&str, &str)]) -> Result<()> {
    let mut made: Vec<PathBuf> = Vec::new();
    for (name, text) in files {
        let path = directory.join(name);
        let written = OpenOptions::new().write(true).create_new(true).open(&path).and_then(|mut file| {
            made.push(path.clone());
            file.write_all(text.as_bytes())
        });
        if let Err(error) = written {
            made.iter().for_each(|path| drop(fs::remove_file(path)));
            return Err(error).with_context(|| format!("failed to write `{}`", path.display()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_replaced_and_all_is_written_or_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::os::unix::fs::symlink(at("target"), at("link")).unwrap();
        fs::write(at("old"), "old").unwrap();
        for name in ["link", "old"] {
            assert_eq!(taken(dir.path(), &["new", name]), Some(name));
            let error = write(dir.path(), &[("new", "1"), (name, "2")]).unwrap_err();
            assert_eq!(error.to_string(), format!("failed to write `{}`", at(name).display()));
            assert!(!at("new").exists() && !at("target").exists());
        }
        assert_eq!(fs::read_to_string(at("old")).unwrap(), "old");
        write(dir.path(), &[("a", "1"), ("b", "2")]).unwrap();
        assert_eq!(fs::read_to_string(at("b")).unwrap(), "2");
    }
}
