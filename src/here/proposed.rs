//! The stages that `runner init` proposes.

#[derive(Debug, Clone, PartialEq)]
pub struct ProposedStage {
    pub name: String,
    pub place: ProposedPlace,
    /// What visitors type, if the web server said it; and whether it already serves the site's `current`.
    pub url: Option<(String, bool)>,
    /// The socket of PHP-FPM.
    pub fpm: Option<String>,
    /// The path as the server knows it, if it was asked.
    pub absolute: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ProposedPlace {
    /// A directory on this machine.
    Here {
        path: String,
    },
    Servers {
        path: String,
        user: Option<String>,
        hosts: Vec<ProposedHost>,
    },
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProposedHost {
    /// `web1.example.com` or `web1.example.com:2222`.
    pub address: String,
    /// Where they differ from those of the stage.
    pub user: Option<String>,
    pub path: Option<String>,
    pub roles: Vec<String>,
}

impl ProposedStage {
    pub fn new(name: &str, place: ProposedPlace) -> Self {
        Self { name: name.to_owned(), place, url: None, fpm: None, absolute: None }
    }

    pub fn path(&self) -> &str {
        match &self.place {
            ProposedPlace::Here { path } | ProposedPlace::Servers { path, .. } => path,
        }
    }

    pub fn is_here(&self) -> bool {
        matches!(self.place, ProposedPlace::Here { .. })
    }
}
