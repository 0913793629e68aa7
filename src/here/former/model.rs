//! What the configuration of another deployment tool says, as data.

use crate::event::Place;

/// The configuration of Deployer or Capistrano, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Former {
    pub tool: &'static str,
    /// The files that were read, relative to the project.
    pub files: Vec<String>,
    pub application: Option<String>,
    pub stages: Vec<FormerStage>,
    /// As the setting `shared` names them: a trailing slash means a directory.
    pub shared: Vec<String>,
    pub writable: Vec<String>,
    /// The branch that was deployed.
    pub branch: Option<String>,
    /// Tasks and hooks. They are not carried over.
    pub steps: Vec<(String, Place)>,
    /// What could not be read.
    pub unread: Vec<(String, Place)>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct FormerStage {
    pub name: String,
    pub hosts: Vec<FormerHost>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct FormerHost {
    pub address: String,
    pub port: Option<u16>,
    pub user: Option<String>,
    pub path: Option<String>,
    pub roles: Vec<String>,
}

impl Former {
    /// Notes that something could not be read.
    pub fn miss(&mut self, what: String, file: &str, line: usize) {
        let missed = (what, Place { file: file.to_owned(), line, column: 0 });
        if !self.unread.contains(&missed) {
            self.unread.push(missed);
        }
    }

    /// Adds a host to the stage of that name.
    pub fn add(&mut self, stage: &str, host: FormerHost) {
        match self.stages.iter_mut().find(|known| known.name == stage) {
            Some(known) => known.hosts.push(host),
            None => self.stages.push(FormerStage { name: stage.to_owned(), hosts: vec![host] }),
        }
    }
}

/// Paths as the setting `shared` names directories.
pub fn directories(paths: Vec<String>) -> impl Iterator<Item = String> {
    paths.into_iter().map(|path| format!("{}/", path.trim_matches('/')))
}

#[cfg(test)]
impl Former {
    /// All of it, a line each.
    pub fn shown(&self) -> String {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let mut out = format!("{}: {}", self.tool, self.files.join(" "));
        out += &format!("; application {}, branch {}\n", or_none(&self.application), or_none(&self.branch));
        out += &format!("shared {}; writable {}\n", self.shared.join(" "), self.writable.join(" "));
        for stage in &self.stages {
            for host in &stage.hosts {
                let user = host.user.as_ref().map_or(String::new(), |user| format!("{user}@"));
                let port = host.port.map_or(String::new(), |port| format!(":{port}"));
                let path = or_none(&host.path);
                out += &format!("{}: {user}{}{port} {path} {:?}\n", stage.name, host.address, host.roles);
            }
        }
        self.unread.iter().for_each(|(what, place)| out += &format!("unread: {what} in {place}\n"));
        out
    }
}
