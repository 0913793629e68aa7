//! The step that finds out which release a response of a web server comes from.

use crate::release::ReleaseName;
use crate::release::answer::Fields;
use crate::release::scripts::{flag, script};
use crate::shell::{Effect, Step};
use crate::tree::Hash;

/// A response, and the releases that it may come from.
pub struct Sample<'a> {
    pub live: &'a ReleaseName,
    /// The release that was served before.
    pub other: Option<&'a ReleaseName>,
    /// What was requested, relative to the web root.
    pub path: String,
    pub body: &'a [u8],
    /// Whether the response is certainly a file: then every file of the live release is compared.
    pub is_file: bool,
}

/// What a host knows about the origin of a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    /// The releases that have this content at this path.
    pub releases: Vec<String>,
    /// The directory of the live release that has an index page, relative; `.` for the release itself.
    pub web_root: Option<String>,
    /// A file below the web root to ask for.
    pub witness: Option<Witness>,
}

/// A file of the live release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    pub path: String,
    pub sum: String,
    /// That of the same file in the release before.
    pub other_sum: Option<String>,
    /// Whether it tells the two releases apart.
    pub differs: bool,
}

pub fn find_origins(root: &str, sample: &Sample) -> Step<Origins> {
    let script = script(root, include_str!("sh/origins.sh"))
        .var("holder", "")
        .var("live", sample.live)
        .var("other", sample.other.map_or("", ReleaseName::as_str))
        .var("page", sample.path.as_str())
        .var("sum", Hash::of(sample.body).to_string().as_str())
        .var("size", sample.body.len().to_string().as_str())
        .var("wide", flag(sample.is_file));
    Step::new("origins", Effect::Reads, script, |answer| Ok(read(&Fields::read(answer, "listed")?)))
}

fn read(fields: &Fields) -> Origins {
    let witness = fields.get("file").zip(fields.get("file_sum")).map(|(path, sum)| Witness {
        path,
        sum,
        other_sum: fields.get("other_sum"),
        differs: fields.get("differs").is_some(),
    });
    Origins { releases: fields.list("at"), web_root: fields.get("web_root"), witness }
}
