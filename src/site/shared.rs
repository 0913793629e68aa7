//! Shared paths and writable directories of a release.

use anyhow::{Result, bail};
use jiff::Timestamp;

use crate::event::{Report, few};
use crate::release::contradiction::against_source;
use crate::release::path_kinds::{FoundShared, InRelease, InShared, Misfit, SourceKinds};
use crate::release::seen::{Seen, SitePart};
use crate::release::share::{self, LinkReport, Unseeded};
use crate::release::unfit::{PathOwner, Unfit};
use crate::release::{ReleaseName, SharedPath};
use crate::shell::Word;
use crate::site::options::Options;
use crate::site::session::Session;
use crate::site::state::Site;
use crate::site::work::Work;
use crate::tree::{Manifest, Tree, TreePath};

impl Site {
    /// Links shared paths; `brought` are the source's own files under them. Returns what was seeded.
    pub fn link_shared(
        &mut self,
        paths: &[SharedPath],
        brought: &[TreePath],
        now: Timestamp,
    ) -> Result<LinkReport> {
        let lock = self.session.locked()?;
        let name = self.work.building_name("link into")?;
        if paths.is_empty() {
            return Ok(LinkReport::default());
        }
        self.make_release()?;
        let step = share::link(&lock, &name, paths, brought, now);
        let Some(linked) = self.session.act(step)? else {
            warn_of_missing(&mut self.session, paths, brought)?;
            if let Work::Building(building) = &mut self.work {
                building.shared.extend(paths.iter().cloned());
            }
            return Ok(LinkReport::default());
        };
        report_linked(&self.session, &linked);
        if let Work::Building(building) = &mut self.work {
            // If a link replaces a managed file, that is no drift next time.
            let managed = building.manifest.iter().flat_map(Manifest::entries);
            let mut managed = managed.map(|line| &line.entry.path);
            building.is_worked_in |=
                managed.any(|path| paths.iter().any(|shared| path.starts_with(&shared.path)));
            building.shared.extend(paths.iter().cloned());
        }
        Ok(linked)
    }

    pub fn unseed(&mut self, name: &ReleaseName) -> Result<()> {
        let lock = self.session.locked()?;
        let Unseeded { kept, strange } = self.session.act(share::unseed(&lock, name))?.unwrap_or_default();
        for path in kept {
            self.session.note(format!("`shared/{path}` has changed since it was created; kept"));
        }
        for path in strange {
            self.session.warn(format!(
                "did not remove `shared/{path}`: another user may have put a link in its place"
            ));
        }
        Ok(())
    }

    pub fn writable(&mut self, paths: &[TreePath]) -> Result<()> {
        let lock = self.session.locked()?;
        let name = self.work.building_name("make writable in")?;
        if paths.is_empty() {
            return Ok(());
        }
        self.make_release()?;
        if self.session.is_planning() && !self.seen()?.facts.has("setfacl") {
            let why = "in `writable` directories, the application and the user who deploys may not be able to change \
                       each other's files; install the package `acl` on the host";
            self.session.note(format!("`setfacl` not found: {why}"));
        }
        let others = self.session.act(share::writable(&lock, &name, paths))?.unwrap_or_default();
        for (path, SitePart { owner, mode, .. }) in others.iter().filter(|(_, part)| part.is_owners()) {
            self.session.note(format!(
                "left the mode of `{path}` unchanged ({mode}): it belongs to `{owner}`, and this user cannot change it"
            ));
        }
        match others.into_iter().find(|(_, part)| !part.is_owners()) {
            Some((path, part)) => bail!(not_writable(&self.root()?, &path, &part, &self.seen()?.facts.user)),
            None => Ok(()),
        }
    }
}

fn not_writable(root: &str, path: &str, part: &SitePart, user: &str) -> Report {
    let SitePart { owner, mode, .. } = part;
    let report = Report::new(format!(
        "`{path}` cannot be made writable: it belongs to `{owner}`, and its mode is {mode}"
    ));
    let path = Word::shown(&format!("{root}/shared/{path}"));
    report.hint(format!("on the server: `sudo chown {} {path}`", Word::shown(user)))
}

fn report_linked(session: &Session, linked: &LinkReport) {
    for path in &linked.seeded {
        session.note(format!("created `shared/{path}` from this release"));
    }
    for path in &linked.made {
        session.note(format!("created `shared/{path}`, an empty directory"));
    }
    if !linked.hidden.is_empty() {
        session.warn(format!(
            "the source contains {} under a shared path, where it is hidden; copy it into `shared/` if it is needed",
            few(&linked.hidden)
        ));
    }
}

/// Warns of shared paths that a deploy would not find, or that would not fit. In a run, the server reports them.
fn warn_of_missing(session: &mut Session, paths: &[SharedPath], brought: &[TreePath]) -> Result<()> {
    let seen = session.view().seen()?;
    let comes = |path: &SharedPath| brought.iter().any(|entry| entry.starts_with(&path.path));
    let starting: Vec<SharedPath> =
        paths.iter().filter(|path| !seen.has_shared(&path.path) && !comes(path)).cloned().collect();
    if starting.is_empty() {
        return Ok(());
    }
    // What the live release has itself is copied to `shared/`: that of an adopted one, above all.
    let asked: Vec<TreePath> = starting.iter().map(|path| path.path.clone()).collect();
    let root = seen.root.clone();
    let own = match seen.live().cloned() {
        Some(live) => session.query(share::own(&root, &live, &asked))?,
        None => Vec::new(),
    };
    let nothing = FoundShared { kind: InShared::Nothing, at: String::new() };
    for (n, path) in starting.iter().enumerate() {
        let own = own.get(n).cloned().unwrap_or((InRelease::Nothing, String::new()));
        match Unfit::of(path, Some(&nothing), own) {
            Some(Unfit { why: Misfit::Missing, .. }) => {
                session.warn(format!("`shared/{path}` is missing: a deploy would fail"));
            }
            Some(unfit) => session.refuse(unfit.report(PathOwner::Live, &root))?,
            None => {}
        }
    }
    Ok(())
}

/// Refuses paths of settings whose kinds do not fit with the source, or with what `shared/` has.
pub fn check_kinds(site: &Site, tree: &Tree) -> Result<()> {
    let seen = site.seen()?;
    kind_problems(site.options(), Some(seen), tree)
        .into_iter()
        .try_for_each(|report| site.session.refuse(report))
}

/// The problems with paths of settings whose kinds do not fit. Without `seen`, those that every server would have.
pub fn kind_problems(options: &Options, seen: Option<&Seen>, tree: &Tree) -> Vec<Report> {
    let Options { shared, rules, places, .. } = options;
    if options.paths().is_empty() {
        return Vec::new();
    }
    let source = SourceKinds::of(tree);
    let root = seen.map_or("", |seen| seen.root.as_str());
    let nothing = FoundShared { kind: InShared::Nothing, at: String::new() };
    let unfit = shared.iter().filter_map(|path| {
        // Where there is no site yet, nothing was found.
        let found = seen.map(|seen| seen.shared.get(&path.path).unwrap_or(&nothing));
        Unfit::of(path, found, source.at(&path.path))
    });
    // A file that is missing may be in the live release.
    let unfit = unfit.filter(|unfit| unfit.why != Misfit::Missing);
    let unfit = unfit.map(|unfit| ("shared", unfit.report(PathOwner::Source, root)));
    let others = against_source(shared, &rules.generated, &rules.writable, &source);
    let all = unfit.chain(others.into_iter().map(|found| (found.key, found.report)));
    all.map(|(key, report)| match places.iter().find(|(known, _)| *known == key) {
        Some((_, place)) => report.or_at(place),
        None => report,
    })
    .collect()
}
