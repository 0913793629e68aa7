//! What the command line, `runner.toml` and the settings say of this machine, read and checked before the run.

use std::path::PathBuf;

use crate::here::mode::Mode;

pub struct HereOptions {
    pub mode: Mode,
    /// Where `runner.toml` is.
    pub directory: PathBuf,
    pub stage: String,
    pub source: SourceOptions,
    /// The setting `env` of the stage.
    pub env: Vec<(String, String)>,
    /// What is no part of the source wherever it lies.
    pub skip: Vec<PathBuf>,
    /// Whether the run sends the source to hosts.
    pub sends: bool,
}

/// What is deployed.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// From `runner.toml`.
    pub directory: String,
    /// The branch, tag or commit of it; none: as it is.
    pub reference: Option<String>,
    /// The command line says that there is none: a variable may have been empty.
    pub is_emptied: bool,
    pub exclude: Vec<String>,
}
