//! The cache on this machine: manifests by their digest, so that a redeploy need not fetch them from the server, and
//! the hashes of each source's files from the last walk.
//!
//! A problem with the cache makes a run slower, but never makes it fail; except that a cache of another user is refused.

use std::collections::VecDeque;
use std::env;
use std::fs::{self, DirEntry, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use etcetera::BaseStrategy;

use super::hash::Hash;
use super::index::Index;
use super::manifest::Manifest;
use super::owner::is_ours;
use crate::event::Report;

/// The maximum number of manifests, and of sources whose index is kept.
const KEPT: usize = 200;
const KEPT_INDEXES: usize = 50;
/// The maximum number of manifests in memory.
const RECENT: usize = 4;
/// The prefix of the name of a file that is being written.
const TEMPORARY: &str = ".put-";

#[derive(Debug, Clone)]
pub struct Store {
    /// `None` if this user has no cache directory.
    directory: Option<PathBuf>,
    /// The manifests that were used last, the latest first: many hosts have the same one.
    recent: Arc<Mutex<VecDeque<Manifest>>>,
}

impl Store {
    /// The cache of this user: `$RUNNER_CACHE`, else a directory in the XDG cache directory. Fails if another user owns it:
    /// what it says of a source, and the exports in it, are believed.
    pub fn from_env() -> Result<Self> {
        let set = env::var_os("RUNNER_CACHE").filter(|path| !path.is_empty());
        let cache = match set {
            Some(path) => Some(PathBuf::from(path)),
            None => etcetera::choose_base_strategy().ok().map(|base| base.cache_dir().join("runner")),
        };
        if let Some(path) =
            cache.as_ref().filter(|path| fs::metadata(path).is_ok_and(|meta| !is_ours(meta.uid())))
        {
            let report = Report::new(format!("the cache `{}` belongs to another user", path.display()));
            let report = report.note("that user could change what is deployed");
            bail!(report.hint("set `RUNNER_CACHE` to a directory of your own"));
        }
        Ok(Self { directory: cache, recent: Arc::default() })
    }

    #[cfg(test)]
    pub fn at(directory: PathBuf) -> Self {
        Self { directory: Some(directory), recent: Arc::default() }
    }

    /// The directory for one kind of content.
    pub(super) fn place(&self, kind: &str) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join(kind))
    }

    fn manifests(&self) -> Option<PathBuf> {
        self.place("manifests")
    }

    /// The index of the source at `root`; empty if none is cached.
    pub fn index(&self, root: &Path) -> Index {
        let bytes = self.index_file(root).and_then(|(directory, name)| fs::read(directory.join(name)).ok());
        bytes.map_or_else(Index::default, |bytes| Index::parse(&bytes))
    }

    /// Stores the index if it differs from `before`. Ignores failures: the next walk is only slower.
    pub fn put_index(&self, root: &Path, before: &Index, index: &Index) {
        if let Some((directory, name)) = self.index_file(root).filter(|_| index != before) {
            let _ = write(&directory, &name, &index.to_bytes());
            prune(&directory, KEPT_INDEXES);
        }
    }

    fn index_file(&self, root: &Path) -> Option<(PathBuf, String)> {
        let root = root.canonicalize().ok()?;
        let name = Hash::of(root.as_os_str().as_bytes()).to_string();
        Some((self.place("sources")?, name))
    }

    /// The manifest with this digest, if it is cached and intact. `digest` comes from a server, so it may be any text.
    pub fn get(&self, digest: &str) -> Option<Manifest> {
        let path = self.manifests().filter(|_| is_digest(digest))?.join(digest);
        // Held while reading, so that threads that need the same manifest wait and then find it in memory.
        let mut recent = self.recent();
        if let Some(known) = recent.iter().find(|known| known.digest() == digest) {
            return Some(known.clone());
        }
        let manifest = Manifest::parse(&fs::read(&path).ok()?).ok()?;
        if manifest.digest() != digest {
            return None;
        }
        touch(&path);
        remember(&mut recent, &manifest);
        Some(manifest)
    }

    /// Reads the manifest that was used last into memory: most likely it will be needed.
    pub fn read_ahead(&self) -> Option<Manifest> {
        let items = self.manifests().and_then(|directory| fs::read_dir(directory).ok());
        let used = |item: &DirEntry| item.metadata().and_then(|data| data.modified()).ok();
        let newest = items.into_iter().flatten().flatten().max_by_key(used)?;
        self.get(&newest.file_name().to_string_lossy())
    }

    /// Stores a manifest. If that fails, returns the text of a warning.
    #[must_use]
    pub fn put(&self, manifest: &Manifest) -> Option<String> {
        let Some(directory) = self.manifests() else {
            return Some(
                "failed to cache the manifest: no cache directory found; set `RUNNER_CACHE`".to_owned(),
            );
        };
        let digest = manifest.digest();
        let mut recent = self.recent();
        if recent.iter().any(|known| known.digest() == digest) {
            return None;
        }
        if !has(&directory.join(digest), digest) {
            let kept = write(&directory, digest, &manifest.to_text());
            prune(&directory, KEPT);
            if let Err(error) = kept {
                let shown = directory.display();
                return Some(format!("failed to cache the manifest in `{shown}`: {error:#}"));
            }
        }
        remember(&mut recent, manifest);
        None
    }

    fn recent(&self) -> MutexGuard<'_, VecDeque<Manifest>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remember(recent: &mut VecDeque<Manifest>, manifest: &Manifest) {
    recent.truncate(RECENT - 1);
    recent.push_front(manifest.clone());
}

pub(super) fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a file has the text with this digest. If so, marks it as used.
fn has(path: &Path, digest: &str) -> bool {
    let has = fs::read(path).is_ok_and(|text| Hash::of(&text).to_string() == digest);
    if has {
        touch(path);
    }
    has
}

/// Marks a file as used now, so that it is not pruned. Ignores failures: at worst, it is fetched again.
pub(super) fn touch(path: &Path) {
    let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// Writes a file by a rename, so that it is never incomplete under its final name.
fn write(directory: &Path, name: &str, text: &[u8]) -> Result<()> {
    fs::create_dir_all(directory).context("failed to create the directory")?;
    let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(directory)?;
    file.write_all(text)?;
    file.persist(directory.join(name))?;
    Ok(())
}

/// Removes all files but the newest `keep`, and temporary files that killed runs left. Ignores failures.
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
    use super::super::index::Stamp;
    use super::super::path::TreePath;
    use super::super::sample::{Dice, random_tree};
    use super::*;

    fn manifests(n: usize) -> Vec<Manifest> {
        let mut dice = Dice(3);
        (0..n).map(|_| Manifest::of(&random_tree(&mut dice, 4), &[])).collect()
    }

    #[test]
    fn a_manifest_is_found_by_its_digest_and_only_whole() {
        let dir = tempfile::tempdir().unwrap();
        // Another run each time.
        let store = || Store::at(dir.path().join("new"));
        let manifest = &manifests(2)[1];
        assert_eq!(store().get(manifest.digest()), None);
        assert_eq!(store().put(manifest), None);
        assert_eq!(store().get(manifest.digest()).as_ref(), Some(manifest));
        let file = dir.path().join("new/manifests").join(manifest.digest());
        fs::write(&file, Manifest::default().to_text()).unwrap();
        assert_eq!(store().get(manifest.digest()), None);
        fs::write(&file, "garbage").unwrap();
        assert_eq!(store().get(manifest.digest()), None);
        assert_eq!(store().put(manifest), None);
        assert!(store().get(manifest.digest()).is_some());
        assert_eq!(store().get("../../etc/passwd"), None);
        assert_eq!(store().get(""), None);
    }

    #[test]
    fn what_was_in_use_last_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let all = manifests(RECENT + 2);
        let put = Store::at(dir.path().to_owned());
        for manifest in &all {
            assert_eq!(put.put(manifest), None);
        }
        let newest = File::open(dir.path().join("manifests").join(all[0].digest())).unwrap();
        newest.set_modified(SystemTime::now() + Duration::from_secs(60)).unwrap();
        let ahead = Store::at(dir.path().to_owned());
        assert_eq!(ahead.read_ahead().as_ref(), Some(&all[0]));
        fs::remove_dir_all(dir.path().join("manifests")).unwrap();
        let known = |store: &Store| all.iter().map(|m| store.get(m.digest()).is_some()).collect::<Vec<_>>();
        assert_eq!(known(&put), [false, false, true, true, true, true]);
        assert_eq!(known(&ahead), [true, false, false, false, false, false]);
    }

    #[test]
    fn not_being_able_to_write_is_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let warning = Store::at(dir.path().join("file")).put(&Manifest::default());
        assert!(warning.unwrap().starts_with("failed to cache the manifest in `"));
        let nowhere = Store { directory: None, recent: Arc::default() };
        assert!(nowhere.put(&Manifest::default()).is_some());
        assert_eq!(nowhere.get(Manifest::default().digest()), None);
    }

    #[test]
    fn each_source_is_remembered_by_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
        fs::create_dir(&one).unwrap();
        fs::create_dir(&two).unwrap();
        std::os::unix::fs::symlink("one", dir.path().join("link")).unwrap();
        let store = Store::at(dir.path().join("cache"));
        assert_eq!(store.index(&one), Index::default());
        let stamp = Stamp::of(&fs::metadata(&one).unwrap());
        let index = Index::of([(TreePath::new(b"a").unwrap(), stamp, Hash::of(b"a"))]);
        store.put_index(&one, &Index::default(), &index);
        assert_eq!(store.index(&dir.path().join("link")), index);
        assert_eq!(store.index(&two), Index::default());
        assert_eq!(store.index(&dir.path().join("nowhere")), Index::default());
        let (directory, name) = store.index_file(&one).unwrap();
        fs::write(directory.join(name), "damaged").unwrap();
        assert_eq!(store.index(&one), Index::default());
    }

    #[test]
    fn the_newest_manifests_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().to_owned());
        let dir = dir.path().join("manifests");
        fs::create_dir(&dir).unwrap();
        let manifests = manifests(5);
        let age = |name: &str, hours: u64| {
            let file = File::options().append(true).create(true).open(dir.join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
        };
        for (n, manifest) in manifests.iter().enumerate() {
            assert_eq!(store.put(manifest), None);
            age(manifest.digest(), 10 - n as u64);
        }
        age(".put-dead", 2);
        age(".put-alive", 0);
        age("foreign", 99);
        // Using the oldest makes it the newest.
        assert!(store.get(manifests[0].digest()).is_some());
        prune(&dir, 2);
        let left = |name: &str| dir.join(name).exists();
        let kept: Vec<_> = manifests.iter().map(|m| left(m.digest())).collect();
        assert_eq!(kept, [true, false, false, false, true]);
        assert_eq!([left(".put-dead"), left(".put-alive"), left("foreign")], [false, true, true]);
    }
}
