//! Compares a directory with its manifest: finds drift, and what a command or an interrupted run left.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;

use crate::release::answer::Fields;
use crate::release::scripts::{MANIFEST, SURVEY, flag, script};
use crate::shell::{Effect, Script, Step, Word};
use crate::tree::{Hash, Kind, Manifest, TreePath};

/// The limit for a manifest, in bytes.
const MANIFEST_MAX: u64 = 1 << 30;

/// How the files of a filled directory are compared with its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By size, time and mode, which is enough unless a run was interrupted.
    Stat,
    /// By content as well: for a cache that an interrupted run left half changed.
    Hash,
    /// Not at all: the server has no tools for it.
    Nothing,
}

/// A directory of the site that is compared with its manifest.
#[derive(Debug, Clone)]
pub struct Directory {
    pub path: String,
    /// The manifest's name in `.runner/manifests/`.
    pub kept_as: String,
    pub by: By,
    pub shows_manifest: bool,
    /// The digest of the manifest that a fill from this directory relies on.
    pub relied_on: Option<String>,
}

/// How a directory differs from its manifest, as the server reports it.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// The manifest on the server, if it was requested.
    pub manifest: Option<Vec<u8>>,
    /// The digest of the manifest on the server; `None` if the server cannot compute it.
    pub digest: Option<String>,
    /// Names as lines: a name with a newline is cut off at it.
    differs: HashSet<Vec<u8>>,
    /// Managed directories that are no directories any more; \x01 stands for a newline.
    gone: HashSet<Vec<u8>>,
    targets: HashMap<Vec<u8>, Vec<u8>>,
}

impl Survey {
    /// The managed entries that differ from `manifest`, in its order.
    pub fn drifted(&self, manifest: &Manifest) -> Vec<TreePath> {
        let mut gone: Vec<&TreePath> = Vec::new();
        let mut drifted = Vec::new();
        for entry in manifest.entries().iter().map(|line| &line.entry) {
            let path = &entry.path;
            let is_gone = entry.kind == Kind::Directory && self.gone.contains(&as_line(path));
            if is_gone {
                gone.push(path);
            }
            let differs = match entry.kind {
                Kind::File | Kind::Directory => self.differs.contains(first_line(path)),
                Kind::Link => {
                    self.targets.get(path.as_bytes()).is_none_or(|target| Hash::of(target) != entry.hash)
                }
            };
            if differs || gone.iter().any(|top| path.starts_with(top)) {
                drifted.push(path.clone());
            }
        }
        drifted
    }

    /// The managed entries whose content differs from `manifest`: not directories that only have another mode, since
    /// commands and `writable` set modes.
    pub fn changed(&self, manifest: &Manifest) -> Vec<TreePath> {
        let is_there = |path: &TreePath| {
            let line = manifest.get(path);
            line.is_some_and(|line| line.entry.kind == Kind::Directory) && !self.gone.contains(&as_line(path))
        };
        self.drifted(manifest).into_iter().filter(|path| !is_there(path)).collect()
    }

    /// The managed files that differ from `manifest` themselves, without those that only lost their directory.
    pub fn edited(&self, manifest: &Manifest) -> Vec<TreePath> {
        let differs: Vec<Vec<u8>> = self.differs.iter().cloned().collect();
        named(manifest, &differs)
    }

    fn read(fields: &Fields) -> Self {
        let links = fields.bytes("link").zip(fields.bytes("target"));
        Self {
            manifest: match fields.bytes("packed").next() {
                Some(packed) => unpacked(packed),
                None => fields.bytes("manifest").next().map(<[u8]>::to_vec),
            },
            digest: fields.get("digest"),
            differs: fields.byte_list("differs").into_iter().collect(),
            gone: fields.byte_list("gone").into_iter().collect(),
            targets: links.map(|(link, target)| (link.to_vec(), target.to_vec())).collect(),
        }
    }
}

/// Decodes base64 in lines (RFC 4648), then decompresses (RFC 1952); `None` if either fails.
fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    // Some megabytes for a large tree: not kept in both forms.
    let is_said = |byte: &u8| !byte.is_ascii_whitespace();
    let packed = STANDARD.decode(packed.iter().copied().filter(is_said).collect::<Vec<u8>>()).ok()?;
    let mut text = Vec::new();
    GzDecoder::new(packed.as_slice()).take(MANIFEST_MAX).read_to_end(&mut text).ok()?;
    Some(text)
}

fn first_line(path: &TreePath) -> &[u8] {
    path.as_bytes().split(|&byte| byte == b'\n').next().unwrap_or_default()
}

fn as_line(path: &TreePath) -> Vec<u8> {
    path.as_bytes().iter().map(|&byte| if byte == b'\n' { 1 } else { byte }).collect()
}

/// Adds to a script with `SURVEY` the directories to compare. Files in `touched` may differ from the manifest.
pub(super) fn places<'a>(
    script: Script,
    directories: impl IntoIterator<Item = &'a Directory>,
    touched: &[String],
) -> Script {
    let row = |directory: &Directory| -> [Word; 5] {
        let by = match directory.by {
            By::Stat => "stat",
            By::Hash => "hash",
            By::Nothing => "not",
        };
        let relied_on = directory.relied_on.as_deref().unwrap_or_default();
        let shown = flag(directory.shows_manifest);
        [directory.path.as_str(), &directory.kept_as, by, shown, relied_on].map(Word::from)
    };
    script
        .with(MANIFEST)
        .with(SURVEY)
        .rows("places", directories.into_iter().map(row))
        .rows("touched", touched.iter().map(|path| [path]))
}

/// Reads what a script with `SURVEY` reports, for each directory.
pub(super) fn read(fields: &Fields) -> Vec<Survey> {
    fields.parts("place").map(|part| Survey::read(&part)).collect()
}

/// Compares directories with their manifests.
pub fn survey(root: &str, directories: &[Directory]) -> Step<Vec<Survey>> {
    let script = places(script(root, include_str!("sh/survey.sh")), directories, &[]);
    let names = directories.iter().map(|directory| directory.path.as_str()).collect::<Vec<_>>();
    Step::new("survey", Effect::Reads, script, |answer| Ok(read(&Fields::read(answer, "surveyed")?)))
        .data("places", names.join(" "))
}

/// The managed files that `differs` lines stand for.
pub fn named(manifest: &Manifest, differs: &[Vec<u8>]) -> Vec<TreePath> {
    let differs: HashSet<&[u8]> = differs.iter().map(Vec::as_slice).collect();
    manifest
        .entries()
        .iter()
        .filter(|line| line.entry.kind == Kind::File && !line.is_generated)
        .map(|line| &line.entry.path)
        .filter(|path| differs.contains(first_line(path)))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_was_compressed_is_read() {
        let said = b"packed=H4sIAAAAAAAAA0tRMDc1VTAA\nQl2FRC4AuQH+uw4AAAA=\0digest=1\0";
        let survey = Survey::read(&Fields::parse(said));
        assert_eq!(survey.manifest.as_deref(), Some(b"d 755 0 0 - a\n".as_slice()));
        let survey = Survey::read(&Fields::parse(b"packed=H4sIAAAAAAAAA0tRMDc1\0"));
        assert_eq!(survey.manifest, None);
    }

    #[test]
    fn what_lies_behind_a_lost_directory_and_a_link_to_elsewhere_have_drifted() {
        let hash = Hash::of(b"target");
        let text = format!(
            "d 755 0 0 - a\nf 644 1 5 {hash} a/x\nl 777 0 0 {hash} b\nl 777 0 0 {hash} c\n\
             d 755 0 0 - d\nf 644 1 5 {hash} e\nf 644 1 5 {hash} h\nd 755 0 0 - f\\0012g\n"
        );
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        let said = b"digest=123\0differs=e\0differs=d\0gone=a\0gone=f\x01g\0link=b\0target=target\0link=c\0target=elsewhere\0";
        let survey = Survey::read(&Fields::parse(said));
        assert_eq!(survey.digest.as_deref(), Some("123"));
        let drifted: Vec<String> = survey.drifted(&manifest).iter().map(ToString::to_string).collect();
        assert_eq!(drifted, ["a", "a/x", "c", "d", "e", "f\\ng"]);
    }
}
