//! Which kinds of paths fit together: what the settings `shared`, `generated` and `writable` ask for, what `shared/` of
//! the site has, and what the source or the release has. All rules about that are here.
//!
//! A shared path `x` is a file, `x/` is a directory. A link in `shared/` counts as what it leads to; what is neither a
//! file nor a directory (a socket, a device) counts as a file. What happens to `x/`:
//!
//! | in `shared/` \ in the release | nothing | directory | file | link | below a file or link |
//! |---|---|---|---|---|---|
//! | nothing | made | copied | refused | refused | refused |
//! | directory | kept | kept | refused | kept | refused |
//! | file | refused | refused | refused | refused | refused |
//! | link to nothing | refused | refused | refused | refused | refused |
//! | below what is no directory | refused | refused | refused | refused | refused |
//!
//! And to `x`:
//!
//! | in `shared/` \ in the release | nothing | directory | file | link | below a file or link |
//! |---|---|---|---|---|---|
//! | nothing | missing | refused | copied | refused | refused |
//! | file | kept | refused | kept | kept | refused |
//! | directory | refused | refused | refused | refused | refused |
//! | link to nothing | refused | refused | refused | refused | refused |
//! | below what is no directory | refused | refused | refused | refused | refused |
//!
//! *Kept*: the release gets a link, in place of what it has there. *Copied*: `shared/` first gets a copy of it. *Made*:
//! `shared/` first gets an empty directory. A link in the release is never copied to `shared/`: it may lead anywhere.
//!
//! Of the settings with each other:
//!
//! | | at or below a shared directory | at or below a shared file | above a shared path |
//! |---|---|---|---|
//! | `shared` | refused | refused | refused |
//! | `generated` | refused: it would outlive its release | refused | fits: the link is made in it |
//! | `writable` | fits: it is made in `shared/` | refused | fits |
//!
//! A generated or writable path below a file or link of the source is refused, and so is a writable path that is a file
//! or link there.

use std::collections::HashMap;

use crate::release::SharedKind;
use crate::tree::{Kind, Tree, TreePath};

/// What `shared/` of a site has at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InShared {
    Nothing,
    Directory,
    File,
    /// A link to nothing.
    Dangling,
    /// Nothing: what should be a directory above it is none.
    Blocked,
}

/// What a release, or the source, has at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InRelease {
    Nothing,
    Directory,
    File,
    Link,
    BelowFile,
    BelowLink,
}

const IN_SHARED: [InShared; 5] =
    [InShared::Nothing, InShared::Directory, InShared::File, InShared::Dangling, InShared::Blocked];
const IN_RELEASE: [InRelease; 6] = [
    InRelease::Nothing,
    InRelease::Directory,
    InRelease::File,
    InRelease::Link,
    InRelease::BelowFile,
    InRelease::BelowLink,
];

impl InShared {
    /// The word of the scripts.
    fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Directory => "directory",
            Self::File => "file",
            Self::Dangling => "dangling",
            Self::Blocked => "blocked",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        IN_SHARED.into_iter().find(|kind| kind.word() == word)
    }

    /// What suits a shared path best.
    pub(super) fn best(asked: SharedKind) -> Self {
        match asked {
            SharedKind::Directory => Self::Directory,
            SharedKind::File => Self::File,
        }
    }
}

impl InRelease {
    fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Directory => "directory",
            Self::File => "file",
            Self::Link => "link",
            Self::BelowFile => "below_file",
            Self::BelowLink => "below_link",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        IN_RELEASE.into_iter().find(|kind| kind.word() == word)
    }
}

/// What is done for a shared path before the release gets its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    Keep,
    Copy,
    Make,
}

/// Why a shared path cannot be linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    Missing,
    OtherInShared,
    Dangling,
    Blocked,
    OtherInRelease,
    LinkInRelease,
    BelowFile,
    BelowLink,
}

/// The table for shared paths.
pub fn fit(asked: SharedKind, shared: InShared, release: InRelease) -> Result<Sharing, Misfit> {
    use SharedKind::{Directory, File};
    match (asked, shared, release) {
        (_, _, InRelease::BelowFile) => Err(Misfit::BelowFile),
        (_, _, InRelease::BelowLink) => Err(Misfit::BelowLink),
        (Directory, _, InRelease::File) | (File, _, InRelease::Directory) => Err(Misfit::OtherInRelease),
        (_, InShared::Blocked, _) => Err(Misfit::Blocked),
        (_, InShared::Dangling, _) => Err(Misfit::Dangling),
        (Directory, InShared::File, _) | (File, InShared::Directory, _) => Err(Misfit::OtherInShared),
        (Directory, InShared::Directory, _) | (File, InShared::File, _) => Ok(Sharing::Keep),
        (_, InShared::Nothing, InRelease::Link) => Err(Misfit::LinkInRelease),
        (File, InShared::Nothing, InRelease::Nothing) => Err(Misfit::Missing),
        (Directory, InShared::Nothing, InRelease::Nothing) => Ok(Sharing::Make),
        (_, InShared::Nothing, _) => Ok(Sharing::Copy),
    }
}

/// The cells of the table that are not refused, as words of the scripts.
pub(super) fn fits() -> String {
    let mut words = String::from(" ");
    for asked in [SharedKind::Directory, SharedKind::File] {
        for shared in IN_SHARED {
            for release in IN_RELEASE {
                if fit(asked, shared, release).is_ok() {
                    words += &format!("{}:{}:{} ", asked.word(), shared.word(), release.word());
                }
            }
        }
    }
    words
}

/// The kinds of the paths of a source.
pub struct SourceKinds<'a>(HashMap<&'a [u8], Kind>);

impl<'a> SourceKinds<'a> {
    pub fn of(tree: &'a Tree) -> Self {
        Self(tree.entries.iter().map(|entry| (entry.path.as_bytes(), entry.kind)).collect())
    }

    /// What the source has at a path, and the path that is in the way.
    pub fn at(&self, path: &TreePath) -> (InRelease, String) {
        let bytes = path.as_bytes();
        let above = (0..bytes.len()).filter(|at| bytes[*at] == b'/').map(|end| &bytes[..end]);
        for above in above {
            let kind = match self.0.get(above) {
                Some(Kind::File) => InRelease::BelowFile,
                Some(Kind::Link) => InRelease::BelowLink,
                Some(Kind::Directory) | None => continue,
            };
            return (kind, String::from_utf8_lossy(above).into_owned());
        }
        let kind = match self.0.get(bytes) {
            None => InRelease::Nothing,
            Some(Kind::Directory) => InRelease::Directory,
            Some(Kind::File) => InRelease::File,
            Some(Kind::Link) => InRelease::Link,
        };
        (kind, String::new())
    }
}

/// What `shared/` has at a path, and what is in the way or where the link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundShared {
    pub kind: InShared,
    pub at: String,
}

impl FoundShared {
    pub fn is_there(&self) -> bool {
        !matches!(self.kind, InShared::Nothing | InShared::Blocked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cells of the tables in the head of this file.
    fn cells(asked: SharedKind) -> Vec<Vec<&'static str>> {
        let begins = "//! | in `shared/` \\ in the release";
        let tables: Vec<&str> = include_str!("path_kinds.rs").split(begins).skip(1).collect();
        let table = tables[usize::from(asked == SharedKind::File)];
        let rows = table.lines().skip(2).take_while(|line| line.starts_with("//! |"));
        rows.map(|row| row.split('|').skip(2).map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect()
    }

    #[test]
    fn every_cell_of_the_tables_is_what_happens() {
        let in_shared =
            [InShared::Nothing, InShared::Directory, InShared::File, InShared::Dangling, InShared::Blocked];
        for asked in [SharedKind::Directory, SharedKind::File] {
            let cells = cells(asked);
            let mut in_shared = in_shared;
            if asked == SharedKind::File {
                in_shared.swap(1, 2);
            }
            assert_eq!(cells.len(), in_shared.len());
            for (shared, row) in in_shared.into_iter().zip(cells) {
                for release in IN_RELEASE {
                    let column = match release {
                        InRelease::Nothing => 0,
                        InRelease::Directory => 1,
                        InRelease::File => 2,
                        InRelease::Link => 3,
                        InRelease::BelowFile | InRelease::BelowLink => 4,
                    };
                    let is = match fit(asked, shared, release) {
                        Ok(Sharing::Keep) => "kept",
                        Ok(Sharing::Copy) => "copied",
                        Ok(Sharing::Make) => "made",
                        Err(Misfit::Missing) => "missing",
                        Err(_) => "refused",
                    };
                    assert_eq!(is, row[column], "{asked:?} {shared:?} {release:?}");
                }
            }
        }
    }

    #[test]
    fn scripts_get_the_cells_that_fit() {
        assert_eq!(
            fits(),
            " directory:nothing:nothing directory:nothing:directory directory:directory:nothing \
             directory:directory:directory directory:directory:link file:nothing:file file:file:nothing \
             file:file:file file:file:link "
        );
    }
}
