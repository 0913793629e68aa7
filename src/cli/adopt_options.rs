//! The options of `adopt` alone.

use crate::event::Report;

#[derive(Debug, clap::Args)]
pub struct AdoptOptions {
    /// With `adopt`: takes it back, if nothing was deployed since
    #[arg(long)]
    pub undo: bool,

    /// With `adopt`: where the site of a directory that is served as it is will be; by default, beside it
    #[arg(long, value_name = "PATH", conflicts_with = "undo")]
    pub to: Option<String>,

    /// With `adopt`: moves a path that only the server has to `shared/`, for all releases; can be repeated
    #[arg(long, value_name = "PATH", conflicts_with = "undo")]
    pub share: Vec<String>,
}

impl AdoptOptions {
    /// Fails if one of them is given. For the other verbs.
    pub fn refuse(&self) -> Result<(), Report> {
        match self.undo || self.to.is_some() || !self.share.is_empty() {
            true => Err(Report::new("`--undo`, `--to` and `--share` are options of `adopt`")),
            false => Ok(()),
        }
    }
}
