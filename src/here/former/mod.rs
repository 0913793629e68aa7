//! The configuration of another deployment tool: it is read as text, for hosts and paths to propose, and never run.

mod capistrano;
mod deployer;
mod deployer_yaml;
mod lexer;
mod literal;
pub mod model;
mod steps;

use std::fs;
use std::path::Path;

use crate::here::former::lexer::Dialect;
use crate::here::former::model::Former;

/// No configuration is larger.
const MAX_BYTES: u64 = 1 << 20;

/// What a configuration in the directory says, if there is one.
pub fn read(directory: &Path) -> Option<Former> {
    if let Some(text) = text(directory, "deploy.php") {
        let mut former = deployer::read("deploy.php", &text);
        steps::read(&mut former, "deploy.php", &text, Dialect::Php);
        return Some(former);
    }
    for name in ["deploy.yaml", "deploy.yml"] {
        if let Some(former) = text(directory, name).and_then(|text| deployer_yaml::read(name, &text)) {
            return Some(former);
        }
    }
    let main = text(directory, "config/deploy.rb")?;
    let stages = fs::read_dir(directory.join("config/deploy")).into_iter().flatten().flatten();
    let mut stages: Vec<(String, String)> = stages
        .filter_map(|entry| {
            let name = entry.file_name().to_str()?.strip_suffix(".rb")?.to_owned();
            let text = text(directory, &format!("config/deploy/{name}.rb"))?;
            Some((name, text))
        })
        .collect();
    // People deploy to production first of all here, and read the rest later.
    stages.sort_by_key(|(name, _)| (!name.starts_with("prod"), name.clone()));
    let mut former = capistrano::read(&main, &stages);
    let files = stages.iter().map(|(name, text)| (format!("config/deploy/{name}.rb"), text));
    for (file, text) in [("config/deploy.rb".to_owned(), &main)].into_iter().chain(files) {
        steps::read(&mut former, &file, text, Dialect::Ruby);
    }
    Some(former)
}

fn text(directory: &Path, name: &str) -> Option<String> {
    let path = directory.join(name);
    let is_small = fs::metadata(&path).is_ok_and(|data| data.is_file() && data.len() <= MAX_BYTES);
    let bytes = is_small.then(|| fs::read(path).ok())??;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
