//! Manifests kept on this machine by their digest, so that a redeploy need not fetch the server's.
//!
//! Only a cache: whatever goes wrong with it costs bytes on the wire, never a run.

use std::env;
use std::fs::{self, DirEntry, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use etcetera::BaseStrategy;

use super::manifest::Manifest;

/// How many manifests are kept.
const KEPT: usize = 200;
/// What a killed run left of a manifest being written.
const TEMPORARY: &str = ".put-";

#[derive(Debug, Clone)]
pub struct Store {
    /// `None` when this user has no place for caches.
    directory: Option<PathBuf>,
}

impl Store {
    /// The one of this user: below `$RUNNER_CACHE`, else below the XDG cache directory.
    pub fn from_env() -> Self {
        let set = env::var_os("RUNNER_CACHE").filter(|path| !path.is_empty());
        let cache = match set {
            Some(path) => Some(PathBuf::from(path)),
            None => etcetera::choose_base_strategy().ok().map(|base| base.cache_dir().join("runner")),
        };
        Self { directory: cache.map(|cache| cache.join("manifests")) }
    }

    pub fn at(directory: PathBuf) -> Self {
        Self { directory: Some(directory) }
    }

    /// The manifest with this digest, if it is here and whole. `digest` may be any text, such as a server's answer.
    pub fn get(&self, digest: &str) -> Option<Manifest> {
        let path = self.directory.as_ref().filter(|_| is_digest(digest))?.join(digest);
        let manifest = Manifest::parse(&fs::read(&path).ok()?).ok()?;
        if manifest.digest() != digest {
            return None;
        }
        // What is in use stays when old ones are pruned; if not, it is fetched again.
        let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        Some(manifest)
    }

    /// Keeps a manifest; the text of a warning when it cannot.
    #[must_use]
    pub fn put(&self, manifest: &Manifest) -> Option<String> {
        let Some(directory) = &self.directory else {
            return Some(
                "failed to keep the manifest: no cache directory is known; set `RUNNER_CACHE`".to_owned(),
            );
        };
        let text = manifest.to_text();
        let kept = write(directory, &manifest.digest(), &text);
        prune(directory, KEPT);
        let error = kept.err()?;
        Some(format!("failed to keep the manifest in `{}`: {error:#}", directory.display()))
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Under its final name a manifest is whole or absent.
fn write(directory: &Path, name: &str, text: &[u8]) -> Result<()> {
    fs::create_dir_all(directory).context("failed to make the directory")?;
    let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(directory)?;
    file.write_all(text)?;
    file.persist(directory.join(name))?;
    Ok(())
}

/// Removes all but the newest `keep` manifests, and what killed runs left. Failing to is no matter.
fn prune(directory: &Path, keep: usize) {
    let modified = |item: &DirEntry| item.metadata().and_then(|data| data.modified()).ok();
    let mut manifests = Vec::new();
    for item in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = item.file_name();
        let name = name.to_string_lossy();
        let Some(modified) = modified(&item) else {
            continue;
        };
        let is_old = || modified.elapsed().is_ok_and(|age| age > Duration::from_secs(3600));
        if is_digest(&name) {
            manifests.push((modified, item.path()));
        } else if name.starts_with(TEMPORARY) && is_old() {
            let _ = fs::remove_file(item.path());
        }
    }
    manifests.sort_unstable();
    let n_old = manifests.len().saturating_sub(keep);
    for (_, path) in &manifests[..n_old] {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{Dice, random_tree};
    use super::*;

    fn manifests(n: usize) -> Vec<Manifest> {
        let mut dice = Dice(3);
        (0..n).map(|_| Manifest::of(&random_tree(&mut dice, 4), &[])).collect()
    }

    #[test]
    fn a_manifest_is_found_by_its_digest_and_only_whole() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().join("new/manifests"));
        let manifest = &manifests(2)[1];
        assert_eq!(store.get(&manifest.digest()), None);
        assert_eq!(store.put(manifest), None);
        assert_eq!(store.get(&manifest.digest()).as_ref(), Some(manifest));
        let file = dir.path().join("new/manifests").join(manifest.digest());
        fs::write(&file, Manifest::default().to_text()).unwrap();
        assert_eq!(store.get(&manifest.digest()), None);
        fs::write(&file, "garbage").unwrap();
        assert_eq!(store.get(&manifest.digest()), None);
        assert_eq!(store.put(manifest), None);
        assert!(store.get(&manifest.digest()).is_some());
        assert_eq!(store.get("../../etc/passwd"), None);
        assert_eq!(store.get(""), None);
    }

    #[test]
    fn not_being_able_to_write_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let warning = Store::at(dir.path().join("file/manifests")).put(&Manifest::default());
        assert!(warning.unwrap().starts_with("failed to keep the manifest in `"));
        let nowhere = Store { directory: None };
        assert!(nowhere.put(&Manifest::default()).is_some());
        assert_eq!(nowhere.get(&Manifest::default().digest()), None);
    }

    #[test]
    fn the_newest_manifests_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().to_owned());
        let manifests = manifests(5);
        let age = |name: &str, hours: u64| {
            let file = File::options().append(true).create(true).open(dir.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
        };
        for (n, manifest) in manifests.iter().enumerate() {
            assert_eq!(store.put(manifest), None);
            age(&manifest.digest(), 10 - n as u64);
        }
        age(".put-dead", 2);
        age(".put-alive", 0);
        age("foreign", 99);
        // Using the oldest makes it the newest.
        assert!(store.get(&manifests[0].digest()).is_some());
        prune(dir.path(), 2);
        let left = |name: &str| dir.path().join(name).exists();
        let kept: Vec<_> = manifests.iter().map(|m| left(&m.digest())).collect();
        assert_eq!(kept, [true, false, false, false, true]);
        assert_eq!([left(".put-dead"), left(".put-alive"), left("foreign")], [false, true, true]);
    }
}
