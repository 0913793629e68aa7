//! The application that a site belongs to, kept on the server as `.runner/site`.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::event::Report;
use crate::shell::Word;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// As `runner.toml` names it: not the name of a checkout's directory, which each machine chooses.
    pub application: String,
}

impl Identity {
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| {
            Report::new(format!("failed to read `.runner/site`, which names the site's application: {error}"))
                .hint("remove that file on the server: the next run writes it again")
                .into()
        })
    }
}

impl From<&Identity> for Word {
    fn from(identity: &Identity) -> Self {
        // One string: serializing it cannot fail.
        Word::new(serde_json::to_vec(identity).unwrap_or_default())
    }
}
