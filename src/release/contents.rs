//! Lists what is in a release that another tool made, or in a directory that is to be one, and decides what of it the
//! next release does not get.

use std::collections::HashSet;

use crate::release::answer::Fields;
use crate::release::linked::leads_into_shared;
use crate::release::plan::{PathRules, Plan};
use crate::release::scripts::{MANIFEST, script};
use crate::release::{ReleaseName, SharedKind, SharedPath};
use crate::shell::{Effect, Step};
use crate::tree::{TreePath, tops};

/// The paths of a release.
#[derive(Debug, Default)]
pub struct ReleaseContents {
    paths: Vec<TreePath>,
    /// The links that may lead into `shared/`.
    shared_links: Vec<TreePath>,
    /// Those that do lead into `shared/` of this site.
    pub linked: Vec<SharedPath>,
    pub(super) directories: HashSet<TreePath>,
}

/// Reads what a release has. It has no manifest.
pub fn contents(root: &str, name: &ReleaseName) -> Step<ReleaseContents> {
    of_directory(root, &format!("releases/{name}"))
}

/// Reads what a directory has, such as `current` of a site; `.` is the deploy path itself.
pub fn of_directory(root: &str, place: &str) -> Step<ReleaseContents> {
    let script = script(root, include_str!("sh/contents.sh")).with(MANIFEST).var("place", place);
    let root = root.to_owned();
    Step::new("contents", Effect::Reads, script, move |answer| {
        let fields = Fields::read(answer, "listed")?;
        let links = fields.bytes("link").zip(fields.bytes("target"));
        let shared =
            links.filter(|(_, target)| target.split(|byte| *byte == b'/').any(|name| name == b"shared"));
        let roots = [root.clone(), fields.get("physical").unwrap_or_default()];
        let directories: HashSet<&[u8]> = fields.bytes("directory").collect();
        let linked = fields.bytes("link").zip(fields.bytes("target")).filter_map(|(link, target)| {
            let path = TreePath::new(link).ok().filter(|path| leads_into_shared(path, target, &roots))?;
            let is_directory = directories.contains(link);
            let kind = if is_directory { SharedKind::Directory } else { SharedKind::File };
            Some(SharedPath { path, kind })
        });
        Ok(ReleaseContents {
            linked: linked.collect(),
            directories: fields.paths("made").collect(),
            paths: fields.paths("path").collect(),
            shared_links: shared.filter_map(|(link, _)| TreePath::new(link).ok()).collect(),
        })
    })
}

impl ReleaseContents {
    /// The paths that no rule names, and that are no links into `shared/`. A directory with something else in it is not
    /// among them.
    pub fn strangers(&self, rules: &PathRules) -> Vec<SharedPath> {
        let named =
            rules.shared.iter().chain(&rules.generated).chain(&rules.writable).chain(&self.shared_links);
        let named: Vec<TreePath> = named.cloned().collect();
        let stays = |path: &TreePath| named.iter().any(|top| path.starts_with(top) || top.starts_with(path));
        let kind = |path: &TreePath| match self.directories.contains(path) {
            true => SharedKind::Directory,
            false => SharedKind::File,
        };
        let strangers = self.paths.iter().filter(|path| !stays(path));
        strangers.map(|path| SharedPath { path: path.clone(), kind: kind(path) }).collect()
    }
}

/// What the fill of `plan` copies from the release that it starts from, because commands or the application left it there.
/// Not what is inside of another such path.
pub fn carried(found: ReleaseContents, plan: &Plan) -> Vec<TreePath> {
    let manifests = [&plan.base.manifest, &plan.manifest];
    let is_copied = |path: &TreePath| {
        let is_managed = manifests.iter().any(|manifest| manifest.get(path).is_some());
        // A directory above something that is left out is made, not copied.
        !is_managed && !plan.left_out.iter().any(|top| path.starts_with(top) || top.starts_with(path))
    };
    tops(found.paths.into_iter().filter(is_copied).collect())
}

#[cfg(test)]
impl ReleaseContents {
    pub(super) fn of(directories: &[&str], files: &[&str]) -> Self {
        use crate::release::plan::tests::path;
        let directories: Vec<TreePath> = directories.iter().map(|text| path(text)).collect();
        let files = files.iter().map(|text| path(text));
        Self {
            paths: directories.iter().cloned().chain(files).collect(),
            directories: directories.into_iter().collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::plan::left_behind;
    use crate::release::plan::tests::{path, rules, tree};

    #[test]
    fn only_what_a_rule_names_is_taken_from_another_tools_release() {
        let paths = [
            "admin",
            "admin/x",
            "index",
            "logs",
            "public",
            "public/a",
            "public/old",
            "up",
            "up/u",
            "var",
            "var/v",
        ];
        let contents = ReleaseContents {
            paths: paths.map(path).into(),
            directories: HashSet::from([path("admin")]),
            shared_links: vec![path("logs"), path("public/st")],
            ..ReleaseContents::default()
        };
        let strangers = contents.strangers(&rules());
        let left = left_behind(&strangers, &tree(&["index=x", "public/", "public/a=x"]));
        assert_eq!(left.iter().map(ToString::to_string).collect::<Vec<_>>(), ["admin/", "public/old"]);
    }
}
