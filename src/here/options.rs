//! The options of a run for this machine, from the command line, `runner.toml` and settings; checked before the run.

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
    /// Paths that are never sent, wherever they are.
    pub skip: Vec<PathBuf>,
    /// Whether the run sends the source to hosts.
    pub sends: bool,
}

/// What is deployed.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// Relative to the directory of `runner.toml`.
    pub directory: String,
    /// The branch, tag or commit to deploy; `None`: the work tree.
    pub reference: Option<String>,
    /// The command line sets `ref` to an empty text; perhaps a shell variable was empty.
    pub is_emptied: bool,
    pub exclude: Vec<String>,
    pub include: Vec<String>,
}
