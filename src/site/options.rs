//! What the settings say of one host, read and checked before the run.

use anyhow::{Result, bail};

use crate::release::SharedPath;
use crate::release::fill::Duplicate;
use crate::release::plan::PathRules;

#[derive(Debug, Clone)]
pub struct Options {
    pub shared: Vec<SharedPath>,
    pub rules: PathRules,
    pub env: Vec<(String, String)>,
    pub duplicate: Duplicate,
    pub drift: Drift,
    pub is_durable: bool,
    /// How many seconds a swap may go unconfirmed without a heartbeat.
    pub confirm_within: u64,
    /// What the server runs after it took a swap back by itself.
    pub revert_command: String,
    /// Whether a host that nobody knows yet is believed to be who it says.
    pub accepts_new_keys: bool,
}

/// For one who only looks.
impl Default for Options {
    fn default() -> Self {
        Self {
            shared: Vec::new(),
            rules: PathRules::default(),
            env: Vec::new(),
            duplicate: Duplicate::Link,
            drift: Drift::Report,
            is_durable: false,
            confirm_within: 60,
            revert_command: String::new(),
            accepts_new_keys: false,
        }
    }
}

/// What is done about managed files that were edited on the server. The new release has the local content always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    Report,
    Fail,
    Adopt,
}

impl Drift {
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "report" => Ok(Self::Report),
            "fail" => Ok(Self::Fail),
            "adopt" => Ok(Self::Adopt),
            _ => bail!("`{text}` is none of `report`, `fail` and `adopt`"),
        }
    }
}
