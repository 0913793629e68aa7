//! The links into `shared/` that a release has, and which of them the next release would not have.
//!
//! What settings name is linked anew in each release. A link that another tool made stays while nobody says otherwise: it
//! is copied from release to release, so nothing that users have stored disappears. Where the source has something else at
//! its path, it cannot stay.

use crate::release::path_kinds::{InRelease, SourceKinds};
use crate::release::{ReleaseName, SharedPath};
use crate::tree::TreePath;

/// The links into `shared/` of the release before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinksBefore {
    pub release: Option<ReleaseName>,
    /// Those that settings named when it was made.
    pub named: Vec<SharedPath>,
    /// Those that another tool made, and that are not kept.
    pub foreign: Vec<SharedPath>,
    /// Those that another tool made, and that the new release gets as well.
    pub kept: Vec<SharedPath>,
}

impl LinksBefore {
    /// Those that are not carried over as they are.
    pub(super) fn left_out(&self) -> impl Iterator<Item = &TreePath> {
        self.named.iter().chain(&self.foreign).map(|link| &link.path)
    }
}

/// The links that a release does not have, and the release before had.
#[derive(Debug, Default, PartialEq)]
pub struct LostLinks {
    pub gone: Vec<SharedPath>,
    /// Paths below them are shared: parts of what was linked.
    pub in_parts: Vec<SharedPath>,
}

impl LostLinks {
    /// Those of `before` that are not among the links `now`. What commands write anew is not missed.
    pub fn of(before: &[SharedPath], now: &[SharedPath], generated: &[TreePath]) -> Self {
        let mut lost = Self::default();
        for link in before {
            let path = &link.path;
            if now.iter().any(|now| path.starts_with(&now.path))
                || generated.iter().any(|top| path.starts_with(top))
            {
                continue;
            }
            let is_in_parts = now.iter().any(|now| now.path.starts_with(path));
            if is_in_parts { lost.in_parts.push(link.clone()) } else { lost.gone.push(link.clone()) }
        }
        lost
    }
}

/// Whether a link that another tool made can be kept: no setting has its path, or one below it, and the source has
/// nothing there.
pub(super) fn is_kept(
    link: &SharedPath,
    shared: &[TreePath],
    generated: &[TreePath],
    source: &SourceKinds,
) -> bool {
    let is_named = |top: &TreePath| link.path.starts_with(top);
    !shared.iter().any(|top| is_named(top) || top.starts_with(&link.path))
        && !generated.iter().any(is_named)
        && source.at(&link.path).0 == InRelease::Nothing
}

/// Whether a link of a release leads into `shared/` of its site, as text. `roots` are the names of the site.
pub(super) fn leads_into_shared(link: &TreePath, target: &[u8], roots: &[String]) -> bool {
    if target.starts_with(b"/") {
        return roots.iter().any(|root| {
            let below = target.strip_prefix(root.as_bytes()).and_then(|rest| rest.strip_prefix(b"/shared"));
            below.is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'/'))
        });
    }
    let mut way: Vec<&[u8]> = vec![b"releases", b"NAME"];
    way.extend(link.as_bytes().split(|byte| *byte == b'/'));
    way.pop();
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if way.pop().is_none() => return false,
            b".." => {}
            part => way.push(part),
        }
    }
    way.first() == Some(&b"shared".as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::plan::tests::{path, rules, tree};

    fn shared(texts: &[&str]) -> Vec<SharedPath> {
        texts.iter().map(|text| SharedPath::parse(text).unwrap()).collect()
    }

    #[test]
    fn a_link_into_shared_is_known_by_its_text() {
        #[track_caller]
        fn case(link: &str, target: &str, want: bool) {
            let roots = ["/srv/shop".to_owned(), "/mnt/shop".to_owned()];
            assert_eq!(leads_into_shared(&path(link), target.as_bytes(), &roots), want, "{link} -> {target}");
        }
        case("up", "../../shared/up", true);
        case("a/b", ".././../../shared/x/y", true);
        case("up", "../../shared", true);
        case("a/b", "../../shared/up", false);
        case("up", "../../../shared/up", false);
        case("up", "../../../../shared/up", false);
        case("up", "shared/up", false);
        case("up", "/srv/shop/shared/up", true);
        case("up", "/mnt/shop/shared/up", true);
        case("up", "/srv/shop/shared2/up", false);
        case("up", "/srv/other/shared/up", false);
    }

    #[test]
    fn a_link_is_lost_unless_it_or_one_above_it_is_there() {
        let before = shared(&["a/", "b/", "c/d", "e/f/", "gen/x"]);
        let now = shared(&["a/", "b/x/", "e/"]);
        let lost = LostLinks::of(&before, &now, &[path("gen")]);
        assert_eq!(lost, LostLinks { gone: shared(&["c/d"]), in_parts: shared(&["b/"]) });
    }

    #[test]
    fn a_link_of_another_tool_is_kept_where_nothing_else_comes() {
        let source = tree(&["dir/", "dir/file=x"]);
        let kinds = SourceKinds::of(&source);
        // These have shared `up` and generated `gen`.
        let rules = rules();
        let links = shared(&["free/", "dir/", "dir/new", "dir/file/x", "up/", "gen/x", "it's/a"]);
        let kept = links.into_iter().filter(|link| is_kept(link, &rules.shared, &rules.generated, &kinds));
        assert_eq!(kept.collect::<Vec<_>>(), shared(&["free/", "dir/new"]));
    }
}
