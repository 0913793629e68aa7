//! What lies at a deploy path before anything is deployed there, and which web servers could serve it.

use std::collections::BTreeSet;

use crate::release::answer::Fields;
use crate::release::scripts::SAY;
use crate::shell::{Effect, Script, Step};
use crate::web::served::{ServedRoot, apache, nginx};

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// The deploy path, absolute.
    pub root: String,
    pub user: String,
    /// The nearest directory that exists, and whether the user can write there.
    pub nearest: String,
    pub is_writable: bool,
    pub lies_there: LiesThere,
    /// The tools that left their marks: `runner`, `Deployer`, `Capistrano`.
    pub laid_out_by: Vec<String>,
    /// The version of PHP on the command line.
    pub php: Option<String>,
    /// The web servers that run.
    pub web_servers: BTreeSet<String>,
    /// The sockets of PHP-FPM that the user can connect to.
    pub fpm: Vec<String>,
    /// What the web servers' readable configurations say.
    pub roots: Vec<ServedRoot>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LiesThere {
    /// Nothing, or nothing that a web server would serve.
    #[default]
    Nothing,
    /// `current` is a link, as it should be.
    Current,
    /// `current` is a directory.
    CurrentDirectory,
    /// The deploy path is a web root itself: it has this file.
    Docroot(String),
}

/// `top` is a directory instead of `/` for the configurations of servers; empty, but in tests.
pub fn surroundings(root: &str, top: &str) -> Step<Surroundings> {
    let script = Script::new(include_str!("sh/surroundings.sh")).var("root", root).var("top", top).with(SAY);
    Step::new("surroundings", Effect::Reads, script, |answer| Ok(read(&Fields::read(answer, "looked")?)))
        .public()
}

fn read(fields: &Fields) -> Surroundings {
    let text = |key| fields.get(key).unwrap_or_default();
    let configs = fields.list("config").into_iter().zip(fields.list("text"));
    let roots = configs.flat_map(|(file, text)| match file.contains("/nginx/") {
        true => nginx(&file, &text),
        false => apache(&file, &text),
    });
    Surroundings {
        root: text("root"),
        user: text("user"),
        nearest: text("nearest"),
        is_writable: fields.get("writable").is_some(),
        lies_there: match (fields.get("current").as_deref(), fields.get("docroot")) {
            (Some("link"), _) => LiesThere::Current,
            (Some(_), _) => LiesThere::CurrentDirectory,
            (None, Some(name)) => LiesThere::Docroot(name),
            (None, None) => LiesThere::Nothing,
        },
        laid_out_by: fields.list("laid_out_by"),
        php: fields.get("php").filter(|version| !version.is_empty()),
        web_servers: fields.list("runs").into_iter().collect(),
        fpm: fields.list("fpm"),
        roots: roots.collect(),
    }
}
