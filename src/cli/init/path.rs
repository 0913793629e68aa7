//! The deploy path: what is proposed, and which answers are refused.

use std::path::Path;

use crate::cli::init::hosts::Hosts;
use crate::here::proposal::Proposal;
use crate::here::proposed::ProposedPlace;
use crate::host::DeployPath;

/// What `runner` makes in a deploy path.
const OURS: [&str; 3] = ["current", "releases", "shared"];

/// Why a path cannot be the deploy path.
pub struct RefusedPath {
    /// A complete message.
    pub problem: String,
    /// The path that was probably meant.
    pub meant: Option<String>,
}

/// The path on a server, if nothing else is known.
pub fn usual(proposal: &Proposal) -> String {
    format!("/var/www/{}", proposal.application)
}

/// A directory beside `runner.toml` that nothing has yet.
pub fn here(directory: &Path) -> &'static str {
    let free = ["site", "local-site"].into_iter().find(|name| !directory.join(name).exists());
    free.unwrap_or("runner-site")
}

/// What is proposed for these hosts.
pub fn proposed(
    hosts: &Hosts,
    known: Option<&ProposedPlace>,
    proposal: &Proposal,
    directory: &Path,
) -> String {
    match (hosts, known) {
        (Hosts::Here, _) => here(directory).to_owned(),
        (_, Some(ProposedPlace::Servers { path, .. })) => path.clone(),
        _ => usual(proposal),
    }
}

pub fn check(path: &str, hosts: &Hosts, directory: &Path) -> Result<(), RefusedPath> {
    let parse = |path: &str| match hosts {
        Hosts::Here => DeployPath::local(path, directory),
        Hosts::Servers { .. } => DeployPath::remote(path),
    };
    parse(path)
        .map_err(|problem| RefusedPath { problem: format!("the path {problem}"), meant: None })?;
    // A directory of that name in `/` or in a home directory is nobody's site.
    let Some((meant, name)) = above(path).filter(|(meant, _)| parse(meant).is_ok()) else { return Ok(()) };
    let problem = format!("the path is the directory above `{name}`: `{meant}`, not `{path}`");
    Err(RefusedPath { problem, meant: Some(meant) })
}

/// The directory above `current`, `releases` or `shared`, and which it is; also where a web root below `current` is named.
fn above(path: &str) -> Option<(String, &str)> {
    let path = path.trim_end_matches('/');
    let (before, last) = path.rsplit_once('/')?;
    let (before, name) = match before.rsplit_once('/') {
        Some((before, "current")) => (before, "current"),
        _ => (before, last),
    };
    OURS.contains(&name).then(|| (before.to_owned(), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_above_what_is_made_in_it() {
        let case = |path: &str, want: Option<&str>| {
            let hosts = crate::cli::init::hosts::hosts("web1").unwrap();
            let meant = check(path, &hosts, Path::new("/")).err().and_then(|refused| refused.meant);
            assert_eq!(meant.as_deref(), want, "{path}");
        };
        case("/srv/shop/current", Some("/srv/shop"));
        case("/srv/shop/current/", Some("/srv/shop"));
        case("/srv/shop/current/public", Some("/srv/shop"));
        case("~/shop/releases", Some("~/shop"));
        case("/srv/shop/shared", Some("/srv/shop"));
        for fine in ["/srv/shop", "/current", "~/shared", "/srv/shared/shop", "/srv/currently"] {
            case(fine, None);
        }
    }
}
