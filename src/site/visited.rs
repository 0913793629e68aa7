//! What visitors got from a host, and what that says about its web server.

use crate::event::Report;
use crate::release::ReleaseName;

/// What visitors get.
#[derive(Debug, Clone)]
pub struct Visited {
    pub(super) title: String,
    pub status: u16,
    /// The release that was live.
    pub live: Option<ReleaseName>,
    pub origin: PageOrigin,
    /// Why the response is not good.
    pub(super) lacking: Option<String>,
    /// A file of the live release that the web server does not find, although the page is missing, too.
    pub(super) missing: Option<String>,
    pub(super) exposure: Exposure,
    pub(super) server: Option<String>,
    /// The directory that should be the web root.
    pub(super) root: String,
}

/// Which release a response comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageOrigin {
    Live,
    Other(String),
    /// A file of no release.
    Elsewhere,
    Unknown,
}

/// Whether the deploy path itself is the web root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exposure {
    No,
    Root,
    /// It is, and `.runner` can be read.
    Readable,
}

impl Visited {
    /// What visitors get, for the end of "visitors get".
    pub fn text(&self) -> String {
        let status = self.status;
        match &self.origin {
            _ if self.live.is_none() => status.to_string(),
            PageOrigin::Live => format!("{status} from this release"),
            PageOrigin::Other(name) => format!("{status} from release {name}"),
            PageOrigin::Elsewhere => format!("{status} from another directory"),
            PageOrigin::Unknown => format!("{status}; release unknown"),
        }
    }

    /// Whether a moment later the response may be another one: services restart, caches expire.
    pub fn may_change(&self) -> bool {
        matches!(self.status, 502..=504) || matches!(self.origin, PageOrigin::Other(_))
    }

    /// What is wrong with the web server, whichever release is live.
    pub fn misdirected(&self) -> Option<Report> {
        let Self { title, status, .. } = self;
        let root_is = "the root of the web server is the deploy path itself";
        let what = match (&self.exposure, &self.origin, &self.missing) {
            (Exposure::Readable, ..) => format!("visitors can read `/.runner/format`: {root_is}"),
            (Exposure::Root, ..) => format!("`{title}` returned {status}: {root_is}"),
            (_, PageOrigin::Elsewhere, _) => {
                format!(
                    "`{title}` returned a file that is not in the live release: the web server serves another directory"
                )
            }
            (_, PageOrigin::Other(name), _) => {
                format!("`{title}` returned a page of release `{name}`, which is not live")
            }
            (_, _, Some(file)) => {
                format!(
                    "`{title}` returned {status}, and `{file}` of the live release is not found: the web server serves another directory"
                )
            }
            _ => return None,
        };
        let report = match &self.origin {
            PageOrigin::Other(_) => Report::new(what).note(
                "if PHP keeps serving the other release, make nginx pass `$realpath_root` to it instead of `$document_root`",
            ),
            _ => Report::new(what),
        };
        Some(self.with_cure(report))
    }

    /// Why the response is not good; `None` if it is.
    pub fn unhealthy(&self) -> Option<Report> {
        let lacking = self.lacking.as_ref()?;
        let report = Report::new(format!("`{}` returned {}: {lacking}", self.title, self.status));
        Some(match self.status {
            403 | 404 => self.with_cure(report),
            _ => report,
        })
    }

    /// Adds how the web server that answered is told its root.
    fn with_cure(&self, report: Report) -> Report {
        let root = &self.root;
        let Some(server) = &self.server else {
            return report.hint(format!("set the root of the web server to `{root}`"));
        };
        let name = server.split(['/', ' ']).next().unwrap_or_default();
        let line = match name.to_ascii_lowercase().as_str() {
            "nginx" | "openresty" => format!("root {root};"),
            "apache" => format!("DocumentRoot {root}"),
            "caddy" => format!("root * {root}"),
            _ => return report.hint(format!("set the root of `{name}`, which answered, to `{root}`")),
        };
        report.hint(format!("in the configuration of `{name}`: `{line}`"))
    }
}
